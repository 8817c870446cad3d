//! Clients: registered from RFC 7591 metadata, changed, given another secret, deleted.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::authority::{Area, Permission};
use super::error::{AdminError, By};
use super::once::Claim;
use crate::domain::audit::{Act, Event};
use crate::domain::client::{Client, ClientSecrets, KeptSecret};
use crate::domain::ids::ClientId;
use crate::domain::resource::Resource;
use crate::flows::client_secrets::Keeper;
use crate::flows::provider::Provider;
use crate::flows::scopes::{OF_PERSONS, Rules};
use crate::flows::tenancy::Tenant;
use crate::flows::trial;
use crate::protocol::Scope;
use crate::protocol::client_metadata::{AccessTokenFormat, ClientMetadata, SubjectType};
use crate::secret::PlainSecret;
use crate::storage::{self, Page, PageRequest, Repo};

const WRITE: Permission = Permission::Write(Area::Clients);

/// How long the secret before a rotation stays good unless told otherwise, in seconds.
pub const DEFAULT_SECRET_OVERLAP: u32 = 24 * 3_600;

/// The longest such time.
const MAX_SECRET_OVERLAP: Duration = Duration::from_hours(90 * 24);

/// The largest array of redirect URIs that is read, in bytes.
const SECTOR_MAX: usize = 256 * 1024;

/// A client as it was registered or changed, with a secret that was made and is shown this once.
#[derive(Clone, Debug)]
pub struct RegisteredClient {
    /// The client.
    pub client: Client,
    /// Its secret, where one was made.
    pub secret: Option<PlainSecret>,
}

impl RegisteredClient {
    /// The client information response (RFC 7591 §3.2.1).
    pub fn response(&self) -> Value {
        let mut document = client_information(&self.client);
        if let (Value::Object(members), Some(secret)) = (&mut document, &self.secret) {
            members.insert("client_secret".to_owned(), secret.expose().into());
            // "or 0 if it will not expire"
            members.insert("client_secret_expires_at".to_owned(), 0.into());
        }
        document
    }
}

/// What RFC 7591 §3.2.1 says of a client, without its secret.
pub fn client_information(client: &Client) -> Value {
    let mut members = serde_json::Map::new();
    members.insert("client_id".to_owned(), client.id.to_string().into());
    members.insert(
        "client_id_issued_at".to_owned(),
        client.created_at.timestamp().into(),
    );
    if let Ok(Value::Object(metadata)) = serde_json::to_value(&client.metadata) {
        members.extend(metadata);
    }
    Value::Object(members)
}

/// Why whoever acts may not act on this client, as it is at this moment.
fn beyond(repo: &mut Repo<'_>, id: ClientId, by: &By) -> storage::Result<Option<AdminError>> {
    let client = repo.find_client(id)?;
    Ok(client.and_then(|client| check_client(by, &client).err()))
}

/// Refuses to act on a client that is built in, or that administers more than whoever acts.
pub(super) fn check_client(by: &By, client: &Client) -> Result<(), AdminError> {
    if trial::is_stand_in(client) {
        return Err(AdminError::refused(
            "this client stands in for another one while somebody tries that out: it is made and deleted by the server itself",
        ));
    }
    by.authority.check_client(client)
}

/// Deletes a client with all that hangs on it; `event` says who did it and why. `false` where it is gone already, of which nothing is told.
pub(in crate::flows) fn delete_client_row(
    repo: &mut Repo<'_>,
    id: ClientId,
    event: Event,
) -> storage::Result<bool> {
    repo.delete_client(trial::stand_in_id(id))?;
    let done = repo.delete_client(id)?;
    if done {
        repo.record(event.client(id))?;
    }
    Ok(done)
}

/// Refuses a client whose response types its tenant would never answer. An import isn't asked: what was exported has to come back.
fn check_front_channel(tenant: &Tenant, client: &Client) -> Result<(), AdminError> {
    let mut types = client.metadata.response_types.iter();
    match types.find(|own| own.is_front_channel()) {
        Some(own) if !tenant.settings().front_channel_tokens => Err(AdminError::invalid(
            "response_types",
            format!(
                "{own} has a token that comes through the browser, which this tenant forbids (its setting front_channel_tokens); use code"
            ),
        )),
        _ => Ok(()),
    }
}

