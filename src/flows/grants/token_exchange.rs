//! Token exchange (RFC 8693): a service that was shown a token gets one of its own for the next service.
//!
//! What may be exchanged for what is each client's policy, which administrators set: whose tokens (its own and those for it, besides what it
//! answers to), for which targets, and with which scopes beyond those of the subject's token. What comes out says who acts, unless
//! the policy lets the client impersonate. It lives no longer than what went in, hangs on the same grant, and dies with each token that it
//! was made from. It is for APIs: it never has a scope of a person's own claims, none to be refreshed by, and never the administration.
//!
//! A subject's token may be of somebody whom the tenant trusts to vouch for people (`assertion_issuers`): it goes by the rules of
//! [`super::jwt_bearer`], once and within its life. What is bound to a key or a certificate is exchanged by whoever holds that, and by nobody
//! else: an API that was shown it can't have what it was to be kept from.

use std::collections::HashSet;

use uuid::Uuid;

use super::exchange_refusal::{ExchangeRefusal, Side};
use super::pipeline::Call;
use super::refusal::TokenRefusal;
use super::vouched::find_vouched;
use crate::domain::audit::{Act, Actor as By, Event};
use crate::domain::client::Client;
use crate::domain::ids::{ClientId, GrantId, SessionId, UserId};
use crate::flows::access::AccessRefusal;
use crate::flows::issue::{access_token_lifetime, is_opaque, may_act_by, subject_of};
use crate::flows::provider::FlowError;
use crate::flows::scopes::{ADMIN, OF_PERSONS, Target};
use crate::jose::jws::{JwsError, Type};
use crate::jose::keys::Expect;
use crate::protocol::access_token::{AccessTokenClaims, Audience};
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::client_metadata::AccessTokenFormat;
use crate::protocol::dpop::Confirmation;
use crate::protocol::id_token::{self, IdTokenClaims};
use crate::protocol::token::{TokenResponse, TokenType};
use crate::protocol::token_exchange::{
    Actor, ActorToken, ExchangeRequest, Lineage, MAX_CHAIN, MayAct, OfferedToken, TokenKind,
};
use crate::protocol::{ErrorCode, OAuthError, Scope, SigningAlgorithm};

/// Somebody by whose token, which is good here and now, they are known.
pub(super) struct Party {
    pub(super) sub: String,
    pub(super) user: Option<UserId>,
    pub(super) issued_to: String,
    pub(super) audiences: Audience,
    pub(super) exp: i64,
    /// None of an ID token, or of an assertion.
    pub(super) jti: Option<Uuid>,
    pub(super) scope: Scope,
    /// The most that can be made of it, whatever the policy adds.
    pub(super) most: Option<Scope>,
    /// What it is bound to.
    pub(super) bound_to: Option<Confirmation>,
    /// The only one who may act by it.
    pub(super) may_act: Option<MayAct>,
    /// What is carried over as it is.
    pub(super) claims: Carried,
}

/// The claims that an exchanged token has from its subject's.
#[derive(Default)]
pub(super) struct Carried {
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
    // RFC 8693 §5. A public client registers this grant for device secrets.
    if client.is_public() {
        return Err(OAuthError::unauthorized_client(
            "a public client may exchange by a device secret alone",
        )
        .into());
    }
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
    let vouched = find_vouched(call, &request.subject).await?;
    let subject = match &vouched {
        Some(vouched) => vouched.party(call),
        None => check(call, &request.subject, Side::Subject).await?,
    };
    let actor = match &request.actor {
        Some(offered) => Some(check(call, offered, Side::Actor).await?),
        None => None,
    };
    let scope = scope(call, &subject, request.scope.as_ref(), &targets)?;
    check_may_act(call, &subject, actor.as_ref())?;
    let act = act(client, &subject, actor.as_ref())?;
    let exchanged = lineage(&subject, actor.as_ref())?;

