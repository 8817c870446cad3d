//! A tenant's repository: everything reached through it belongs to one tenant.

use uuid::Uuid;

use super::changes::{self, Change, Entity};
use super::connection::AnyConnection;
use super::error::Result;
use super::scope::TenantScope;
use super::types::DbInstant;
use crate::clock::{Clock, Timestamp};
use crate::domain::ids::TenantId;

/// One tenant's rows, within one transaction.
pub struct Repo<'c> {
    pub(super) connection: &'c mut AnyConnection,
    pub(super) tenant: TenantId,
    pub(super) clock: &'c Clock,
    pub(super) noted: Vec<Change>,
}

impl<'c> Repo<'c> {
    pub(super) fn new(
        connection: &'c mut AnyConnection,
        scope: TenantScope,
        clock: &'c Clock,
    ) -> Self {
        Self {
            connection,
            tenant: scope.id(),
            clock,
            noted: Vec::new(),
        }
    }

    /// Whose rows these are.
    pub fn tenant_id(&self) -> TenantId {
        self.tenant
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn db_now(&self) -> DbInstant {
        DbInstant(self.clock.now())
    }

    /// Tells every node's caches that something changed, once this transaction is committed.
    pub(super) fn note(&mut self, entity: Entity, id: impl Into<Uuid>) -> Result<()> {
        let change = Change {
            tenant: self.tenant,
            entity,
            id: id.into(),
        };
        if self.noted.contains(&change) {
            return Ok(());
        }
        changes::insert(self.connection, change, self.clock.now())?;
        self.noted.push(change);
        Ok(())
    }

    /// Tells this process alone that there is something to do, once this transaction is committed.
    pub(super) fn note_here(&mut self, entity: Entity, id: impl Into<Uuid>) {
        self.noted.push(Change {
            tenant: self.tenant,
            entity,
            id: id.into(),
        });
    }
}

/// The largest page of a list.
pub const PAGE_MAX: i64 = 200;

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageRequest {
    /// Rows at most; at most 200, 50 unless told.
    pub limit: Option<u32>,
    /// The identifier of the last row of the page before.
    pub after: Option<Uuid>,
}

impl PageRequest {
    /// The first page of `limit` rows.
    pub fn first(limit: u32) -> Self {
        Self {
            limit: Some(limit),
            after: None,
        }
    }

    pub(super) fn rows(self) -> i64 {
        self.limit.map_or(50, i64::from).clamp(1, PAGE_MAX)
    }
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<Uuid>,
}

impl<T> Page<T> {
    /// From one row more than the page holds.
    pub(super) fn cut(mut items: Vec<T>, request: PageRequest, id: impl Fn(&T) -> Uuid) -> Self {
        let rows = usize::try_from(request.rows()).unwrap_or(usize::MAX);
        let next = if items.len() > rows {
            items.truncate(rows);
            items.last().map(id)
        } else {
            None
        };
        Self { items, next }
    }

    /// Each item turned into something else.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            next: self.next,
        }
    }
}
