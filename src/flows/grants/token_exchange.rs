//! Token exchange (RFC 8693): a service that was shown a token gets one of its own for the next service.
//!
//! What may be exchanged for what is each client's policy, which administrators set: whose tokens (its own and those for it, besides what it
//! answers to), for which targets, and with which scopes beyond those of the subject's token. What comes out says who acts, unless
//! the policy lets the client impersonate. It lives no longer than what went in, hangs on the same grant, and dies with each token that it
//! was made from. It is for APIs: it never has a scope of a person's own claims, none to be refreshed by, and never the administration.

use std::collections::HashSet;

use uuid::Uuid;

use super::pipeline::Call;
use super::refusal::TokenRefusal;
use crate::domain::audit::{Act, Actor as By, Event};
use crate::domain::client::Client;
use crate::domain::ids::{ClientId, SessionId, UserId};
use crate::flows::access::AccessRefusal;
use crate::flows::issue::{access_token_lifetime, is_opaque, subject_of};
use crate::flows::provider::FlowError;
use crate::flows::scopes::{ADMIN, OF_PERSONS};
use crate::jose::jws::{JwsError, Type};
use crate::jose::keys::Expect;
use crate::protocol::access_token::{AccessTokenClaims, Audience};
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::client_metadata::AccessTokenFormat;
use crate::protocol::id_token::{self, IdTokenClaims};
use crate::protocol::token::{TokenResponse, TokenType};
use crate::protocol::token_exchange::{
    Actor, ActorToken, ExchangeRequest, Lineage, MAX_CHAIN, OfferedToken, TokenKind,
};
use crate::protocol::{ErrorCode, OAuthError, Scope, SigningAlgorithm};

/// Which of the two tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// On whose behalf.
    Subject,
    /// Who acts.
    Actor,
}

