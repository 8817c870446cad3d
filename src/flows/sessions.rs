//! Who is signed in in a browser, and the end of that.

use super::browser::SessionCookie;
use super::provider::{FlowError, Provider};
use super::tenancy::{Tenant, TenantAt};
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::consent::Consent;
use crate::domain::ids::{ClientId, SessionId, UserId};
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::secret::{Handle, HashedSecret, Purpose};
use crate::storage::{FrontChannelClient, Page, PageRequest, SessionGrants};

/// A person who is signed in in this browser.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// By which session.
    pub session: Session,
    /// Who.
    pub user: User,
    /// What they allowed the client that was asked about.
    pub consent: Option<Consent>,
}

impl SignedIn {
    /// What to call them; empty where only their address is known.
    pub fn name(&self) -> String {
        display_name(&self.user)
    }
}

/// Which of a browser's sessions are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// By which a person is signed in; one for each person.
    Alive,
    /// All that weren't ended.
    NotEnded,
}

/// A person's name; empty where it isn't known.
pub fn display_name(user: &User) -> String {
    let claims = &user.claims;
    claims.name.clone().unwrap_or_else(|| {
        let parts = [claims.given_name.as_deref(), claims.family_name.as_deref()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    })
}

/// Which grants end with a session that its person ends.
pub fn grants_ended_by_sign_out(tenant: &Tenant) -> SessionGrants {
    if tenant.settings().sign_out_ends_offline_access {
        SessionGrants::All
    } else {
        SessionGrants::KeepOffline
    }
}

/// The sessions that a browser claims, each with what proves it here.
pub(super) fn proofs_of(
    at: &TenantAt,
    cookie: &SessionCookie,
) -> Vec<(SessionId, [HashedSecret; 2])> {
    let key = at.tenant.handle_key();
    let handles = cookie.handles().iter();
    let proofs = |handle: &Handle| handle.proofs_at(key, Purpose::Session, &at.issuer);
    handles
        .map(|handle| (SessionId::from(handle.id()), proofs(handle)))
        .collect()
}

impl Provider {
    /// The people who are signed in in the browser that sent the cookie, in its order; with what they allowed `client`.
    pub async fn find_signed_in(
        &self,
        at: &TenantAt,
        cookie: &SessionCookie,
        client: Option<ClientId>,
    ) -> Result<Vec<SignedIn>, FlowError> {
        self.find_sessions(at, cookie, client, Which::Alive).await
    }

    /// Whom signing out signs out: a session that nobody used for too long, or whose time is over, opens nothing any more, but its clients
    /// haven't been told and its grants may live. A person may be there by several of them.
    pub async fn find_not_signed_out(
        &self,
        at: &TenantAt,
        cookie: &SessionCookie,
    ) -> Result<Vec<SignedIn>, FlowError> {
        self.find_sessions(at, cookie, None, Which::NotEnded).await
    }

    async fn find_sessions(
        &self,
        at: &TenantAt,
        cookie: &SessionCookie,
        client: Option<ClientId>,
        which: Which,
    ) -> Result<Vec<SignedIn>, FlowError> {
        if cookie.is_empty() {
            return Ok(Vec::new());
        }
        let tenant = &at.tenant;
        let claimed = proofs_of(at, cookie);
        let idle_lifetime = tenant.settings().session_idle_lifetime;
        let found = self.db.read(&**tenant, move |repo| {
            let mut found: Vec<SignedIn> = Vec::new();
            for (id, proofs) in &claimed {
                let Some(session) = repo.find_session(*id)? else {
                    continue;
                };
                let counts = match which {
                    Which::Alive => session.is_alive(repo.now(), idle_lifetime),
                    Which::NotEnded => session.ended_at.is_none(),
                };
                if !counts || !session.proof.matches_one_of(proofs) {
                    continue;
                }
                let Some(user) = repo.find_user(session.user_id)?.filter(User::is_active) else {
                    continue;
                };
                let known = found.iter().any(|other| other.user.id == user.id);
                if known && which == Which::Alive {
                    continue;
                }
                let consent = match client {
                    Some(client) => repo.find_consent(user.id, client)?,
                    None => None,
                };
                found.push(SignedIn {
                    session,
                    user,
                    consent,
                });
            }
            Ok(found)
        });
        Ok(found.await?)
    }

    /// A person's sessions that are alive, the newest first.
    pub(super) async fn list_alive_sessions(
        &self,
        tenant: &Tenant,
        user: UserId,
        page: PageRequest,
    ) -> Result<Page<Session>, FlowError> {
        let read = self
            .db
            .read(tenant, move |repo| repo.list_sessions(user, page));
        let mut sessions = read.await?;
        let (now, idle_lifetime) = (self.now(), tenant.settings().session_idle_lifetime);
        sessions
            .items
            .retain(|session| session.is_alive(now, idle_lifetime));
        Ok(sessions)
    }

    /// Writes down that a session was used, where that is worth a write.
    pub async fn touch(&self, tenant: &Tenant, signed_in: &SignedIn) -> Result<(), FlowError> {
        if signed_in.session.wants_touch(self.now()) {
            let id = signed_in.session.id;
            self.db
                .write(tenant, move |repo| repo.touch_session(id))
                .await?;
        }
        Ok(())
    }

    /// Ends sessions that their person (or the proof of them) asked to end; answers which clients want to be told in the browser.
    pub(super) async fn end_sessions_of_browser(
        &self,
        tenant: &Tenant,
        ended: &[&SignedIn],
        origin: &Origin,
    ) -> Result<Vec<FrontChannelClient>, FlowError> {
        let ended: Vec<_> = ended
            .iter()
            .map(|one| (one.user.id, one.session.id))
            .collect();
        if ended.is_empty() {
            return Ok(Vec::new());
        }
        let (grants, origin) = (grants_ended_by_sign_out(tenant), origin.clone());
        let write = self.db.write(tenant, move |repo| {
            let mut told = Vec::new();
            for (user, session) in &ended {
                if let Some(front) = repo.end_session_in_browser(*user, *session, grants)? {
                    told.extend(front);
                    let detail = serde_json::json!({ "session": session, "reason": "sign-out" });
                    repo.record(
                        Event::new(Act::SessionEnded, Actor::User(*user))
                            .user(*user)
                            .from(&origin)
                            .detail(detail),
                    )?;
                }
            }
            Ok(told)
        });
        Ok(write.await?)
    }
}
