//! What a client waits for while a person decides elsewhere: the code of a device (RFC 8628 §3.4) and a backchannel request (OpenID Connect
//! CIBA §10.1). Both are looked at, waited for and redeemed alike.
//!
//! While the person hasn't decided, a poll is one read and writes nothing. When a client polled last is remembered by the node that it
//! asked: a row for each poll would make everything that waits a writer, for a rule that is there to spare the server. One that several
//! nodes serve in turn is so held to its interval by each of them, which is as much as they need. One that comes too soon is written down
//! once, with the longer interval; one that never listens is written down as often as the interval has steps, and then no more.

use std::sync::Arc;

use chrono::Duration;
use uuid::Uuid;

use super::authorization_code::{Presented, Proofs, redeem_presented};
use super::issued::Decision;
use super::pipeline::Call;
use super::refusal::{GrantRefusal, TokenRefusal};
use crate::domain::ids::{ClientId, GrantId};
use crate::protocol::device_authorization::{INTERVAL_MAX, INTERVAL_STEP};
use crate::secret::HashedSecret;

/// What a poll may come too soon by: networks are uneven.
const TOLERANCE: Duration = Duration::milliseconds(500);

/// Whether what is stored is what this client holds, here.
pub(super) fn check_own(
    call: &Call<'_>,
    (stored, shown): (&HashedSecret, &HashedSecret),
    (client, issuer): (ClientId, &str),
) -> Result<(), GrantRefusal> {
    if !stored.matches(shown) {
        return Err(GrantRefusal::Unknown);
    }
    if client != call.client.id {
        return Err(GrantRefusal::OtherClient);
    }
    if *issuer != *call.at.issuer {
        return Err(GrantRefusal::Issuer);
    }
    Ok(())
}

/// Whether the client polls before the interval is over; notes that it polled.
pub(super) fn polls_too_soon(call: &Call<'_>, id: Uuid, interval: u32) -> bool {
    let now = call.provider.now();
    let last = call.provider.note_poll(call.at.tenant.id(), id, now);
    let interval = Duration::seconds(i64::from(interval));
    // A clock that was set back makes nobody wait.
    last.is_some_and(|last| last <= now && now - last + TOLERANCE < interval)
}

/// The interval that whoever polled too soon has to keep from then on; `None` where it is the longest already.
pub(super) fn longer(interval: u32) -> Option<u32> {
    (interval < INTERVAL_MAX).then(|| (interval + INTERVAL_STEP).min(INTERVAL_MAX))
}

/// Redeems what the person allowed; `expired` is what is said where its time is over.
pub(super) async fn redeem(
    call: &Call<'_>,
    id: GrantId,
    (proof, proofs): (HashedSecret, Proofs),
    expired: GrantRefusal,
) -> Result<Decision, TokenRefusal> {
    call.spend_proof().await?;
    let presented = Presented {
        id,
        proof,
        issuer: Arc::clone(&call.at.issuer),
        proofs,
        binding: call.binding,
    };
    let redeemed = redeem_presented(call, presented).await;
    redeemed.map_err(|refusal| match refusal {
        TokenRefusal::Grant(GrantRefusal::Expired) => expired.into(),
        refusal => refusal,
    })
}
