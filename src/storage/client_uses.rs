//! When clients were used, and which of those that registered themselves nobody uses any more.

use chrono::Duration;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::connection::Kept;
use super::error::Result;
use super::installation::Installation;
use super::repo::Repo;
use super::schema::{clients, scoped, tenants};
use super::scope::TenantScope;
use super::types::{DbInstant, DbUuid, InstantType};
use crate::clock::Timestamp;
use crate::domain::client::LastUse;
use crate::domain::ids::{ClientId, TenantId};
use crate::domain::tenant::TenantStatus;

/// A client that registered itself and wasn't used for as long as its tenant allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnusedClient {
    /// Whose it is.
    pub tenant: TenantScope,
    /// Which it is.
    pub id: ClientId,
    /// Before this moment it was used last, or registered.
    pub before: Timestamp,
    /// The days that its tenant gives it.
    pub days: u32,
}

/// What a look at some tenants found.
#[derive(Clone, Debug, Default)]
pub struct Unused {
    /// Some of their clients.
    pub clients: Vec<UnusedClient>,
    /// The last tenant that was looked at, whole unless there was no room for more of its clients; none where no further one has anything to ask.
    pub reached: Option<TenantId>,
}

impl Installation<'_> {
    /// Writes down when clients were used; what is known to be later stays. No cache hears of it: whoever keeps a client notes its uses itself.
    pub fn note_client_uses(
        &mut self,
        uses: &[((TenantId, ClientId), Timestamp)],
    ) -> Result<usize> {
        let mut written = 0;
        for ((tenant, client), at) in uses {
            let noted = diesel::update(
                clients::table
                    .filter(clients::tenant_id.eq(DbUuid::from(*tenant)))
                    .filter(clients::id.eq(DbUuid::from(*client)))
                    .filter(
                        clients::last_used_at
                            .is_null()
                            .or(clients::last_used_at.lt(DbInstant(*at))),
                    ),
            )
            .set(clients::last_used_at.eq(Some(DbInstant(*at))));
            written += Kept(noted).execute(self.connection)?;
        }
        Ok(written)
    }

    /// Clients that registered themselves and whose time without use is over: of the `most_tenants` tenants after `after` that end such clients,
    /// and `most` at the most.
    pub fn list_unused_clients(
        &mut self,
        after: Option<TenantId>,
        most_tenants: i64,
        most: i64,
    ) -> Result<Unused> {
        // Written out, as an index of such rows alone serves no parameter.
        let mut query = tenants::table
            .filter(diesel::dsl::sql::<Bool>("unused_client_days > 0"))
            .filter(tenants::status.eq(TenantStatus::Active.as_str()))
            .select((
                tenants::id,
                tenants::unused_client_days,
                tenants::unused_clients_set_at,
            ))
            .order(tenants::id.asc())
            .limit(most_tenants)
            .into_boxed();
        if let Some(after) = after {
            query = query.filter(tenants::id.gt(DbUuid::from(after)));
        }
        let rows = query.load::<(DbUuid, i32, Option<DbInstant>)>(self.connection)?;
        let mut found = Unused::default();
        for (tenant, days, from) in rows {
            let room = most - i64::try_from(found.clients.len()).unwrap_or(i64::MAX);
            let id = TenantId::from(tenant.0);
            if room <= 0 {
                break;
            }
            // What is noted may be older than the last use by so much.
            let before = self.clock.now()
                - Duration::days(i64::from(days))
                - Duration::seconds(LastUse::GRAIN);
            if from.is_none_or(|from| from.0 < before) {
                let ids = clients::table
                    .filter(clients::tenant_id.eq(tenant))
                    .filter(clients::registration_hash.is_not_null())
                    .filter(
                        diesel::dsl::sql::<Bool>("coalesce(last_used_at, created_at) < ")
                            .bind::<InstantType, _>(DbInstant(before)),
                    )
                    .select(clients::id)
                    .limit(room)
                    .load::<DbUuid>(self.connection)?;
                let tenant = TenantScope::of_stored(id);
                let days = u32::try_from(days).unwrap_or(u32::MAX);
                found.clients.extend(ids.into_iter().map(|id| UnusedClient {
                    tenant,
                    id: id.0.into(),
                    before,
                    days,
                }));
            }
            found.reached = Some(id);
        }
        Ok(found)
    }
}

impl Repo<'_> {
    /// Holds a client that its tenant wants gone, until this transaction's end; `false` where it was used since `before`, or its tenant is suspended
    /// or gives it other `days` now, or gave them later than that.
    pub fn hold_unused_client(
        &mut self,
        id: ClientId,
        days: u32,
        before: Timestamp,
    ) -> Result<bool> {
        self.hold_tenant()?;
        let wanted = tenants::table
            .filter(tenants::id.eq(DbUuid::from(self.tenant)))
            .filter(tenants::status.eq(TenantStatus::Active.as_str()))
            .filter(tenants::unused_client_days.eq(i32::try_from(days).unwrap_or(0)))
            .select(tenants::unused_clients_set_at)
            .get_result::<Option<DbInstant>>(self.connection)
            .optional()?;
        let Some(from) = wanted else {
            return Ok(false);
        };
        if from.is_some_and(|from| from.0 >= before) {
            return Ok(false);
        }
        let held = diesel::update(
            scoped::clients(self.tenant)
                .filter(clients::id.eq(DbUuid::from(id)))
                .filter(clients::registration_hash.is_not_null())
                .filter(
                    diesel::dsl::sql::<Bool>("coalesce(last_used_at, created_at) < ")
                        .bind::<InstantType, _>(DbInstant(before)),
                ),
        )
        .set(clients::created_at.eq(clients::created_at))
        .execute(self.connection)?;
        Ok(held == 1)
    }
}
