//! Logout tokens, and what is to be told of backchannel authentication requests (see `backchannel`), on their way to clients (OpenID Connect Back-Channel Logout 1.0 §2.4 to §2.8): taken up, signed, sent, and what came of it
//! written down. A token is made for each attempt and kept nowhere.
//!
//! A client that was told twice is told nothing new: where a node dies between the answer and the commit, another one sends it again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;
use url::form_urlencoded::Serializer as FormSerializer;

use super::provider::{FlowError, Provider};
use super::tenancy::Tenant;
use crate::clock::Timestamp;
use crate::domain::audit::{Act, Actor, Event};
use crate::domain::ids::{GrantId, TenantId};
use crate::domain::logout_delivery::{DeliveryKind, DeliveryState, LogoutDelivery};
use crate::egress::{EgressError, Outward};
use crate::storage::{self, ClaimedDelivery, Repo};

/// The most that is read of a client's answer, in bytes: nothing in it counts.
pub(super) const MAX_ANSWER: usize = 16 * 1024;

/// How long a delivery is a node's own beyond the time that its request may take, in seconds.
const LEASE_MARGIN: i64 = 30;

/// The longest reason that is kept, in characters.
const MAX_REASON: usize = 200;

/// How deliveries ended since the start.
#[derive(Default)]
pub struct Tally {
    delivered: AtomicU64,
    retried: AtomicU64,
    failed: AtomicU64,
}

