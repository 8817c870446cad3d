//! Why a token isn't exchanged (RFC 8693 §2.2.2).

use super::jwt_bearer::BearerRefusal;
use crate::flows::access::AccessRefusal;
use crate::protocol::OAuthError;
use crate::protocol::token_exchange::MAX_CHAIN;

/// Which of the two tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// On whose behalf.
    Subject,
    /// Who acts.
    Actor,
}

impl Side {
    /// The parameter.
    const fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject_token",
            Self::Actor => "actor_token",
        }
    }
}

/// Why a token isn't exchanged.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeRefusal {
    /// The token isn't good here.
    #[error("the {} isn't good: {}", .0.name(), .1)]
    Token(Side, AccessRefusal),
    /// It says that it is something else.
    #[error("the {} isn't what its type says", .0.name())]
    Kind(Side),
    /// It is of another of the tenant's addresses.
    #[error("the {} is of another issuer address", .0.name())]
    Issuer(Side),
    /// The session of an ID token has ended, or nothing is left of what was allowed in it.
    #[error("the session of the {} has ended", .0.name())]
    Session(Side),
    /// It is bound to a key or a certificate, which the client hasn't proved to hold.
    #[error("the {} is bound to a key or a certificate", .0.name())]
    Bound(Side),
    /// It was issued neither to the client nor for it.
    #[error("the {} is neither the client's nor for it", .0.name())]
    Foreign(Side),
    /// The actor acts for somebody else in its turn.
    #[error("the actor acts for somebody else")]
    ActorActs,
    /// The actor is the subject.
    #[error("the actor is the subject")]
    ActorIsSubject,
    /// The subject's token names another as the only one who may act.
    #[error("the subject_token's may_act names another party")]
    MayAct,
    /// What somebody whom the tenant trusts says isn't good.
    #[error(transparent)]
    Assertion(#[from] BearerRefusal),
    /// The client may not exchange what that issuer says.
    #[error("the client's token_exchange_issuers don't name the issuer")]
    IssuerNotNamed,
    /// Too many have acted, or too many exchanges were made.
    #[error("the chain of exchanges is too long")]
    Chain,
    /// An administrator would be impersonated.
    #[error("an administrator can't be impersonated")]
    Administrator,
    /// The target isn't there, or the policy doesn't name it.
    #[error("{0}")]
    Target(&'static str),
    /// The scope is more than may be had.
    #[error("{0}")]
    Scope(&'static str),
    /// The client's tokens don't have that form.
    #[error("the client's access tokens are opaque, and a JWT is asked for")]
    Form,
}

impl From<ExchangeRefusal> for OAuthError {
    fn from(refusal: ExchangeRefusal) -> Self {
        use ExchangeRefusal as R;
        match &refusal {
            // RFC 8693 §2.2.2: the codes. Which of many reasons ends a token is for its own client to know.
            R::Token(side, _) | R::Session(side) => Self::invalid_request(format!(
                "the {} is not valid here: it is none of this tenant's, has expired or was revoked, or its session has ended",
                side.name()
            )),
            R::Kind(side) => {
                Self::invalid_request(format!("the {0} is not what {0}_type says", side.name()))
            }
            R::Issuer(side) => Self::invalid_request(format!(
                "the {} was issued at another address of this tenant; exchange it there",
                side.name()
            )),
            R::Bound(side) => Self::invalid_request(format!(
                "the {} is bound to a key or a certificate: whoever exchanges it has to hold that, and to prove it by a DPoP proof or at the TLS layer",
                side.name()
            )),
            R::Foreign(side) => Self::invalid_request(format!(
                "the client may not exchange this {}: it was issued neither to the client nor for it; the client's token_exchange_subjects can name its audience",
                side.name()
            )),
            R::ActorActs => Self::invalid_request(
                "the actor_token says that its subject acts for somebody else; offer one of the acting party itself",
            ),
            R::ActorIsSubject => Self::invalid_request(
                "the actor_token is the subject's own; offer one of the party that acts, or leave it out",
            ),
            R::MayAct => Self::invalid_request(
                "the subject_token names in may_act who may act by it, and that is another party; without an actor_token the client itself is the one who acts",
            ),
            // Which issuers there are is nobody's business but the administrators'.
            R::Assertion(BearerRefusal::Issuer | BearerRefusal::Client) | R::IssuerNotNamed => {
                Self::invalid_request(
                    "the subject_token's issuer is none whose JWTs this client may exchange; administrators name them in the client's token_exchange_issuers and in assertion_issuers",
                )
            }
            R::Assertion(_) => Self::invalid_request(format!("the subject_token: {refusal}")),
            R::Chain => Self::invalid_request(format!(
                "the subject_token has been exchanged too often; {MAX_CHAIN} times is the most"
            )),
            R::Administrator => Self::invalid_request(
                "the subject administers this tenant and can't be impersonated; send an actor_token, or leave impersonation to others",
            ),
            R::Target(what) => Self::invalid_target(*what),
            R::Scope(what) => Self::invalid_scope(*what),
            R::Form => Self::invalid_request(
                "the client's access tokens are opaque; leave requested_token_type out, or ask for an access_token",
            ),
        }
    }
}
