//! A client: an application or service that asks for tokens.

use std::fmt;

use serde::Serialize;

use super::ids::{ClientId, InitialAccessTokenId};
use crate::clock::Timestamp;
use crate::protocol::client_metadata::{ClientMetadata, GrantType, TokenEndpointAuthMethod};
use crate::secret::HashedSecret;

/// A registered client of a tenant.
#[derive(Clone, Debug, Serialize)]
pub struct Client {
    /// Its text form is the `client_id`.
    pub id: ClientId,
    /// RFC 7591's metadata, validated.
    pub metadata: ClientMetadata,
    /// How its secret is known, if it has one.
    #[serde(skip)]
    pub secret: Option<ClientSecrets>,
    /// What a client has that registered itself; none where an administrator registered it.
    #[serde(skip)]
    pub registration: Option<SelfRegistration>,
    /// Counts up with every change.
    pub version: i64,
    /// When it was registered: `client_id_issued_at`.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// What is kept of a client's secrets: of the present one and, for a while after a rotation, of the one before.
#[derive(Clone, Debug)]
pub struct ClientSecrets {
    /// The secret handed out last.
    pub current: KeptSecret,
    /// When that was made.
    pub made_at: Timestamp,
    /// The one before and until when it is accepted.
    pub previous: Option<(KeptSecret, Timestamp)>,
}

/// What is kept of a secret.
#[derive(Clone)]
pub struct KeptSecret {
    /// Its keyed hash.
    pub hash: HashedSecret,
    /// The secret itself, sealed under the tenant's data key: only of a client that needs it read (`client_secret_jwt`).
    pub sealed: Option<Vec<u8>>,
}

impl From<HashedSecret> for KeptSecret {
    /// Of a secret that is compared and never read.
    fn from(hash: HashedSecret) -> Self {
        Self { hash, sealed: None }
    }
}

impl fmt::Debug for KeptSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptSecret(…)")
    }
}

impl ClientSecrets {
    /// Whether the present secret can be used by this method.
    pub fn serve(&self, method: TokenEndpointAuthMethod) -> bool {
        method.uses_secret() && (self.current.sealed.is_some() || !method.reads_secret())
    }
}

/// What marks a client that registered itself (RFC 7591), and by what it manages its registration (RFC 7592).
#[derive(Clone, Debug)]
pub struct SelfRegistration {
    /// What its registration access token hashes to; the token's id is the client's.
    pub proof: HashedSecret,
    /// What it was registered with; none where the tenant lets everybody register.
    pub initial_access_token: Option<InitialAccessTokenId>,
    /// The software statement that it came with, verified then; what it says can't be changed by the client.
    pub software_statement: Option<String>,
}

impl Client {
    /// Whether the client can't keep a secret (RFC 6749 §2.1).
    pub fn is_public(&self) -> bool {
        self.metadata.token_endpoint_auth_method == TokenEndpointAuthMethod::None
    }

    /// Whether it lacks the secret that its method needs: it has none, or one that was kept in a way in which it can't be used.
    pub fn lacks_secret(&self) -> bool {
        let method = self.metadata.token_endpoint_auth_method;
        let served = self
            .secret
            .as_ref()
            .is_some_and(|secrets| secrets.serve(method));
        method.uses_secret() && !served
    }

    /// Whether the client registered the grant type.
    pub fn allows(&self, grant_type: GrantType) -> bool {
        self.metadata.grant_types.contains(&grant_type)
    }
}
