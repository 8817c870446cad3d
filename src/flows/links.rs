//! One-time links, by which a person sets a password: looked at as often as they like, used once.

use super::browser::CheckedForm;
use super::provider::{FlowError, Provider};
use super::signin::{EntryProblem, take_new_password};
use super::tenancy::{Tenant, TenantAt};
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::ids::LinkId;
use crate::domain::user::User;
use crate::secret::{Handle, Purpose};
use crate::storage::SessionGrants;

/// A link that is good at this moment.
pub struct GoodLink {
    id: LinkId,
    /// Whether somebody with less power than an administrator made it, and may have used it.
    by_lesser: bool,
    /// Whose password it sets.
    pub user: User,
}

/// What came of using a link.
pub enum LinkUse {
    /// The password is set, and everything of before is ended.
    Done,
    /// Somebody was faster.
    Spent,
    /// The password isn't taken; the link stays good.
    Problem(EntryProblem),
}

impl Provider {
    /// The link of a text; `None` for one that was used, is too old, or never was.
    pub async fn find_link(
        &self,
        at: &TenantAt,
        text: &str,
    ) -> Result<Option<GoodLink>, FlowError> {
        let Some(handle) = Handle::parse(Purpose::OneTimeLink, text) else {
            return Ok(None);
        };
        let tenant = &at.tenant;
        let id = LinkId::from(handle.id());
        let proofs = handle.proofs_at(tenant.handle_key(), Purpose::OneTimeLink, &at.issuer);
        let read = self.db.read(&**tenant, move |repo| {
            let now = repo.now();
            let good = |link: &crate::domain::one_time_link::OneTimeLink| {
                link.proof.matches_one_of(&proofs)
                    && link.consumed_at.is_none()
                    && now < link.expires_at
            };
            let Some(link) = repo.find_link(id)?.filter(good) else {
                return Ok(None);
            };
            Ok(repo
                .find_user(link.user_id)?
                .filter(User::is_active)
                .map(|user| GoodLink {
                    id,
                    by_lesser: !link.by_administrator,
                    user,
                }))
        });
        Ok(read.await?)
    }

    /// Sets the password by a link: it is used up, and every session and grant of before is ended.
    pub async fn use_link(
        &self,
        tenant: &Tenant,
        link: GoodLink,
        form: &CheckedForm,
        origin: &Origin,
    ) -> Result<LinkUse, FlowError> {
        let password = match take_new_password(tenant, &link.user, form) {
            Ok(password) => password,
            Err(problem) => return Ok(LinkUse::Problem(problem)),
        };
        let phc = self.hash_new_password(tenant, password).await?;
        let (user, origin) = (link.user.id, origin.clone());
        let write = self.db.write(tenant, move |repo| {
            if !repo.consume_link(link.id, repo.now())? {
                return Ok(false);
            }
            repo.set_password(user, &phc, link.by_lesser)?;
            repo.end_sessions(user, None, SessionGrants::All)?;
            repo.revoke_grants_of_user(user, None)?;
            let detail = serde_json::json!({ "link": link.id });
            repo.record(
                Event::new(Act::LinkUsed, Actor::User(user))
                    .user(user)
                    .from(&origin)
                    .detail(detail),
            )?;
            Ok(true)
        });
        Ok(if write.await? {
            LinkUse::Done
        } else {
            LinkUse::Spent
        })
    }
}
