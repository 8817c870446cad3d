//! Whom a request means (OpenID Connect CIBA §7.1): by what the client calls them, by an ID token that it got for them, or by the word of somebody
//! whom the tenant trusts.

use std::time::Duration;

use chrono::DateTime;

use crate::clock::Timestamp;
use crate::domain::client::Client;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::settings::{AssertionIssuer, SubjectMapping};
use crate::domain::user::User;
use crate::egress::EgressError;
use crate::flows::Provider;
use crate::flows::assertion_issuers::{Subject, find_issuer, name_of_jti};
use crate::flows::grants::TokenRefusal;
use crate::flows::hint::check_id_token_hint;
use crate::flows::issue::subject_of;
use crate::flows::provider::FlowError;
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::jose::claims::ClaimError;
use crate::jose::login_hint::{LoginHintError, LoginHintRules, Named, UnverifiedLoginHint};
use crate::protocol::backchannel_authentication::PersonHint;
use crate::protocol::client_metadata::SubjectType;
use crate::protocol::email::EmailAddress;
use crate::protocol::{ErrorCode, OAuthError};
use crate::secret::HashedSecret;
use crate::storage::{self, Repo};

/// Whom a hint means, so far as it can be told without a look at the people.
#[derive(Clone)]
pub(super) enum Sought {
    Address(EmailAddress),
    Person(UserId),
    /// By a session, as the client's `sub` tells nobody who that is.
    Session(SessionId, String),
    /// By the word of somebody whom the tenant trusts.
    Named(Subject),
    Nobody,
}

impl Sought {
    fn of_login(client: &Client, hint: &str) -> Self {
        if let Ok(address) = EmailAddress::parse(hint) {
            return Self::Address(address);
        }
        // By whose id a client with pairwise subjects could tell which of its people others mean.
        match hint.parse() {
            Ok(id) if client.metadata.subject_type == SubjectType::Public => Self::Person(id),
            _ => Self::Nobody,
        }
    }

    fn of_id_token(tenant: &Tenant, client: &Client, hint: &str) -> Result<Self, OAuthError> {
        let refuse = || {
            OAuthError::invalid_request(
                "id_token_hint is not an ID token that this tenant issued to this client",
            )
        };
        let hint = check_id_token_hint(tenant, hint).map_err(|_| refuse())?;
        let id = client.id.to_string();
        if !hint.audiences.contains(&id) {
            return Err(refuse());
        }
        if client.metadata.subject_type == SubjectType::Public {
            return Ok(hint.sub.parse().map_or(Self::Nobody, Self::Person));
        }
        let session = hint.sid.and_then(|sid| sid.parse().ok());
        Ok(session.map_or(Self::Nobody, |session| Self::Session(session, hint.sub)))
    }

    /// The person, if they may be asked.
    pub(super) fn find(
        &self,
        repo: &mut Repo<'_>,
        tenant: &Tenant,
        client: &Client,
    ) -> storage::Result<Option<User>> {
        let found = match self {
            Self::Address(address) => repo.find_user_by_email(address)?,
            Self::Person(id) => repo.find_user(*id)?,
            Self::Session(session, sub) => match repo.find_session(*session)? {
                Some(session) if subject_of(tenant, client, session.user_id) == *sub => {
                    repo.find_user(session.user_id)?
                }
                _ => None,
            },
            Self::Named(subject) => subject.find(repo)?,
            Self::Nobody => None,
        };
        Ok(found.filter(User::is_active))
    }
}

/// Whom a request means, before the people are looked at.
pub(super) struct Meant {
    pub(super) sought: Sought,
    /// Whether the hint is something that whoever stands before the client could have typed, not what somebody signed.
    pub(super) is_guess: bool,
    /// What the one use of a hint is known by, and until when.
    pub(super) once: Option<(HashedSecret, Timestamp)>,
}

