//! Audit events: who did what to whom, committed with the act.

use serde::{Serialize, Serializer};

use super::ids::{ClientId, EventId, UserId};
use crate::clock::Timestamp;

/// Acts with their names, each in one place: the type, its list and what it is called follow from it.
macro_rules! acts {
    ($($(#[$doc:meta])+ $act:ident = $name:literal,)+) => {
        /// What happened. The names are stable: people filter by them and programs read them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Act {
            $($(#[$doc])+ $act,)+
        }

        impl Act {
            /// All of them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$act),+];

            /// The act of this name.
            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$act),)+
                    _ => None,
                }
            }

            /// The stable name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$act => $name,)+
                }
            }
        }
    };
}

acts! {
    /// A tenant was made.
    TenantCreated = "tenant.created",
    /// A tenant was made from a file, with everything in it.
    TenantImported = "tenant.imported",
    /// A tenant was written into a file.
    TenantExported = "tenant.exported",
    /// A tenant's name, settings or branding were changed.
    TenantUpdated = "tenant.updated",
    /// A tenant was closed.
    TenantSuspended = "tenant.suspended",
    /// A tenant was opened again.
    TenantResumed = "tenant.resumed",
    /// A tenant was deleted, and its data key destroyed.
    TenantDeleted = "tenant.deleted",
    /// A custom domain was added.
    DomainAdded = "domain.added",
    /// A custom domain was proved to be the tenant's.
    DomainVerified = "domain.verified",
    /// The canonical address was changed.
    DomainCanonicalChanged = "domain.canonical_changed",
    /// A custom domain was removed.
    DomainRemoved = "domain.removed",
    /// A resource was made.
    ResourceCreated = "resource.created",
    /// Name or scopes of a resource were changed.
    ResourceUpdated = "resource.updated",
    /// A resource was deleted.
    ResourceDeleted = "resource.deleted",
    /// A person's record was made.
    UserCreated = "user.created",
    /// People's records were made from a file: one event for many.
    UsersImported = "users.imported",
    /// A person's record was changed.
    UserUpdated = "user.updated",
    /// A person may not sign in any more.
    UserDisabled = "user.disabled",
    /// A person may sign in again.
    UserEnabled = "user.enabled",
    /// A person's record was deleted.
    UserDeleted = "user.deleted",
    /// A role was granted.
    RoleGranted = "role.granted",
    /// A role was taken away.
    RoleRevoked = "role.revoked",
    /// A one-time link was made.
    LinkCreated = "link.created",
    /// A password was set by a one-time link.
    LinkUsed = "link.used",
    /// A password was changed by its owner.
    PasswordChanged = "password.changed",
    /// A person signed in.
    SignInSucceeded = "signin.succeeded",
    /// A sign-in failed.
    SignInFailed = "signin.failed",
    /// Guessing was stopped.
    SignInLocked = "signin.locked",
    /// A session ended.
    SessionEnded = "session.ended",
    /// A person allowed a client something.
    ConsentGranted = "consent.granted",
    /// A person refused a client.
    ConsentDenied = "consent.denied",
    /// Somebody typed too many codes that no device shows; typing more was stopped.
    DeviceGuessingStopped = "device_code.guessing_stopped",
    /// A client asked for a person who isn't at it (CIBA).
    BackchannelRequested = "backchannel_request.created",
    /// A client sent too many codes that aren't the person's whom it asked for; looking at more was stopped.
    RequestCodeGuessingStopped = "request_code.guessing_stopped",
    /// A person set the code that they are asked with.
    RequestCodeSet = "request_code.set",
    /// That code was taken away, by its owner or an administrator.
    RequestCodeRemoved = "request_code.removed",
    /// The person didn't answer in time.
    BackchannelRequestExpired = "backchannel_request.expired",
    /// What came of a request couldn't be told, and it isn't tried any more.
    BackchannelDeliveryFailed = "backchannel_request.delivery_failed",
    /// A consent was withdrawn.
    ConsentWithdrawn = "consent.withdrawn",
    /// A client was let in: a grant was made and its code or its token went out, or an ID token alone, of which no grant is kept.
    GrantCreated = "grant.created",
    /// A grant and all its tokens were revoked.
    GrantRevoked = "grant.revoked",
    /// A code or refresh token was presented a second time; its grant was revoked.
    ReplayDetected = "grant.replay_detected",
    /// A proof of possession (DPoP) came a second time.
    ProofReplayed = "token.proof_replayed",
    /// A token without a grant was revoked.
    TokenRevoked = "token.revoked",
    /// A token was exchanged for another.
    TokenExchanged = "token.exchanged",
    /// A client got a token for a person by somebody's assertion.
    AssertionRedeemed = "token.asserted",
    /// An assertion was presented a second time.
    AssertionReplayed = "token.assertion_replayed",
    /// A client was given a secret by which other applications on the device share a session.
    DeviceSecretIssued = "device_secret.issued",
    /// Such a secret was revoked.
    DeviceSecretRevoked = "device_secret.revoked",
    /// What an issuer of assertions calls a person was written down.
    ExternalSubjectAdded = "user.external_subject_added",
    /// It was taken away.
    ExternalSubjectRemoved = "user.external_subject_removed",
    /// A client was registered.
    ClientCreated = "client.created",
    /// A client registered itself.
    ClientRegistered = "client.registered",
    /// A client's metadata was changed.
    ClientUpdated = "client.updated",
    /// A client's secret was rotated.
    ClientSecretRotated = "client.secret_rotated",
    /// A client was deleted.
    ClientDeleted = "client.deleted",
    /// An initial access token was made.
    InitialAccessTokenCreated = "initial_access_token.created",
    /// An initial access token was revoked.
    InitialAccessTokenRevoked = "initial_access_token.revoked",
    /// A client couldn't be told that a session had ended, and it isn't tried any more.
    LogoutDeliveryFailed = "logout_delivery.failed",
    /// An administrator had a logout token sent once more.
    LogoutDeliveryRetried = "logout_delivery.retried",
    /// Client authentication failed.
    ClientAuthenticationFailed = "client.authentication_failed",
    /// A signing key was made.
    KeyCreated = "key.created",
    /// Signing keys were rotated.
    KeyRotated = "key.rotated",
    /// A signing key was revoked.
    KeyRevoked = "key.revoked",
    /// The master key was rotated.
    MasterKeyRotated = "master_key.rotated",
}