/// Refuses pairwise subjects by the word of a client that registered itself, where a redirect URI says whose they are and tokens come without
/// being sent there: it could name another's address, and would know that application's people. One that is there already stays as it is.
fn check_own_sector(client: &Client, before: Option<&ClientMetadata>) -> Result<(), AdminError> {
    let is_unproved = |metadata: &ClientMetadata| {
        metadata.subject_type == SubjectType::Pairwise
            && metadata.has_people_sign_in()
            && metadata.has_people_elsewhere()
            && metadata.sector_identifier_uri.is_none()
    };
    if client.registration.is_some()
        && is_unproved(&client.metadata)
        && !before.is_some_and(is_unproved)
    {
        return Err(AdminError::invalid(
            "subject_type",
            "pairwise needs a sector_identifier_uri of a client that registered itself and gets tokens by a device or the back channel as well as at its redirect URIs; or register a client for each",
        ));
    }
    Ok(())
}

/// Of a scope or a type of authorization details.
fn none_has(name: &str) -> String {
    format!("`{name}` belongs to none of the tenant's resources; give it to one first")
}

/// Refuses a client that says that it encrypts its requests, where there is no key to encrypt to.
fn check_request_encryption(tenant: &Tenant, client: &Client) -> Result<(), AdminError> {
    match client.metadata.request_object_encryption_alg {
        Some(_) if !tenant.settings().request_object_encryption => Err(AdminError::invalid(
            "request_object_encryption_alg",
            "needs a key of the tenant that this one doesn't publish (its setting request_object_encryption)",
        )),
        _ => Ok(()),
    }
}

impl Provider {
    /// Registers a client. What it needs to get ID tokens is made at once, so that its first sign-in finds a published key.
    pub async fn create_client(
        &self,
        tenant: &Arc<Tenant>,
        metadata: ClientMetadata,
        by: &By,
    ) -> Result<RegisteredClient, AdminError> {
        by.check(WRITE)?;
        let now = self.now();
        let id = ClientId::from(self.clock.uuid_v7());
        let mut client = Client::new(id, self.check_metadata(metadata)?, now);
        self.prepare_client(tenant, &client, None, by).await?;
        let method = client.metadata.token_endpoint_auth_method;
        let secret = if method.uses_secret() {
            let (secret, kept) = Keeper::of(tenant, &self.clock).make(id, method)?;
            client.secret = Some(ClientSecrets {
                current: kept,
                made_at: now,
                previous: None,
            });
            Some(secret)
        } else {
            None
        };
        let claim = by.claim(tenant, id.uuid(), secret.as_ref(), &self.clock)?;
        let (stored, by) = (client.clone(), by.clone());
        self.db
            .write(&**tenant, move |repo| {
                Claim::write(claim.as_ref(), repo)?;
                repo.insert_client(&stored)?;
                repo.record(
                    by.event(Act::ClientCreated)
                        .client(id)
                        .detail(json!({ "client_name": stored.metadata.client_name })),
                )
            })
            .await?;
        Ok(RegisteredClient { client, secret })
    }

    /// Replaces a client's metadata by that of `changed`, provided that nobody changed the client since it was read. Where the client
    /// needs a secret from now on and has none, or needs it in a way in which it wasn't kept, one is made.
    pub async fn update_client(
        &self,
        tenant: &Arc<Tenant>,
        changed: Client,
        by: &By,
    ) -> Result<RegisteredClient, AdminError> {
        by.check(WRITE)?;
        let mut changed = changed;
        if let Some(registration) = &mut changed.registration {
            let id = changed.id;
            let before = self.db.read(&**tenant, move |repo| repo.find_client(id));
            let before = before.await?.map(|client| client.metadata);
            let set = before.map(|before| changed.metadata.members_unlike(&before));
            registration
                .set_by_administrators
                .extend(set.unwrap_or_default());
        }
        let secret = if changed.lacks_secret() {
            let method = changed.metadata.token_endpoint_auth_method;
            Some(Keeper::of(tenant, &self.clock).make(changed.id, method)?)
        } else {
            None
        };
        self.replace_client(tenant, changed, secret, by).await
    }

