//! What a write asks of whoever acts, at the place where it is done: whichever door they came through, the same table decides.

use super::authority::{Authority, Permission};
use super::error::{AdminError, By};

impl By {
    /// Refuses who lacks this permission.
    pub(super) fn check(&self, permission: Permission) -> Result<(), AdminError> {
        let allowed = match &self.authority {
            Authority::Full => true,
            Authority::Roles(held) => permission.roles().iter().any(|role| held.contains(role)),
        };
        if allowed {
            return Ok(());
        }
        Err(AdminError::Forbidden(match permission.roles() {
            [] => format!("{} is for operators of the installation", permission.name()),
            _ => format!("{} is more than your roles allow", permission.name()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::role::Role;
    use crate::flows::admin::Area;

    #[test]
    fn writes_ask_the_table() {
        let with = |roles: &[Role]| By {
            authority: Authority::Roles(roles.to_vec()),
            ..By::command_line()
        };
        let keys = Permission::Write(Area::Keys);
        let tenants = Permission::Write(Area::Tenants);
        assert!(By::command_line().check(tenants).is_ok());
        assert!(with(&[Role::Administrator]).check(keys).is_ok());
        assert!(with(&[Role::Administrator]).check(tenants).is_err());
        assert!(
            with(&[Role::Auditor, Role::ClientManager])
                .check(keys)
                .is_err()
        );
        assert!(with(&[]).check(keys).is_err());
    }
}
