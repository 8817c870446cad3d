//! What can go wrong in storage. None of it is ever the client's fault: a flow that gets one of these answers `server_error` or
//! `temporarily_unavailable`, never `invalid_grant`.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// The result of storage.
pub type Result<T> = std::result::Result<T, StorageError>;

/// Why storage didn't do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// The database can't be reached, is full or broken; it may heal by itself.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// More work is waiting than may wait.
    #[error("the database is busy")]
    Busy,
    /// No answer within the deadline.
    #[error("the database didn't answer in time")]
    Timeout,
    /// A unique name is taken, or a referenced row is missing. The text is the constraint's or table's name.
    #[error("conflicts with what is stored ({0})")]
    Conflict(String),
    /// The idempotency key was used before; what it was used for is [`super::Repo::find_idempotency_key`].
    #[error("the idempotency key was used before")]
    KeyUsed,
    /// A concurrent transaction came first. On PostgreSQL [`super::Db::write`] runs the work again by itself; SQLite, with its one writer, gives
    /// none of these.
    #[error("a concurrent transaction came first")]
    Serialization,
    /// What is stored can't be read as what it should be.
    #[error("unreadable data in {0}")]
    Corrupt(&'static str),
    /// A statement failed in a way that points at a defect.
    #[error("a statement failed: {0}")]
    Statement(String),
}

impl StorageError {
    /// Whether the same request may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Busy | Self::Timeout | Self::Serialization
        )
    }

    /// Whether a database that isn't there may be there a moment later, without anybody having mended anything.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable(message) => super::postgres::passes_by(message),
            other => other.is_transient(),
        }
    }

    /// Whether a unique name was taken, or a referenced row is missing.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }
}

impl From<DieselError> for StorageError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(kind, information) => match kind {
                DatabaseErrorKind::UniqueViolation | DatabaseErrorKind::ForeignKeyViolation => {
                    Self::Conflict(
                        information
                            .constraint_name()
                            .map_or_else(|| information.message().to_owned(), ToOwned::to_owned),
                    )
                }
                DatabaseErrorKind::SerializationFailure => Self::Serialization,
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ReadOnlyTransaction => {
                    Self::Unavailable(information.message().to_owned())
                }
                _ => Self::from_message(information.message()),
            },
            DieselError::BrokenTransactionManager => {
                Self::Unavailable("the connection was lost inside a transaction".into())
            }
            other => Self::Statement(other.to_string()),
        }
    }
}

impl StorageError {
    /// Neither database's driver hands the code out for these, so the message decides.
    fn from_message(message: &str) -> Self {
        const AWAY: &[&str] = &[
            "disk I/O error",
            "database or disk is full",
            "unable to open database file",
            "attempt to write a readonly database",
            "server closed the connection",
            "terminating connection",
            "could not connect",
            "connection to server",
            "no connection to the server",
            "the database system is",
            "could not extend file",
            "No space left",
            "remaining connection slots",
            "too many clients",
            "recovery",
        ];
        if message.contains("database is locked") || message.contains("database table is locked") {
            Self::Busy
        } else if message.contains("deadlock detected") || message.contains("could not serialize") {
            Self::Serialization
        } else if message.contains("statement timeout") || message.contains("lock timeout") {
            Self::Timeout
        } else if AWAY.iter().any(|text| message.contains(text)) {
            Self::Unavailable(message.to_owned())
        } else {
            Self::Statement(message.to_owned())
        }
    }
}