    /// [`Provider::update_client`] with the secret that the client is to have from now on, if it is to have another.
    pub(in crate::flows) async fn replace_client(
        &self,
        tenant: &Arc<Tenant>,
        changed: Client,
        secret: Option<(PlainSecret, KeptSecret)>,
        by: &By,
    ) -> Result<RegisteredClient, AdminError> {
        let mut changed = changed;
        changed.metadata = self.check_metadata(changed.metadata)?;
        let (id, by) = (changed.id, by.clone());
        // Where it is another version than the one that is changed, nothing is written below.
        let before = self.db.read(&**tenant, move |repo| repo.find_client(id));
        let before = before.await?.map(|client| client.metadata);
        self.prepare_client(tenant, &changed, before.as_ref(), &by)
            .await?;
        let (secret, kept) = secret.unzip();
        let stored = self.db.write(&**tenant, move |repo| {
            if let Some(refusal) = beyond(repo, id, &by)? {
                return Ok(Err(refusal));
            }
            if !repo.update_client(&changed)? {
                return Ok(Ok(None));
            }
            if let Some(kept) = &kept {
                repo.rotate_client_secret(id, kept, None)?;
            }
            repo.record(
                by.event(Act::ClientUpdated)
                    .client(id)
                    .detail(json!({ "client_name": changed.metadata.client_name })),
            )?;
            repo.find_client(id).map(Ok)
        });
        match stored.await?? {
            Some(client) => Ok(RegisteredClient { client, secret }),
            None => Err(AdminError::Stale("client")),
        }
    }

    /// Gives a client another secret; the one before stays good for `overlap`.
    pub async fn rotate_client_secret(
        &self,
        tenant: &Tenant,
        id: ClientId,
        overlap: Duration,
        by: &By,
    ) -> Result<RegisteredClient, AdminError> {
        by.check(WRITE)?;
        let client = self.load_client(tenant, id).await?;
        self.rotate_secret_of(tenant, &client, overlap, by).await
    }

    /// Gives a client another secret, provided that nobody changed it since it was read; the one before stays good for `overlap`.
    pub async fn rotate_secret_of(
        &self,
        tenant: &Tenant,
        client: &Client,
        overlap: Duration,
        by: &By,
    ) -> Result<RegisteredClient, AdminError> {
        by.check(WRITE)?;
        if overlap > MAX_SECRET_OVERLAP {
            return Err(AdminError::invalid(
                "overlap",
                format!(
                    "must be at most {} seconds (90 days)",
                    MAX_SECRET_OVERLAP.as_secs()
                ),
            ));
        }
        let (id, version) = (client.id, client.version);
        let method = client.metadata.token_endpoint_auth_method;
        if !method.uses_secret() {
            return Err(AdminError::refused(format!(
                "the client has no secret: its token_endpoint_auth_method is {}",
                method.as_str()
            )));
        }
        let (secret, kept) = Keeper::of(tenant, &self.clock).make(id, method)?;
        let until = (!overlap.is_zero()).then(|| self.now() + overlap);
        let by = by.clone();
        let stored = self.db.write(tenant, move |repo| {
            if let Some(refusal) = beyond(repo, id, &by)? {
                return Ok(Err(refusal));
            }
            let read = repo.find_client(id)?.map(|client| client.version);
            if read != Some(version) || !repo.rotate_client_secret(id, &kept, until)? {
                return Ok(Ok(None));
            }
            repo.record(
                by.event(Act::ClientSecretRotated)
                    .client(id)
                    .detail(json!({ "previous_accepted_until": until })),
            )?;
            repo.find_client(id).map(Ok)
        });
        match stored.await?? {
            Some(client) => Ok(RegisteredClient {
                client,
                secret: Some(secret),
            }),
            None => Err(AdminError::Stale("client")),
        }
    }

    /// Deletes a client with its grants and consents.
    pub async fn delete_client(
        &self,
        tenant: &Tenant,
        id: ClientId,
        by: &By,
    ) -> Result<(), AdminError> {
        by.check(WRITE)?;
        self.remove_client(tenant, id, by).await
    }

    /// [`Provider::delete_client`] by whoever may otherwise: a client that ends its own registration holds no role.
    pub(in crate::flows) async fn remove_client(
        &self,
        tenant: &Tenant,
        id: ClientId,
        by: &By,
    ) -> Result<(), AdminError> {
        let by = by.clone();
        let done = self.db.write(tenant, move |repo| {
            let Some(client) = repo.find_client(id)? else {
                return Ok(Ok(false));
            };
            if let Err(refusal) = check_client(&by, &client) {
                return Ok(Err(refusal));
            }
            let detail = json!({ "client_name": client.metadata.client_name });
            delete_client_row(repo, id, by.event(Act::ClientDeleted).detail(detail)).map(Ok)
        });
        if done.await?? {
            Ok(())
        } else {
            Err(AdminError::no_client(id))
        }
    }

    /// A client as it is stored at this moment.
    pub async fn load_client(&self, tenant: &Tenant, id: ClientId) -> Result<Client, AdminError> {
        self.db
            .read(tenant, move |repo| repo.find_client(id))
            .await?
            .ok_or_else(|| AdminError::no_client(id))
    }

