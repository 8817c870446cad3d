//! A sign-in by the session that another application on the device began (OpenID Connect Native SSO for Mobile Apps 1.0 §4).
//!
//! Which applications may do so is the tenant's to say (see [`crate::flows::native_sso`]). §4.3 is checked as a whole: the device secret, what
//! binds the ID token to it, the ID token's signature, the session behind both, and that all three applications are of one group at this moment.
//! That the ID token has expired is no fault: it says who is meant, and the session whether that still holds. Nobody is asked, so a client gets
//! no more than its person allowed it before, or what it may have unasked as one of the tenant's own, and never the administration.

use std::sync::Arc;

use chrono::Duration;

use super::device_secret::find;
use super::exchange_refusal::ExchangeRefusal;
use super::issued::{
    Decision, GrantedPerson, SharedSession, first_refresh_token, may_refresh, refresh_binding,
};
use super::pipeline::Call;
use super::refusal::TokenRefusal;
use crate::domain::audit::{Act, Actor, Event};
use crate::domain::consent::Permissions;
use crate::domain::device_secret::DeviceSecret;
use crate::domain::grant::{Grant, PendingCode, RefreshToken};
use crate::domain::ids::{ClientId, GrantId};
use crate::domain::session::Session;
use crate::domain::settings::ConsentPolicy;
use crate::domain::user::User;
use crate::flows::authorize::Granted;
use crate::flows::consent::{is_covered, permissions_of};
use crate::flows::issue::subject_of;
use crate::flows::scopes::{ADMIN, Target};
use crate::flows::sessions::SignedIn;
use crate::flows::tenancy::Tenant;
use crate::jose::jws::Type;
use crate::jose::keys::Expect;
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::client_metadata::{AccessTokenFormat, GrantType};
use crate::protocol::id_token::{self, IdTokenClaims};
use crate::protocol::native_sso::NativeSsoRequest;
use crate::protocol::scope::{OFFLINE_ACCESS, OPENID};
use crate::protocol::token_exchange::TokenKind;
use crate::protocol::{ErrorCode, OAuthError, Scope, SigningAlgorithm};
use crate::secret::{Handle, PlainSecret, Purpose};
use crate::storage::{self, Repo};

/// Why an application isn't let into another's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NativeSsoRefusal {
    /// The tenant or the client has no part in it.
    #[error("the client shares no sessions")]
    Off,
    /// The device secret is none, has ended or was revoked.
    #[error("the device secret is not known, has ended or was revoked")]
    Secret,
    /// The session has ended, or its person may not get in.
    #[error("the session has ended, or its person's account is closed")]
    Session,
    /// The ID token is none of ours, or is of another address of the tenant.
    #[error("the ID token is none of this issuer's")]
    IdToken,
    /// The ID token isn't bound to the device secret, or is of another session or person.
    #[error("the ID token and the device secret don't belong together")]
    Binding,
    /// One of the applications is of another group.
    #[error("the applications don't share sessions with each other")]
    Group,
    /// The session began too long ago for the client.
    #[error("the session began longer ago than the client's default_max_age")]
    Age,
    /// The person hasn't allowed this client so much.
    #[error("the person hasn't allowed the client this")]
    Consent,
}

impl From<NativeSsoRefusal> for OAuthError {
    fn from(refusal: NativeSsoRefusal) -> Self {
        use NativeSsoRefusal as R;
        match refusal {
            R::Off => Self::unauthorized_client(
                "this client signs nobody in by a device secret: the tenant has to allow native_sso, and an administrator to name the client's native_sso_group",
            ),
            // §4.3. Whichever it is, the way on is the same.
            R::Secret | R::Session | R::Group => Self::invalid_grant(
                "the device secret is not good for this client: its session has ended, it was revoked, or it is of other applications; sign in by the authorization endpoint",
            ),
            R::IdToken | R::Binding => Self::invalid_grant(
                "the subject_token is not an ID token that this issuer bound to the device secret; keep the two together as they came",
            ),
            R::Age => Self::login_required(
                "the person signed in longer ago than the client's default_max_age; send them to the authorization endpoint",
            ),
            R::Consent => Self::consent_required(
                "the person has not allowed this client so much; send them to the authorization endpoint, or ask for less",
            ),
        }
    }
}

