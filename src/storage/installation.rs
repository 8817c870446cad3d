//! Work across tenants, under a name of its own: operators and jobs only.

use diesel::prelude::*;
use uuid::Uuid;

use super::changes::{self, Change, Entity};
use super::connection::AnyConnection;
use super::error::Result;
use super::postgres;
use super::repo::Repo;
use super::schema::installation;
use super::scope::TenantScope;
use super::types::DbInstant;
use crate::clock::Clock;
use crate::domain::ids::TenantId;

/// The whole installation, within one transaction.
pub struct Installation<'c> {
    pub(super) connection: &'c mut AnyConnection,
    pub(super) clock: &'c Clock,
    pub(super) noted: Vec<Change>,
}

impl<'c> Installation<'c> {
    pub(super) fn new(connection: &'c mut AnyConnection, clock: &'c Clock) -> Self {
        Self {
            connection,
            clock,
            noted: Vec::new(),
        }
    }

    /// One tenant's repository within this transaction: a tenant is made together with its first key, say. Meanwhile the database shows
    /// no other's rows.
    pub fn tenant<T>(
        &mut self,
        scope: TenantScope,
        work: impl FnOnce(&mut Repo<'_>) -> Result<T>,
    ) -> Result<T> {
        let clock = self.clock;
        let (value, noted) = postgres::narrowed(self.connection, scope, |connection| {
            let mut repo = Repo::new(connection, scope, clock);
            let value = work(&mut repo)?;
            Ok((value, repo.noted))
        })?;
        self.noted.extend(noted);
        Ok(value)
    }

    pub(super) fn note(
        &mut self,
        tenant: TenantId,
        entity: Entity,
        id: impl Into<Uuid>,
    ) -> Result<()> {
        let change = Change {
            tenant,
            entity,
            id: id.into(),
        };
        changes::insert(self.connection, change, self.clock.now())?;
        self.noted.push(change);
        Ok(())
    }

    /// The master key's fingerprint, once there is one.
    pub fn master_key_fingerprint(&mut self) -> Result<Option<String>> {
        Ok(installation::table
            .select(installation::master_key_fingerprint)
            .get_result(self.connection)
            .optional()?)
    }

    /// Writes the master key's fingerprint down for the first time.
    pub fn insert_master_key_fingerprint(&mut self, fingerprint: &str) -> Result<()> {
        diesel::insert_into(installation::table)
            .values((
                installation::id.eq(1),
                installation::master_key_fingerprint.eq(fingerprint.to_owned()),
                installation::created_at.eq(DbInstant(self.clock.now())),
            ))
            .execute(self.connection)?;
        Ok(())
    }

    /// Replaces the fingerprint after a rotation; `false` where `old` isn't the one that is there.
    pub fn replace_master_key_fingerprint(&mut self, old: &str, new: &str) -> Result<bool> {
        let changed = diesel::update(
            installation::table.filter(installation::master_key_fingerprint.eq(old.to_owned())),
        )
        .set(installation::master_key_fingerprint.eq(new.to_owned()))
        .execute(self.connection)?;
        Ok(changed == 1)
    }
}