    // Of what is vouched for, written below.
    let grant = GrantId::from(provider.clock.uuid_v7());
    let grant_id = match &vouched {
        Some(_) => Some(grant.uuid()),
        None => subject.claims.grant_id,
    };
    let target = Target {
        scope,
        resources: targets,
        details: AuthorizationDetails::default(),
    };
    let now = provider.clock.unix();
    let mut exp = (now + access_token_lifetime(tenant, client)).min(subject.exp);
    if let Some(actor) = &actor {
        exp = exp.min(actor.exp);
    }
    let claims = Box::new(AccessTokenClaims {
        iss: call.at.issuer.to_string(),
        sub: subject.sub.clone(),
        aud: Audience::new(target.resources.clone()),
        exp,
        iat: now,
        jti: provider.clock.uuid_v7(),
        client_id: client.id.to_string(),
        scope: target.scope.clone(),
        authorization_details: AuthorizationDetails::default(),
        auth_time: subject.claims.auth_time,
        acr: subject.claims.acr.clone(),
        amr: subject.claims.amr.clone(),
        sid: subject.claims.sid.clone(),
        roles: subject.claims.roles.clone(),
        groups: subject.claims.groups.clone(),
        tenant: tenant.slug().clone(),
        tenant_id: tenant.id().uuid(),
        grant_id,
        act,
        // Its own: what a token says of who may act by it was kept when that party got this one.
        may_act: may_act_by(client),
        exchanged: Some(exchanged),
        // RFC 9449 §5, RFC 8705 §3: what is issued is bound by whichever grant; and of what is bound nothing comes that isn't.
        cnf: call.binding.or(subject.bound_to),
    });
    let told = exchanged_event(call, &subject, actor.as_ref(), &claims);
    // Once nothing else can refuse it.
    if let Some(vouched) = &vouched {
        vouched.redeem(call, &target, grant, told).await?;
    } else {
        let write = provider
            .db
            .write(&**tenant, move |repo| repo.record(told.clone()));
        write.await.map_err(FlowError::from)?;
    }
    let minted = provider.write_access_token(tenant, client, claims).await?;
    Ok(TokenResponse {
        access_token: minted.text,
        issued_token_type: Some(request.requested),
        token_type: TokenType::of(minted.claims.cnf),
        expires_in: minted.expires_in,
        // RFC 8693 §2.2.1: "will typically not be issued"
        refresh_token: None,
        device_secret: None,
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
    let claims = *access.claims;
    if claims.iss != *call.at.issuer {
        return Err(ExchangeRefusal::Issuer(side).into());
    }
    // RFC 9449 §7, RFC 8705 §3: whoever has found it, or was shown it, doesn't hold what it is bound to.
    if claims.cnf.is_some_and(|bound_to| !call.holds(bound_to)) {
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
        most: None,
        bound_to: claims.cnf,
        may_act: claims.may_act,
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
        most: None,
        bound_to: None,
        may_act: None,
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
        .filter(|token| {
            subject
                .most
                .as_ref()
                .is_none_or(|most| most.contains(token))
        })
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

/// RFC 8693 §4.4: where the subject's token names who may act by it, nobody else does. Whoever impersonates acts as well.
fn check_may_act(
    call: &Call<'_>,
    subject: &Party,
    actor: Option<&Party>,
) -> Result<(), ExchangeRefusal> {
    let Some(may_act) = &subject.may_act else {
        return Ok(());
    };
    let client = call.client.id.to_string();
    let acting = actor.map_or(&client, |actor| &actor.sub);
    if may_act.means(acting, &call.at.issuer) {
        Ok(())
    } else {
        Err(ExchangeRefusal::MayAct)
    }
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

/// What the audit says of an exchange.
fn exchanged_event(
    call: &Call<'_>,
    subject: &Party,
    actor: Option<&Party>,
    claims: &AccessTokenClaims,
) -> Event {
    let mut event = Event::new(Act::TokenExchanged, By::Client(call.client.id))
        .client(call.client.id)
        .from(call.origin);
    event.user_id = subject.user;
    event.detail(serde_json::json!({
        "subject": { "sub": subject.sub, "client_id": subject.issued_to, "jti": subject.jti, "grant": claims.grant_id },
        "actor": actor.map(|actor| serde_json::json!({ "sub": actor.sub, "client_id": actor.issued_to, "jti": actor.jti })),
        "act": claims.act, "audience": claims.aud, "scope": claims.scope, "jti": claims.jti,
    }))
}
