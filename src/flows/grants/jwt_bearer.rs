//! JWTs as authorization grants (RFC 7523 §2.1): somebody whom the tenant trusts vouches for a person, and a client gets an access token for
//! them without asking them.
//!
//! Off until an administrator names an issuer, its clients and the scopes that it may give. What comes of it is a grant without a session:
//! it says nothing of a sign-in, gives neither an ID token nor a refresh token, and dies with the person's account, with the client, with the
//! issuer or the name by which the person was known to it, or when all that they allowed is withdrawn.

use std::time::Duration;

use uuid::Uuid;

use super::issued::{Decision, GrantedPerson};
use super::pipeline::Call;
use super::refusal::TokenRefusal;
use crate::domain::audit::{Act, Actor, Event};
use crate::domain::grant::{Grant, GrantStage, PendingCode};
use crate::domain::ids::{GrantId, SessionId, UserId};
use crate::domain::settings::AssertionIssuer;
use crate::domain::user::User;
use crate::egress::EgressError;
use crate::flows::assertion_issuers::{Subject, Untrusted, find_issuer, name_of_jti};
use crate::flows::issue::access_token_lifetime;
use crate::flows::provider::FlowError;
use crate::flows::scopes::Target;
use crate::flows::tenancy::Tenant;
use crate::jose::bearer_assertion::{
    BearerAssertion, BearerAssertionError, BearerAssertionRules, UnverifiedBearerAssertion,
};
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::discovery::paths;
use crate::protocol::{ErrorCode, OAuthError, Scope};
use crate::secret::PlainSecret;
use crate::storage::Repo;

/// Why an assertion gets no token.
#[derive(Debug, thiserror::Error)]
pub enum BearerRefusal {
    /// It is no JWT, isn't signed by its issuer, or its claims aren't right.
    #[error("the assertion: {0}")]
    Assertion(#[from] BearerAssertionError),
    /// The tenant doesn't trust its issuer.
    #[error("the assertion's issuer is not trusted in this tenant")]
    Issuer,
    /// Its issuer may not vouch to this client.
    #[error("the client is not among those of the assertion's issuer")]
    Client,
    /// Its issuer's keys can't be had.
    #[error("the keys of the assertion's issuer can't be had: {0:?}")]
    Keys(Option<EgressError>),
    /// It was used before.
    #[error("the assertion's jti was used before")]
    Replayed,
    /// Whom it speaks of is nobody here, or may not get in.
    #[error("the assertion's subject is nobody here, or their account is closed")]
    Subject,
}

impl From<BearerRefusal> for OAuthError {
    fn from(refusal: BearerRefusal) -> Self {
        match refusal {
            BearerRefusal::Keys(Some(error)) if error.is_passing() => {
                Self::temporarily_unavailable(
                    "the keys of the assertion's issuer can't be fetched at present; try again shortly",
                )
            }
            // Which issuers there are is nobody's business but the administrators'.
            BearerRefusal::Issuer | BearerRefusal::Client => Self::invalid_grant(
                "the assertion's iss is none of those that may vouch to this client; administrators name them in assertion_issuers",
            ),
            BearerRefusal::Assertion(BearerAssertionError::Jws(_)) | BearerRefusal::Keys(_) => {
                Self::invalid_grant(
                    "the assertion is not a JWT that its issuer signed by a key that it publishes",
                )
            }
            refusal => Self::invalid_grant(refusal.to_string()),
        }
    }
}

/// Redeems an assertion.
pub(super) async fn redeem(
    call: &Call<'_>,
    assertion: &PlainSecret,
    scope: Option<&Scope>,
) -> Result<Decision, TokenRefusal> {
    if call.at.tenant.settings().assertion_issuers.is_empty() {
        return Err(OAuthError::unauthorized_client(
            "this tenant takes no assertions; its administrators name whose it takes in assertion_issuers",
        )
        .into());
    }
    let unverified =
        UnverifiedBearerAssertion::parse(assertion.expose()).map_err(BearerRefusal::from)?;
    let issuer = issuer_of(call, unverified.issuer())?;
    let target = target(call, issuer, scope)?;
    let verified = verify(call, issuer, unverified).await?;
    let giving = Giving {
        grant: GrantId::from(call.provider.clock.uuid_v7()),
        told: None,
    };
    let person = commit(call, issuer, &target, &verified, giving).await?;
    Ok(Decision {
        target,
        person: Some(Box::new(person)),
        refresh_token: None,
        shared: None,
    })
}

impl From<Untrusted> for BearerRefusal {
    fn from(untrusted: Untrusted) -> Self {
        match untrusted {
            Untrusted::Issuer => Self::Issuer,
            Untrusted::Client => Self::Client,
        }
    }
}

/// The trusted issuer of this name, if it may vouch to the client.
pub(super) fn issuer_of<'c>(
    call: &'c Call<'_>,
    name: &str,
) -> Result<&'c AssertionIssuer, BearerRefusal> {
    Ok(find_issuer(&call.at.tenant, &call.client, name)?)
}