impl Tally {
    fn count(&self, state: DeliveryState) {
        let count = match state {
            DeliveryState::Delivered => &self.delivered,
            DeliveryState::Pending => &self.retried,
            DeliveryState::Failed => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were delivered.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// How many attempts failed and are to be made again.
    pub fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }

    /// How many were given up.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Deliveries of this process: what wakes whoever makes them, and how they ended.
#[derive(Default)]
pub struct Deliveries {
    wake: Notify,
    /// Those of logout tokens.
    pub logout: Tally,
    /// Those of what is to be told of backchannel requests: pings, pushed tokens, notices.
    pub backchannel: Tally,
}

impl Deliveries {
    /// Something is to be delivered.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Ends when something is to be delivered; at once where that was said before anybody waited.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Who deliveries of this kind count for.
    fn of(&self, kind: DeliveryKind) -> &Tally {
        match kind {
            DeliveryKind::Logout => &self.logout,
            DeliveryKind::BackchannelPing
            | DeliveryKind::BackchannelPush
            | DeliveryKind::BackchannelNotice => &self.backchannel,
        }
    }
}

/// Why an attempt failed, in words for the tenant's administrators.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undelivered {
    #[error("nobody wants to be told of it any more: the address was taken away")]
    NotWanted,
    #[error("the request is over: decided on, expired or cleared away")]
    Over,
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// Why is for the log.
    #[error("the token couldn't be made")]
    NotMade(#[from] FlowError),
}

/// What is written down of a delivery whose tenant isn't there.
const NO_TENANT: &str = "the tenant can't be loaded";

/// What comes of a delivery that is given up.
fn give_up(
    repo: &mut Repo<'_>,
    delivery: &LogoutDelivery,
    reason: Option<&str>,
) -> storage::Result<()> {
    // Tokens that may have come, and of which nobody said so, are good for nothing.
    if delivery.kind == DeliveryKind::BackchannelPush
        && let Some(request) = delivery.request_id
    {
        repo.revoke_grant(GrantId::from(request))?;
    }
    let mut detail = serde_json::json!({
        "logout_delivery": delivery.id, "attempts": delivery.attempts, "reason": reason,
    });
    let act = if let Some(request) = delivery.request_id {
        detail["request"] = serde_json::json!(request);
        detail["kind"] = delivery.kind.as_str().into();
        Act::BackchannelDeliveryFailed
    } else {
        detail["session"] = serde_json::json!(delivery.session_id);
        Act::LogoutDeliveryFailed
    };
    repo.record(
        Event::new(act, Actor::System)
            .client(delivery.client_id)
            .user(delivery.user_id)
            .detail(detail),
    )
}

impl Provider {
    /// When the next delivery of any tenant is due.
    pub async fn next_logout_delivery(&self) -> Result<Option<Timestamp>, FlowError> {
        let next = self
            .db
            .read_installation(|all| all.next_logout_delivery())
            .await?;
        Ok(next)
    }

    /// Takes deliveries that are due: `most` at the most, and of each tenant no more than `room` says, or `usual`.
    pub async fn claim_logout_deliveries(
        &self,
        most: usize,
        usual: usize,
        room: HashMap<TenantId, usize>,
    ) -> Result<Vec<ClaimedDelivery>, FlowError> {
        let taken = i64::try_from(self.config.egress_timeout.as_secs()).unwrap_or(LEASE_MARGIN);
        let lease = self.now() + chrono::Duration::seconds(taken + LEASE_MARGIN);
        let claimed = self
            .db
            .write_installation(move |all| all.claim_logout_deliveries(most, usual, &room, lease));
        Ok(claimed.await?)
    }

    /// Makes one attempt, and writes down how it ended.
    pub async fn attempt_logout_delivery(&self, claimed: ClaimedDelivery) -> Result<(), FlowError> {
        let tenant = match self.find_tenant(&claimed.slug).await {
            // A slug may have become another tenant's; a tenant that is being deleted has nothing to say any more.
            Ok(found) => found.filter(|tenant| tenant.id() == claimed.tenant.id()),
            Err(error) => {
                tracing::warn!(tenant = %claimed.slug, %error, "the tenant of a logout token can't be loaded");
                let next = self.next_attempt(&claimed.delivery);
                return self.put_off(claimed, next).await;
            }
        };
        let Some(tenant) = tenant else {
            return self.put_off(claimed, None).await;
        };
        let delivery = claimed.delivery;
        let sent = match delivery.kind {
            DeliveryKind::Logout => self.send_logout_token(&tenant, &delivery).await,
            _ => self.send_of_backchannel_request(&tenant, &delivery).await,
        };
        if let Err(Undelivered::NotMade(error)) = &sent {
            tracing::warn!(%error, kind = delivery.kind.as_str(), "what is to be delivered can't be made");
        }
        let (state, next) = match &sent {
            Ok(()) => (DeliveryState::Delivered, None),
            Err(Undelivered::NotWanted | Undelivered::Over) => (DeliveryState::Failed, None),
            Err(_) => match self.next_attempt(&delivery) {
                Some(next) => (DeliveryState::Pending, Some(next)),
                None => (DeliveryState::Failed, None),
            },
        };
        // A person who has answered before they were told has missed nothing.
        let is_moot = delivery.kind == DeliveryKind::BackchannelNotice
            && matches!(sent, Err(Undelivered::Over));
        let error = sent.err().map(|error| {
            let text: String = error.to_string().chars().take(MAX_REASON).collect();
            tracing::info!(tenant = %tenant.slug(), client = %delivery.client_id, kind = delivery.kind.as_str(), attempts = delivery.attempts, reason = %text, ?state, "a notice wasn't delivered");
            text
        });
        let kind = delivery.kind;
        let write = self.db.write(&*tenant, move |repo| {
            let ours = repo.finish_logout_attempt(&delivery, state, next, error.as_deref())?;
            if ours && state == DeliveryState::Failed && !is_moot {
                give_up(repo, &delivery, error.as_deref())?;
            }
            Ok(ours)
        });
        if write.await? && !is_moot {
            self.deliveries.of(kind).count(state);
        }
        Ok(())
    }

    /// When a delivery that failed is tried again; never where it was tried often enough.
    fn next_attempt(&self, delivery: &LogoutDelivery) -> Option<Timestamp> {
        let [jitter] = self.clock.random_bytes::<1>();
        delivery.next_attempt(jitter, self.now())
    }

    /// A delivery whose tenant isn't there to sign it: tried again at `next`, or given up as any other.
    async fn put_off(
        &self,
        claimed: ClaimedDelivery,
        next: Option<Timestamp>,
    ) -> Result<(), FlowError> {
        let (kind, state) = match next {
            Some(_) => (claimed.delivery.kind, DeliveryState::Pending),
            None => (claimed.delivery.kind, DeliveryState::Failed),
        };
        // The tenant's scope came with the claim; there may be no more of the tenant than that.
        let write = self.db.write_installation(move |all| {
            let (tenant, delivery) = (claimed.tenant, &claimed.delivery);
            all.tenant(tenant, |repo| {
                let ours = repo.finish_logout_attempt(delivery, state, next, Some(NO_TENANT))?;
                if ours && next.is_none() {
                    give_up(repo, delivery, Some(NO_TENANT))?;
                }
                Ok(ours)
            })
        });
        if write.await? {
            self.deliveries.of(kind).count(state);
        }
        Ok(())
    }

    async fn send_logout_token(
        &self,
        tenant: &Arc<Tenant>,
        delivery: &LogoutDelivery,
    ) -> Result<(), Undelivered> {
        let client = self.find_client(tenant, delivery.client_id).await?;
        let client = client.ok_or(Undelivered::NotWanted)?;
        let Some(uri) = &client.metadata.backchannel_logout_uri else {
            return Err(Undelivered::NotWanted);
        };
        let token = self.mint_logout_token(tenant, &client, delivery).await?;
        // §2.5: the body's only parameter
        let body = FormSerializer::new(String::new())
            .append_pair("logout_token", &token)
            .finish();
        let outward = Outward::post(
            uri,
            "application/x-www-form-urlencoded",
            body.into_bytes(),
            MAX_ANSWER,
        );
        match self.egress.send(tenant.id().uuid(), outward).await {
            // §2.8: "the RP MUST respond with HTTP 200 OK", and some frameworks make a 204 of that
            Ok(answer) if [200, 204].contains(&answer.status) => Ok(()),
            Ok(answer) => Err(EgressError::Status(answer.status).into()),
            // It said yes at length.
            Err(EgressError::TooLarge(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