    /// Lists clients in the order of their making.
    pub async fn list_clients(
        &self,
        tenant: &Tenant,
        page: PageRequest,
    ) -> Result<Page<Client>, AdminError> {
        self.search_clients(tenant, None, page).await
    }

    /// Lists clients in the order of their making; `search` is a part of their name, or a whole `client_id`.
    pub async fn search_clients(
        &self,
        tenant: &Tenant,
        search: Option<String>,
        page: PageRequest,
    ) -> Result<Page<Client>, AdminError> {
        Ok(self
            .db
            .read(tenant, move |repo| {
                repo.search_clients(search.as_deref(), page)
            })
            .await?)
    }

    pub(in crate::flows) fn check_metadata(
        &self,
        metadata: ClientMetadata,
    ) -> Result<ClientMetadata, AdminError> {
        let metadata = metadata.validate().map_err(|error| AdminError::Invalid {
            field: error.field,
            reason: error.reason,
        })?;
        let by_certificate = [
            (
                "token_endpoint_auth_method",
                metadata.token_endpoint_auth_method.uses_certificate(),
            ),
            (
                "tls_client_certificate_bound_access_tokens",
                metadata.tls_client_certificate_bound_access_tokens,
            ),
        ];
        let wanted = by_certificate.iter().find(|(_, wanted)| *wanted);
        if let Some((field, _)) = wanted.filter(|_| !self.config.takes_client_certificates()) {
            return Err(AdminError::invalid(
                field,
                "needs clients' certificates, which this installation doesn't take: its operators can configure mtls_listen or client_certificate_header",
            ));
        }
        for (field, url) in [
            ("jwks_uri", &metadata.jwks_uri),
            ("sector_identifier_uri", &metadata.sector_identifier_uri),
            ("backchannel_logout_uri", &metadata.backchannel_logout_uri),
            (
                "backchannel_client_notification_endpoint",
                &metadata.backchannel_client_notification_endpoint,
            ),
        ] {
            if let Some(url) = url {
                self.egress
                    .check(url)
                    .map_err(|error| AdminError::invalid(field, error))?;
            }
        }
        Ok(metadata)
    }

    /// Everything that must hold of a client before it is written down, whoever registers it; makes the keys that it needs. `before` is what
    /// is registered of it so far.
    pub(in crate::flows) async fn prepare_client(
        &self,
        tenant: &Arc<Tenant>,
        client: &Client,
        before: Option<&ClientMetadata>,
        by: &By,
    ) -> Result<(), AdminError> {
        check_client(by, client)?;
        check_front_channel(tenant, client)?;
        tenant
            .check_profile(client)
            .map_err(|error| AdminError::invalid(&error.field, error.reason))?;
        check_request_encryption(tenant, client)?;
        self.check_surroundings(&tenant.resources, client, before)?;
        check_own_sector(client, before)?;
        self.check_sector(tenant, client).await?;
        self.ensure_client_key(tenant, client).await
    }

    /// `OpenID` Connect Dynamic Client Registration §5: "The values of the registered `redirect_uris` MUST be included in the elements of the
    /// array, or registration MUST fail."
    async fn check_sector(&self, tenant: &Tenant, client: &Client) -> Result<(), AdminError> {
        const FIELD: &str = "sector_identifier_uri";
        let metadata = &client.metadata;
        let Some(url) = &metadata.sector_identifier_uri else {
            return Ok(());
        };
        let fetched = self
            .egress
            .fetch_json(tenant.id().uuid(), url, SECTOR_MAX)
            .await
            .map_err(|error| AdminError::invalid(FIELD, error))?;
        let uris: Vec<String> = serde_json::from_value(fetched).map_err(|_| {
            AdminError::invalid(FIELD, "must lead to a JSON array of redirect URIs")
        })?;
        let missing = metadata
            .redirect_uris
            .iter()
            .find(|uri| !uris.contains(uri));
        if let Some(missing) = missing {
            return Err(AdminError::invalid(
                FIELD,
                format!("leads to an array that lacks the redirect URI {missing}"),
            ));
        }
        let proves_nothing = client.registration.is_some()
            && metadata.subject_type == SubjectType::Pairwise
            && metadata.has_people_elsewhere();
        if !proves_nothing {
            return Ok(());
        }
        // OpenID Connect CIBA §4: what the client can't have by naming it stands in for the redirect URIs.
        match metadata.sector_proof() {
            Some(proof) if uris.iter().any(|uri| uri == proof) => Ok(()),
            Some(proof) => Err(AdminError::invalid(
                FIELD,
                format!(
                    "leads to an array that lacks {proof}, which has to stand in it, as tokens don't come by way of redirect URIs alone"
                ),
            )),
            None => Err(AdminError::invalid(
                FIELD,
                "can't be proved by redirect URIs, as tokens come otherwise too: it needs a jwks_uri in its array, and token_endpoint_auth_method private_key_jwt or self_signed_tls_client_auth; or, where tokens are only pushed, the backchannel_client_notification_endpoint",
            )),
        }
    }

