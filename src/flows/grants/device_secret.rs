//! Device secrets beside codes and refresh tokens (OpenID Connect Native SSO §3.3, §3.4).
//!
//! A sign-in makes one, unless the request brings one that is good for the same session: then that one goes on. Nothing else makes or
//! changes one: applications share it by the device's key store, where one that changes with each exchange would be lost in the first race,
//! and a refresh token that was stolen must not be worth the sessions of other applications. So a refresh confirms what it brings.

use std::sync::Arc;

use super::issued::SharedSession;
use super::pipeline::Call;
use super::refusal::TokenRefusal;
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::client::Client;
use crate::domain::device_secret::DeviceSecret;
use crate::domain::grant::Grant;
use crate::domain::ids::{ClientId, DeviceSecretId, SessionId};
use crate::flows::tenancy::Tenant;
use crate::protocol::Scope;
use crate::protocol::scope::{DEVICE_SSO, OPENID};
use crate::secret::{Handle, PlainSecret, Purpose};
use crate::storage::{self, Repo};

/// Whether a device secret goes with tokens of this scope: it is bound to an ID token.
fn is_wanted(tenant: &Tenant, client: &Client, scope: &Scope) -> bool {
    scope.contains(DEVICE_SSO)
        && scope.contains(OPENID)
        && tenant.native_sso_group(client).is_some()
}

/// The device secret that a request brings: none where it isn't one, which is no fault.
fn presented(call: &Call<'_>) -> Option<Handle> {
    let text = call.device_secret.as_ref()?;
    Handle::parse(Purpose::DeviceSecret, text.expose())
}

/// A device secret that is good, where the handle is that of one.
pub(super) fn find(
    repo: &mut Repo<'_>,
    tenant: &Tenant,
    handle: &Handle,
) -> storage::Result<Option<DeviceSecret>> {
    let proof = handle.hash(tenant.handle_key(), Purpose::DeviceSecret);
    let found = repo.find_device_secret(DeviceSecretId::from(handle.id()))?;
    let now = repo.now();
    Ok(found.filter(|secret| secret.proof.matches(&proof) && now < secret.expires_at))
}

/// Whether the client is one of the group, as things stand.
fn is_of_group(
    repo: &mut Repo<'_>,
    tenant: &Tenant,
    client: ClientId,
    group: &str,
) -> storage::Result<bool> {
    let found = repo.find_client(client)?;
    Ok(found.is_some_and(|client| tenant.native_sso_group(&client) == Some(group)))
}

/// What a code's redemption needs to give a device secret out; owned, as a write may run more than once.
pub(super) struct Issuance {
    tenant: Arc<Tenant>,
    client: Arc<Client>,
    presented: Option<Handle>,
    fresh: Handle,
    origin: Origin,
}

impl Issuance {
    /// For the request at hand.
    /// Nothing where the client shares no sessions.
    pub(super) fn of(call: &Call<'_>) -> Option<Self> {
        call.at.tenant.native_sso_group(&call.client)?;
        Some(Self {
            tenant: Arc::clone(&call.at.tenant),
            client: Arc::clone(&call.client),
            presented: presented(call),
            fresh: Handle::generate(&call.provider.clock),
            origin: call.origin.clone(),
        })
    }

    /// The device secret that goes with a grant whose code is redeemed for this scope.
    pub(super) fn issue(
        &self,
        repo: &mut Repo<'_>,
        grant: &Grant,
        scope: &Scope,
    ) -> storage::Result<Option<SharedSession>> {
        let group = self.tenant.native_sso_group(&self.client);
        let (true, Some(group)) = (is_wanted(&self.tenant, &self.client, scope), group) else {
            return Ok(None);
        };
        // An offline grant outlives its session, and a device secret doesn't; whoever ends the session at this moment comes after this.
        if !repo.hold_session(grant.session_id)? {
            return Ok(None);
        }
        if let Some(handle) = &self.presented
            && let Some(known) = find(repo, &self.tenant, handle)?
            && known.session_id == grant.session_id
            && is_of_group(repo, &self.tenant, known.client_id, group)?
        {
            return Ok(Some(self.shared(&known, handle)));
        }
        let Some(session) = repo.find_session(grant.session_id)? else {
            return Ok(None);
        };
        let secret = DeviceSecret {
            id: DeviceSecretId::from(self.fresh.id()),
            session_id: grant.session_id,
            client_id: grant.client_id,
            proof: self
                .fresh
                .hash(self.tenant.handle_key(), Purpose::DeviceSecret),
            created_at: repo.now(),
            last_used_at: None,
            expires_at: session.expires_at,
        };
        repo.replace_device_secret(&secret)?;
        let detail = serde_json::json!({
            "device_secret": secret.id, "session": secret.session_id, "grant": grant.id, "group": group,
        });
        repo.record(
            Event::new(Act::DeviceSecretIssued, Actor::Client(grant.client_id))
                .user(grant.user_id)
                .client(grant.client_id)
                .from(&self.origin)
                .detail(detail),
        )?;
        Ok(Some(self.shared(&secret, &self.fresh)))
    }

    fn shared(&self, secret: &DeviceSecret, handle: &Handle) -> SharedSession {
        SharedSession {
            ds_hash: self.tenant.ds_hash(secret),
            device_secret: Some(handle.to_text(Purpose::DeviceSecret)),
        }
    }
}

/// What goes with a refresh: the device secret that it brings, if that is good for the grant's session, or else the `ds_hash` of the one that
/// the client has.
pub(super) async fn confirm(
    call: &Call<'_>,
    grant: &Grant,
    scope: &Scope,
) -> Result<Option<SharedSession>, TokenRefusal> {
    let tenant = Arc::clone(&call.at.tenant);
    let group = tenant.native_sso_group(&call.client);
    let (true, Some(group)) = (is_wanted(&tenant, &call.client, scope), group) else {
        return Ok(None);
    };
    let (group, handle) = (group.to_owned(), presented(call));
    let (session, client): (SessionId, ClientId) = (grant.session_id, grant.client_id);
    let idle_lifetime = tenant.settings().session_idle_lifetime;
    let read = call.provider.db.read(&*call.at.tenant, move |repo| {
        let now = repo.now();
        let alive = repo
            .find_session(session)?
            .is_some_and(|session| session.is_alive(now, idle_lifetime));
        if !alive {
            return Ok(None);
        }
        let known = match &handle {
            Some(handle) => find(repo, &tenant, handle)?,
            None => None,
        };
        if let (Some(known), Some(handle)) = (known, &handle)
            && known.session_id == session
            && is_of_group(repo, &tenant, known.client_id, &group)?
        {
            let device_secret: PlainSecret = handle.to_text(Purpose::DeviceSecret);
            return Ok(Some(SharedSession {
                ds_hash: tenant.ds_hash(&known),
                device_secret: Some(device_secret),
            }));
        }
        let own = repo.find_device_secret_of(session, client)?;
        Ok(own.map(|own| SharedSession {
            ds_hash: tenant.ds_hash(&own),
            device_secret: None,
        }))
    });
    Ok(read.await?)
}