/// Lets a client into the session.
pub(super) async fn join(
    call: &Call<'_>,
    request: &NativeSsoRequest,
) -> Result<Decision, TokenRefusal> {
    let (tenant, client) = (&call.at.tenant, &call.client);
    let group = tenant
        .native_sso_group(client)
        .ok_or(NativeSsoRefusal::Off)?;
    if request.requested == TokenKind::Jwt
        && client.metadata.access_token_format != AccessTokenFormat::Jwt
    {
        return Err(ExchangeRefusal::Form.into());
    }
    if request.audience != *call.at.issuer {
        return Err(OAuthError::invalid_target(
            "beside a device secret the audience is the issuer at whose token endpoint it is sent",
        )
        .into());
    }
    let target = target(call, request.scope.as_ref())?;
    let (secret, person) = find_shared(call, &request.device_secret).await?;
    let shared_by = check_id_token(call, &request.id_token, &secret, &person.session)?;
    // All that take part, as things stand: the one whose ID token it is, and the one to which the device secret was handed out.
    for other in [shared_by.id, secret.client_id] {
        let other = call.provider.find_client(tenant, other).await?;
        if other.is_none_or(|other| tenant.native_sso_group(&other) != Some(group)) {
            return Err(NativeSsoRefusal::Group.into());
        }
    }
    let owner = call
        .provider
        .find_client(tenant, shared_by.id)
        .await?
        .ok_or(NativeSsoRefusal::Group)?;
    if subject_of(tenant, &owner, person.user.id) != shared_by.sub {
        return Err(NativeSsoRefusal::Binding.into());
    }
    check_age(call, &person.session)?;
    commit(call, target, &secret, &person, shared_by.id).await
}

/// What the token is to be for. Without a scope: to know who it is, and no more.
fn target(call: &Call<'_>, requested: Option<&Scope>) -> Result<Target, OAuthError> {
    if !call.details.is_empty() {
        return Err(OAuthError::new(
            ErrorCode::InvalidAuthorizationDetails,
            "nobody is asked where a session is shared; leave authorization_details out",
        ));
    }
    let rules = call.rules();
    let resources = rules.check_resources(&call.resources)?;
    let openid: Scope = [OPENID].into_iter().collect();
    let requested = requested.unwrap_or(&openid);
    rules.check_scope(requested)?;
    if requested.contains(ADMIN) {
        return Err(OAuthError::invalid_scope(
            "the administration can't be had by a session that is shared; sign in by the authorization endpoint",
        ));
    }
    let scope = rules.require_scope_at(requested, &resources)?;
    // OpenID Connect Core §11: ignored where no refresh token can come of it.
    let scope = if call.client.allows(GrantType::RefreshToken) {
        scope
    } else {
        scope.without(OFFLINE_ACCESS)
    };
    Ok(Target {
        scope,
        resources,
        details: AuthorizationDetails::default(),
    })
}

/// The device secret, its session and whoever is signed in by that.
async fn find_shared(
    call: &Call<'_>,
    text: &PlainSecret,
) -> Result<(DeviceSecret, SignedIn), TokenRefusal> {
    let handle =
        Handle::parse(Purpose::DeviceSecret, text.expose()).ok_or(NativeSsoRefusal::Secret)?;
    let (tenant, client) = (Arc::clone(&call.at.tenant), call.client.id);
    let read = call.provider.db.read(&*call.at.tenant, move |repo| {
        let Some(secret) = find(repo, &tenant, &handle)? else {
            return Ok(Err(NativeSsoRefusal::Secret));
        };
        let (now, idle_lifetime) = (repo.now(), tenant.settings().session_idle_lifetime);
        let session = repo.find_session(secret.session_id)?;
        let Some(session) = session.filter(|session| session.is_alive(now, idle_lifetime)) else {
            return Ok(Err(NativeSsoRefusal::Session));
        };
        let user = repo.find_user(session.user_id)?;
        let Some(user) = user.filter(User::is_active) else {
            return Ok(Err(NativeSsoRefusal::Session));
        };
        let consent = repo.find_consent(user.id, client)?;
        let person = SignedIn {
            session,
            user,
            consent,
        };
        Ok(Ok((secret, person)))
    });
    Ok(read.await??)
}

/// Whose ID token it is.
struct SharedBy {
    id: ClientId,
    sub: String,
}

/// An ID token of ours, of this address, bound to the device secret and of its session.
fn check_id_token(
    call: &Call<'_>,
    text: &PlainSecret,
    secret: &DeviceSecret,
    session: &Session,
) -> Result<SharedBy, NativeSsoRefusal> {
    let tenant = &call.at.tenant;
    let expect = Expect::own(Type::IfPresent(&[id_token::TYP]), &SigningAlgorithm::ALL);
    let verified = tenant.keys.verification().verify(text.expose(), expect);
    let verified = verified.map_err(|_| NativeSsoRefusal::IdToken)?;
    let claims: IdTokenClaims = serde_json::from_value(serde_json::Value::Object(verified.claims))
        .map_err(|_| NativeSsoRefusal::IdToken)?;
    if claims.tenant_id != tenant.id().uuid() || claims.iss != *call.at.issuer {
        return Err(NativeSsoRefusal::IdToken);
    }
    let binds = claims
        .ds_hash
        .as_deref()
        .is_some_and(|hash| tenant.binds(secret, hash));
    if !binds || claims.sid != Some(session.id.to_string()) {
        return Err(NativeSsoRefusal::Binding);
    }
    let client = claims.aud.as_single().and_then(|aud| aud.parse().ok());
    Ok(SharedBy {
        id: client.ok_or(NativeSsoRefusal::IdToken)?,
        sub: claims.sub,
    })
}