    /// What depends on the tenant: scopes and resources have to be there, or no request could ever name them. What the client names
    /// `before` may stay though its API is gone: nothing can be had by it, and whoever changes something else needn't mend it first.
    pub(super) fn check_surroundings(
        &self,
        resources: &[Resource],
        client: &Client,
        before: Option<&ClientMetadata>,
    ) -> Result<(), AdminError> {
        let rules = Rules::of_resources(self, resources, client);
        let metadata = &client.metadata;
        let had = |list: fn(&ClientMetadata) -> &Vec<String>, name: &String| {
            before.is_some_and(|before| list(before).contains(name))
        };
        let had_token = |scope: fn(&ClientMetadata) -> Option<&Scope>, token: &str| {
            before
                .and_then(scope)
                .is_some_and(|scope| scope.contains(token))
        };
        // What speaks of a person is no API's, and depends on the client alone.
        let stays = |token: &str| {
            !OF_PERSONS.contains(&token) && had_token(|metadata| metadata.scope.as_ref(), token)
        };
        let mut scope = metadata.scope.iter().flat_map(Scope::iter);
        if let Some(unknown) = scope.find(|token| !rules.understands(token) && !stays(token)) {
            let reason = none_has(unknown);
            return Err(AdminError::invalid("scope", reason));
        }
        let is_resource = |name: &String| resources.iter().any(|own| own.identifier == *name);
        let known = |name: &String| {
            name == rules.admin_api()
                || is_resource(name)
                || had(|metadata| &metadata.resources, name)
        };
        if let Some(unknown) = metadata.resources.iter().find(|name| !known(name)) {
            let reason = format!("the tenant has no resource `{unknown}`; make it first");
            return Err(AdminError::invalid("resources", reason));
        }
        let known = |name: &String| {
            let mut types = resources.iter().flat_map(|own| &own.details_types);
            types.any(|kind| kind.name == *name)
                || had(|metadata| &metadata.authorization_details_types, name)
        };
        if let Some(unknown) = metadata
            .authorization_details_types
            .iter()
            .find(|name| !known(name))
        {
            let reason = none_has(unknown);
            return Err(AdminError::invalid("authorization_details_types", reason));
        }
        let target = |target: &String| {
            // A client may be made after those that know it, when a tenant is copied say.
            target.parse::<ClientId>().is_ok()
                || is_resource(target)
                || had(|metadata| &metadata.token_exchange_targets, target)
        };
        if let Some(unknown) = metadata
            .token_exchange_targets
            .iter()
            .find(|named| !target(named))
        {
            let reason = format!("`{unknown}` is neither a resource of the tenant nor a client_id");
            return Err(AdminError::invalid("token_exchange_targets", reason));
        }
        let known = |token: &str| {
            resources.iter().any(|own| own.understands(token))
                || had_token(|metadata| metadata.token_exchange_scope.as_ref(), token)
        };
        let mut added = metadata.token_exchange_scope.iter().flat_map(Scope::iter);
        if let Some(unfit) = added.find(|token| !known(token)) {
            let reason = none_has(unfit);
            return Err(AdminError::invalid("token_exchange_scope", reason));
        }
        Ok(())
    }

    async fn ensure_client_key(
        &self,
        tenant: &Arc<Tenant>,
        client: &Client,
    ) -> Result<(), AdminError> {
        let metadata = &client.metadata;
        let id_token = metadata
            .has_people()
            .then_some(metadata.id_token_signed_response_alg);
        let access_token = (metadata.access_token_format == AccessTokenFormat::Jwt)
            .then_some(metadata.access_token_signed_response_alg);
        let answers = [
            id_token,
            access_token,
            metadata.authorization_signed_response_alg,
            metadata.userinfo_signed_response_alg,
            metadata.introspection_signed_response_alg,
        ];
        for algorithm in answers.into_iter().flatten() {
            if tenant.keys.signer(algorithm, self.now()).is_none() {
                self.ensure_key(tenant, algorithm).await?;
            }
        }
        Ok(())
    }
}
