//! Refreshing (RFC 6749 §6, RFC 9700 §4.14).
//!
//! A public client's refresh token rotates with each use; one that comes again kills its grant, but for a lost answer within the client's
//! leeway, which gets the same successor again. A client that authenticates keeps its token, and a use writes nothing but now and then a
//! later end. So does a public client whose token is bound to a key or a certificate (RFC 9449 §5, RFC 8705 §4): nobody else could use it.

use std::sync::Arc;

use chrono::Duration;

use super::device_secret::confirm;
use super::issued::{
    Decision, GrantedPerson, may_refresh, refresh_binding, refresh_expiry, revoke_replayed,
};
use super::pipeline::Call;
use super::refusal::{GrantRefusal, TokenRefusal};
use crate::clock::Timestamp;
use crate::domain::audit::Origin;
use crate::domain::client::Client;
use crate::domain::grant::{Grant, GrantStage, RefreshToken};
use crate::domain::ids::RefreshTokenId;
use crate::domain::user::User;
use crate::flows::scopes::{self, Rules, Target};
use crate::flows::tenancy::Tenant;
use crate::protocol::Scope;
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::dpop::Confirmation;
use crate::protocol::resource::ResourceIndicator;
use crate::secret::{Handle, PlainSecret, Purpose};
use crate::storage::{self, HeldGrant, HeldSession, Repo};

/// How often at the most a kept token's end is moved.
const EXTENSION_STEP: Duration = Duration::days(1);

/// Everything that a refresh is decided by; owned, as a write may run more than once.
#[derive(Clone)]
struct Refresh {
    tenant: Arc<Tenant>,
    client: Arc<Client>,
    admin_api: String,
    origin: Origin,
    handle: Handle,
    /// The id of the successor, should there be one.
    successor: RefreshTokenId,
    scope: Option<Scope>,
    resources: Vec<ResourceIndicator>,
    details: AuthorizationDetails,
    /// What the sender proved to hold.
    binding: Option<Confirmation>,
}

/// What a refresh comes to.
struct Refreshed {
    target: Target,
    person: Box<GrantedPerson>,
    /// The token to hand out.
    handle: Handle,
}

/// What is found behind a refresh token whose proof and client are right.
struct Found {
    token: RefreshToken,
    grant: Grant,
    user: User,
    session: Option<HeldSession>,
}

/// Refreshes.
pub(super) async fn refresh(
    call: &Call<'_>,
    token: &PlainSecret,
    scope: Option<Scope>,
) -> Result<Decision, TokenRefusal> {
    let (provider, tenant) = (call.provider, &call.at.tenant);
    let handle =
        Handle::parse(Purpose::RefreshToken, token.expose()).ok_or(GrantRefusal::Unknown)?;
    let refresh = Refresh {
        tenant: Arc::clone(tenant),
        client: Arc::clone(&call.client),
        admin_api: scopes::admin_api(provider),
        origin: call.origin.clone(),
        handle,
        successor: RefreshTokenId::from(provider.clock.uuid_v7()),
        scope,
        resources: call.resources.clone(),
        details: call.details.clone(),
        binding: call.binding,
    };
    // Whether a public client's token is bound is known once it was read; of one that proves nothing, it can't be.
    let refreshed = if call.client.is_public() && call.binding.is_none() {
        provider
            .db
            .write(&**tenant, move |repo| refresh.rotate(repo))
            .await??
    } else {
        let first = refresh.clone();
        match provider
            .db
            .read(&**tenant, move |repo| first.keep(repo))
            .await?
        {
            Kept::Done(refreshed) => *refreshed,
            Kept::Refused(refusal) => return Err(refusal.into()),
            Kept::ToBeWritten => {
                provider
                    .db
                    .write(&**tenant, move |repo| refresh.keep_in_writing(repo))
                    .await??
            }
        }
    };
    let shared = confirm(call, &refreshed.person.grant, &refreshed.target.scope).await?;
    Ok(Decision {
        shared,
        target: refreshed.target,
        person: Some(refreshed.person),
        refresh_token: Some(refreshed.handle.to_text(Purpose::RefreshToken)),
    })
}

