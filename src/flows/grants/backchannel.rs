//! A client comes for what a person was asked by the back channel (OpenID Connect CIBA §10.1, §11), or is sent it (§10.3.1).
//!
//! It is held to its interval as a device is, see `awaited`.

use std::sync::Arc;

use super::authorization_code::Proofs;
use super::awaited::{check_own, longer, polls_too_soon, redeem};
use super::issued::{Decision, may_refresh, refresh_expiry};
use super::pipeline::{Call, check_kept};
use super::refusal::{GrantRefusal, TokenRefusal};
use crate::domain::backchannel_request::{BackchannelRequest, BackchannelStage};
use crate::domain::client::Client;
use crate::domain::grant::{Grant, GrantStage, RefreshToken};
use crate::domain::ids::{BackchannelRequestId, GrantId, RefreshTokenId};
use crate::domain::user::User;
use crate::flows::Provider;
use crate::flows::backchannel::check_permitted;
use crate::flows::issue::{AccessTokenOrder, IdTokenBinding, Principal};
use crate::flows::provider::FlowError;
use crate::flows::scopes::{Rules, Target, admin_api};
use crate::flows::tenancy::Tenant;
use crate::protocol::OAuthError;
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::backchannel_authentication::DeliveryMode;
use crate::protocol::scope::OPENID;
use crate::protocol::token::{TokenResponse, TokenType};
use crate::secret::{Handle, PlainSecret, Purpose};
use crate::storage::{HeldGrant, Repo};

/// Answers a poll.
pub(super) async fn poll(call: &Call<'_>, name: &PlainSecret) -> Result<Decision, TokenRefusal> {
    let (provider, tenant) = (call.provider, &call.at.tenant);
    let mode = check_permitted(tenant, &call.client)?;
    let pushes = || {
        // §11: "If the Client is registered to use the Push Mode then it MUST return this error."
        OAuthError::unauthorized_client(
            "this client is sent its tokens (backchannel_token_delivery_mode push) and gets none here",
        )
    };
    if mode == DeliveryMode::Push {
        return Err(pushes().into());
    }
    let handle =
        Handle::parse(Purpose::BackchannelRequest, name.expose()).ok_or(GrantRefusal::Unknown)?;
    let id = BackchannelRequestId::from(handle.id());
    let proof = handle.hash(tenant.handle_key(), Purpose::BackchannelRequest);
    let found = provider
        .db
        .read(&**tenant, move |repo| repo.find_backchannel_request(id))
        .await?;
    // What was cleared away a while ago may have a grant still, which a second redemption has to end.
    if let Some(request) = found {
        let shown = (&request.proof, &proof);
        check_own(call, shown, (request.client_id, &request.issuer))?;
        // Its tokens are on their way, whatever the client has registered since.
        if request.delivery == DeliveryMode::Push {
            return Err(pushes().into());
        }
        match request.stage {
            BackchannelStage::Denied { .. } => {
                return Err(GrantRefusal::BackchannelDenied.into());
            }
            BackchannelStage::Expired { .. } => {
                return Err(GrantRefusal::BackchannelExpired.into());
            }
            BackchannelStage::Pending if provider.now() >= request.expires_at => {
                return Err(GrantRefusal::BackchannelExpired.into());
            }
            BackchannelStage::Pending => return Err(wait(call, &request).await?.into()),
            BackchannelStage::Allowed { .. } => {}
        }
    } else {
        check_kept(call, GrantId::from(id), proof).await?;
    }
    let (id, proved) = (GrantId::from(id), (proof, Proofs::Backchannel));
    redeem(call, id, proved, GrantRefusal::BackchannelExpired).await
}

/// Whether the client waits as it was told.
async fn wait(call: &Call<'_>, request: &BackchannelRequest) -> Result<GrantRefusal, TokenRefusal> {
    if !polls_too_soon(call, request.id.uuid(), request.interval) {
        return Ok(GrantRefusal::BackchannelPending);
    }
    let (id, from) = (request.id, request.interval);
    if let Some(to) = longer(from) {
        call.provider
            .db
            .write(&*call.at.tenant, move |repo| {
                repo.slow_backchannel_request_down(id, from, to)
            })
            .await?;
    }
    Ok(GrantRefusal::BackchannelSlowDown)
}

