//! Which applications share a person's session on a device (OpenID Connect Native SSO for Mobile Apps 1.0), and what binds an ID token to a
//! device secret.
//!
//! The specification leaves it to the server which applications those are. Here it is never a matter of course: the tenant has to allow it, and
//! an administrator names the group of each application. A device secret stands for the session: signing out, an account that is closed and a
//! password that is reset end both.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::provider::{FlowError, Provider};
use super::tenancy::Tenant;
use crate::domain::audit::Event;
use crate::domain::client::Client;
use crate::domain::device_secret::DeviceSecret;
use crate::domain::ids::SessionId;
use crate::secret::HashedSecret;
use crate::storage::{self, Repo};

impl Tenant {
    /// The group of applications with which this one shares sessions, where it may at all. FAPI 2.0 has none: a device secret is good for
    /// whoever has it.
    pub fn native_sso_group<'c>(&self, client: &'c Client) -> Option<&'c str> {
        let group = client.metadata.native_sso_group.as_deref()?;
        let may = self.settings().native_sso && !self.profile_of(client).is_fapi();
        may.then_some(group)
    }

    /// The `ds_hash` of ID tokens that go with this device secret (§3.4.1): it says nothing to others, and can be made without the secret.
    pub(super) fn ds_hash(&self, secret: &DeviceSecret) -> String {
        URL_SAFE_NO_PAD.encode(self.binding_of(secret).as_bytes())
    }

    /// Whether an ID token with this `ds_hash` goes with the device secret.
    pub(super) fn binds(&self, secret: &DeviceSecret, ds_hash: &str) -> bool {
        let read = URL_SAFE_NO_PAD.decode(ds_hash).ok();
        read.and_then(|bytes| HashedSecret::from_slice(&bytes))
            .is_some_and(|read| self.binding_of(secret).matches(&read))
    }

    fn binding_of(&self, secret: &DeviceSecret) -> HashedSecret {
        self.handle_key().mac(
            "ds_hash",
            &[secret.id.uuid().as_bytes(), secret.proof.as_bytes()],
        )
    }
}

impl Provider {
    /// What a page of sessions shares with applications on their devices.
    pub async fn list_shared(
        &self,
        tenant: &Tenant,
        sessions: Vec<SessionId>,
    ) -> Result<Vec<DeviceSecret>, FlowError> {
        if sessions.is_empty() || !tenant.settings().native_sso {
            return Ok(Vec::new());
        }
        Ok(self
            .db
            .read(tenant, move |repo| repo.list_device_secrets(&sessions))
            .await?)
    }
}

/// Ends the sharing of a session; the session itself goes on, and so do the tokens that applications have. `false` where nothing was shared.
pub(super) fn unshare(
    repo: &mut Repo<'_>,
    session: SessionId,
    event: &Event,
) -> storage::Result<bool> {
    let ended = repo.delete_device_secrets(session)?;
    if ended > 0 {
        repo.record(event.clone())?;
    }
    Ok(ended > 0)
}