/// How far a kept token gets without a write.
enum Kept {
    Done(Box<Refreshed>),
    Refused(GrantRefusal),
    ToBeWritten,
}

type Outcome<T> = storage::Result<Result<T, GrantRefusal>>;

impl Refresh {
    /// RFC 9700 §4.14.2: a public client's token is good for one use.
    fn rotate(&self, repo: &mut Repo<'_>) -> Outcome<Refreshed> {
        // The second round is for whoever lost a race: by then the token is rotated.
        for _ in 0..2 {
            let found = match self.find(repo)? {
                Ok(found) => found,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if found.token.rotated.is_some() {
                return self.answer_again(repo, found);
            }
            let target = match self.check(&found, repo.now()) {
                Ok(target) => target,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let handle = self
                .handle
                .successor(self.tenant.handle_key(), self.successor.uuid());
            let now = repo.now();
            let successor = RefreshToken {
                id: self.successor,
                grant_id: found.grant.id,
                proof: handle.hash(self.tenant.handle_key(), Purpose::RefreshToken),
                created_at: now,
                expires_at: self.expiry(&found.grant, now),
                rotated: None,
                bound_to: refresh_binding(&self.client, self.binding),
            };
            if !repo.rotate_refresh_token(found.token.id, &successor)? {
                continue;
            }
            return Ok(Ok(refreshed(target, found, handle)));
        }
        // The token was deleted between the two looks at it.
        Ok(Err(GrantRefusal::Unknown))
    }

    /// A token that was rotated: a lost answer, or theft.
    fn answer_again(&self, repo: &mut Repo<'_>, found: Found) -> Outcome<Refreshed> {
        let Some(rotation) = found.token.rotated else {
            return Ok(Err(GrantRefusal::Unknown));
        };
        let leeway = Duration::seconds(self.client.metadata.refresh_token_leeway.into());
        let successor = repo.find_refresh_token(rotation.successor)?;
        // The answer that was lost went to whoever holds the key that its token is bound to.
        let unused = successor.is_some_and(|successor| {
            successor.rotated.is_none()
                && (successor.bound_to.is_none() || successor.bound_to == self.binding)
        });
        // Without a leeway no difference between two nodes' clocks makes one.
        let lost_answer = !leeway.is_zero() && repo.now() < rotation.at + leeway;
        if !lost_answer || !unused {
            revoke_replayed(repo, &found.grant, "refresh token", &self.origin)?;
            return Ok(Err(GrantRefusal::Replayed));
        }
        let target = match self.check(&found, repo.now()) {
            Ok(target) => target,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let handle = self
            .handle
            .successor(self.tenant.handle_key(), rotation.successor.uuid());
        Ok(Ok(refreshed(target, found, handle)))
    }

    /// A client that authenticates keeps its token: a retry must succeed.
    fn keep(&self, repo: &mut Repo<'_>) -> storage::Result<Kept> {
        let found = match self.find(repo)? {
            Ok(found) => found,
            Err(refusal) => return Ok(Kept::Refused(refusal)),
        };
        if found.token.rotated.is_some()
            || self.rotates(&found.token)
            || self.extension(&found, repo.now()).is_some()
        {
            return Ok(Kept::ToBeWritten);
        }
        Ok(match self.check(&found, repo.now()) {
            Ok(target) => Kept::Done(Box::new(refreshed(target, found, self.handle.clone()))),
            Err(refusal) => Kept::Refused(refusal),
        })
    }

    fn keep_in_writing(&self, repo: &mut Repo<'_>) -> Outcome<Refreshed> {
        let found = match self.find(repo)? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        // Rotated while the client was still a public one.
        if found.token.rotated.is_some() {
            return self.answer_again(repo, found);
        }
        if self.rotates(&found.token) {
            return self.rotate(repo);
        }
        let target = match self.check(&found, repo.now()) {
            Ok(target) => target,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some(until) = self.extension(&found, repo.now()) {
            repo.extend_refresh_token(found.token.id, until)?;
        }
        Ok(Ok(refreshed(target, found, self.handle.clone())))
    }

    /// SECURITY, "Decided": a public client's token rotates unless it is bound to a key.
    fn rotates(&self, token: &RefreshToken) -> bool {
        self.client.is_public() && token.bound_to.is_none()
    }

    /// The token and its grant, if whoever presents it holds the token and is its client.
    fn find(&self, repo: &mut Repo<'_>) -> Outcome<Found> {
        let id = RefreshTokenId::from(self.handle.id());
        let Some((token, held)) = repo.find_held_refresh_token(id)? else {
            return Ok(Err(GrantRefusal::Unknown));
        };
        let HeldGrant {
            grant,
            user,
            session,
            ..
        } = held;
        if !token.proof.matches(
            &self
                .handle
                .hash(self.tenant.handle_key(), Purpose::RefreshToken),
        ) {
            return Ok(Err(GrantRefusal::Unknown));
        }
        if grant.client_id != self.client.id {
            return Ok(Err(GrantRefusal::OtherClient));
        }
        // Before a replay is looked at, which kills the grant: a thief without the key must not be able to.
        if token.bound_to.is_some() && token.bound_to != self.binding {
            return Ok(Err(GrantRefusal::Key));
        }
        if !matches!(grant.stage, GrantStage::Redeemed { .. }) {
            return Ok(Err(GrantRefusal::Dead));
        }
        Ok(Ok(Found {
            token,
            grant,
            user,
            session,
        }))
    }

    /// Everything else that must hold; the person is read anew, so that what was taken from them is gone from the next token.
    fn check(&self, found: &Found, now: Timestamp) -> Result<Target, GrantRefusal> {
        let grant = &found.grant;
        if now >= found.token.expires_at || !grant.is_alive(now) {
            return Err(GrantRefusal::Expired);
        }
        if !self.tenant.is_issuer(&grant.issuer) {
            return Err(GrantRefusal::Issuer);
        }
        if !may_refresh(&self.client, grant) {
            return Err(GrantRefusal::Dead);
        }
        let session = found.session.filter(|session| !session.ended);
        if !grant.offline && session.is_none_or(|session| now >= session.expires_at) {
            return Err(GrantRefusal::Session);
        }
        if !found.user.is_active() {
            return Err(GrantRefusal::User);
        }
        let rules = Rules::with_admin_api(&self.admin_api, &self.tenant, &self.client);
        let granted = Target {
            scope: grant.scope.clone(),
            resources: grant.resources.clone(),
            details: grant.details.clone(),
        };
        rules
            .narrow(
                &granted,
                self.scope.as_ref(),
                &self.resources,
                &self.details,
            )
            .map_err(GrantRefusal::Target)
    }

    fn expiry(&self, grant: &Grant, now: Timestamp) -> Timestamp {
        refresh_expiry(self.tenant.settings(), &self.client, grant, now)
    }

    /// The end to move a kept token's to, where that is worth a write.
    fn extension(&self, found: &Found, now: Timestamp) -> Option<Timestamp> {
        let until = self.expiry(&found.grant, now);
        let idle = Duration::seconds(self.tenant.settings().refresh_token_idle_lifetime.into());
        // A short life is extended in proportion, so that use does keep it alive.
        (until - found.token.expires_at >= EXTENSION_STEP.min(idle / 10)).then_some(until)
    }
}

fn refreshed(target: Target, found: Found, handle: Handle) -> Refreshed {
    Refreshed {
        target,
        person: Box::new(GrantedPerson {
            grant: found.grant,
            user: found.user,
            nonce: None,
        }),
        handle,
    }
}
