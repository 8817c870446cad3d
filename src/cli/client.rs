//! `tessera client`: the applications and services of a tenant.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::initial_access_token::{
    initial_access_token, initial_access_tokens, revoke_initial_access_token,
};
use super::open;
use super::output::{Confirmation, Failure, Listing, Report, fields, json_from_file, list, moment};
use crate::config::Flags;
use crate::domain::client::Client;
use crate::domain::ids::{ClientId, InitialAccessTokenId};
use crate::flows::Tenant;
use crate::flows::admin::{
    AdminError, By, DEFAULT_SECRET_OVERLAP, NewInitialAccessToken, RegisteredClient,
    client_information,
};
use crate::flows::scopes::only_api_of;
use crate::protocol::Scope;
use crate::protocol::client_metadata::{ClientMetadata, GrantType};
use crate::protocol::merge_patch;

/// What to do with clients.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Register a client and print its credentials; --json prints RFC 7591's response
    ///
    /// Without options it is a confidential web client with refresh tokens (`client_secret_basic`, PKCE required). `--public` makes one
    /// that can't keep a secret, `--grant-type client_credentials` one that acts for itself. Where its scopes are those of one API, its
    /// tokens are for that API without asking (`default_audience`). Everything else is said in RFC 7591's metadata.
    Create {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        #[command(flatten)]
        metadata: Metadata,
    },
    /// List clients
    List {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        #[command(flatten)]
        listing: Listing,
    },
    /// Show a client's metadata
    Show(Target),
    /// Change a client's metadata: what is named, by the options or by --metadata-file, and nothing else
    Update {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        metadata: Metadata,
    },
    /// Give a client another secret
    RotateSecret {
        #[command(flatten)]
        target: Target,
        /// For how many seconds the present secret stays good; 24 hours unless told, 0 ends it at once
        #[arg(long, value_name = "SECONDS")]
        overlap: Option<u64>,
    },
    /// Delete a client for good, with its grants and consents
    Delete {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Make a token by which somebody may register clients themselves (RFC 7591)
    ///
    /// The tenant's setting `registration` has to be `token` or `open`. The token is shown once.
    InitialAccessToken {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// What it is for
        #[arg(long)]
        name: String,
        /// How many clients may be registered with it; 1 unless told
        #[arg(long, value_name = "NUMBER")]
        max_uses: Option<u32>,
        /// For how many seconds it is good; a week unless told
        #[arg(long, value_name = "SECONDS")]
        expires_in: Option<u32>,
    },
    /// List the tokens by which clients may be registered, spent and expired ones too
    InitialAccessTokens {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        #[command(flatten)]
        listing: Listing,
    },
    /// Revoke a token by which clients may be registered; those that were stay
    RevokeInitialAccessToken {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// Which: the id that the list shows, not the token
        #[arg(value_name = "ID")]
        token_id: InitialAccessTokenId,
    },
}

/// A client of a tenant.
#[derive(Debug, clap::Args)]
pub struct Target {
    /// The tenant's slug
    #[arg(long, value_name = "SLUG")]
    tenant: String,
    /// Its `client_id`, as `client list` shows it
    client_id: ClientId,
}

