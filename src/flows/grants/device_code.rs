//! A device comes for its answer (RFC 8628 §3.4, §3.5).
//!
//! While its person hasn't decided, a poll is one read and writes nothing. When a device polled last is remembered by the node that it asked:
//! a row for each poll would make every waiting device a writer, for a rule that is there to spare the server. A device that several nodes serve
//! in turn is so held to its interval by each of them, which is as much as they need. One that comes too soon is written down once,
//! with the longer interval; one that never listens is written down as often as the interval has steps, and then no more.

use std::sync::Arc;

use chrono::Duration;
use uuid::Uuid;

use super::authorization_code::{Presented, Proofs, redeem_presented};
use super::issued::Decision;
use super::pipeline::{Call, check_kept};
use super::refusal::{GrantRefusal, TokenRefusal};
use crate::domain::device_code::{DeviceCode, DeviceStage};
use crate::domain::ids::{DeviceCodeId, GrantId};
use crate::flows::device::check_permitted;
use crate::protocol::device_authorization::{INTERVAL_MAX, INTERVAL_STEP};
use crate::secret::{Handle, PlainSecret, Purpose};

/// What a poll may come too soon by: networks are uneven.
const TOLERANCE: Duration = Duration::milliseconds(500);

/// Answers a poll.
pub(super) async fn poll(call: &Call<'_>, code: &PlainSecret) -> Result<Decision, TokenRefusal> {
    let (provider, tenant) = (call.provider, &call.at.tenant);
    check_permitted(tenant, &call.client)?;
    let handle = Handle::parse(Purpose::DeviceCode, code.expose()).ok_or(GrantRefusal::Unknown)?;
    let id = DeviceCodeId::from(handle.id());
    let proof = handle.hash(tenant.handle_key(), Purpose::DeviceCode);
    let found = provider
        .db
        .read(&**tenant, move |repo| repo.find_device_code(id))
        .await?;
    // What was cleared away a while ago may have a grant still, which a second redemption has to end.
    if let Some(device) = found {
        if !device.proof.matches(&proof) {
            return Err(GrantRefusal::Unknown.into());
        }
        if device.client_id != call.client.id {
            return Err(GrantRefusal::OtherClient.into());
        }
        if *device.issuer != *call.at.issuer {
            return Err(GrantRefusal::Issuer.into());
        }
        match device.stage {
            DeviceStage::Denied { .. } => return Err(GrantRefusal::DeviceDenied.into()),
            DeviceStage::Pending if provider.now() >= device.expires_at => {
                return Err(GrantRefusal::DeviceExpired.into());
            }
            DeviceStage::Pending => return Err(wait(call, &device).await?.into()),
            DeviceStage::Allowed { .. } => {}
        }
    } else {
        check_kept(call, GrantId::from(id), proof).await?;
    }
    call.spend_proof().await?;
    let presented = Presented {
        id: GrantId::from(id),
        proof,
        issuer: Arc::clone(&call.at.issuer),
        proofs: Proofs::Device,
        binding: call.binding,
    };
    redeem_presented(call, presented)
        .await
        .map_err(|refusal| match refusal {
            TokenRefusal::Grant(GrantRefusal::Expired) => GrantRefusal::DeviceExpired.into(),
            refusal => refusal,
        })
}

/// Whether whoever polls for what this id names does so before `interval` seconds are over; notes that it polled.
pub(super) fn polls_too_soon(call: &Call<'_>, id: Uuid, interval: u32) -> bool {
    let now = call.provider.now();
    let last = call.provider.note_poll(call.at.tenant.id(), id, now);
    let interval = Duration::seconds(i64::from(interval));
    // A clock that was set back makes nobody wait.
    last.is_some_and(|last| last <= now && now - last + TOLERANCE < interval)
}

/// Whether the device waits as it was told.
async fn wait(call: &Call<'_>, device: &DeviceCode) -> Result<GrantRefusal, TokenRefusal> {
    if !polls_too_soon(call, device.id.uuid(), device.interval) {
        return Ok(GrantRefusal::DevicePending);
    }
    if device.interval < INTERVAL_MAX {
        let (id, from) = (device.id, device.interval);
        let to = (from + INTERVAL_STEP).min(INTERVAL_MAX);
        call.provider
            .db
            .write(&*call.at.tenant, move |repo| {
                repo.slow_device_down(id, from, to)
            })
            .await?;
    }
    Ok(GrantRefusal::SlowDown)
}
