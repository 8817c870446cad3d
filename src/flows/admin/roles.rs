//! Who administers a tenant.

use serde_json::json;

use super::error::{AdminError, By};
use super::external_subjects::forget_names;
use crate::domain::audit::Act;
use crate::domain::role::Role;
use crate::domain::user::User;
use crate::flows::provider::Provider;
use crate::flows::tenancy::Tenant;

impl Provider {
    /// Grants a role, and forgets what issuers of assertions call the person; `false` where the person has it already.
    pub async fn grant_role(
        &self,
        tenant: &Tenant,
        user: &User,
        role: Role,
        by: &By,
    ) -> Result<bool, AdminError> {
        by.authority.check_grant(&[role])?;
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

    /// Takes a role away, from the next token on; `false` where the person doesn't have it.
    pub async fn revoke_role(
        &self,
        tenant: &Tenant,
        user: &User,
        role: Role,
        by: &By,
    ) -> Result<bool, AdminError> {
        by.authority.check_grant(&[role])?;
        let (id, by) = (user.id, by.clone());
        let done = self.db.write(tenant, move |repo| {
            let done = repo.revoke_role(id, role)?;
            if done {
                repo.record(
                    by.event(Act::RoleRevoked)
                        .user(id)
                        .detail(json!({ "role": role })),
                )?;
            }
            Ok(done)
        });
        Ok(done.await?)
    }
}