impl Side {
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
    /// It is bound to a key or a certificate, which nobody has proved to hold.
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
                "the {} is bound to a key or a certificate and can't be exchanged",
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

/// Somebody by whose token, which is good here and now, they are known.
struct Party {
    sub: String,
    user: Option<UserId>,
    issued_to: String,
    audiences: Audience,
    exp: i64,
    /// None of an ID token.
    jti: Option<Uuid>,
    scope: Scope,
    /// What is carried over as it is.
    claims: Carried,
}

/// The claims that an exchanged token has from its subject's.
#[derive(Default)]
struct Carried {
    auth_time: Option<i64>,
    acr: Option<String>,
    amr: Vec<String>,
    sid: Option<String>,
    roles: Vec<String>,
    groups: Vec<String>,
    grant_id: Option<Uuid>,
    act: Option<Actor>,
    exchanged: Option<Lineage>,
}

/// Exchanges.
pub(super) async fn exchange(
    call: &Call<'_>,
    request: ExchangeRequest,
) -> Result<TokenResponse, TokenRefusal> {
    let (provider, tenant, client) = (call.provider, &call.at.tenant, &call.client);
    if request.requested == TokenKind::Jwt
        && client.metadata.access_token_format != AccessTokenFormat::Jwt
    {
        return Err(ExchangeRefusal::Form.into());
    }
    if !call.details.is_empty() {
        return Err(OAuthError::new(
            ErrorCode::InvalidAuthorizationDetails,
            "an exchanged token has no authorization_details; leave them out",
        )
        .into());
    }
    let targets = targets(call, &request.audiences).await?;
    let subject = check(call, &request.subject, Side::Subject).await?;
    let actor = match &request.actor {
        Some(offered) => Some(check(call, offered, Side::Actor).await?),
        None => None,
    };
    let scope = scope(call, &subject, request.scope.as_ref(), &targets)?;
    let act = act(client, &subject, actor.as_ref())?;
    let exchanged = lineage(&subject, actor.as_ref())?;

    let now = provider.clock.unix();
    let mut exp = (now + access_token_lifetime(tenant, client)).min(subject.exp);
    if let Some(actor) = &actor {
        exp = exp.min(actor.exp);
    }
    let claims = AccessTokenClaims {
        iss: call.at.issuer.to_string(),
        sub: subject.sub.clone(),
        aud: Audience::new(targets),
        exp,
        iat: now,
        jti: provider.clock.uuid_v7(),
        client_id: client.id.to_string(),
        scope,
        authorization_details: AuthorizationDetails::default(),
        auth_time: subject.claims.auth_time,
        acr: subject.claims.acr.clone(),
        amr: subject.claims.amr.clone(),
        sid: subject.claims.sid.clone(),
        roles: subject.claims.roles.clone(),
        groups: subject.claims.groups.clone(),
        tenant: tenant.slug().clone(),
        tenant_id: tenant.id().uuid(),
        grant_id: subject.claims.grant_id,
        act,
        exchanged: Some(exchanged),
        // RFC 9449 §5, RFC 8705 §3: what is issued is bound by whichever grant.
        cnf: call.binding,
    };
    record(call, &subject, actor.as_ref(), &claims).await?;
    let minted = provider.write_access_token(tenant, client, claims).await?;
    Ok(TokenResponse {
        access_token: minted.text,
        issued_token_type: Some(request.requested),
        token_type: TokenType::of(minted.claims.cnf),
        expires_in: minted.expires_in,
        // RFC 8693 §2.2.1: "will typically not be issued"
        refresh_token: None,
        scope: minted.claims.scope,
        authorization_details: AuthorizationDetails::default(),
        id_token: None,
    })
}

/// What the token is to be for: all that the request names, or else the only target that the policy names.
async fn targets(call: &Call<'_>, audiences: &[String]) -> Result<Vec<String>, TokenRefusal> {
    let allowed = &call.client.metadata.token_exchange_targets;
    let mut targets: Vec<String> = Vec::new();
    for named in call
        .resources
        .iter()
        .map(|resource| resource.as_str())
        .chain(audiences.iter().map(String::as_str))
    {
        if !targets.iter().any(|known| known == named) {
            targets.push(named.to_owned());
        }
    }
    if targets.is_empty() {
        match allowed.as_slice() {
            [only] => targets.push(only.clone()),
            _ => {
                return Err(ExchangeRefusal::Target(
                    "name the service that the token is for, by resource or audience",
                )
                .into());
            }
        }
    }
    let rules = call.rules();
    for target in &targets {
        if !allowed.contains(target) || target == rules.admin_api() {
            return Err(ExchangeRefusal::Target(
                "the client may not exchange tokens for this target; name it in the client's token_exchange_targets",
            )
            .into());
        }
        let is_resource = call
            .at
            .tenant
            .resources
            .iter()
            .any(|known| known.identifier == *target);
        if !is_resource && !is_client(call, target).await? {
            return Err(ExchangeRefusal::Target(
                "a target is neither a resource nor a client of this tenant; it may have been deleted",
            )
            .into());
        }
    }
    if targets.iter().map(String::len).sum::<usize>() > crate::flows::scopes::RESOURCES_MAX {
        return Err(ExchangeRefusal::Target(
            "these are too many targets for one token; ask for a token for each",
        )
        .into());
    }
    Ok(targets)
}

async fn is_client(call: &Call<'_>, target: &str) -> Result<bool, FlowError> {
    let Ok(id) = target.parse::<ClientId>() else {
        return Ok(false);
    };
    let found = call.provider.find_client(&call.at.tenant, id).await?;
    Ok(found.is_some())
}

/// A token that is good, and that the client may offer.
async fn check(call: &Call<'_>, offered: &OfferedToken, side: Side) -> Result<Party, TokenRefusal> {
    let party = match offered.kind {
        TokenKind::AccessToken | TokenKind::Jwt => check_access_token(call, offered, side).await?,
        TokenKind::IdToken => check_id_token(call, offered, side).await?,
    };
    let id = call.client.id.to_string();
    let answers_to = |audience: &str| {
        audience == id
            || call
                .client
                .metadata
                .token_exchange_subjects
                .iter()
                .any(|own| own == audience)
    };
    // A token that was shown to the client says who its subject is, and not that they act here: that is proved to the client itself only.
    let is_offered_to = side == Side::Subject && party.audiences.iter().any(answers_to);
    if party.issued_to != id && !is_offered_to {
        return Err(ExchangeRefusal::Foreign(side).into());
    }
    Ok(party)
}

async fn check_access_token(
    call: &Call<'_>,
    offered: &OfferedToken,
    side: Side,
) -> Result<Party, TokenRefusal> {
    let text = offered.token.expose();
    if offered.kind == TokenKind::Jwt && is_opaque(text) {
        return Err(ExchangeRefusal::Kind(side).into());
    }
    let access = match call.provider.check_access(&call.at.tenant, text).await {
        Ok(access) => access,
        Err(AccessRefusal::Failed(error)) => return Err(error.into()),
        Err(refusal) => return Err(ExchangeRefusal::Token(side, refusal).into()),
    };
    let claims = access.claims;
    if claims.iss != *call.at.issuer {
        return Err(ExchangeRefusal::Issuer(side).into());
    }
    if claims.cnf.is_some() {
        return Err(ExchangeRefusal::Bound(side).into());
    }
    // Who was vouched for administers nothing by that.
    let has_session = claims.sid.is_some();
    Ok(Party {
        sub: claims.sub,
        user: access.person.as_ref().map(|person| person.id),
        issued_to: claims.client_id,
        audiences: claims.aud,
        exp: claims.exp,
        jti: Some(claims.jti),
        scope: claims.scope,
        claims: Carried {
            auth_time: claims.auth_time,
            acr: claims.acr,
            amr: claims.amr,
            sid: claims.sid,
            // What they administer at this moment.
            roles: access
                .person
                .filter(|_| has_session)
                .map_or_else(Vec::new, |person| {
                    person.state.roles.iter().map(ToString::to_string).collect()
                }),
            groups: claims.groups,
            grant_id: claims.grant_id,
            act: claims.act,
            exchanged: claims.exchanged,
        },
    })
}

/// An ID token speaks of a session: what it can be exchanged for hangs on what was allowed in that session.
async fn check_id_token(
    call: &Call<'_>,
    offered: &OfferedToken,
    side: Side,
) -> Result<Party, TokenRefusal> {
    let (provider, tenant) = (call.provider, &call.at.tenant);
    let refuse = |refusal| TokenRefusal::from(ExchangeRefusal::Token(side, refusal));
    let expect = Expect::own(Type::IfPresent(&[id_token::TYP]), &SigningAlgorithm::ALL);
    let verified = tenant
        .keys
        .verification()
        .verify(offered.token.expose(), expect)
        .map_err(|error: JwsError| refuse(error.into()))?;
    if verified.claims.contains_key("cnf") {
        return Err(ExchangeRefusal::Bound(side).into());
    }
    let claims: IdTokenClaims = serde_json::from_value(serde_json::Value::Object(verified.claims))
        .map_err(|_| refuse(AccessRefusal::Malformed))?;
    if claims.tenant_id != tenant.id().uuid() || !tenant.is_issuer(&claims.iss) {
        return Err(refuse(AccessRefusal::Issuer));
    }
    if claims.iss != *call.at.issuer {
        return Err(ExchangeRefusal::Issuer(side).into());
    }
    if provider.clock.unix() >= claims.exp {
        return Err(refuse(AccessRefusal::Expired));
    }
    let issued_to = claims.aud.as_single().unwrap_or_default().to_owned();
    let client = match issued_to.parse::<ClientId>() {
        Ok(id) => provider.find_client(tenant, id).await?,
        Err(_) => None,
    };
    let client = client.ok_or_else(|| refuse(AccessRefusal::Client))?;
    let session: SessionId = claims
        .sid
        .as_deref()
        .and_then(|sid| sid.parse().ok())
        .ok_or_else(|| refuse(AccessRefusal::Malformed))?;
    let (idle_lifetime, client_id) = (tenant.settings().session_idle_lifetime, client.id);
    let found = provider
        .db
        .read(&**tenant, move |repo| {
            let now = repo.now();
            let Some(session) = repo
                .find_session(session)?
                .filter(|session| session.is_alive(now, idle_lifetime))
            else {
                return Ok(None);
            };
            let grant = repo.find_live_grant_of_session(session.id, client_id)?;
            Ok(grant.map(|grant| (session.user_id, grant)))
        })
        .await?;
    let (user, grant) = found.ok_or(ExchangeRefusal::Session(side))?;
    let state = provider
        .find_user_state(tenant, user)
        .await?
        .filter(|state| state.active && subject_of(tenant, &client, user) == claims.sub)
        .ok_or_else(|| refuse(AccessRefusal::User))?;
    Ok(Party {
        sub: claims.sub,
        user: Some(user),
        issued_to: issued_to.clone(),
        audiences: claims.aud,
        exp: claims.exp,
        jti: None,
        // It allows nothing by itself: what it can be exchanged for is the policy's alone.
        scope: Scope::empty(),
        claims: Carried {
            auth_time: claims.auth_time,
            acr: claims.acr,
            amr: claims.amr,
            sid: claims.sid,
            roles: state.roles.iter().map(ToString::to_string).collect(),
            grant_id: Some(grant.uuid()),
            exchanged: Some(Lineage::of(issued_to)),
            ..Carried::default()
        },
    })
}

/// What the token allows: no more than the subject's did, or than the policy adds, and only what the target understands.
fn scope(
    call: &Call<'_>,
    subject: &Party,
    requested: Option<&Scope>,
    targets: &[String],
) -> Result<Scope, ExchangeRefusal> {
    let rules = call.rules();
    let for_apis = |token: &str| !OF_PERSONS.contains(&token) && token != ADMIN;
    let added = call.client.metadata.token_exchange_scope.as_ref();
    let allowed: Scope = added
        .map_or_else(|| subject.scope.clone(), |added| subject.scope.union(added))
        .iter()
        .filter(|token| for_apis(token))
        .collect();
    let Some(requested) = requested else {
        return Ok(rules.scope_at(&allowed, targets));
    };
    if !requested.iter().all(for_apis) {
        return Err(ExchangeRefusal::Scope(
            "an exchanged token is for APIs: openid, profile, offline_access, tessera:admin and their like can't be had",
        ));
    }
    if !requested.is_subset_of(&allowed) {
        return Err(ExchangeRefusal::Scope(
            "the requested scope is more than the subject_token has; the client's token_exchange_scope can add to it",
        ));
    }
    let scope = rules.scope_at(requested, targets);
    if scope.is_empty() {
        return Err(ExchangeRefusal::Scope(
            "none of the requested scopes belongs to the target",
        ));
    }
    Ok(scope)
}

/// Who acts from now on, and whoever did before.
fn act(
    client: &Client,
    subject: &Party,
    actor: Option<&Party>,
) -> Result<Option<Actor>, ExchangeRefusal> {
    let before = subject.claims.act.clone();
    let sub = match actor {
        Some(actor) if actor.claims.act.is_some() => return Err(ExchangeRefusal::ActorActs),
        // Who acts for themselves would hide the client, as impersonation does, without being allowed to.
        Some(actor)
            if actor.sub == subject.sub || (actor.user.is_some() && actor.user == subject.user) =>
        {
            return Err(ExchangeRefusal::ActorIsSubject);
        }
        Some(actor) => actor.sub.clone(),
        None if client.metadata.token_exchange_impersonation => {
            // A token that says nothing of the client would pass for the administrator's own.
            if !subject.claims.roles.is_empty() {
                return Err(ExchangeRefusal::Administrator);
            }
            return Ok(before);
        }
        // RFC 8693 §1.1: without another the client itself is who acts.
        None => client.id.to_string(),
    };
    let act = Actor {
        sub,
        act: before.map(Box::new),
    };
    if act.depth() > MAX_CHAIN {
        return Err(ExchangeRefusal::Chain);
    }
    Ok(Some(act))
}

/// Where the token comes from: from all that the two tokens come from, and from themselves.
fn lineage(subject: &Party, actor: Option<&Party>) -> Result<Lineage, ExchangeRefusal> {
    let before = |party: &Party| {
        let first = || Lineage::of(party.issued_to.clone());
        party.claims.exchanged.clone().unwrap_or_else(first)
    };
    let mut lineage = before(subject);
    lineage.jti.extend(subject.jti);
    lineage.clients.push(subject.issued_to.clone());
    if let Some(actor) = actor {
        let mut theirs = before(actor);
        theirs.jti.extend(actor.jti);
        lineage.clients.append(&mut theirs.clients);
        lineage
            .clients
            .extend([theirs.client_id.clone(), actor.issued_to.clone()]);
        lineage.actors.append(&mut theirs.actors);
        lineage.actors.push(ActorToken {
            client_id: theirs.client_id,
            jti: theirs.jti,
            grant_id: actor.claims.grant_id,
        });
    }
    let mut known = HashSet::from([lineage.client_id.clone()]);
    lineage
        .clients
        .retain(|client| known.insert(client.clone()));
    if lineage.jti.len() > MAX_CHAIN || lineage.actors.len() > MAX_CHAIN {
        return Err(ExchangeRefusal::Chain);
    }
    Ok(lineage)
}

async fn record(
    call: &Call<'_>,
    subject: &Party,
    actor: Option<&Party>,
    claims: &AccessTokenClaims,
) -> Result<(), FlowError> {
    let mut event = Event::new(Act::TokenExchanged, By::Client(call.client.id))
        .client(call.client.id)
        .from(call.origin);
    event.user_id = subject.user;
    let event = event.detail(serde_json::json!({
        "subject": { "sub": subject.sub, "client_id": subject.issued_to, "jti": subject.jti, "grant": claims.grant_id },
        "actor": actor.map(|actor| serde_json::json!({ "sub": actor.sub, "client_id": actor.issued_to, "jti": actor.jti })),
        "act": claims.act, "audience": claims.aud, "scope": claims.scope, "jti": claims.jti,
    }));
    Ok(call
        .provider
        .db
        .write(&*call.at.tenant, move |repo| repo.record(event.clone()))
        .await?)
}
