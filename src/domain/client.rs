//! A client: an application or service that asks for tokens.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

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
    /// When it was used last, to the day.
    #[serde(skip)]
    pub last_used: LastUse,
}

impl Client {
    /// One that is registered now, and has no secret.
    pub fn new(id: ClientId, metadata: ClientMetadata, now: Timestamp) -> Self {
        Self {
            id,
            metadata,
            secret: None,
            registration: None,
            version: 1,
            created_at: now,
            updated_at: now,
            last_used: LastUse::default(),
        }
    }

    /// What to call it where no language is known, as to administrators, programs and the audit. To people it shows itself in theirs: see
    /// `Frame::client` of the pages.
    pub fn name(&self) -> String {
        let name = self.metadata.client_name.clone();
        name.unwrap_or_else(|| self.id.to_string())
    }
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

/// When a client was used last: noted once a day, so that a client that is used at each moment costs no more than one that isn't. What is kept
/// may be a day older than the last use, and is never younger.
///
/// It may be noted by many at once, through a client that they share.
#[derive(Debug, Default)]
pub struct LastUse(AtomicI64);

impl LastUse {
    /// For so long a use isn't noted again, in seconds.
    pub const GRAIN: i64 = 86_400;

    /// What is known of it; none where no use was ever noted.
    pub fn at(&self) -> Option<Timestamp> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            seconds => Timestamp::from_timestamp(seconds, 0),
        }
    }

    /// Whether a use at `now` is to be noted.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now.timestamp() - self.0.load(Ordering::Relaxed) >= Self::GRAIN
    }

    /// Notes a use at `now`; `false` where somebody else just did.
    pub fn note(&self, now: Timestamp) -> bool {
        let seen = self.0.load(Ordering::Relaxed);
        let seconds = now.timestamp();
        seconds - seen >= Self::GRAIN
            && self
                .0
                .compare_exchange(seen, seconds, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

impl From<Option<Timestamp>> for LastUse {
    fn from(at: Option<Timestamp>) -> Self {
        Self(AtomicI64::new(at.map_or(0, |at| at.timestamp())))
    }
}

impl Clone for LastUse {
    fn clone(&self) -> Self {
        Self(AtomicI64::new(self.0.load(Ordering::Relaxed)))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_noted_once_a_day() {
        let at = |seconds: i64| Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap();
        let used = LastUse::default();
        assert!(used.at().is_none() && used.is_due(at(0)));
        assert!(used.note(at(0)) && !used.note(at(0)) && !used.note(at(86_399)));
        assert_eq!((used.at(), used.is_due(at(86_399))), (Some(at(0)), false));
        assert!(used.is_due(at(86_400)) && used.note(at(86_400)));
        assert_eq!(used.clone().at(), Some(at(86_400)));
        // A clock that was set back notes nothing.
        assert!(!used.is_due(at(0)) && !used.note(at(0)));
    }
}
