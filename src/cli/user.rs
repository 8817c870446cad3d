//! `tessera user`: people of a tenant.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::bulk;
use super::open;
use super::output::{
    Confirmation, Failure, Listing, Report, fields, list, moment, secret_from_file,
    secret_from_stdin,
};
use crate::config::Flags;
use crate::domain::ids::UserId;
use crate::domain::role::Role;
use crate::domain::user::{User, UserStatus};
use crate::flows::admin::{AdminError, By, IssuedLink, NewUser};
use crate::flows::{Provider, Tenant};
use crate::protocol::claims::StandardClaims;
use crate::protocol::email::EmailAddress;

/// What to do with people.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a person; without a password, print a one-time link by which they set one
    Create(Creation),
    /// List people
    List {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// Those whose address or name holds this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        #[command(flatten)]
        listing: Listing,
    },
    /// Show a person
    Show(Target),
    /// Change a person's address and claims
    Update(Change),
    /// Make people, one or very many, from JSON Lines
    Import {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        #[command(flatten)]
        import: bulk::ImportFrom,
    },
    /// Close a person's account and end everything that they have
    Disable(Target),
    /// Open a person's account again
    Enable(Target),
    /// Delete a person for good; `disable` shuts them out and can be undone
    Delete {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Print a one-time link by which a person sets another password
    ResetPassword(Target),
    /// Take away the code without which no application asks a person by the back channel
    RemoveRequestCode(Target),
}

/// A person to be made.
#[derive(Debug, clap::Args)]
pub struct Creation {
    /// The tenant's slug
    #[arg(long, value_name = "SLUG")]
    tenant: String,
    /// The address that they sign in with
    #[arg(long, value_parser = EmailAddress::parse)]
    email: EmailAddress,
    /// Take the address for verified
    #[arg(long)]
    email_verified: bool,
    /// Read their password from standard input
    #[arg(long, conflicts_with = "password_file")]
    password_stdin: bool,
    /// Read their password from a file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// What they administer: administrator, user-manager, client-manager or auditor
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Role>,
    #[command(flatten)]
    claims: Claims,
}

/// What to change of a person.
#[derive(Debug, clap::Args)]
pub struct Change {
    #[command(flatten)]
    target: Target,
    /// Another address to sign in with
    #[arg(long, value_name = "EMAIL", value_parser = EmailAddress::parse)]
    new_email: Option<EmailAddress>,
    /// Whether the address is known to be theirs
    #[arg(long, value_name = "true|false")]
    email_verified: Option<bool>,
    #[command(flatten)]
    claims: Claims,
}

/// A person of a tenant.
#[derive(Debug, clap::Args)]
pub struct Target {
    /// The tenant's slug
    #[arg(long, value_name = "SLUG")]
    tenant: String,
    #[command(flatten)]
    person: Person,
}

/// A person, by address or id.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Person {
    /// The address that they sign in with
    #[arg(long, value_parser = EmailAddress::parse)]
    email: Option<EmailAddress>,
    /// Their id, the `sub` of their tokens
    #[arg(long, value_name = "UUID")]
    id: Option<UserId>,
}

impl Person {
    /// Finds them.
    pub async fn load(&self, provider: &Provider, tenant: &Tenant) -> Result<User, AdminError> {
        match (&self.email, self.id) {
            (Some(email), _) => provider.load_user_by_email(tenant, email).await,
            (None, id) => {
                provider
                    .load_user(tenant, id.unwrap_or(uuid::Uuid::nil().into()))
                    .await
            }
        }
    }
}

/// What the standard claims say of a person.
#[derive(Debug, clap::Args)]
pub struct Claims {
    /// Full name
    #[arg(long)]
    name: Option<String>,
    /// Given names
    #[arg(long)]
    given_name: Option<String>,
    /// Surnames
    #[arg(long)]
    family_name: Option<String>,
    /// Any standard claim of OpenID Connect, `locale=de-CH` say; `address` takes a JSON object; nothing after the `=` takes it away
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    others: Vec<String>,
}

