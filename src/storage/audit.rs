//! Audit events: written in the transaction of the act that they tell of.

use chrono::{Datelike as _, Duration};
use diesel::prelude::*;
use uuid::Uuid;

use super::error::{Result, StorageError};
use super::repo::{Page, PageRequest, Repo};
use super::schema::{audit_events, scoped};
use super::types::{DbInstant, DbUuid};
use crate::clock::{Clock, Timestamp};
use crate::domain::audit::{Act, Event, RecordedEvent};
use crate::domain::ids::{ClientId, EventId, TenantId, UserId};

/// The longest explanation that is kept, in bytes of JSON.
const DETAIL_MAX: usize = 4096;

/// How far an event's id and its time may be apart: ids may run ahead of the clock by a second.
const ID_SLACK: Duration = Duration::seconds(2);

/// Which events are wanted; what isn't said doesn't matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// This act only.
    pub act: Option<Act>,
    /// Those that concern this person.
    pub user_id: Option<UserId>,
    /// Those that concern this client.
    pub client_id: Option<ClientId>,
    /// From then on.
    pub since: Option<Timestamp>,
    /// Before then.
    pub until: Option<Timestamp>,
}

impl EventFilter {
    /// Whether a filter may hold this time: of the years that programs know, databases hold those of four digits, as RFC 3339 has them.
    pub fn may_be_asked(moment: Timestamp) -> bool {
        (0..=9999).contains(&moment.year())
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_events)]
struct EventRow {
    id: DbUuid,
    at: DbInstant,
    act: String,
    actor: String,
    user_id: Option<DbUuid>,
    client_id: Option<DbUuid>,
    request_id: Option<String>,
    address: Option<String>,
    detail: String,
}

impl TryFrom<EventRow> for RecordedEvent {
    type Error = StorageError;

    fn try_from(row: EventRow) -> Result<Self> {
        Ok(Self {
            id: EventId::from(row.id.0),
            at: row.at.0,
            act: row.act,
            actor: serde_json::from_str(&row.actor)
                .map_err(|_| StorageError::Corrupt("audit_events.actor"))?,
            user_id: row.user_id.map(|id| UserId::from(id.0)),
            client_id: row.client_id.map(|id| ClientId::from(id.0)),
            request_id: row.request_id,
            address: row.address,
            detail: serde_json::from_str(&row.detail)
                .map_err(|_| StorageError::Corrupt("audit_events.detail"))?,
        })
    }
}

/// An event's row as it is inserted, alone or with many.
#[derive(Insertable)]
#[diesel(table_name = audit_events, treat_none_as_default_value = false)]
pub(super) struct NewEventRow {
    tenant_id: DbUuid,
    id: DbUuid,
    at: DbInstant,
    act: &'static str,
    actor: String,
    user_id: Option<DbUuid>,
    client_id: Option<DbUuid>,
    request_id: Option<String>,
    address: Option<String>,
    detail: String,
}

impl NewEventRow {
    pub(super) fn new(tenant: TenantId, event: Event, clock: &Clock) -> Result<Self> {
        let mut detail = event.detail.to_string();
        if detail.len() > DETAIL_MAX {
            detail =
                serde_json::json!({ "left_out": "too long", "bytes": detail.len() }).to_string();
        }
        Ok(Self {
            tenant_id: DbUuid::from(tenant),
            id: DbUuid(clock.uuid_v7()),
            at: DbInstant(clock.now()),
            act: event.act.as_str(),
            actor: serde_json::to_string(&event.actor)
                .map_err(|_| StorageError::Corrupt("an actor"))?,
            user_id: event.user_id.map(DbUuid::from),
            client_id: event.client_id.map(DbUuid::from),
            request_id: event.origin.request_id,
            address: event.origin.address,
            detail,
        })
    }
}

/// The least time-ordered id of a moment.
pub(super) fn first_id_at(at: Timestamp) -> DbUuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    DbUuid(Uuid::from_u128(u128::from(millis & 0xffff_ffff_ffff) << 80))
}

impl Repo<'_> {
    /// Writes an event down.
    pub fn record(&mut self, event: Event) -> Result<()> {
        let row = NewEventRow::new(self.tenant, event, self.clock)?;
        diesel::insert_into(audit_events::table)
            .values(row)
            .execute(self.connection)?;
        Ok(())
    }

    /// Finds an event.
    pub fn find_event(&mut self, id: EventId) -> Result<Option<RecordedEvent>> {
        scoped::audit_events(self.tenant)
            .filter(audit_events::id.eq(DbUuid::from(id)))
            .select(EventRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(RecordedEvent::try_from)
            .transpose()
    }

    /// Lists events, the newest first.
    pub fn list_events(
        &mut self,
        filter: &EventFilter,
        page: PageRequest,
    ) -> Result<Page<RecordedEvent>> {
        let mut query = scoped::audit_events(self.tenant)
            .select(EventRow::as_select())
            .order(audit_events::id.desc())
            .limit(page.rows() + 1)
            .into_boxed();
        if let Some(act) = filter.act {
            query = query.filter(audit_events::act.eq(act.as_str()));
        }
        if let Some(user) = filter.user_id {
            query = query.filter(audit_events::user_id.eq(Some(DbUuid::from(user))));
        }
        if let Some(client) = filter.client_id {
            query = query.filter(audit_events::client_id.eq(Some(DbUuid::from(client))));
        }
        // The key's order is the time's, nearly: it narrows the range, and the time itself decides.
        if let Some(since) = filter.since {
            query = query
                .filter(audit_events::id.ge(first_id_at(since - ID_SLACK)))
                .filter(audit_events::at.ge(DbInstant(since)));
        }
        if let Some(until) = filter.until {
            query = query
                .filter(audit_events::id.lt(first_id_at(until + ID_SLACK)))
                .filter(audit_events::at.lt(DbInstant(until)));
        }
        // Always with a bound: without one SQLite walks along the table, all of a tenant's events for a person who has none.
        let before = page.after.unwrap_or(Uuid::max());
        query = query.filter(audit_events::id.lt(DbUuid(before)));
        let items = query
            .load::<EventRow>(self.connection)?
            .into_iter()
            .map(RecordedEvent::try_from)
            .collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(items, page, |event| event.id.uuid()))
    }
}
