//! A device comes for its answer (RFC 8628 §3.4, §3.5).

use super::authorization_code::Proofs;
use super::awaited::{check_own, longer, polls_too_soon, redeem};
use super::issued::Decision;
use super::pipeline::{Call, check_kept};
use super::refusal::{GrantRefusal, TokenRefusal};
use crate::domain::device_code::{DeviceCode, DeviceStage};
use crate::domain::ids::{DeviceCodeId, GrantId};
use crate::flows::device::check_permitted;
use crate::secret::{Handle, PlainSecret, Purpose};

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
        let shown = (&device.proof, &proof);
        check_own(call, shown, (device.client_id, &device.issuer))?;
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
    let proved = (proof, Proofs::Device);
    redeem(call, GrantId::from(id), proved, GrantRefusal::DeviceExpired).await
}

/// Whether the device waits as it was told.
async fn wait(call: &Call<'_>, device: &DeviceCode) -> Result<GrantRefusal, TokenRefusal> {
    if !polls_too_soon(call, device.id.uuid(), device.interval) {
        return Ok(GrantRefusal::DevicePending);
    }
    let (id, from) = (device.id, device.interval);
    if let Some(to) = longer(from) {
        call.provider
            .db
            .write(&*call.at.tenant, move |repo| {
                repo.slow_device_down(id, from, to)
            })
            .await?;
    }
    Ok(GrantRefusal::SlowDown)
}
