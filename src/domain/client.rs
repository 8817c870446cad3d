//! A client: an application or service that asks for tokens.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::Serialize;

use super::ids::{ClientId, InitialAccessTokenId};
use crate::clock::Timestamp;
use crate::protocol::client_metadata::{ClientMetadata, GrantType, TokenEndpointAuthMethod};
use crate::protocol::redirect_uri::RedirectUri;
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
    /// The members of its metadata that administrators have set since, by name: the client can't widen them.
    pub set_by_administrators: BTreeSet<String>,
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

    /// Whether nobody but the client itself stands for the addresses that it registered: no administrator, no initial access token, no software
    /// statement.
    pub fn has_strangers_addresses(&self) -> bool {
        let is_strangers = |own: &SelfRegistration| {
            own.initial_access_token.is_none()
                && own.software_statement.is_none()
                && !own.set_by_administrators.contains("redirect_uris")
        };
        self.registration.as_ref().is_some_and(is_strangers)
            && !self.metadata.is_trusted_with_people()
    }

    /// What pairwise subjects are made for at this client (OpenID Connect Core §8.1): the host that `sector_identifier_uri` or the redirect URIs
    /// have, or the client alone.
    ///
    /// A redirect URI proves something as far as answers are sent to it. A client that registered itself, and gets its tokens otherwise, may have
    /// named another's; and the device itself is every native application's.
    pub fn sector(&self) -> String {
        let metadata = &self.metadata;
        let proves = || {
            let redirects = metadata.parse_redirect_uris();
            metadata.has_people_sign_in()
                && redirects.is_ok_and(|all| all.iter().all(RedirectUri::is_https_elsewhere))
        };
        let is_unproved =
            self.registration.is_some() && metadata.sector_identifier_uri.is_none() && !proves();
        let sector = if is_unproved { None } else { metadata.sector() };
        sector.unwrap_or_else(|| self.id.to_string())
    }

    /// Whether the client registered the grant type.
    pub fn allows(&self, grant_type: GrantType) -> bool {
        self.metadata.grant_types.contains(&grant_type)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn client(metadata: Value, registration: Option<SelfRegistration>) -> Client {
        let now = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
        let metadata = ClientMetadata::from_json(metadata).unwrap();
        Client {
            registration,
            ..Client::new(uuid::Uuid::from_u128(7).into(), metadata, now)
        }
    }

    fn by_itself() -> SelfRegistration {
        SelfRegistration {
            proof: HashedSecret::NONE,
            initial_access_token: None,
            software_statement: None,
            set_by_administrators: BTreeSet::new(),
        }
    }

    #[test]
    fn an_address_that_nothing_is_sent_to_makes_no_sector() {
        const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
        let by_device = json!({ "redirect_uris": ["https://clinic.example/cb"], "subject_type": "pairwise", "grant_types": [DEVICE] });
        let by_browser =
            json!({ "redirect_uris": ["https://clinic.example/cb"], "subject_type": "pairwise" });
        let own = uuid::Uuid::from_u128(7).to_string();
        assert_eq!(client(by_device.clone(), Some(by_itself())).sector(), own);
        assert_eq!(client(by_device.clone(), None).sector(), "clinic.example");
        assert_eq!(
            client(by_browser, Some(by_itself())).sector(),
            "clinic.example"
        );
        for of_the_device in [
            "http://127.0.0.1/cb",
            "http://localhost/cb",
            "https://127.0.0.1/cb",
            "https://[::1]/cb",
        ] {
            let native = json!({ "redirect_uris": [of_the_device], "application_type": "native", "subject_type": "pairwise" });
            assert_eq!(client(native.clone(), Some(by_itself())).sector(), own);
            assert_ne!(client(native, None).sector(), own);
        }
        let mut named = by_device;
        named["sector_identifier_uri"] = json!("https://sector.example/uris.json");
        assert_eq!(client(named, Some(by_itself())).sector(), "sector.example");
    }

    #[test]
    fn whose_addresses_are_strangers() {
        let plain = json!({ "redirect_uris": ["https://app.example/cb"] });
        let is = |metadata: &Value, registration| {
            client(metadata.clone(), registration).has_strangers_addresses()
        };
        assert!(is(&plain, Some(by_itself())) && !is(&plain, None));
        let vouched = SelfRegistration {
            initial_access_token: Some(uuid::Uuid::from_u128(1).into()),
            ..by_itself()
        };
        let stated = SelfRegistration {
            software_statement: Some("a.b.c".to_owned()),
            ..by_itself()
        };
        let set = |name: &str| SelfRegistration {
            set_by_administrators: [name.to_owned()].into(),
            ..by_itself()
        };
        for registration in [vouched, stated, set("redirect_uris")] {
            assert!(!is(&plain, Some(registration)));
        }
        assert!(is(&plain, Some(set("client_name"))));
        let trusted = json!({ "redirect_uris": ["https://app.example/cb"], "skip_consent": true });
        assert!(!is(&trusted, Some(by_itself())));
    }

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