impl Serialize for Act {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Actor {
    /// A person of the tenant.
    User(UserId),
    /// A client.
    Client(ClientId),
    /// An operator of the installation, by the identifier that they have in the tenant `system`.
    Operator(uuid::Uuid),
    /// Somebody at the command line of the installation.
    CommandLine,
    /// The server itself: rotation by age, say.
    System,
    /// Nobody known: a failed sign-in.
    Anonymous,
}

/// What is to be written down. The identifier and the time are added by the repository.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub act: Act,
    /// Who did it.
    pub actor: Actor,
    /// The person concerned.
    pub user_id: Option<UserId>,
    /// The client concerned.
    pub client_id: Option<ClientId>,
    /// Where it came from.
    pub origin: Origin,
    /// Whatever else explains it; never a secret.
    pub detail: serde_json::Value,
}

/// Where an act came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The request's id, as in logs and on error pages.
    pub request_id: Option<String>,
    /// The client's address.
    pub address: Option<String>,
}

impl Event {
    /// An act by an actor, with nothing else said yet.
    pub fn new(act: Act, actor: Actor) -> Self {
        Self {
            act,
            actor,
            user_id: None,
            client_id: None,
            origin: Origin::default(),
            detail: serde_json::Value::Null,
        }
    }

    /// Names the person concerned.
    #[must_use]
    pub fn user(mut self, id: UserId) -> Self {
        self.user_id = Some(id);
        self
    }

    /// Names the client concerned.
    #[must_use]
    pub fn client(mut self, id: ClientId) -> Self {
        self.client_id = Some(id);
        self
    }

    /// Says where the act came from.
    #[must_use]
    pub fn from(mut self, origin: &Origin) -> Self {
        self.origin = origin.clone();
        self
    }

    /// Adds an explanation; never a secret.
    #[must_use]
    pub fn detail(mut self, detail: serde_json::Value) -> Self {
        self.detail = detail;
        self
    }
}

/// An event as it was written down.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordedEvent {
    /// Time-ordered.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// The act's stable name.
    pub act: String,
    /// Who did it, as JSON.
    pub actor: serde_json::Value,
    /// The person concerned.
    pub user_id: Option<UserId>,
    /// The client concerned.
    pub client_id: Option<ClientId>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The client's address.
    pub address: Option<String>,
    /// Whatever else explains it.
    pub detail: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_is_found_by_its_name_which_no_other_has() {
        for act in Act::ALL {
            assert_eq!(Act::parse(act.as_str()), Some(act));
            let told = serde_json::to_value(act).unwrap();
            assert_eq!(told, act.as_str());
        }
        assert_eq!(Act::parse("signin"), None);
        // What stands in audits that are kept.
        assert_eq!(Act::TenantCreated.as_str(), "tenant.created");
        assert_eq!(Act::AssertionRedeemed.as_str(), "token.asserted");
        assert_eq!(Act::ALL.len(), 65);
    }
}
