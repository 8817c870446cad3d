//! Sessions and consents of people, as those see them who look after the tenant.

use std::sync::Arc;

use serde_json::json;

use super::authority::{Area, Permission};
use super::error::{AdminError, By};
use super::users::beyond;
use crate::domain::audit::Act;
use crate::domain::client::Client;
use crate::domain::consent::Consent;
use crate::domain::ids::{ClientId, SessionId, UserId};
use crate::domain::session::Session;
use crate::flows::consent::withdraw;
use crate::flows::native_sso::unshare;
use crate::flows::provider::Provider;
use crate::flows::tenancy::Tenant;
use crate::storage::{Page, PageRequest, SessionGrants};

/// What a person allowed an application.
#[derive(Clone, Debug)]
pub struct ConsentOf {
    /// What they allowed.
    pub consent: Consent,
    /// To whom.
    pub client: Arc<Client>,
}

impl Provider {
    /// A person's sessions that are alive, the newest first.
    pub async fn list_sessions(
        &self,
        tenant: &Tenant,
        user: UserId,
        page: PageRequest,
    ) -> Result<Page<Session>, AdminError> {
        Ok(self.list_alive_sessions(tenant, user, page).await?)
    }

    /// A session, whether it is alive or not.
    pub async fn load_session(
        &self,
        tenant: &Tenant,
        id: SessionId,
    ) -> Result<Session, AdminError> {
        self.db
            .read(tenant, move |repo| repo.find_session(id))
            .await?
            .ok_or_else(|| AdminError::no_session(id))
    }

    /// Ends a session and everything that was granted in it; `false` where it had ended already.
    pub async fn end_session(
        &self,
        tenant: &Tenant,
        session: &Session,
        by: &By,
    ) -> Result<bool, AdminError> {
        by.check(Permission::Write(Area::Sessions))?;
        let (user, id, by) = (session.user_id, session.id, by.clone());
        let done = self.db.write(tenant, move |repo| {
            if let Some(refusal) = beyond(repo, user, &by)? {
                return Ok(Err(refusal));
            }
            let ended = repo.end_session(user, id, SessionGrants::All)?;
            if ended {
                repo.record(
                    by.event(Act::SessionEnded)
                        .user(user)
                        .detail(json!({ "session": id })),
                )?;
            }
            Ok(Ok(ended))
        });
        done.await?
    }

    /// Ends the sharing of a session with applications on its device; `false` where nothing was shared.
    pub async fn unshare_session(
        &self,
        tenant: &Tenant,
        session: &Session,
        by: &By,
    ) -> Result<bool, AdminError> {
        by.check(Permission::Write(Area::Sessions))?;
        let (user, id, by) = (session.user_id, session.id, by.clone());
        let done = self.db.write(tenant, move |repo| {
            if let Some(refusal) = beyond(repo, user, &by)? {
                return Ok(Err(refusal));
            }
            let event = by
                .event(Act::DeviceSecretRevoked)
                .user(user)
                .detail(json!({ "session": id }));
            unshare(repo, id, &event).map(Ok)
        });
        done.await?
    }

    /// Ends all sessions of a person and everything that was granted in them; says how many they were.
    pub async fn end_sessions(
        &self,
        tenant: &Tenant,
        user: UserId,
        by: &By,
    ) -> Result<usize, AdminError> {
        by.check(Permission::Write(Area::Sessions))?;
        let by = by.clone();
        let done = self.db.write(tenant, move |repo| {
            if let Some(refusal) = beyond(repo, user, &by)? {
                return Ok(Err(refusal));
            }
            let ended = repo.end_sessions(user, None, SessionGrants::All)?;
            if ended > 0 {
                repo.record(
                    by.event(Act::SessionEnded)
                        .user(user)
                        .detail(json!({ "ended": ended })),
                )?;
            }
            Ok(Ok(ended))
        });
        done.await?
    }

    /// What a person allowed to applications.
    pub async fn list_consents(
        &self,
        tenant: &Arc<Tenant>,
        user: UserId,
        page: PageRequest,
    ) -> Result<Page<ConsentOf>, AdminError> {
        let consents = self
            .db
            .read(&**tenant, move |repo| repo.list_consents(user, page))
            .await?;
        let mut items = Vec::with_capacity(consents.items.len());
        for consent in consents.items {
            // Deleted a moment ago, and the consent with it.
            if let Some(client) = self.find_client(tenant, consent.client_id).await? {
                items.push(ConsentOf { consent, client });
            }
        }
        Ok(Page {
            items,
            next: consents.next,
        })
    }

    /// Takes back what a person allowed an application, and everything that it got by it; `false` where there was nothing.
    pub async fn withdraw_consent(
        &self,
        tenant: &Tenant,
        user: UserId,
        client: ClientId,
        by: &By,
    ) -> Result<bool, AdminError> {
        by.check(Permission::Write(Area::Consents))?;
        let by = by.clone();
        let done = self.db.write(tenant, move |repo| {
            if let Some(refusal) = beyond(repo, user, &by)? {
                return Ok(Err(refusal));
            }
            let event = by.event(Act::ConsentWithdrawn).user(user).client(client);
            withdraw(repo, (user, client), event).map(Ok)
        });
        done.await?
    }
}
