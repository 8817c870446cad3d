//! A client registers itself (RFC 7591 §3).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::statement;
use super::{Registration, RegistrationRefusal, by_itself, own_secret};
use crate::domain::audit::{Act, Origin};
use crate::domain::client::{Client, ClientSecrets, SelfRegistration};
use crate::domain::ids::{ClientId, InitialAccessTokenId};
use crate::domain::initial_access_token::InitialAccessToken;
use crate::domain::settings::{LockoutPolicy, RegistrationPolicy};
use crate::domain::throttle::{Admission, SITE_SHARE, network_of, site_of};
use crate::flows::client_secrets::Keeper;
use crate::flows::provider::Provider;
use crate::flows::scopes::ADMIN;
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::flows::{console, trial};
use crate::protocol::client_metadata::{ClientMetadata, GrantType, MetadataError};
use crate::protocol::strict_json;
use crate::secret::{Handle, Purpose};

/// The window in which registrations from one address are counted, in seconds.
const RATE_WINDOW: u32 = 3600;

/// The longest document that is read, in bytes: what a stranger has kept here is bounded in size as it is in number.
const DOCUMENT_MAX: usize = 64 * 1024;

/// Reads a request's body: a member that is there twice could be one thing to us and another to whoever let the request through.
pub(super) fn read_document(body: &[u8]) -> Result<Map<String, Value>, RegistrationRefusal> {
    if body.len() > DOCUMENT_MAX {
        return Err(RegistrationRefusal::TooLarge);
    }
    strict_json::parse_object(body).map_err(|_| RegistrationRefusal::Malformed)
}

/// Refuses what a client can't become by its own word: an administrator, a built-in client, or one that acts without a person at it
/// although nobody vouched for it. `present` is what it is already.
pub(super) fn check_ambition(
    metadata: &ClientMetadata,
    present: Option<&ClientMetadata>,
    vouched: Option<InitialAccessTokenId>,
) -> Result<(), MetadataError> {
    let administers = metadata
        .scope
        .as_ref()
        .is_some_and(|scope| scope.iter().any(|token| token == ADMIN));
    if administers {
        return Err(MetadataError::new(
            "scope",
            format!("{ADMIN} is for clients that administrators register"),
        ));
    }
    let software = metadata.software_id.as_deref();
    if software.is_some_and(|id| [console::SOFTWARE_ID, trial::SOFTWARE_ID].contains(&id)) {
        return Err(MetadataError::new(
            "software_id",
            "is that of a client that is built in",
        ));
    }
    for (grant, reason) in [
        (
            GrantType::TokenExchange,
            "token-exchange is for clients that administrators register",
        ),
        (
            GrantType::JwtBearer,
            "jwt-bearer is for clients that administrators register",
        ),
    ] {
        if metadata.allows_grant(grant)
            && !present.is_some_and(|present| present.allows_grant(grant))
        {
            return Err(MetadataError::new("grant_types", reason));
        }
    }
    for (grant, reason) in [
        (
            GrantType::ClientCredentials,
            "client_credentials is for clients that are registered with an initial access token",
        ),
        // Whoever asks by the back channel learns who has an account, and takes up the time and the requests that a person has for everybody.
        (
            GrantType::Ciba,
            "ciba is for clients that are registered with an initial access token",
        ),
    ] {
        if metadata.allows_grant(grant)
            && vouched.is_none()
            && !present.is_some_and(|present| present.allows_grant(grant))
        {
            return Err(MetadataError::new("grant_types", reason));
        }
    }
    Ok(())
}

/// What registrations without a token are counted by, and how many there may be: those of a network, and of the site that it may be one of many of.
/// They share one limit, of which no site gets more than a share at a time.
fn rates_of(tenant: &Tenant, origin: &Origin) -> Vec<([u8; 32], LockoutPolicy)> {
    let address = origin.address.as_deref().unwrap_or_default();
    let settings = tenant.settings();
    let counter = |label, counted: &str| {
        let mac = tenant.browser_key().mac(label, &[counted.as_bytes()]);
        *mac.as_bytes()
    };
    let policy = |attempts| LockoutPolicy {
        attempts,
        window: RATE_WINDOW,
    };
    let rate = settings.registration_rate;
    let mut rates = vec![(counter("registrations", &network_of(address)), policy(rate))];
    if let Some(site) = site_of(address) {
        let share = settings.registration_limit / SITE_SHARE;
        rates.push((
            counter("registrations of a site", &site),
            policy(rate.max(share)),
        ));
    }
    rates
}

