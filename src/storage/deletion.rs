//! The rows of tenants that are being deleted: gone in bounded batches, so that a large tenant neither holds the writer nor runs into
//! a statement's deadline, and whoever finds the deletion interrupted can go on with it.

use chrono::Duration;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::connection::on_backend;
use super::error::Result;
use super::installation::Installation;
use super::schema::tenants;
use super::types::{DbInstant, DbUuid, UuidType};
use crate::domain::ids::TenantId;
use crate::domain::tenant::TenantStatus;

/// How far the deletion of a tenant has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// Rows were deleted, and there may be more.
    Underway,
    /// The tenant is gone, or isn't to be deleted.
    Done,
}

/// How long an import may pause within a tenant before that is taken for abandoned.
const IMPORT_PAUSE_MAX: Duration = Duration::hours(1);

/// The tables of a tenant that grow, those first that refer to others, and what is left of their keys beside the tenant. Few rows
/// remain for the cascade from the tenant itself.
const GROWING: &[(&str, &str)] = &[
    ("refresh_tokens", "id"),
    ("revoked_tokens", "jti"),
    ("assertion_ids", "client_id, jti_hash"),
    ("dpop_proofs", "proof_hash"),
    ("one_time_links", "id"),
    ("external_subjects", "id"),
    ("pushed_requests", "id"),
    ("device_codes", "id"),
    ("device_secrets", "id"),
    ("assertion_grants", "grant_id"),
    ("backchannel_requests", "id"),
    ("initial_access_tokens", "id"),
    ("logout_deliveries", "id"),
    ("login_failures", "counter"),
    ("idempotency_keys", "caller_id, key_hash"),
    ("consents", "user_id, client_id"),
    ("grants", "id"),
    ("sessions", "id"),
    ("audit_events", "id"),
    ("role_assignments", "user_id, role"),
    ("client_origins", "origin, client_id"),
    ("users", "id"),
    ("clients", "id"),
];

impl Installation<'_> {
    /// The tenants whose deletion was begun and isn't done, and those whose import ended before it was complete: a data key is there
    /// still, and for an hour nothing came.
    pub fn list_tenants_being_deleted(&mut self, limit: i64) -> Result<Vec<TenantId>> {
        // Written out, as an index of such rows alone serves no parameter.
        let being_deleted = diesel::dsl::sql::<diesel::sql_types::Bool>("status = 'deleting'");
        let abandoned = DbInstant(self.clock.now() - IMPORT_PAUSE_MAX);
        let ids = tenants::table
            .filter(being_deleted)
            .filter(
                tenants::sealed_data_key
                    .is_null()
                    .or(tenants::updated_at.lt(abandoned)),
            )
            .select(tenants::id)
            .limit(limit)
            .load::<DbUuid>(self.connection)?;
        Ok(ids.into_iter().map(|id| TenantId::from(id.0)).collect())
    }

    /// Deletes up to `batch` rows of a tenant whose deletion was begun, and the tenant itself once little is left.
    pub fn erase_tenant(&mut self, id: TenantId, batch: usize) -> Result<Erasure> {
        // Takes the row's lock, so that two nodes take turns instead of waiting for each other's rows. Its data key goes at the latest
        // here: an import of the tenant that is under way can't complete it from then on.
        let ours = diesel::update(
            tenants::table
                .filter(tenants::id.eq(DbUuid::from(id)))
                .filter(tenants::status.eq(TenantStatus::Deleting.as_str())),
        )
        .set((
            tenants::sealed_data_key.eq(None::<Vec<u8>>),
            tenants::updated_at.eq(DbInstant(self.clock.now())),
        ))
        .execute(self.connection)?;
        if ours == 0 {
            return Ok(Erasure::Done);
        }
        let mut left = batch;
        for (table, key) in GROWING {
            left -= self.erase_rows(id, table, key, left)?.min(left);
            if left == 0 {
                return Ok(Erasure::Underway);
            }
        }
        self.delete_tenant(id)?;
        Ok(Erasure::Done)
    }

    fn erase_rows(&mut self, id: TenantId, table: &str, key: &str, most: usize) -> Result<usize> {
        let text = format!(
            "DELETE FROM {table} WHERE tenant_id = $1 AND ({key}) IN (SELECT {key} FROM {table} WHERE tenant_id = $1 LIMIT $2)"
        );
        let query = diesel::sql_query(text)
            .bind::<UuidType, _>(DbUuid::from(id))
            .bind::<BigInt, _>(i64::try_from(most).unwrap_or(i64::MAX));
        Ok(on_backend!(&mut *self.connection, inner => query.execute(inner))?)
    }
}

#[cfg(test)]
mod tests {
    use super::GROWING;
    use crate::storage::TENANT_TABLES;

    /// A new table has to be thought of: either it grows, or it stays small enough to go with its tenant in one statement.
    #[test]
    fn every_table_of_a_tenant_is_deleted_in_batches_or_stays_small() {
        const SMALL: &[&str] = &["domains", "domain_owners", "resources", "signing_keys"];
        for table in TENANT_TABLES {
            let grows = GROWING.iter().any(|(name, _)| name == table);
            assert!(grows != SMALL.contains(table), "{table}");
        }
    }
}
