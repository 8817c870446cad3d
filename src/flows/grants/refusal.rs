//! Why the token endpoint refuses.

use super::exchange_refusal::ExchangeRefusal;
use super::jwt_bearer::BearerRefusal;
use super::native_sso::NativeSsoRefusal;
use crate::flows::client_authentication::ClientRefusal;
use crate::flows::dpop::DpopRefusal;
use crate::flows::provider::FlowError;
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::StorageError;

/// Why a token request is refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenRefusal {
    /// The client isn't believed.
    #[error(transparent)]
    Client(#[from] ClientRefusal),
    /// The request is malformed, or asks for what the client may not have.
    #[error(transparent)]
    Request(#[from] OAuthError),
    /// The proof of possession isn't good, or is missing.
    #[error(transparent)]
    Dpop(DpopRefusal),
    /// The code or refresh token isn't good.
    #[error(transparent)]
    Grant(#[from] GrantRefusal),
    /// A token can't be exchanged.
    #[error(transparent)]
    Exchange(#[from] ExchangeRefusal),
    /// An application isn't let into another's session.
    #[error(transparent)]
    NativeSso(#[from] NativeSsoRefusal),
    /// An assertion gets no token.
    #[error(transparent)]
    Bearer(#[from] BearerRefusal),
    /// A failure of ours.
    #[error(transparent)]
    Failed(#[from] FlowError),
}

impl TokenRefusal {
    /// Whether it is no refusal, but a failure of ours.
    pub const fn is_ours(&self) -> bool {
        match self {
            Self::Failed(error) | Self::Client(ClientRefusal::Failed(error)) => {
                !matches!(error, FlowError::Recipient(_))
            }
            _ => false,
        }
    }
}

impl From<StorageError> for TokenRefusal {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<DpopRefusal> for TokenRefusal {
    fn from(refusal: DpopRefusal) -> Self {
        match refusal {
            DpopRefusal::Failed(error) => Self::Failed(error),
            refusal => Self::Dpop(refusal),
        }
    }
}

/// Why a code or refresh token isn't good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    /// It is none, or none of this tenant's.
    #[error("the code or token is not known in this tenant")]
    Unknown,
    /// It was issued to another client.
    #[error("the code or token was issued to another client")]
    OtherClient,
    /// It was presented before. The grant is revoked.
    #[error("the code or token was used before; its grant is revoked")]
    Replayed,
    /// The grant was revoked or has ended.
    #[error("the grant is dead")]
    Dead,
    /// Too late.
    #[error("the code or token has expired")]
    Expired,
    /// The flow began at another of the tenant's addresses, or at one that was removed.
    #[error("the flow began at another issuer address")]
    Issuer,
    /// `redirect_uri` isn't that of the authorization request.
    #[error("redirect_uri differs from that of the authorization request")]
    RedirectUri,
    /// A challenge without its verifier.
    #[error("code_verifier is missing")]
    VerifierMissing,
    /// A verifier without a challenge.
    #[error("code_verifier was sent, but the authorization request had no code_challenge")]
    VerifierUnexpected,
    /// The verifier isn't the challenge's.
    #[error("code_verifier doesn't fit the code_challenge")]
    VerifierWrong,
    /// It is bound to a key or a certificate, and the sender proved to hold none or another.
    #[error(
        "the code or token is bound to a key or a certificate: send a DPoP proof by that key, or show that certificate"
    )]
    Key,
    /// The person was disabled or deleted.
    #[error("the person may not get tokens")]
    User,
    /// The person's session has ended, and the grant with it.
    #[error("the session has ended")]
    Session,
    /// A device's person hasn't decided yet.
    #[error("the person hasn't decided yet")]
    DevicePending,
    /// A device polls too often.
    #[error("the device polls too often")]
    SlowDown,
    /// A device's person said no.
    #[error("the person did not allow the device")]
    DeviceDenied,
    /// A device comes too late.
    #[error("the device code has expired")]
    DeviceExpired,
    /// A person who is asked by the back channel hasn't decided yet.
    #[error("the person hasn't answered yet")]
    BackchannelPending,
    /// A client asks too often for what a person decides.
    #[error("the client polls too often")]
    BackchannelSlowDown,
    /// The person said no.
    #[error("the person did not allow it")]
    BackchannelDenied,
    /// The person didn't answer in time, or the client comes too late.
    #[error("the request has expired")]
    BackchannelExpired,
    /// The scope or the resources can't be had.
    #[error(transparent)]
    Target(OAuthError),
}

impl From<GrantRefusal> for OAuthError {
    fn from(refusal: GrantRefusal) -> Self {
        match refusal {
            GrantRefusal::Target(error) => error,
            // RFC 8628 §3.5
            GrantRefusal::DevicePending => Self::new(
                ErrorCode::AuthorizationPending,
                "the person has not decided yet; ask again after the interval",
            ),
            GrantRefusal::SlowDown => Self::new(
                ErrorCode::SlowDown,
                "the device asks too often; wait five seconds longer from now on",
            ),
            GrantRefusal::DeviceDenied => {
                Self::access_denied("the person did not allow the device")
            }
            GrantRefusal::DeviceExpired => Self::new(
                ErrorCode::ExpiredToken,
                "the device code has expired; ask for another",
            ),
            // OpenID Connect CIBA §11
            GrantRefusal::BackchannelPending => Self::new(
                ErrorCode::AuthorizationPending,
                "the person has not answered yet; ask again after the interval, or when you are told",
            ),
            GrantRefusal::BackchannelSlowDown => Self::new(
                ErrorCode::SlowDown,
                "the client asks too often; wait five seconds longer from now on",
            ),
            GrantRefusal::BackchannelDenied => Self::access_denied("the person did not allow it"),
            GrantRefusal::BackchannelExpired => Self::new(
                ErrorCode::ExpiredToken,
                "the auth_req_id has expired; make another request",
            ),
            // What the rightful client's developer can mend, and what nobody can guess by it.
            GrantRefusal::Issuer
            | GrantRefusal::RedirectUri
            | GrantRefusal::Key
            | GrantRefusal::VerifierMissing
            | GrantRefusal::VerifierUnexpected
            | GrantRefusal::VerifierWrong => Self::invalid_grant(refusal.to_string()),
            _ => Self::invalid_grant(
                "the code or token is invalid, expired, revoked, or was used before",
            ),
        }
    }
}

impl From<TokenRefusal> for OAuthError {
    fn from(refusal: TokenRefusal) -> Self {
        match refusal {
            TokenRefusal::Client(refusal) => refusal.into(),
            TokenRefusal::Request(error) => error,
            TokenRefusal::Dpop(refusal) => refusal.into(),
            TokenRefusal::Grant(refusal) => refusal.into(),
            TokenRefusal::Exchange(refusal) => refusal.into(),
            TokenRefusal::NativeSso(refusal) => refusal.into(),
            TokenRefusal::Bearer(refusal) => refusal.into(),
            TokenRefusal::Failed(error) => error.into(),
        }
    }
}
