//! How a tenant is doing, in numbers that cost little however large it is: each is counted up to a bound.

use diesel::prelude::*;

use super::audit::first_id_at;
use super::error::Result;
use super::repo::Repo;
use super::schema::{audit_events, clients, role_assignments, scoped, users};
use super::types::DbUuid;
use crate::clock::Timestamp;
use crate::domain::audit::Act;
use crate::domain::role::Role;

/// How far is counted.
pub const COUNTED: i64 = 1000;

/// A number, as far as it was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted(i64);

impl Counted {
    /// The number; at the bound it may be more.
    pub const fn number(self) -> i64 {
        self.0
    }

    /// Whether it may be more.
    pub const fn is_bound(self) -> bool {
        self.0 >= COUNTED
    }

    /// Whether there is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

fn counted(rows: &[DbUuid]) -> Counted {
    Counted(i64::try_from(rows.len()).unwrap_or(COUNTED))
}

impl Repo<'_> {
    /// People.
    pub fn count_some_users(&mut self) -> Result<Counted> {
        let rows = scoped::users(self.tenant)
            .select(users::id)
            .limit(COUNTED)
            .load::<DbUuid>(self.connection)?;
        Ok(counted(&rows))
    }

    /// Clients.
    pub fn count_some_clients(&mut self) -> Result<Counted> {
        let rows = scoped::clients(self.tenant)
            .select(clients::id)
            .limit(COUNTED)
            .load::<DbUuid>(self.connection)?;
        Ok(counted(&rows))
    }

    /// Whether somebody is administrator whose account is open; who is only invited counts.
    pub fn has_administrator(&mut self) -> Result<bool> {
        let appointed = scoped::role_assignments(self.tenant)
            .filter(role_assignments::role.eq(Role::Administrator.as_str()))
            .select(role_assignments::user_id);
        let one = scoped::users(self.tenant)
            .filter(users::id.eq_any(appointed))
            .filter(users::disabled_at.is_null())
            .select(users::id)
            .limit(1)
            .get_result::<DbUuid>(self.connection)
            .optional()?;
        Ok(one.is_some())
    }

    /// Events of one kind since then, to the second: the time itself isn't looked at, so that the index alone is read.
    pub fn count_some_events(&mut self, act: Act, since: Timestamp) -> Result<Counted> {
        let rows = scoped::audit_events(self.tenant)
            .filter(audit_events::act.eq(act.as_str()))
            .filter(audit_events::id.ge(first_id_at(since)))
            .select(audit_events::id)
            .limit(COUNTED)
            .load::<DbUuid>(self.connection)?;
        Ok(counted(&rows))
    }
}