/// Why a hint that somebody else signed isn't taken.
#[derive(Debug, thiserror::Error)]
enum HintRefusal {
    /// It is no JWT, isn't signed by its issuer, or its claims aren't right.
    #[error(transparent)]
    Hint(#[from] LoginHintError),
    /// The tenant doesn't trust its issuer, or not with this client.
    #[error("its issuer may not vouch to this client")]
    Issuer,
    /// Its issuer's keys can't be had.
    #[error("its issuer's keys can't be had")]
    Keys(Option<EgressError>),
}

impl From<HintRefusal> for OAuthError {
    fn from(refusal: HintRefusal) -> Self {
        match refusal {
            HintRefusal::Keys(Some(error)) if error.is_passing() => Self::temporarily_unavailable(
                "the keys of the login_hint_token's issuer can't be fetched at present; try again shortly",
            ),
            // Which issuers there are is nobody's business but the administrators'.
            HintRefusal::Issuer => Self::invalid_request(
                "the login_hint_token's iss is none of those that may vouch to this client; administrators name them in assertion_issuers",
            ),
            HintRefusal::Hint(LoginHintError::Jws(_)) | HintRefusal::Keys(_) => {
                Self::invalid_request(
                    "login_hint_token is not a JWT that its issuer signed by a key that it publishes",
                )
            }
            // §13
            HintRefusal::Hint(LoginHintError::Claim(ClaimError::Expired)) => Self::new(
                ErrorCode::ExpiredLoginHintToken,
                "the login_hint_token has expired; get another from its issuer",
            ),
            HintRefusal::Hint(error) => Self::invalid_request(format!("login_hint_token: {error}")),
        }
    }
}

/// Whom an issuer names, as it names people to this tenant.
fn subject_at(tenant: &Tenant, issuer: &AssertionIssuer, named: &Named) -> Sought {
    // RFC 9493 §3.2.4: whose name it is. An issuer speaks of its own names, or of ours, and of nobody else's.
    let fits = |at: &String| match issuer.subjects {
        SubjectMapping::Id => tenant.is_issuer(at),
        SubjectMapping::Stored | SubjectMapping::Email => *at == issuer.issuer,
    };
    let name = named.subject.as_ref();
    let name = name.filter(|(_, at)| at.as_ref().is_none_or(fits));
    let name = name.map(|(name, _)| name.as_str());
    let email = named.verified_email.as_deref();
    Sought::Named(Subject::of(tenant, issuer, (name, email)))
}

impl Provider {
    /// Whom a hint means.
    pub(super) async fn read_hint(
        &self,
        at: &TenantAt,
        client: &Client,
        hint: &PersonHint,
    ) -> Result<Meant, TokenRefusal> {
        let signed = |sought| Meant {
            sought,
            is_guess: false,
            once: None,
        };
        Ok(match hint {
            PersonHint::Login(hint) => Meant {
                sought: Sought::of_login(client, hint),
                is_guess: true,
                once: None,
            },
            PersonHint::IdToken(hint) => {
                let opened = self.decrypt_hint(at, client, hint).await?;
                let hint = opened.as_ref().map_or(hint, |opened| &**opened);
                signed(Sought::of_id_token(&at.tenant, client, hint)?)
            }
            PersonHint::LoginToken(token) => {
                let read = self.read_login_hint_token(at, client, token).await;
                let (sought, jti, until) = read.map_err(|refusal| {
                    tracing::info!(client = %client.id, reason = %refusal, "a login_hint_token was refused");
                    OAuthError::from(refusal)
                })?;
                let until = DateTime::from_timestamp(until, 0).ok_or(FlowError::Internal(
                    "a hint that was accepted expires at no time",
                ))?;
                Meant {
                    once: Some((jti, until)),
                    ..signed(sought)
                }
            }
        })
    }

    /// Verifies what somebody whom the tenant trusts signed of a person. It isn't used up by that.
    async fn read_login_hint_token(
        &self,
        at: &TenantAt,
        client: &Client,
        token: &str,
    ) -> Result<(Sought, HashedSecret, i64), HintRefusal> {
        let tenant = &at.tenant;
        let unverified = UnverifiedLoginHint::parse(token)?;
        let issuer = find_issuer(tenant, client, unverified.issuer());
        let issuer = issuer.map_err(|_| HintRefusal::Issuer)?;
        let keys = self
            .keys_of_issuer(tenant, issuer, unverified.kid())
            .await
            .map_err(HintRefusal::Keys)?;
        let rules = LoginHintRules {
            audience: &at.issuer,
            algorithms: tenant.profile_of(client).algorithms(),
            max_lifetime: Duration::from_secs(issuer.max_lifetime.into()),
            unix: self.clock.unix(),
        };
        let hint = unverified.verify(&keys, rules)?;
        let jti = name_of_jti(tenant, issuer, &hint.jti);
        let sought = subject_at(tenant, issuer, &hint.named);
        Ok((sought, jti, hint.remember_until))
    }
}
