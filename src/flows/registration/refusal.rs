//! Why a registration isn't made, shown or changed.

use crate::flows::admin::AdminError;
use crate::flows::provider::FlowError;
use crate::protocol::client_metadata::MetadataError;
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::StorageError;

/// Why a registration isn't made, shown or changed.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationRefusal {
    /// The tenant lets no client register itself.
    #[error("dynamic registration is closed")]
    Closed,
    /// A token is needed and none was sent.
    #[error("no token")]
    NoToken,
    /// The initial access token is unknown, spent or expired.
    #[error("the initial access token isn't good")]
    InitialAccessToken,
    /// The registration access token isn't this client's, or the client is gone.
    #[error("the registration access token isn't this client's")]
    RegistrationAccessToken,
    /// The body isn't one JSON object.
    #[error("the body is no JSON object with distinct member names")]
    Malformed,
    /// The body is larger than any client's metadata need be.
    #[error("the body is larger than 64 KiB")]
    TooLarge,
    /// A member of a change that may not be there, or not with this value.
    #[error("{0}")]
    Change(&'static str),
    /// A member that can't be accepted.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A software statement that can't be read or believed.
    #[error("the software statement: {0}")]
    Statement(&'static str),
    /// A software statement of an issuer whom the tenant doesn't trust.
    #[error("a software statement, whose issuer nobody here trusts")]
    StatementIssuer,
    /// The keys of a statement's issuer can't be fetched at present.
    #[error("the keys of a software statement's issuer can't be fetched at present")]
    StatementKeysLater,
    /// Too many registrations from one address.
    #[error("too many registrations from one address")]
    TooFast,
    /// The tenant has as many clients that registered themselves as it wants.
    #[error("the tenant has as many self-registered clients as its registration_limit allows")]
    Full,
    /// Somebody else changed the client at the same time.
    #[error("the client was changed at the same time")]
    Stale,
    /// A failure of ours.
    #[error(transparent)]
    Failed(#[from] FlowError),
}

impl RegistrationRefusal {
    /// Whether the answer asks for a token (RFC 6750 §3).
    pub const fn is_challenge(&self) -> bool {
        matches!(
            self,
            Self::NoToken | Self::InitialAccessToken | Self::RegistrationAccessToken
        )
    }
}

impl From<StorageError> for RegistrationRefusal {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<AdminError> for RegistrationRefusal {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Invalid { field, reason } => {
                // Texts for administrators name commands; who registers from outside is told where to look instead.
                let reason = match field.as_str() {
                    "scope" => {
                        "names a scope that this tenant doesn't have; its metadata lists them as scopes_supported".to_owned()
                    }
                    "resources" => "names a resource that this tenant doesn't have".to_owned(),
                    _ => reason,
                };
                MetadataError::new(&field, reason).into()
            }
            AdminError::Stale(_) => Self::Stale,
            AdminError::NotFound { .. } => Self::RegistrationAccessToken,
            AdminError::Failed(error) => Self::Failed(error),
            // What is built in, or administers, is named before; see `check_ambition`.
            error => MetadataError::new("(document)", error.to_string()).into(),
        }
    }
}

impl From<RegistrationRefusal> for OAuthError {
    fn from(refusal: RegistrationRefusal) -> Self {
        use RegistrationRefusal as R;
        match refusal {
            R::Closed => OAuthError::forbidden(
                "clients can't register themselves in this tenant; ask its administrators to register yours",
            ),
            R::NoToken => OAuthError::invalid_token(
                "the request has no token; send `Authorization: Bearer ...` with the one that you were given",
            ),
            R::InitialAccessToken => OAuthError::invalid_token(
                "the initial access token is not valid here, has expired or was used as often as it may be; ask the tenant's administrators for another",
            ),
            R::RegistrationAccessToken => OAuthError::invalid_token(
                "the registration access token is not valid for this client",
            ),
            R::Malformed => OAuthError::invalid_request(
                "the body must be one JSON object that names each member once",
            ),
            R::TooLarge => OAuthError::new(
                ErrorCode::RequestTooLarge,
                "a client's metadata may have 64 KiB; publish keys at a jwks_uri instead of naming them all",
            ),
            R::Change(what) => OAuthError::invalid_request(what),
            R::Metadata(error) => error.into(),
            R::Statement(what) => OAuthError::new(
                ErrorCode::InvalidSoftwareStatement,
                format!("software_statement: {what}"),
            ),
            R::StatementIssuer => OAuthError::new(
                ErrorCode::UnapprovedSoftwareStatement,
                "software_statement: its issuer is none that this tenant trusts; say what it says as members of the request, or ask the tenant's administrators",
            ),
            R::StatementKeysLater => OAuthError::temporarily_unavailable(
                "the keys of the software statement's issuer can't be fetched at present; try again shortly",
            ),
            R::TooFast => OAuthError::new(
                ErrorCode::TooManyRequests,
                "too many clients are being registered from this address; try again in an hour, or ask for an initial access token",
            ),
            R::Full => OAuthError::new(
                ErrorCode::TooManyRequests,
                "the tenant takes no more clients that register themselves; its administrators can delete some or raise its registration_limit",
            ),
            R::Stale => OAuthError::temporarily_unavailable(
                "the client was changed at the same time; read it again and repeat the change",
            ),
            R::Failed(error) => error.into(),
        }
    }
}
