//! Who administers a tenant.

use serde_json::json;

use super::authority::{Area, Permission};
use super::error::{AdminError, By};
use super::external_subjects::forget_names;
use super::users::{beyond, last_administrator};
use crate::domain::audit::{Act, Event};
use crate::domain::ids::UserId;
use crate::domain::role::Role;
use crate::domain::user::User;
use crate::flows::provider::Provider;
use crate::flows::tenancy::Tenant;
use crate::storage::{self, Repo, SessionGrants};

const WRITE: Permission = Permission::Write(Area::Administrators);

/// What ended with a role, beside names at issuers.
struct Ended {
    link: bool,
    password: bool,
}

/// Ends that by which others become a person who has just got a role, as whoever made it may have less power than the person has from now on: what
/// issuers of assertions call the person, a link to their password that wasn't made by an administrator, and a password that such a one may know,
/// with all who signed in by it.
fn end_keys_of_others(repo: &mut Repo<'_>, id: UserId, by: &By) -> storage::Result<Ended> {
    let names = forget_names(repo, id)?;
    if names > 0 {
        repo.record(
            by.event(Act::ExternalSubjectRemoved)
                .user(id)
                .detail(json!({ "names": names, "reason": "a role was granted" })),
        )?;
    }
    let password = repo.forget_lesser_password(id)?;
    if password {
        repo.end_sessions(id, None, SessionGrants::All)?;
        repo.revoke_grants_of_user(id, None)?;
    }
    let link = repo.revoke_lesser_links(id)?;
    Ok(Ended { link, password })
}

fn granted(by: &By, id: UserId, role: Role, ended: &Ended) -> Event {
    let mut detail = json!({ "role": role });
    if ended.link {
        detail["link_ended"] = true.into();
    }
    if ended.password {
        detail["password_ended"] = true.into();
    }
    by.event(Act::RoleGranted).user(id).detail(detail)
}

impl Provider {
    /// Grants a role, and ends that by which others become the person; `false` where the person has it already.
    pub async fn grant_role(
        &self,
        tenant: &Tenant,
        user: &User,
        role: Role,
        by: &By,
    ) -> Result<bool, AdminError> {
        by.check(WRITE)?;
        let (id, by) = (user.id, by.clone());
        let done = self.db.write(tenant, move |repo| {
            if let Some(refusal) = beyond(repo, id, &by)? {
                return Ok(Err(refusal));
            }
            let done = repo.grant_role(id, role)?;
            if done {
                let ended = end_keys_of_others(repo, id, &by)?;
                repo.record(granted(&by, id, role, &ended))?;
            }
            Ok(Ok(done))
        });
        done.await?
    }

    /// Takes a role away, from the next token on; `false` where the person doesn't have it. The last administrator keeps theirs, unless
    /// whoever acts has all power.
    pub async fn revoke_role(
        &self,
        tenant: &Tenant,
        user: &User,
        role: Role,
        by: &By,
    ) -> Result<bool, AdminError> {
        by.check(WRITE)?;
        let (id, by) = (user.id, by.clone());
        let done = self.db.write(tenant, move |repo| {
            if role == Role::Administrator
                && let Some(refusal) = last_administrator(repo, id, &by)?
            {
                return Ok(Err(refusal));
            }
            if let Some(refusal) = beyond(repo, id, &by)? {
                return Ok(Err(refusal));
            }
            let done = repo.revoke_role(id, role)?;
            if done {
                repo.record(
                    by.event(Act::RoleRevoked)
                        .user(id)
                        .detail(json!({ "role": role })),
                )?;
            }
            Ok(Ok(done))
        });
        done.await?
    }

    /// Gives a person exactly these roles, provided that nobody changed the person since they were read.
    pub async fn set_roles(
        &self,
        tenant: &Tenant,
        user: &User,
        wanted: &[Role],
        by: &By,
    ) -> Result<(), AdminError> {
        by.check(WRITE)?;
        let (user, wanted, by) = (user.clone(), wanted.to_vec(), by.clone());
        let done = self.db.write(tenant, move |repo| {
            let id = user.id;
            if !wanted.contains(&Role::Administrator)
                && let Some(refusal) = last_administrator(repo, id, &by)?
            {
                return Ok(Err(refusal));
            }
            if let Some(refusal) = beyond(repo, id, &by)? {
                return Ok(Err(refusal));
            }
            if !repo.set_roles(id, user.version, &wanted)? {
                return Ok(Err(AdminError::Stale("person")));
            }
            let gains = wanted.iter().any(|role| !user.roles.contains(role));
            let ended = gains
                .then(|| end_keys_of_others(repo, id, &by))
                .transpose()?;
            for role in Role::ALL {
                let event = match (user.roles.contains(&role), wanted.contains(&role), &ended) {
                    (false, true, Some(ended)) => granted(&by, id, role, ended),
                    (true, false, _) => by
                        .event(Act::RoleRevoked)
                        .user(id)
                        .detail(json!({ "role": role })),
                    _ => continue,
                };
                repo.record(event)?;
            }
            Ok(Ok(()))
        });
        done.await?
    }
}
