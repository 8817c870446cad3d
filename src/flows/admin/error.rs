//! Who administers, and why an act of theirs wasn't done.

use super::authority::Authority;
use super::domains::Unproved;
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::flows::password_policy::PasswordProblem;
use crate::flows::provider::FlowError;
use crate::jose::keys::KeyError;
use crate::jose::seal::SealError;
use crate::storage::{Once, StorageError};

/// Who administers, and from where.
#[derive(Clone, Debug)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// How far their power reaches.
    pub authority: Authority,
    /// The key by which a creation is asked for again, where one was sent.
    pub once: Option<Once>,
}

impl By {
    /// Somebody at the command line of the installation.
    pub fn command_line() -> Self {
        Self {
            actor: Actor::CommandLine,
            origin: Origin::default(),
            authority: Authority::Full,
            once: None,
        }
    }

    /// The server itself.
    pub fn system() -> Self {
        Self {
            actor: Actor::System,
            origin: Origin::default(),
            authority: Authority::Full,
            once: None,
        }
    }

    pub(in crate::flows) fn event(&self, act: Act) -> Event {
        Event::new(act, self.actor.clone()).from(&self.origin)
    }
}

/// Why an act of administration wasn't done. The texts are for the person who asked for it.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// What it was to be done to isn't there.
    #[error("there is no {kind} `{name}` here{}", or_list(*list))]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// By which name.
        name: String,
        /// The command that lists them, if there is one.
        list: Option<&'static str>,
    },
    /// The name is taken.
    #[error("a {kind} `{name}` exists already")]
    Exists {
        /// Of what.
        kind: &'static str,
        /// Which name.
        name: String,
    },
    /// A value can't be accepted.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which value.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The password can't be accepted.
    #[error(transparent)]
    Password(#[from] PasswordProblem),
    /// It makes no sense at this moment, or isn't allowed at all.
    #[error("{0}")]
    Refused(String),
    /// Nothing proves yet that a domain is the tenant's.
    #[error(transparent)]
    Unproved(Box<Unproved>),
    /// Somebody else changed it first.
    #[error(
        "the {0} was changed by somebody else at the same time; look at it again and repeat the change"
    )]
    Stale(&'static str),
    /// Whoever asks may not.
    #[error("{0}")]
    Forbidden(String),
    /// The creation was done before, by a request with the same idempotency key.
    #[error("the idempotency key was used for another request; use a new one for every creation")]
    Repeated,
    /// A failure of ours.
    #[error(transparent)]
    Failed(#[from] FlowError),
}

fn or_list(command: Option<&str>) -> String {
    command.map_or_else(String::new, |command| format!("; `{command}` lists them"))
}

impl AdminError {
    pub(super) fn invalid(field: &str, reason: impl ToString) -> Self {
        Self::Invalid {
            field: field.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into())
    }

    pub(super) fn no_tenant(name: impl ToString) -> Self {
        Self::NotFound {
            kind: "tenant",
            name: name.to_string(),
            list: Some("tessera tenant list"),
        }
    }

    pub(super) fn no_person(name: impl ToString) -> Self {
        Self::NotFound {
            kind: "person",
            name: name.to_string(),
            list: Some("tessera user list"),
        }
    }

    pub(super) fn no_session(name: impl ToString) -> Self {
        Self::NotFound {
            kind: "session",
            name: name.to_string(),
            list: None,
        }
    }

    pub(super) fn no_client(name: impl ToString) -> Self {
        Self::NotFound {
            kind: "client",
            name: name.to_string(),
            list: Some("tessera client list"),
        }
    }

    pub(super) fn no_initial_access_token(name: impl ToString) -> Self {
        Self::NotFound {
            kind: "initial access token",
            name: name.to_string(),
            list: Some("tessera client initial-access-tokens"),
        }
    }

    pub(super) fn no_logout_delivery(name: impl ToString) -> Self {
        Self::NotFound {
            kind: "logout delivery",
            name: name.to_string(),
            list: None,
        }
    }

    /// A stable name for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Exists { .. } => "already_exists",
            Self::Invalid { .. } => "invalid_value",
            Self::Password(_) => "unacceptable_password",
            Self::Refused(_) | Self::Unproved(_) => "refused",
            Self::Stale(_) => "changed_meanwhile",
            Self::Forbidden(_) => "forbidden",
            Self::Repeated => "idempotency_key_used",
            Self::Failed(FlowError::Storage(_)) => "database_failed",
            Self::Failed(_) => "failed",
        }
    }
}

impl From<StorageError> for AdminError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::KeyUsed => Self::Repeated,
            error => Self::Failed(error.into()),
        }
    }
}

impl From<SealError> for AdminError {
    fn from(error: SealError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<KeyError> for AdminError {
    fn from(error: KeyError) -> Self {
        Self::Failed(error.into())
    }
}

/// A unique name that turned out to be taken becomes `taken`; everything else stays a failure.
pub(super) fn on_conflict(error: StorageError, taken: impl FnOnce() -> AdminError) -> AdminError {
    if error.is_conflict() {
        taken()
    } else {
        error.into()
    }
}