/// Verifies an assertion by its issuer's keys. It isn't used up by that.
pub(super) async fn verify(
    call: &Call<'_>,
    issuer: &AssertionIssuer,
    unverified: UnverifiedBearerAssertion<'_>,
) -> Result<BearerAssertion, BearerRefusal> {
    let (provider, tenant) = (call.provider, &call.at.tenant);
    let keys = provider
        .keys_of_issuer(tenant, issuer, unverified.kid())
        .await
        .map_err(BearerRefusal::Keys)?;
    let token = format!("{}{}", call.at.issuer, paths::TOKEN);
    let alias = provider
        .alias_of(call.at)
        .map(|alias| format!("{alias}{}", paths::TOKEN));
    let mut audiences = vec![&*call.at.issuer, token.as_str()];
    audiences.extend(alias.as_deref());
    let profile = tenant.profile_of(&call.client);
    let rules = BearerAssertionRules {
        audiences: if tenant.settings().require_issuer_audience || profile.is_fapi() {
            &audiences[..1]
        } else {
            &audiences
        },
        algorithms: profile.algorithms(),
        max_lifetime: Duration::from_secs(issuer.max_lifetime.into()),
        unix: provider.clock.unix(),
    };
    Ok(unverified.verify(&keys, rules)?)
}

fn subject_of(tenant: &Tenant, issuer: &AssertionIssuer, assertion: &BearerAssertion) -> Subject {
    let email = assertion.verified_email.as_deref();
    Subject::of(tenant, issuer, (Some(&assertion.subject), email))
}

/// The person of whom an assertion speaks, if they may get in.
pub(super) async fn find_person(
    call: &Call<'_>,
    issuer: &AssertionIssuer,
    assertion: &BearerAssertion,
) -> Result<User, TokenRefusal> {
    let subject = subject_of(&call.at.tenant, issuer, assertion);
    let read = call
        .provider
        .db
        .read(&*call.at.tenant, move |repo| subject.find(repo));
    let found = read.await?.filter(User::is_active);
    Ok(found.ok_or(BearerRefusal::Subject)?)
}

/// What the token is to be for: what is asked for, or all of it, of what the client registered and its issuer may give.
fn target(
    call: &Call<'_>,
    issuer: &AssertionIssuer,
    requested: Option<&Scope>,
) -> Result<Target, TokenRefusal> {
    if !call.details.is_empty() {
        return Err(OAuthError::new(
            ErrorCode::InvalidAuthorizationDetails,
            "an assertion gets no authorization_details, as nobody is asked; leave them out",
        )
        .into());
    }
    let rules = call.rules();
    let resources = rules.check_resources(&call.resources)?;
    let scope = if let Some(requested) = requested {
        if !requested.is_subset_of(&issuer.scope) {
            return Err(OAuthError::invalid_scope(
                "the requested scope is more than the assertion's issuer may give; administrators say so in assertion_issuers",
            )
            .into());
        }
        rules.check_scope(requested)?;
        rules.require_scope_at(requested, &resources)?
    } else {
        rules.scope_at(&issuer.scope.intersection(rules.registered()), &resources)
    };
    if scope.is_empty() {
        return Err(OAuthError::invalid_scope(
            "none of the scopes that the assertion's issuer may give belongs to the client and to what the token is for",
        )
        .into());
    }
    Ok(Target {
        scope,
        resources,
        details: AuthorizationDetails::default(),
    })
}

/// What comes of an assertion.
pub(super) struct Giving {
    /// The grant's name, which its token has to say.
    pub(super) grant: GrantId,
    /// What else is to be told of the person, where the assertion's redemption isn't all that is done.
    pub(super) told: Option<Event>,
}