impl Claims {
    /// The claims with these replaced.
    fn apply(self, claims: &StandardClaims) -> Result<StandardClaims, Failure> {
        let mut members = match serde_json::to_value(claims) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        };
        let named = [
            ("name", self.name),
            ("given_name", self.given_name),
            ("family_name", self.family_name),
        ];
        let named = named
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let mut given = named.collect::<Vec<_>>();
        for claim in &self.others {
            let Some((name, value)) = claim.split_once('=') else {
                return Err(Failure::usage(format!(
                    "--claim takes NAME=VALUE, like locale=de-CH; `{claim}` has no `=`"
                )));
            };
            given.push((name.to_owned(), value.to_owned()));
        }
        for (name, text) in given {
            let value = match text.as_str() {
                "" => Value::Null,
                "true" | "false" if name.ends_with("_verified") => Value::Bool(text == "true"),
                object if object.starts_with('{') => {
                    serde_json::from_str(object).map_err(|error| {
                        Failure::from(AdminError::Invalid {
                            field: name.clone(),
                            reason: error.to_string(),
                        })
                    })?
                }
                _ => Value::String(text),
            };
            // Alone first, so that the message names the claim.
            serde_json::from_value::<StandardClaims>(json!({ name.as_str(): value })).map_err(
                |error| {
                    Failure::from(AdminError::Invalid {
                        field: name.clone(),
                        reason: error.to_string(),
                    })
                },
            )?;
            if value.is_null() {
                members.remove(&name);
            } else {
                members.insert(name, value);
            }
        }
        serde_json::from_value(Value::Object(members))
            .map_err(|error| Failure::failed("invalid_value", error))
    }

    fn is_empty(&self) -> bool {
        self.name.is_none()
            && self.given_name.is_none()
            && self.family_name.is_none()
            && self.others.is_empty()
    }
}

/// Does it.
pub async fn run(command: Command, flags: Flags) -> Result<Report, Failure> {
    let by = By::command_line();
    match command {
        Command::Create(creation) => creation.run(flags, &by).await,
        Command::List {
            tenant,
            search,
            listing,
        } => {
            let provider = open::command(flags).await?;
            let tenant = provider.load_tenant_named(&tenant).await?;
            let page = listing
                .collect(async |page| provider.list_users(&tenant, search.clone(), page).await)
                .await?;
            let rows = page.items.iter().map(row).collect::<Vec<_>>();
            let page = page.map(|user| document(&user));
            Ok(list(
                "users",
                &page,
                &["EMAIL", "NAME", "STATUS", "ROLES", "ID"],
                &rows,
                "There is nobody.",
            ))
        }
        Command::Update(change) => change.run(flags, &by).await,
        Command::Import { tenant, import } => bulk::import_users(&tenant, import, flags).await,
        Command::Show(target) => {
            let (_, _, user) = target.open(flags).await?;
            Ok(Report::new(document(&user), describe(&user)))
        }
        Command::Disable(target) => {
            let (provider, tenant, user) = target.open(flags).await?;
            let text = match provider.disable_user(&tenant, user.id, &by).await? {
                Some(ended) => format!(
                    "{} is disabled. Ended with it: sessions {}, grants {}. Services that verify access tokens offline accept one until it expires: {} seconds, or what its client has registered.",
                    user.email,
                    ended.sessions,
                    ended.grants,
                    tenant.settings().access_token_lifetime
                ),
                None => format!("{} is disabled already.", user.email),
            };
            Ok(Report::new(
                document(&provider.load_user(&tenant, user.id).await?),
                text,
            ))
        }
        Command::Enable(target) => {
            let (provider, tenant, user) = target.open(flags).await?;
            let done = provider.enable_user(&tenant, user.id, &by).await?;
            let text = format!(
                "{} {}.",
                user.email,
                if done {
                    "may sign in again"
                } else {
                    "isn't disabled"
                }
            );
            Ok(Report::new(
                document(&provider.load_user(&tenant, user.id).await?),
                text,
            ))
        }
        Command::Delete {
            target,
            confirmation,
        } => {
            let (provider, tenant, user) = target.open(flags).await?;
            confirmation.obtain_at_terminal(&format!(
                "{} will be deleted with their sessions, consents and roles. Nothing can bring them back; `tessera user disable` shuts them out for a while.",
                user.email
            ))?;
            provider.delete_user(&tenant, &user, &by).await?;
            Ok(Report::new(
                json!({ "deleted": { "id": user.id, "email": user.email } }),
                format!("{} is deleted.", user.email),
            ))
        }
        Command::RemoveRequestCode(target) => {
            let (provider, tenant, user) = target.open(flags).await?;
            let done = provider.remove_request_code(&tenant, user.id, &by).await?;
            let text = if done { "is removed" } else { "was never set" };
            Ok(Report::new(
                json!({ "removed": done }),
                format!("The code of {} for requests {text}.", user.email),
            ))
        }
        Command::ResetPassword(target) => {
            let (provider, tenant, user) = target.open(flags).await?;
            let link = provider.reset_password(&tenant, &user, &by).await?;
            let text = format!(
                "{} can set another password. The present one holds until then.\n",
                user.email
            );
            Ok(with_link(&user, Some(&link), text))
        }
    }
}

