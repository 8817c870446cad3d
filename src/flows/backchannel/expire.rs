//! Requests that nobody answered in time: written down once, by whichever node is first, so that an administrator sees it and an application that
//! is sent its tokens is told that there are none.

use super::decide::kind_of;
use crate::domain::audit::{Act, Actor, Event};
use crate::domain::logout_delivery::DeliveryKind;
use crate::flows::Provider;
use crate::flows::provider::FlowError;

/// Requests that are looked at together.
const BATCH: i64 = 500;

impl Provider {
    /// Writes the end of overdue requests down; says how many.
    pub async fn expire_backchannel_requests(&self) -> Result<usize, FlowError> {
        let mut expired = 0;
        loop {
            let overdue = self
                .db
                .read_installation(|all| all.list_overdue_backchannel_requests(BATCH))
                .await?;
            let (found, before) = (overdue.len(), expired);
            for one in overdue {
                // One that is being deleted, or whose slug is another's by now, has nothing to say any more.
                let tenant = match self.find_tenant(&one.slug).await {
                    Ok(found) => found.filter(|tenant| tenant.id() == one.tenant),
                    // Those of the others have their turn all the same.
                    Err(error) => {
                        tracing::warn!(tenant = %one.slug, %error, "the tenant of an overdue request can't be loaded");
                        None
                    }
                };
                let Some(tenant) = tenant else {
                    continue;
                };
                let write = self.db.write(&*tenant, move |repo| {
                    if !repo.expire_backchannel_request(one.id)? {
                        return Ok(false);
                    }
                    let Some(request) = repo.find_backchannel_request(one.id)? else {
                        return Ok(false);
                    };
                    repo.record(
                        Event::new(Act::BackchannelRequestExpired, Actor::System)
                            .user(request.user_id)
                            .client(request.client_id)
                            .detail(serde_json::json!({ "request": request.id })),
                    )?;
                    // Who polls finds out, and who is pinged would only be told what it can count: §12 has `expired_token` for who is sent tokens.
                    if kind_of(request.delivery) == Some(DeliveryKind::BackchannelPush) {
                        repo.queue_backchannel_delivery(DeliveryKind::BackchannelPush, &request)?;
                    }
                    Ok(true)
                });
                match write.await {
                    Ok(is_first) => expired += usize::from(is_first),
                    Err(error) => {
                        tracing::warn!(tenant = %tenant.slug(), %error, "the end of a request can't be written down");
                    }
                }
            }
            if i64::try_from(found).is_ok_and(|found| found < BATCH) || expired == before {
                return Ok(expired);
            }
        }
    }
}