/// What a client's metadata is made from.
#[derive(Debug, clap::Args)]
pub struct Metadata {
    /// What people read
    #[arg(long)]
    name: Option<String>,
    /// It can't keep a secret: an application in a browser or on a device
    #[arg(long)]
    public: bool,
    /// Where the browser may be sent back to
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Where the browser may be sent to after signing out
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// Where its server is told that a session has ended (OpenID Connect Back-Channel Logout)
    #[arg(long, value_name = "URI")]
    backchannel_logout_uri: Option<String>,
    /// How it gets the tokens of people whom it asks by the back channel (OpenID Connect CIBA): `poll`, `ping` or `push`
    #[arg(long, value_name = "MODE")]
    backchannel_token_delivery_mode: Option<String>,
    /// Where it is told of their answers, by `ping` and `push`
    #[arg(long, value_name = "URI")]
    backchannel_client_notification_endpoint: Option<String>,
    /// The page of it that is loaded in a frame when somebody signs out (OpenID Connect Front-Channel Logout)
    #[arg(long, value_name = "URI")]
    frontchannel_logout_uri: Option<String>,
    /// `authorization_code`, `refresh_token`, `client_credentials`, `implicit`, `urn:ietf:params:oauth:grant-type:device_code`,
    /// `urn:openid:params:grant-type:ciba` or `urn:ietf:params:oauth:grant-type:token-exchange`
    #[arg(long = "grant-type", value_name = "TYPE")]
    grant_types: Vec<String>,
    /// What the authorization endpoint may answer with; `code` unless told. Others need the grant type `implicit`
    #[arg(long = "response-type", value_name = "TYPE")]
    response_types: Vec<String>,
    /// A scope that it may ask for
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// RFC 7591 client metadata in JSON; `-` for standard input. The other options override it. To `client update` it is a merge patch
    /// (RFC 7396): a field that isn't there stays as it is, and `null` takes it away
    #[arg(long = "metadata-file", value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What RFC 7591 §3.2.1 adds to the metadata in a response.
const OF_RESPONSE: [&str; 4] = [
    "client_id",
    "client_id_issued_at",
    "client_secret",
    "client_secret_expires_at",
];

impl Metadata {
    fn is_empty(&self) -> bool {
        let lists = [
            &self.redirect_uris,
            &self.post_logout_redirect_uris,
            &self.grant_types,
            &self.response_types,
            &self.scopes,
        ];
        let texts = [
            &self.name,
            &self.backchannel_logout_uri,
            &self.backchannel_token_delivery_mode,
            &self.backchannel_client_notification_endpoint,
            &self.frontchannel_logout_uri,
        ];
        texts.iter().all(|text| text.is_none())
            && !self.public
            && self.file.is_none()
            && lists.iter().all(|list| list.is_empty())
    }

    /// The metadata of a new client.
    fn of_new(self) -> Result<ClientMetadata, Failure> {
        let from_file = self.file.is_some();
        let mut members = self.document(Map::new(), None)?;
        if !from_file {
            members.entry("grant_types").or_insert_with(|| {
                json!([
                    GrantType::AuthorizationCode.as_str(),
                    GrantType::RefreshToken.as_str()
                ])
            });
            let grants = |grant: GrantType| {
                members["grant_types"]
                    .as_array()
                    .is_some_and(|types| types.iter().any(|name| name == grant.as_str()))
            };
            let scope = match (
                grants(GrantType::AuthorizationCode)
                    || grants(GrantType::Implicit)
                    || grants(GrantType::DeviceCode)
                    || grants(GrantType::Ciba),
                grants(GrantType::RefreshToken),
            ) {
                (false, _) => "",
                (true, false) => "openid profile email",
                (true, true) => "openid profile email offline_access",
            };
            let comes_back = grants(GrantType::AuthorizationCode) || grants(GrantType::Implicit);
            if comes_back && !members.contains_key("redirect_uris") {
                return Err(Failure::usage(
                    "people who sign in have to come back to somewhere: add --redirect-uri URI; an application that acts for itself has \
                     --grant-type client_credentials instead",
                ));
            }
            members.entry("scope").or_insert_with(|| scope.into());
        }
        if !members.contains_key("client_name") {
            return Err(Failure::usage(
                "a client needs a name: add --name NAME, or `client_name` to the metadata",
            ));
        }
        read(members)
    }

    /// The metadata of a client that is there.
    fn of_present(self, client: &Client) -> Result<ClientMetadata, Failure> {
        let present = match serde_json::to_value(&client.metadata) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        };
        let anew = !self.grant_types.is_empty() && self.response_types.is_empty();
        let mut members = self.document(present, Some(client.id))?;
        if anew {
            // They follow from the grants.
            members.remove("response_types");
        }
        read(members)
    }