impl Provider {
    /// Registers a client as `body` describes it; `token` is an initial access token, where one was sent.
    pub async fn register_client(
        &self,
        at: &TenantAt,
        token: Option<&str>,
        body: &[u8],
        origin: &Origin,
    ) -> Result<Registration, RegistrationRefusal> {
        let tenant = &at.tenant;
        let vouched = match (tenant.settings().registration, token) {
            (RegistrationPolicy::Closed, _) => return Err(RegistrationRefusal::Closed),
            (RegistrationPolicy::Token, None) => return Err(RegistrationRefusal::NoToken),
            (RegistrationPolicy::Open, None) => None,
            (_, Some(token)) => Some(self.check_initial_access_token(tenant, token).await?),
        };
        let vouched_by = vouched.as_ref().map(|token| token.id);
        let mut document = read_document(body)?;
        let statement = statement::take(&mut document)?;
        statement::check_presence(tenant, statement.as_deref())?;
        // Before anything is fetched, made or written for a stranger.
        let mut is_admitted = vouched.is_some();
        if let Some(statement) = &statement {
            if !is_admitted {
                self.admit_registration(tenant, origin).await?;
                is_admitted = true;
            }
            self.apply_statement(at, &mut document, statement).await?;
        }
        let metadata = ClientMetadata::from_registration(document, None)?;
        check_ambition(&metadata, None, vouched_by)?;
        let metadata = self.check_metadata(metadata)?;
        if !is_admitted {
            self.admit_registration(tenant, origin).await?;
        }
        let id = ClientId::from(self.clock.uuid_v7());
        let handle = Handle::from_parts(id.uuid(), self.clock.random_bytes());
        let registration = SelfRegistration {
            proof: handle.hash(tenant.handle_key(), Purpose::RegistrationAccessToken),
            initial_access_token: vouched_by,
            software_statement: statement,
            set_by_administrators: BTreeSet::new(),
        };
        let client = self.registered_client(at, metadata, &handle, registration)?;
        self.prepare_client(tenant, &client, None, &by_itself(id, origin))
            .await?;
        self.store_registration(tenant, client.clone(), vouched, origin)
            .await?;
        Ok(Registration::new(at, client, &handle))
    }

    fn registered_client(
        &self,
        at: &TenantAt,
        metadata: ClientMetadata,
        handle: &Handle,
        registration: SelfRegistration,
    ) -> Result<Client, RegistrationRefusal> {
        let now = self.now();
        let method = metadata.token_endpoint_auth_method;
        let secret = if method.uses_secret() {
            let keeper = Keeper::of(&at.tenant, &self.clock);
            let (_, current) = own_secret(&keeper, handle, method)?;
            Some(ClientSecrets {
                current,
                made_at: now,
                previous: None,
            })
        } else {
            None
        };
        Ok(Client {
            secret,
            registration: Some(registration),
            ..Client::new(ClientId::from(handle.id()), metadata, now)
        })
    }

    /// Writes the client down and uses the token that let it in: of several at once, no more get through than it may be used.
    async fn store_registration(
        &self,
        tenant: &Arc<Tenant>,
        client: Client,
        vouched: Option<InitialAccessToken>,
        origin: &Origin,
    ) -> Result<(), RegistrationRefusal> {
        let limit = i64::from(tenant.settings().registration_limit);
        let by = by_itself(client.id, origin);
        let stored = self.db.write(&**tenant, move |repo| {
            // Whoever was vouched for isn't held up by strangers, nor they by others.
            let present = match &vouched {
                Some(_) => repo.count_vouched_clients()?,
                None => repo.count_strangers_clients()?,
            };
            // Counted, not reserved: on PostgreSQL, those of one moment may exceed it by as many as they are.
            if present >= limit {
                return Ok(Err(RegistrationRefusal::Full));
            }
            if let Some(token) = &vouched {
                let now = repo.now();
                if !repo.consume_initial_access_token(token.id, now)? {
                    return Ok(Err(RegistrationRefusal::InitialAccessToken));
                }
            }
            repo.insert_client(&client)?;
            let token = vouched
                .as_ref()
                .map(|token| json!({ "id": token.id, "name": token.name }));
            repo.record(by.event(Act::ClientRegistered).client(client.id).detail(
                json!({ "client_name": client.metadata.client_name, "initial_access_token": token }),
            ))?;
            Ok(Ok(()))
        });
        stored.await?
    }

    async fn check_initial_access_token(
        &self,
        tenant: &Tenant,
        text: &str,
    ) -> Result<InitialAccessToken, RegistrationRefusal> {
        let refused = RegistrationRefusal::InitialAccessToken;
        let Some(handle) = Handle::parse(Purpose::InitialAccessToken, text) else {
            return Err(refused);
        };
        let proof = handle.hash(tenant.handle_key(), Purpose::InitialAccessToken);
        let id = InitialAccessTokenId::from(handle.id());
        let now = self.now();
        self.db
            .read(tenant, move |repo| repo.find_initial_access_token(id))
            .await?
            .filter(|token| token.proof.matches(&proof) && token.is_good(now))
            .ok_or(refused)
    }

    async fn admit_registration(
        &self,
        tenant: &Tenant,
        origin: &Origin,
    ) -> Result<(), RegistrationRefusal> {
        let rates = rates_of(tenant, origin);
        let admitted = self
            .db
            .write(tenant, move |repo| repo.admit_attempts(&rates));
        match admitted.await? {
            Admission::Admitted => Ok(()),
            Admission::Refused => Err(RegistrationRefusal::TooFast),
        }
    }
}
