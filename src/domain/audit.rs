//! Audit events: who did what to whom, committed with the act.

use serde::Serialize;

use super::ids::{ClientId, EventId, UserId};
use crate::clock::Timestamp;

/// What happened. The names are stable: people filter by them and programs read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Act {
    /// A tenant was made.
    #[serde(rename = "tenant.created")]
    TenantCreated,
    /// A tenant was made from a file, with everything in it.
    #[serde(rename = "tenant.imported")]
    TenantImported,
    /// A tenant was written into a file.
    #[serde(rename = "tenant.exported")]
    TenantExported,
    /// A tenant's name, settings or branding were changed.
    #[serde(rename = "tenant.updated")]
    TenantUpdated,
    /// A tenant was closed.
    #[serde(rename = "tenant.suspended")]
    TenantSuspended,
    /// A tenant was opened again.
    #[serde(rename = "tenant.resumed")]
    TenantResumed,
    /// A tenant was deleted, and its data key destroyed.
    #[serde(rename = "tenant.deleted")]
    TenantDeleted,
    /// A custom domain was added.
    #[serde(rename = "domain.added")]
    DomainAdded,
    /// A custom domain was proved to be the tenant's.
    #[serde(rename = "domain.verified")]
    DomainVerified,
    /// The canonical address was changed.
    #[serde(rename = "domain.canonical_changed")]
    DomainCanonicalChanged,
    /// A custom domain was removed.
    #[serde(rename = "domain.removed")]
    DomainRemoved,
    /// A resource was made.
    #[serde(rename = "resource.created")]
    ResourceCreated,
    /// Name or scopes of a resource were changed.
    #[serde(rename = "resource.updated")]
    ResourceUpdated,
    /// A resource was deleted.
    #[serde(rename = "resource.deleted")]
    ResourceDeleted,
    /// A person's record was made.
    #[serde(rename = "user.created")]
    UserCreated,
    /// People's records were made from a file: one event for many.
    #[serde(rename = "users.imported")]
    UsersImported,
    /// A person's record was changed.
    #[serde(rename = "user.updated")]
    UserUpdated,
    /// A person may not sign in any more.
    #[serde(rename = "user.disabled")]
    UserDisabled,
    /// A person may sign in again.
    #[serde(rename = "user.enabled")]
    UserEnabled,
    /// A person's record was deleted.
    #[serde(rename = "user.deleted")]
    UserDeleted,
    /// A role was granted.
    #[serde(rename = "role.granted")]
    RoleGranted,
    /// A role was taken away.
    #[serde(rename = "role.revoked")]
    RoleRevoked,
    /// A one-time link was made.
    #[serde(rename = "link.created")]
    LinkCreated,
    /// A password was set by a one-time link.
    #[serde(rename = "link.used")]
    LinkUsed,
    /// A password was changed by its owner.
    #[serde(rename = "password.changed")]
    PasswordChanged,
    /// A person signed in.
    #[serde(rename = "signin.succeeded")]
    SignInSucceeded,
    /// A sign-in failed.
    #[serde(rename = "signin.failed")]
    SignInFailed,
    /// Guessing was stopped.
    #[serde(rename = "signin.locked")]
    SignInLocked,
    /// A session ended.
    #[serde(rename = "session.ended")]
    SessionEnded,
    /// A person allowed a client something.
    #[serde(rename = "consent.granted")]
    ConsentGranted,
    /// A person refused a client.
    #[serde(rename = "consent.denied")]
    ConsentDenied,
    /// Somebody typed too many codes that no device shows; typing more was stopped.
    #[serde(rename = "device_code.guessing_stopped")]
    DeviceGuessingStopped,
    /// A client asked for a person who isn't at it (CIBA).
    #[serde(rename = "backchannel_request.created")]
    BackchannelRequested,
    /// A client sent too many codes that aren't the person's whom it asked for; looking at more was stopped.
    #[serde(rename = "request_code.guessing_stopped")]
    RequestCodeGuessingStopped,
    /// A person set the code that they are asked with.
    #[serde(rename = "request_code.set")]
    RequestCodeSet,
    /// That code was taken away, by its owner or an administrator.
    #[serde(rename = "request_code.removed")]
    RequestCodeRemoved,
    /// The person didn't answer in time.
    #[serde(rename = "backchannel_request.expired")]
    BackchannelRequestExpired,
    /// What came of a request couldn't be told, and it isn't tried any more.
    #[serde(rename = "backchannel_request.delivery_failed")]
    BackchannelDeliveryFailed,
    /// A consent was withdrawn.
    #[serde(rename = "consent.withdrawn")]
    ConsentWithdrawn,
    /// A client was let in: a grant was made and its code or its token went out, or an ID token alone, of which no grant is kept.
    #[serde(rename = "grant.created")]
    GrantCreated,
    /// A grant and all its tokens were revoked.
    #[serde(rename = "grant.revoked")]
    GrantRevoked,
    /// A code or refresh token was presented a second time; its grant was revoked.
    #[serde(rename = "grant.replay_detected")]
    ReplayDetected,
    /// A proof of possession (DPoP) came a second time.
    #[serde(rename = "token.proof_replayed")]
    ProofReplayed,
    /// A token without a grant was revoked.
    #[serde(rename = "token.revoked")]
    TokenRevoked,
    /// A token was exchanged for another.
    #[serde(rename = "token.exchanged")]
    TokenExchanged,
    /// A client got a token for a person by somebody's assertion.
    #[serde(rename = "token.asserted")]
    AssertionRedeemed,
    /// An assertion was presented a second time.
    #[serde(rename = "token.assertion_replayed")]
    AssertionReplayed,
    /// A client was given a secret by which other applications on the device share a session.
    #[serde(rename = "device_secret.issued")]
    DeviceSecretIssued,
    /// Such a secret was revoked.
    #[serde(rename = "device_secret.revoked")]
    DeviceSecretRevoked,
    /// What an issuer of assertions calls a person was written down.
    #[serde(rename = "user.external_subject_added")]
    ExternalSubjectAdded,
    /// It was taken away.
    #[serde(rename = "user.external_subject_removed")]
    ExternalSubjectRemoved,
    /// A client was registered.
    #[serde(rename = "client.created")]
    ClientCreated,
    /// A client registered itself.
    #[serde(rename = "client.registered")]
    ClientRegistered,
    /// A client's metadata was changed.
    #[serde(rename = "client.updated")]
    ClientUpdated,
    /// A client's secret was rotated.
    #[serde(rename = "client.secret_rotated")]
    ClientSecretRotated,
    /// A client was deleted.
    #[serde(rename = "client.deleted")]
    ClientDeleted,
    /// An initial access token was made.
    #[serde(rename = "initial_access_token.created")]
    InitialAccessTokenCreated,
    /// An initial access token was revoked.
    #[serde(rename = "initial_access_token.revoked")]
    InitialAccessTokenRevoked,
    /// A client couldn't be told that a session had ended, and it isn't tried any more.
    #[serde(rename = "logout_delivery.failed")]
    LogoutDeliveryFailed,
    /// An administrator had a logout token sent once more.
    #[serde(rename = "logout_delivery.retried")]
    LogoutDeliveryRetried,
    /// Client authentication failed.
    #[serde(rename = "client.authentication_failed")]
    ClientAuthenticationFailed,
    /// A signing key was made.
    #[serde(rename = "key.created")]
    KeyCreated,
    /// Signing keys were rotated.
    #[serde(rename = "key.rotated")]
    KeyRotated,
    /// A signing key was revoked.
    #[serde(rename = "key.revoked")]
    KeyRevoked,
    /// The master key was rotated.
    #[serde(rename = "master_key.rotated")]
    MasterKeyRotated,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 65] = [
        Self::TenantCreated,
        Self::TenantImported,
        Self::TenantExported,
        Self::TenantUpdated,
        Self::TenantSuspended,
        Self::TenantResumed,
        Self::TenantDeleted,
        Self::DomainAdded,
        Self::DomainVerified,
        Self::DomainCanonicalChanged,
        Self::DomainRemoved,
        Self::ResourceCreated,
        Self::ResourceUpdated,
        Self::ResourceDeleted,
        Self::UserCreated,
        Self::UsersImported,
        Self::UserUpdated,
        Self::UserDisabled,
        Self::UserEnabled,
        Self::UserDeleted,
        Self::RoleGranted,
        Self::RoleRevoked,
        Self::LinkCreated,
        Self::LinkUsed,
        Self::PasswordChanged,
        Self::SignInSucceeded,
        Self::SignInFailed,
        Self::SignInLocked,
        Self::SessionEnded,
        Self::ConsentGranted,
        Self::ConsentDenied,
        Self::DeviceGuessingStopped,
        Self::BackchannelRequested,
        Self::RequestCodeGuessingStopped,
        Self::RequestCodeSet,
        Self::RequestCodeRemoved,
        Self::BackchannelRequestExpired,
        Self::BackchannelDeliveryFailed,
        Self::ConsentWithdrawn,
        Self::GrantCreated,
        Self::GrantRevoked,
        Self::ReplayDetected,
        Self::ProofReplayed,
        Self::TokenRevoked,
        Self::TokenExchanged,
        Self::AssertionRedeemed,
        Self::AssertionReplayed,
        Self::DeviceSecretIssued,
        Self::DeviceSecretRevoked,
        Self::ExternalSubjectAdded,
        Self::ExternalSubjectRemoved,
        Self::ClientCreated,
        Self::ClientRegistered,
        Self::ClientUpdated,
        Self::ClientSecretRotated,
        Self::ClientDeleted,
        Self::InitialAccessTokenCreated,
        Self::InitialAccessTokenRevoked,
        Self::LogoutDeliveryFailed,
        Self::LogoutDeliveryRetried,
        Self::ClientAuthenticationFailed,
        Self::KeyCreated,
        Self::KeyRotated,
        Self::KeyRevoked,
        Self::MasterKeyRotated,
    ];

    /// The act of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.name() == name)
    }

    /// The stable name.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
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
    fn an_act_is_found_by_its_name_and_each_is_listed_once() {
        for act in Act::ALL {
            assert_eq!(Act::parse(&act.name()), Some(act));
        }
        assert_eq!(Act::parse("signin"), None);
        // A match without a wildcard would not notice one that is left out of the list; its last one does.
        assert_eq!(Act::MasterKeyRotated as usize + 1, Act::ALL.len());
    }
}