    /// What is there, the file merged over it, and over that the options.
    fn document(
        self,
        mut members: Map<String, Value>,
        id: Option<ClientId>,
    ) -> Result<Map<String, Value>, Failure> {
        if let Some(path) = &self.file {
            let mut file = object_from(path)?;
            // What `client show` printed may be edited and given back (RFC 7592 §2.2 asks for the client_id even).
            if let Some(id) = id {
                if file
                    .get("client_id")
                    .is_some_and(|named| *named != id.to_string())
                {
                    return Err(Failure::failed(
                        "invalid_value",
                        "client_id: the metadata is another client's",
                    ));
                }
                file.retain(|name, _| !OF_RESPONSE.contains(&name.as_str()));
            }
            let mut merged = Value::Object(members);
            merge_patch::apply(&mut merged, &Value::Object(file));
            members = match merged {
                Value::Object(members) => members,
                _ => Map::new(),
            };
        }
        let mut scopes = Scope::empty();
        for text in &self.scopes {
            scopes = scopes.union(&Scope::parse(text).map_err(|error| invalid("scope", &error))?);
        }
        let lists = [
            ("redirect_uris", self.redirect_uris),
            ("post_logout_redirect_uris", self.post_logout_redirect_uris),
            ("grant_types", self.grant_types),
            ("response_types", self.response_types),
        ];
        for (name, values) in lists.into_iter().filter(|(_, values)| !values.is_empty()) {
            members.insert(name.to_owned(), values.into());
        }
        if !scopes.is_empty() {
            members.insert("scope".to_owned(), scopes.to_string().into());
        }
        for (name, value) in [
            ("client_name", self.name),
            ("backchannel_logout_uri", self.backchannel_logout_uri),
            (
                "backchannel_token_delivery_mode",
                self.backchannel_token_delivery_mode,
            ),
            (
                "backchannel_client_notification_endpoint",
                self.backchannel_client_notification_endpoint,
            ),
            ("frontchannel_logout_uri", self.frontchannel_logout_uri),
        ] {
            if let Some(value) = value {
                members.insert(name.to_owned(), value.into());
            }
        }
        if self.public {
            members.insert("token_endpoint_auth_method".to_owned(), "none".into());
        }
        Ok(members)
    }
}

fn object_from(path: &Path) -> Result<Map<String, Value>, Failure> {
    match json_from_file(path)? {
        Value::Object(members) => Ok(members),
        _ => Err(Failure::failed(
            "invalid_value",
            format!("{}: must be a JSON object", path.display()),
        )),
    }
}

fn invalid(field: &str, reason: &dyn ToString) -> Failure {
    AdminError::Invalid {
        field: field.to_owned(),
        reason: reason.to_string(),
    }
    .into()
}

fn read(members: Map<String, Value>) -> Result<ClientMetadata, Failure> {
    ClientMetadata::from_json(Value::Object(members))
        .map_err(|error| invalid(&error.field, &error.reason))
}

/// Does it.
pub async fn run(command: Command, flags: Flags) -> Result<Report, Failure> {
    let by = By::command_line();
    match command {
        Command::Create { tenant, metadata } => {
            let by_options = metadata.file.is_none();
            let mut metadata = metadata.of_new()?;
            let provider = open::command(flags).await?;
            let tenant = provider.load_tenant_named(&tenant).await?;
            if by_options {
                let scope = metadata.scope.clone().unwrap_or_default();
                metadata.default_audience =
                    only_api_of(&tenant.resources, &scope).map(ToOwned::to_owned);
            }
            let registered = provider.create_client(&tenant, metadata, &by).await?;
            let text = credentials(&registered, &tenant.canonical);
            Ok(Report::new(registered.response(), text))
        }
        Command::List { tenant, listing } => {
            let provider = open::command(flags).await?;
            let tenant = provider.load_tenant_named(&tenant).await?;
            let page = listing
                .collect(async |page| provider.list_clients(&tenant, page).await)
                .await?;
            let rows = page.items.iter().map(row).collect::<Vec<_>>();
            let page = page.map(|client| client_information(&client));
            Ok(list(
                "clients",
                &page,
                &["CLIENT_ID", "NAME", "AUTHENTICATION", "GRANTS"],
                &rows,
                "This tenant has no clients.",
            ))
        }
        Command::Show(target) => {
            let provider = open::command(flags).await?;
            let tenant = provider.load_tenant_named(&target.tenant).await?;
            let client = provider.load_client(&tenant, target.client_id).await?;
            Ok(Report::new(client_information(&client), describe(&client)))
        }
        Command::Update { target, metadata } => {
            if metadata.is_empty() {
                return Err(Failure::usage(
                    "nothing to change was given; --help lists what can be",
                ));
            }
            let provider = open::command(flags).await?;
            let tenant = provider.load_tenant_named(&target.tenant).await?;
            let mut client = provider.load_client(&tenant, target.client_id).await?;
            client.metadata = metadata.of_present(&client)?;
            let registered = provider.update_client(&tenant, client, &by).await?;
            let text = if registered.secret.is_some() {
                credentials(&registered, &tenant.canonical)
            } else {
                describe(&registered.client)
            };
            Ok(Report::new(registered.response(), text))
        }
        Command::RotateSecret { target, overlap } => {
            let overlap = Duration::from_secs(overlap.unwrap_or(DEFAULT_SECRET_OVERLAP.into()));
            let provider = open::command(flags).await?;
            let tenant = provider.load_tenant_named(&target.tenant).await?;
            let registered = provider
                .rotate_client_secret(&tenant, target.client_id, overlap, &by)
                .await?;
            Ok(rotated_secret(registered, &tenant))
        }
        Command::Delete {
            target,
            confirmation,
        } => target.delete(confirmation, flags).await,
        Command::InitialAccessToken {
            tenant,
            name,
            max_uses,
            expires_in,
        } => {
            let mut new = NewInitialAccessToken::for_one(name);
            new.max_uses = max_uses.unwrap_or(new.max_uses);
            new.lifetime = expires_in.unwrap_or(new.lifetime);
            let provider = open::command(flags).await?;
            let tenant = provider.load_tenant_named(&tenant).await?;
            let made = provider
                .create_initial_access_token(&tenant, new, &by)
                .await?;
            Ok(initial_access_token(&made, &tenant))
        }
        Command::InitialAccessTokens { tenant, listing } => {
            initial_access_tokens(&tenant, listing, flags).await
        }
        Command::RevokeInitialAccessToken { tenant, token_id } => {
            revoke_initial_access_token(&tenant, token_id, flags).await
        }
    }
}