impl Creation {
    async fn run(self, flags: Flags, by: &By) -> Result<Report, Failure> {
        let password = match self.password_file {
            Some(path) => Some(secret_from_file(&path)?),
            None if self.password_stdin => Some(secret_from_stdin()?),
            None => None,
        };
        let new = NewUser {
            email: self.email,
            email_verified: self.email_verified,
            password,
            claims: self.claims.apply(&StandardClaims::default())?,
            roles: self.roles,
        };
        let provider = open::command(flags).await?;
        let tenant = provider.load_tenant_named(&self.tenant).await?;
        let created = provider.create_user(&tenant, new, by).await?;
        let text = describe(&created.user);
        Ok(with_link(&created.user, created.link.as_ref(), text))
    }
}

impl Change {
    async fn run(self, flags: Flags, by: &By) -> Result<Report, Failure> {
        if self.new_email.is_none() && self.email_verified.is_none() && self.claims.is_empty() {
            return Err(Failure::usage(
                "nothing to change was given; --help lists what can be",
            ));
        }
        let (provider, tenant, mut user) = self.target.open(flags).await?;
        user.claims = self.claims.apply(&user.claims)?;
        let email = self.new_email.unwrap_or_else(|| user.email.clone());
        let user = user.with_address(email, self.email_verified);
        let user = provider.update_user(&tenant, user, by).await?;
        Ok(Report::new(document(&user), describe(&user)))
    }
}

impl Target {
    async fn open(&self, flags: Flags) -> Result<(Arc<Provider>, Arc<Tenant>, User), Failure> {
        let provider = open::command(flags).await?;
        let tenant = provider.load_tenant_named(&self.tenant).await?;
        let user = self.person.load(&provider, &tenant).await?;
        Ok((provider, tenant, user))
    }
}

/// A person and the link that was made for them.
pub fn with_link(user: &User, link: Option<&IssuedLink>, mut text: String) -> Report {
    let mut document = document(user);
    if let Some(link) = link {
        document["link"] = link.url.expose().into();
        document["link_expires_at"] = json!(link.expires_at);
        text = format!(
            "{text}\nHand this link over, by a way on which nobody else reads; it is good once, until {}:\n\n  {}\n",
            moment(link.expires_at),
            link.url.expose()
        );
    }
    Report::new(document, text)
}

/// A person for programs. Nothing of the password is in it.
pub fn document(user: &User) -> Value {
    let mut document = json!({
        "id": user.id,
        "email": user.email,
        "email_verified": user.email_verified,
        "status": status(user),
        "has_password": user.password.is_some(),
        "roles": user.roles,
        "claims": user.claims,
        "version": user.version,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    });
    if let UserStatus::Disabled { since } = user.status {
        document["disabled_at"] = json!(since);
    }
    document
}

fn status(user: &User) -> &'static str {
    if user.is_active() {
        "active"
    } else {
        "disabled"
    }
}

fn roles(user: &User) -> String {
    user.roles
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

fn row(user: &User) -> Vec<String> {
    vec![
        user.email.to_string(),
        user.claims.name.clone().unwrap_or_default(),
        status(user).to_owned(),
        roles(user),
        user.id.to_string(),
    ]
}

fn describe(user: &User) -> String {
    let mut rows = vec![
        ("email", user.email.to_string()),
        (
            "verified",
            if user.email_verified { "yes" } else { "no" }.to_owned(),
        ),
        ("status", status(user).to_owned()),
        (
            "password",
            user.password.as_ref().map_or_else(
                || "none yet".to_owned(),
                |password| format!("set {}", moment(password.set_at)),
            ),
        ),
        ("roles", roles(user)),
        ("id", user.id.to_string()),
        ("made", moment(user.created_at)),
        ("changed", moment(user.updated_at)),
    ];
    let claims = serde_json::to_value(&user.claims).unwrap_or_default();
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned)
    };
    rows.extend(
        claims
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), text(value))),
    );
    fields(&rows)
}