/// Finds the person, uses the assertion up, writes the grant and tells of it, all or nothing.
pub(super) async fn commit(
    call: &Call<'_>,
    issuer: &AssertionIssuer,
    target: &Target,
    assertion: &BearerAssertion,
    giving: Giving,
) -> Result<GrantedPerson, TokenRefusal> {
    let (provider, tenant, client) = (call.provider, &call.at.tenant, &call.client);
    let name_of_jti = name_of_jti(tenant, issuer, &assertion.jti);
    let until = chrono::DateTime::from_timestamp(assertion.remember_until, 0).ok_or(
        FlowError::Internal("an assertion that was accepted expires at no time"),
    )?;
    let now = provider.now();
    let expires_at = now + chrono::Duration::seconds(access_token_lifetime(tenant, client));
    let subject = subject_of(tenant, issuer, assertion);
    let Giving { grant: id, told } = giving;
    let grant = Grant {
        id,
        user_id: UserId::from(Uuid::nil()),
        client_id: client.id,
        session_id: SessionId::from(Uuid::nil()),
        issuer: call.at.issuer.to_string(),
        scope: target.scope.clone(),
        resources: target.resources.clone(),
        details: AuthorizationDetails::default(),
        claims: None,
        auth_time: now,
        amr: Vec::new(),
        acr: None,
        offline: false,
        stage: GrantStage::CodeIssued,
        created_at: now,
        expires_at,
    };
    let code = PendingCode::nobodys(now);
    let key = AssertionIssuer::key(&issuer.issuer);
    // A replay is told once: whoever repeats it a thousand times writes no thousand rows.
    let name_of_replay = tenant.handle_key().mac(
        "replay of a bearer assertion",
        &[issuer.issuer.as_bytes(), assertion.jti.as_bytes()],
    );
    let (origin, issuer, version) = (call.origin.clone(), issuer.clone(), tenant.record.version);
    let work = move |repo: &mut Repo<'_>| {
        // Whoever takes the issuer out of the settings at this moment comes before this, or after it and ends what it gives.
        if let Some(settings) = repo.hold_settings(version)? {
            let mut known = settings.assertion_issuers.iter();
            let stored = known.find(|stored| stored.issuer == issuer.issuer);
            let Some(stored) = stored.filter(|stored| stored.upholds(&issuer)) else {
                return Ok(Err(BearerRefusal::Issuer));
            };
            if !stored.may_vouch_to(grant.client_id) {
                return Ok(Err(BearerRefusal::Client));
            }
        }
        // Whoever forgets the name at this moment comes before or after this.
        if let Some(name) = subject.stored()
            && !repo.hold_external_subject(name)?
        {
            return Ok(Err(BearerRefusal::Subject));
        }
        let Some(user) = subject.find(repo)?.filter(User::is_active) else {
            return Ok(Err(BearerRefusal::Subject));
        };
        // The name was given to another person a moment ago.
        if told
            .as_ref()
            .is_some_and(|told| told.user_id != Some(user.id))
        {
            return Ok(Err(BearerRefusal::Subject));
        }
        // RFC 7523 §3, point 7: one use, on all nodes; the assertion of nobody isn't remembered.
        if !repo.consume_once(&name_of_jti, until)? {
            if repo.consume_once(&name_of_replay, until)? {
                let event = Event::new(Act::AssertionReplayed, Actor::Client(grant.client_id))
                    .user(user.id)
                    .client(grant.client_id)
                    .from(&origin);
                repo.record(event.detail(serde_json::json!({ "issuer": issuer.issuer })))?;
            }
            return Ok(Err(BearerRefusal::Replayed));
        }
        let grant = Grant {
            user_id: user.id,
            ..grant.clone()
        };
        repo.insert_grant(&grant, &code)?;
        repo.consume_code(grant.id)?;
        repo.insert_assertion_grant(grant.id, &key, subject.stored())?;
        let detail = serde_json::json!({
            "grant": grant.id, "issuer": issuer.issuer, "scope": grant.scope, "resources": grant.resources,
        });
        repo.record(
            Event::new(Act::AssertionRedeemed, Actor::Client(grant.client_id))
                .user(grant.user_id)
                .client(grant.client_id)
                .from(&origin)
                .detail(detail),
        )?;
        if let Some(told) = &told {
            repo.record(told.clone())?;
        }
        Ok(Ok(GrantedPerson {
            grant,
            user,
            nonce: None,
        }))
    };
    Ok(provider.db.write(&**tenant, work).await??)
}