impl Target {
    async fn delete(self, confirmation: Confirmation, flags: Flags) -> Result<Report, Failure> {
        let provider = open::command(flags).await?;
        let tenant = provider.load_tenant_named(&self.tenant).await?;
        let client = provider.load_client(&tenant, self.client_id).await?;
        let name = client.metadata.client_name.as_deref();
        confirmation.obtain_at_terminal(&format!(
            "{} ({}) will be deleted: nobody signs in to it any more, its tokens end, and what people allowed it goes. Registered again, it has another client_id.",
            name.unwrap_or("The client"),
            client.id
        ))?;
        provider
            .delete_client(&tenant, self.client_id, &By::command_line())
            .await?;
        let text = format!(
            "The client {} is deleted, and what people had allowed it.",
            self.client_id
        );
        Ok(Report::new(
            json!({ "deleted": { "client_id": self.client_id } }),
            text,
        ))
    }
}

/// A new secret, and what becomes of the one before.
fn rotated_secret(registered: RegisteredClient, tenant: &Tenant) -> Report {
    let previous = registered
        .client
        .secret
        .as_ref()
        .and_then(|secrets| secrets.previous.as_ref())
        .map(|(_, until)| *until);
    let fate = match previous {
        Some(until) => format!(
            "stays good until {}; give the application the new one by then",
            moment(until)
        ),
        None => "is good no more".to_owned(),
    };
    let text = format!(
        "{}The secret before {fate}.",
        credentials(&registered, &tenant.canonical)
    );
    let mut document = registered.response();
    document["previous_secret_accepted_until"] = json!(previous);
    Report::new(document, text)
}

/// What an application is set up with, for people.
pub fn credentials(registered: &RegisteredClient, issuer: &str) -> String {
    let client = &registered.client;
    let text = fields(&[
        ("issuer", issuer.to_owned()),
        ("client_id", client.id.to_string()),
        (
            "client_secret",
            registered
                .secret
                .as_ref()
                .map(|secret| secret.expose().to_owned())
                .unwrap_or_default(),
        ),
        (
            "scope",
            client
                .metadata
                .scope
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
    ]);
    if registered.secret.is_some() {
        format!("{text}\nThe secret is shown this once.\n")
    } else {
        text
    }
}

fn grants(client: &Client) -> String {
    client
        .metadata
        .grant_types
        .iter()
        .map(|grant| grant.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

fn row(client: &Client) -> Vec<String> {
    let name = client.metadata.client_name.clone().unwrap_or_default();
    vec![
        client.id.to_string(),
        name,
        client
            .metadata
            .token_endpoint_auth_method
            .as_str()
            .to_owned(),
        grants(client),
    ]
}

fn describe(client: &Client) -> String {
    let document = client_information(client);
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items
            .iter()
            .map(|item| {
                item.as_str()
                    .map_or_else(|| item.to_string(), ToOwned::to_owned)
            })
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    };
    let mut rows = document
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), text(value)))
        .collect::<Vec<_>>();
    for (name, value) in &mut rows {
        if *name == "client_id_issued_at" {
            *value = moment(client.created_at);
        }
    }
    if let Some((_, until)) = client
        .secret
        .as_ref()
        .and_then(|secrets| secrets.previous.as_ref())
    {
        rows.push(("previous secret accepted until", moment(*until)));
    }
    fields(&rows)
}
