//! Who administers a tenant.

use serde_json::json;

use super::authority::{Area, Permission};
use super::error::{AdminError, By};
use super::external_subjects::forget_names;
use super::users::last_administrator;
use crate::domain::audit::Act;
use crate::domain::role::Role;
use crate::domain::user::User;
use crate::flows::provider::Provider;
use crate::flows::tenancy::Tenant;

const WRITE: Permission = Permission::Write(Area::Administrators);

impl Provider {
    /// Grants a role, and forgets what issuers of assertions call the person; `false` where the person has it already.
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
            let done = repo.grant_role(id, role)?;
            if done {
                // Whoever names people at issuers may have less power than they have from now on.
                let names = forget_names(repo, id)?;
                if names > 0 {
                    repo.record(
                        by.event(Act::ExternalSubjectRemoved)
                            .user(id)
                            .detail(json!({ "names": names, "reason": "a role was granted" })),
                    )?;
                }
                repo.record(
                    by.event(Act::RoleGranted)
                        .user(id)
                        .detail(json!({ "role": role })),
                )?;
            }
            Ok(done)
        });
        Ok(done.await?)
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
            if !repo.set_roles(id, user.version, &wanted)? {
                return Ok(Err(AdminError::Stale("person")));
            }
            for role in Role::ALL {
                let act = match (user.roles.contains(&role), wanted.contains(&role)) {
                    (false, true) => Act::RoleGranted,
                    (true, false) => Act::RoleRevoked,
                    _ => continue,
                };
                repo.record(by.event(act).user(id).detail(json!({ "role": role })))?;
            }
            Ok(Ok(()))
        });
        done.await?
    }
}