/// OpenID Connect Core §3.1.2.1, of the client's own default: no request could ask for less.
fn check_age(call: &Call<'_>, session: &Session) -> Result<(), NativeSsoRefusal> {
    let most = call.client.metadata.default_max_age;
    let age = call.provider.now() - session.auth_time;
    let too_old = most.is_some_and(|most| most == 0 || age > Duration::seconds(i64::from(most)));
    if too_old {
        return Err(NativeSsoRefusal::Age);
    }
    Ok(())
}

/// What the person must have allowed; nothing where the client needn't ask.
fn permissions_asked(call: &Call<'_>, target: &Target) -> Option<Permissions> {
    if call.client.metadata.skip_consent {
        return None;
    }
    Some(permissions_of(
        &call.at.tenant,
        call.rules().admin_api(),
        &call.client,
        (&target.scope, None),
        &target.resources,
    ))
}

/// Whether the person is asked no more than they were before, as it is at this moment.
fn is_allowed(
    repo: &mut Repo<'_>,
    tenant: &Tenant,
    grant: &Grant,
    asked: Option<&Permissions>,
) -> storage::Result<bool> {
    let Some(asked) = asked else {
        return Ok(true);
    };
    if tenant.settings().consent != ConsentPolicy::Remembered {
        return Ok(false);
    }
    is_covered(repo, grant, asked)
}

/// Writes the grant, all or nothing.
async fn commit(
    call: &Call<'_>,
    target: Target,
    secret: &DeviceSecret,
    person: &SignedIn,
    shared_by: ClientId,
) -> Result<Decision, TokenRefusal> {
    let asked = permissions_asked(call, &target);
    let (provider, tenant, client) = (call.provider, &call.at.tenant, &call.client);
    let granted = Granted {
        client,
        scope: &target.scope,
        resources: &target.resources,
    };
    let id = GrantId::from(provider.clock.uuid_v7());
    let grant = provider.grant_to(call.at, person, id, granted);
    let shared = SharedSession {
        ds_hash: tenant.ds_hash(secret),
        // It goes on as it is: see `device_secret`.
        device_secret: None,
    };
    let refresh = may_refresh(client, &grant).then(|| Handle::generate(&provider.clock));
    let work = {
        let (tenant, client, grant) = (Arc::clone(tenant), Arc::clone(client), grant.clone());
        let (handle, origin, binding) = (refresh.clone(), call.origin.clone(), call.binding);
        let touch = person.session.wants_touch(provider.now());
        let secret = secret.id;
        move |repo: &mut Repo<'_>| {
            // Whoever takes back a consent or ends the session at this moment comes after this, and finds the grant.
            repo.hold_user(grant.user_id)?;
            if !is_allowed(repo, &tenant, &grant, asked.as_ref())? {
                return Ok(Err(NativeSsoRefusal::Consent));
            }
            if !repo.hold_session(grant.session_id)? {
                return Ok(Err(NativeSsoRefusal::Session));
            }
            let Some(user) = repo.find_user(grant.user_id)?.filter(User::is_active) else {
                return Ok(Err(NativeSsoRefusal::Session));
            };
            if !repo.touch_device_secret(secret)? {
                return Ok(Err(NativeSsoRefusal::Secret));
            }
            if touch {
                repo.touch_session(grant.session_id)?;
            }
            repo.insert_grant(&grant, &PendingCode::nobodys(repo.now()))?;
            repo.consume_code(grant.id)?;
            if let Some(handle) = &handle {
                repo.insert_refresh_token(&RefreshToken {
                    bound_to: refresh_binding(&client, binding),
                    ..first_refresh_token(&tenant, &client, &grant, handle, repo.now())
                })?;
            }
            let detail = serde_json::json!({
                "grant": grant.id, "scope": grant.scope, "session": grant.session_id,
                "device_secret": secret, "shared_by": shared_by,
            });
            repo.record(
                Event::new(Act::GrantCreated, Actor::Client(client.id))
                    .user(grant.user_id)
                    .client(client.id)
                    .from(&origin)
                    .detail(detail),
            )?;
            Ok(Ok(user))
        }
    };
    let user = provider.db.write(&**tenant, work).await??;
    Ok(Decision {
        target,
        person: Some(Box::new(GrantedPerson {
            grant,
            user,
            nonce: None,
        })),
        refresh_token: refresh.map(|handle| handle.to_text(Purpose::RefreshToken)),
        shared: Some(shared),
    })
}
