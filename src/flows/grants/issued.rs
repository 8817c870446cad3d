//! What a grant decides, and what several grants decide alike.

use chrono::Duration;

use crate::clock::Timestamp;
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::client::Client;
use crate::domain::grant::{Grant, RefreshToken};
use crate::domain::ids::RefreshTokenId;
use crate::domain::settings::TenantSettings;
use crate::domain::user::User;
use crate::flows::scopes::Target;
use crate::flows::tenancy::Tenant;
use crate::protocol::client_metadata::GrantType;
use crate::protocol::dpop::Confirmation;
use crate::protocol::scope::OPENID;
use crate::secret::{Handle, PlainSecret, Purpose};
use crate::storage::{self, Repo};

/// What a grant decided, committed: the pipeline mints by it.
pub(super) struct Decision {
    /// What the access token is for.
    pub(super) target: Target,
    /// For whom; none where the client acts for itself.
    pub(super) person: Option<Box<GrantedPerson>>,
    /// The refresh token to hand out.
    pub(super) refresh_token: Option<PlainSecret>,
    /// What lets other applications on the device share the session (OpenID Connect Native SSO).
    pub(super) shared: Option<SharedSession>,
}

/// A device secret that goes with tokens.
pub(super) struct SharedSession {
    /// What binds the ID token to it.
    pub(super) ds_hash: String,
    /// Itself, where it is to be handed out.
    pub(super) device_secret: Option<PlainSecret>,
}

/// The person for whom tokens are minted.
pub(super) struct GrantedPerson {
    pub(super) grant: Grant,
    pub(super) user: User,
    pub(super) nonce: Option<String>,
}

/// SECURITY, "Decided": refresh tokens need the grant type and, with `openid`, `offline_access`.
pub(in crate::flows) fn may_refresh(client: &Client, grant: &Grant) -> bool {
    client.allows(GrantType::RefreshToken) && (grant.offline || !grant.scope.contains(OPENID))
}

/// When a refresh token ends that is handed out or used at `now`.
pub(super) fn refresh_expiry(
    settings: &TenantSettings,
    client: &Client,
    grant: &Grant,
    now: Timestamp,
) -> Timestamp {
    let seconds = |seconds: u32| Duration::seconds(seconds.into());
    let whole = client
        .metadata
        .refresh_token_lifetime
        .unwrap_or(settings.refresh_token_lifetime);
    let idle_end = now + seconds(settings.refresh_token_idle_lifetime);
    idle_end
        .min(grant.created_at + seconds(whole))
        .min(grant.expires_at)
}

/// What a refresh token is bound to which is issued to whoever proved to hold that. RFC 9449 §5, RFC 8705 §4: a public client's must be bound; that
/// of one that authenticates is bound to the client by that, and lets it change its key or its certificate.
pub(super) fn refresh_binding(
    client: &Client,
    binding: Option<Confirmation>,
) -> Option<Confirmation> {
    binding.filter(|_| client.is_public())
}

/// The first refresh token of a grant: what is kept of it.
pub(super) fn first_refresh_token(
    tenant: &Tenant,
    client: &Client,
    grant: &Grant,
    handle: &Handle,
    now: Timestamp,
) -> RefreshToken {
    RefreshToken {
        id: RefreshTokenId::from(handle.id()),
        grant_id: grant.id,
        proof: handle.hash(tenant.handle_key(), Purpose::RefreshToken),
        created_at: now,
        expires_at: refresh_expiry(tenant.settings(), client, grant, now),
        rotated: None,
        bound_to: None,
    }
}

/// Revokes a grant whose code or refresh token came a second time.
pub(super) fn revoke_replayed(
    repo: &mut Repo<'_>,
    grant: &Grant,
    what: &'static str,
    origin: &Origin,
) -> storage::Result<()> {
    if repo.revoke_grant(grant.id)? {
        // Whoever was first may hold what signs in to other applications as well.
        if let Some(session) = grant.session()
            && let Some(secret) = repo.find_device_secret_of(session, grant.client_id)?
        {
            repo.delete_device_secret(secret.id)?;
        }
        let event = Event::new(Act::ReplayDetected, Actor::Client(grant.client_id))
            .user(grant.user_id)
            .client(grant.client_id)
            .from(origin);
        repo.record(event.detail(serde_json::json!({ "grant_id": grant.id, "presented": what })))?;
    }
    Ok(())
}
