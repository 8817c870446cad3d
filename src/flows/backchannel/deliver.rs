//! What clients are told of their requests (OpenID Connect CIBA §10.2, §10.3, §12), and what tells a person that they are asked. It goes by the queue
//! of deliveries: durable, tried again, never redirected.
//!
//! Nothing is kept there but which request it is about. What the client is told with is sealed beside the request, and tokens are made for each
//! attempt: a refresh token follows from the request's name, which nobody else has, so that it is the same each time.

use std::sync::Arc;

use super::request::{check_permitted, open_notice};
use crate::domain::backchannel_request::{BackchannelRequest, BackchannelStage};
use crate::domain::client::Client;
use crate::domain::ids::GrantId;
use crate::domain::logout_delivery::{DeliveryKind, LogoutDelivery};
use crate::egress::{EgressError, Outward};
use crate::flows::Provider;
use crate::flows::grants::PushRefusal;
use crate::flows::logout_delivery::{MAX_ANSWER, Undelivered};
use crate::flows::provider::FlowError;
use crate::flows::tenancy::Tenant;
use crate::protocol::backchannel_authentication::{DeliveryMode, Ping, PushedError, PushedTokens};
use crate::protocol::token::TokenResponse;
use crate::protocol::{ErrorCode, OAuthError};
use crate::secret::{Handle, PlainSecret, Purpose};

impl Provider {
    /// Makes one attempt to tell of a request.
    pub(in crate::flows) async fn send_of_backchannel_request(
        &self,
        tenant: &Arc<Tenant>,
        delivery: &LogoutDelivery,
    ) -> Result<(), Undelivered> {
        // A suspended tenant gives no tokens, and asks nobody.
        if !tenant.is_active() {
            return Err(Undelivered::NotWanted);
        }
        let id = delivery.request_id.ok_or(Undelivered::Over)?;
        let found = self
            .db
            .read(&**tenant, move |repo| repo.find_backchannel_request(id))
            .await
            .map_err(FlowError::from)?;
        let request = found.ok_or(Undelivered::Over)?;
        let client = self.find_client(tenant, request.client_id).await?;
        let client = client.ok_or(Undelivered::NotWanted)?;
        if check_permitted(tenant, &client).is_err() {
            return Err(Undelivered::NotWanted);
        }
        let outward = if delivery.kind == DeliveryKind::BackchannelNotice {
            self.notice_to_person(tenant, &client, &request).await?
        } else {
            self.notice_to_client(tenant, &client, &request).await?
        };
        match self.egress.send(tenant.id().uuid(), outward).await {
            // §10.2: 204 is asked for, 200 taken. Any other 2xx says yes as well; and it may do so at length.
            Ok(_) | Err(EgressError::TooLarge(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn notice_to_client(
        &self,
        tenant: &Arc<Tenant>,
        client: &Arc<Client>,
        request: &BackchannelRequest,
    ) -> Result<Outward, Undelivered> {
        let endpoint = &client.metadata.backchannel_client_notification_endpoint;
        let endpoint = endpoint.as_deref().ok_or(Undelivered::NotWanted)?;
        let notice = open_notice(tenant, request)?.ok_or(Undelivered::NotWanted)?;
        let body = if request.delivery == DeliveryMode::Ping {
            if self.now() >= request.expires_at {
                return Err(Undelivered::Over);
            }
            serde_json::to_vec(&Ping {
                auth_req_id: &notice.auth_req_id,
            })
        } else {
            match self
                .push_of(tenant, client, request, &notice.auth_req_id)
                .await?
            {
                Ok(tokens) => serde_json::to_vec(&PushedTokens {
                    auth_req_id: &notice.auth_req_id,
                    tokens: &tokens,
                }),
                Err(error) => serde_json::to_vec(&PushedError {
                    auth_req_id: &notice.auth_req_id,
                    error: &error,
                }),
            }
        };
        let body = body.map_err(|_| FlowError::Internal("a notice can't be written"))?;
        let mut outward = Outward::post(endpoint, "application/json", body, MAX_ANSWER);
        outward.bearer = Some(PlainSecret::new(notice.client_notification_token));
        Ok(outward)
    }

    /// The tokens, or what became of the request instead.
    async fn push_of(
        &self,
        tenant: &Arc<Tenant>,
        client: &Arc<Client>,
        request: &BackchannelRequest,
        auth_req_id: &str,
    ) -> Result<Result<TokenResponse, OAuthError>, Undelivered> {
        let handle = Handle::parse(Purpose::BackchannelRequest, auth_req_id)
            .ok_or(FlowError::Internal("a request's name can't be read"))?;
        Ok(match request.stage {
            BackchannelStage::Allowed { .. } => {
                match self.push_tokens(tenant, client, request, &handle).await {
                    Ok(tokens) => Ok(tokens),
                    Err(PushRefusal::Failed(error)) => return Err(error.into()),
                    Err(refusal) => {
                        tracing::info!(tenant = %tenant.slug(), client = %client.id, reason = %refusal, "no tokens are pushed");
                        // An earlier attempt's may have come, and the client hears now that there are none.
                        let grant = GrantId::from(request.id);
                        let revoked = self
                            .db
                            .write(&**tenant, move |repo| repo.revoke_grant(grant));
                        revoked.await.map_err(FlowError::from)?;
                        Err(OAuthError::new(
                            ErrorCode::TransactionFailed,
                            "what was allowed has ended before it was sent",
                        ))
                    }
                }
            }
            BackchannelStage::Denied { .. } => {
                Err(OAuthError::access_denied("the person did not allow it"))
            }
            BackchannelStage::Expired { .. } => Err(OAuthError::new(
                ErrorCode::ExpiredToken,
                "the person did not answer in time; ask again",
            )),
            BackchannelStage::Pending => return Err(Undelivered::Over),
        })
    }

    async fn notice_to_person(
        &self,
        tenant: &Arc<Tenant>,
        client: &Client,
        request: &BackchannelRequest,
    ) -> Result<Outward, Undelivered> {
        let uri = &tenant.settings().backchannel_notice_uri;
        if uri.is_empty() {
            return Err(Undelivered::NotWanted);
        }
        if !request.is_waiting(self.now()) {
            return Err(Undelivered::Over);
        }
        let token = self
            .mint_backchannel_notice(tenant, client, request)
            .await?;
        Ok(Outward::post(
            uri,
            "application/jwt",
            token.into_bytes(),
            MAX_ANSWER,
        ))
    }
}