/// Why no tokens are sent.
#[derive(Debug, thiserror::Error)]
pub enum PushRefusal {
    /// What was allowed has ended, or its person may not get tokens any more.
    #[error("what was allowed is not to be had any more")]
    Dead,
    /// A failure of ours.
    #[error(transparent)]
    Failed(#[from] FlowError),
}

impl Provider {
    /// Makes the tokens of a request that its person has allowed, to be sent to its client. The first time it redeems the request's grant; a further
    /// attempt makes others by the same grant, with the same refresh token.
    pub(in crate::flows) async fn push_tokens(
        &self,
        tenant: &Arc<Tenant>,
        client: &Arc<Client>,
        request: &BackchannelRequest,
        name: &Handle,
    ) -> Result<TokenResponse, PushRefusal> {
        // What is sent is bound to nothing, and whoever demands that tokens are has done so since.
        let metadata = &client.metadata;
        if metadata.dpop_bound_access_tokens
            || metadata.tls_client_certificate_bound_access_tokens
            || tenant.profile_of(client).is_fapi()
        {
            return Err(PushRefusal::Dead);
        }
        let refresh = name.successor(tenant.handle_key(), request.id.uuid());
        let refresh_proof = refresh.hash(tenant.handle_key(), Purpose::RefreshToken);
        let work = {
            let (id, refresh_id) = (GrantId::from(request.id), refresh.id());
            let (tenant, client, admin_api) =
                (Arc::clone(tenant), Arc::clone(client), admin_api(self));
            move |repo: &mut Repo<'_>| {
                let Some(held) = repo.find_held_grant(id)? else {
                    return Ok(None);
                };
                let HeldGrant {
                    grant,
                    user,
                    session,
                    ..
                } = held;
                let has_ended = !grant.offline && session.is_none_or(|session| session.ended);
                let now = repo.now();
                if matches!(grant.stage, GrantStage::Revoked { .. })
                    || now >= grant.expires_at
                    || !user.is_active()
                    || has_ended
                {
                    return Ok(None);
                }
                let granted = Target {
                    scope: grant.scope.clone(),
                    resources: grant.resources.clone(),
                    details: grant.details.clone(),
                };
                let rules = Rules::with_admin_api(&admin_api, &tenant, &client);
                let narrowed = rules.narrow(&granted, None, &[], &AuthorizationDetails::default());
                let Ok(target) = narrowed else {
                    return Ok(None);
                };
                let mut refreshes = may_refresh(&client, &grant);
                if !repo.consume_code(grant.id)? {
                    // Whoever is second, on another node say, sends what the first one's grant gives; unless it was taken back meanwhile.
                    let again = repo.find_grant(grant.id)?;
                    if !again.is_some_and(|(grant, _)| grant.is_alive(now)) {
                        return Ok(None);
                    }
                    let kept = RefreshTokenId::from(refresh_id);
                    refreshes = repo.find_refresh_token(kept)?.is_some();
                } else if refreshes {
                    repo.insert_refresh_token(&RefreshToken {
                        id: RefreshTokenId::from(refresh_id),
                        grant_id: grant.id,
                        proof: refresh_proof,
                        created_at: now,
                        expires_at: refresh_expiry(tenant.settings(), &client, &grant, now),
                        rotated: None,
                        bound_to: None,
                    })?;
                }
                Ok(Some((target, grant, user, refreshes)))
            }
        };
        let written = self.db.write(&**tenant, work).await;
        let (target, grant, user, refreshes) =
            written.map_err(FlowError::from)?.ok_or(PushRefusal::Dead)?;
        let refresh = refreshes.then(|| refresh.to_text(Purpose::RefreshToken));
        self.mint_pushed(tenant, client, (&grant, &user), target, (name, refresh))
            .await
    }

    /// The answer as it is sent: bound to the request's name, and to the refresh token where one goes with it.
    async fn mint_pushed(
        &self,
        tenant: &Arc<Tenant>,
        client: &Arc<Client>,
        (grant, user): (&Grant, &User),
        target: Target,
        (name, refresh_token): (&Handle, Option<PlainSecret>),
    ) -> Result<TokenResponse, PushRefusal> {
        let order = AccessTokenOrder {
            issuer: &grant.issuer,
            target: &target,
            principal: Principal::Person {
                grant,
                roles: &user.roles,
            },
            binding: None,
        };
        let access = self.mint_access_token(tenant, client, order).await?;
        let name = name.to_text(Purpose::BackchannelRequest);
        let id_token = if target.scope.contains(OPENID) {
            let binding = IdTokenBinding {
                access_token: Some(&access.text),
                pushed: Some((
                    name.expose(),
                    refresh_token.as_ref().map(PlainSecret::expose),
                )),
                ..IdTokenBinding::default()
            };
            Some(
                self.mint_id_token(tenant, client, grant, user, binding)
                    .await?,
            )
        } else {
            None
        };
        Ok(TokenResponse {
            access_token: access.text,
            issued_token_type: None,
            token_type: TokenType::Bearer,
            expires_in: access.expires_in,
            refresh_token: refresh_token.map(|token| token.expose().to_owned()),
            scope: target.scope,
            authorization_details: target.details,
            id_token,
            device_secret: None,
        })
    }
}
