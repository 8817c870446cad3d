//! Clients that register themselves ([RFC 7591](https://www.rfc-editor.org/rfc/rfc7591), OpenID Connect Dynamic Client Registration 1.0) and
//! manage their registration ([RFC 7592](https://www.rfc-editor.org/rfc/rfc7592)).
//!
//! What a client must be is asked of the same functions as an administrator's registration; nothing here is a rule of its own but for what
//! strangers may not say at all. The registration access token is a handle whose id is the client's: there is no row for it but the
//! client's own, and deleting the client ends it. It comes back in every answer as it was presented, and is never replaced.
//!
//! A software statement (RFC 7591 §2.3) of an issuer whom the tenant trusts goes before what the client says, then and at each change; one of
//! anybody else is refused rather than ignored, since its sender relies on it.

mod manage;
mod refusal;
mod register;
mod statement;

use serde_json::Value;

use crate::domain::audit::{Actor, Origin};
use crate::domain::client::{Client, KeptSecret};
use crate::domain::ids::ClientId;
use crate::flows::admin::{Authority, By, RegisteredClient};
use crate::flows::client_secrets::Keeper;
use crate::flows::provider::FlowError;
use crate::flows::tenancy::TenantAt;
use crate::protocol::client_metadata::TokenEndpointAuthMethod;
use crate::protocol::discovery::paths;
use crate::secret::{Handle, HashedSecret, PlainSecret, Purpose, hash_client_secret};

pub use manage::Claimed;
pub use refusal::RegistrationRefusal;

/// A client as its registration stands, for the client itself.
pub struct Registration {
    client: Client,
    secret: Option<PlainSecret>,
    token: PlainSecret,
    uri: String,
    statement: Option<String>,
}

impl Registration {
    fn new(at: &TenantAt, client: Client, handle: &Handle) -> Self {
        let own = handle.client_secret(at.tenant.handle_key());
        let hash = own_hash(at, handle);
        // An administrator may have given it another one, which nobody can read.
        let is_current = |hash: &HashedSecret| {
            client.secret.as_ref().is_some_and(|secrets| {
                client.metadata.token_endpoint_auth_method.uses_secret()
                    && secrets.current.hash.matches(hash)
            })
        };
        Self {
            secret: hash.filter(is_current).map(|_| own),
            token: handle.to_text(Purpose::RegistrationAccessToken),
            uri: format!("{}{}/{}", at.issuer, paths::REGISTER, client.id),
            statement: client
                .registration
                .as_ref()
                .and_then(|registration| registration.software_statement.clone()),
            client,
        }
    }

    /// With a secret that was made just now, and can't be shown again.
    fn with_secret(mut self, made: Option<PlainSecret>) -> Self {
        self.secret = made.or(self.secret);
        self
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The client information response (RFC 7591 §3.2.1, RFC 7592 §3).
    pub fn response(self) -> Value {
        let mut document = RegisteredClient {
            client: self.client,
            secret: self.secret,
        }
        .response();
        if let Value::Object(members) = &mut document {
            members.insert(
                "registration_access_token".to_owned(),
                self.token.expose().into(),
            );
            members.insert("registration_client_uri".to_owned(), self.uri.into());
            // RFC 7591 §3.2.1: "its value MUST be returned unmodified in the response"
            if let Some(statement) = self.statement {
                members.insert("software_statement".to_owned(), statement.into());
            }
        }
        document
    }
}

/// What the secret hashes to that follows from a registration access token.
fn own_hash(at: &TenantAt, handle: &Handle) -> Option<HashedSecret> {
    let keys = at.tenant.handle_key();
    hash_client_secret(keys, handle.id(), handle.client_secret(keys).expose())
}

/// The secret that follows from a registration access token, and what is kept of it.
fn own_secret(
    keeper: &Keeper<'_>,
    handle: &Handle,
    method: TokenEndpointAuthMethod,
) -> Result<(PlainSecret, KeptSecret), FlowError> {
    let secret = handle.client_secret(keeper.handles);
    let kept = keeper.keep(ClientId::from(handle.id()), method, &secret)?;
    Ok((secret, kept))
}

/// A client that acts on its own registration: it administers nothing.
fn by_itself(id: ClientId, origin: &Origin) -> By {
    By {
        actor: Actor::Client(id),
        origin: origin.clone(),
        authority: Authority::Roles(Vec::new()),
        once: None,
    }
}
