//! Who is to be told that a session has ended, and the logout tokens that are on their way to clients (OpenID Connect Back-Channel Logout);
//! and what is to be told of backchannel authentication requests, which goes the same way.
//!
//! A row is written in the transaction that ends the session. Whoever delivers takes it by a conditional update, for as long as a lease
//! runs: `due_at` is its end as well as the next attempt, and `attempts` tells one claim from the next.

use std::collections::HashMap;

use diesel::prelude::*;
use uuid::Uuid;

use super::changes::Entity;
use super::connection::on_backend;
use super::error::{Result, StorageError};
use super::installation::Installation;
use super::repo::{Page, PageRequest, Repo};
use super::schema::{clients, grants, logout_deliveries, scoped, sessions, tenants};
use super::scope::TenantScope;
use super::types::{DbInstant, DbUuid};
use crate::clock::Timestamp;
use crate::domain::backchannel_request::BackchannelRequest;
use crate::domain::ids::{
    BackchannelRequestId, ClientId, LogoutDeliveryId, SessionId, TenantId, UserId,
};
use crate::domain::logout_delivery::{DeliveryKind, DeliveryState, LogoutDelivery};
use crate::protocol::slug::Slug;

/// How many notices come of one statement that ends sessions, or of one withdrawal, at the most: each is a client and a session.
const MOST_NOTICES: i64 = 5_000;

/// How many are written by one statement.
const NOTICES_AT_ONCE: usize = 500;

/// How many due rows are looked at for one claim: those of other tenants are reached by leaving out the tenants that have enough.
const WINDOW: i64 = 256;

#[derive(Queryable, Selectable)]
#[diesel(table_name = logout_deliveries)]
struct DeliveryRow {
    id: DbUuid,
    client_id: DbUuid,
    user_id: DbUuid,
    session_id: DbUuid,
    issuer: String,
    state: String,
    attempts: i32,
    claimed: bool,
    due_at: Option<DbInstant>,
    last_error: Option<String>,
    created_at: DbInstant,
    ended_at: Option<DbInstant>,
    kind: String,
    request_id: Option<DbUuid>,
}

impl TryFrom<DeliveryRow> for LogoutDelivery {
    type Error = StorageError;

    fn try_from(row: DeliveryRow) -> Result<Self> {
        Ok(Self {
            id: LogoutDeliveryId::from(row.id.0),
            kind: DeliveryKind::parse(&row.kind)
                .ok_or(StorageError::Corrupt("logout_deliveries.kind"))?,
            client_id: ClientId::from(row.client_id.0),
            user_id: UserId::from(row.user_id.0),
            session_id: SessionId::from(row.session_id.0),
            request_id: row.request_id.map(|id| BackchannelRequestId::from(id.0)),
            issuer: row.issuer,
            state: DeliveryState::parse(&row.state)
                .ok_or(StorageError::Corrupt("logout_deliveries.state"))?,
            attempts: u32::try_from(row.attempts)
                .map_err(|_| StorageError::Corrupt("logout_deliveries.attempts"))?,
            claimed: row.claimed,
            due_at: row.due_at.map(|at| at.0),
            last_error: row.last_error,
            created_at: row.created_at.0,
            ended_at: row.ended_at.map(|at| at.0),
        })
    }
}

/// A delivery's row as it is inserted with others.
#[derive(Insertable)]
#[diesel(table_name = logout_deliveries, treat_none_as_default_value = false)]
struct NewDeliveryRow {
    tenant_id: DbUuid,
    id: DbUuid,
    client_id: DbUuid,
    user_id: DbUuid,
    session_id: DbUuid,
    issuer: String,
    state: &'static str,
    attempts: i32,
    claimed: bool,
    due_at: Option<DbInstant>,
    created_at: DbInstant,
    kind: &'static str,
    request_id: Option<DbUuid>,
}

/// A client that asks to be told in the browser that a session has ended (OpenID Connect Front-Channel Logout).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontChannelClient {
    /// Which.
    pub client_id: ClientId,
    /// The session, as the client knows it.
    pub session_id: SessionId,
    /// The issuer that it knows the person from.
    pub issuer: String,
}

/// A delivery that this node has taken upon itself.
#[derive(Clone, Debug)]
pub struct ClaimedDelivery {
    /// Whose.
    pub tenant: TenantScope,
    /// By which the tenant is found.
    pub slug: Slug,
    /// As it is now: this attempt is counted.
    pub delivery: LogoutDelivery,
}

/// Who a session is known to, and as which.
type Party = (DbUuid, DbUuid, String);

impl Repo<'_> {
    /// Has the clients told that sessions have ended: those by the back channel are written down, those by the front channel answered. One
    /// statement where none of the sessions' clients asks for it.
    ///
    /// A client that got a code counts, whatever became of its tokens: it may have made a session of its own of them. The sessions that these
    /// took over from count too.
    pub(super) fn tell_of_ends(
        &mut self,
        user: UserId,
        sessions: &[DbUuid],
    ) -> Result<Vec<FrontChannelClient>> {
        let ended = diesel::alias!(sessions as ended_session);
        let same_line = sessions::id
            .eq(ended.field(sessions::id))
            .or(sessions::lineage_id
                .assume_not_null()
                .eq(ended.field(sessions::lineage_id).assume_not_null()));
        let parties = scoped::grants(self.tenant)
            .inner_join(
                clients::table.on(clients::tenant_id
                    .eq(grants::tenant_id)
                    .and(clients::id.eq(grants::client_id))),
            )
            .inner_join(
                sessions::table.on(sessions::tenant_id
                    .eq(grants::tenant_id)
                    .and(sessions::id.eq(grants::session_id))),
            )
            .inner_join(
                ended.on(ended
                    .field(sessions::tenant_id)
                    .eq(grants::tenant_id)
                    .and(ended.field(sessions::user_id).eq(sessions::user_id))
                    .and(same_line)),
            )
            .filter(ended.field(sessions::id).eq_any(sessions.to_vec()))
            .filter(sessions::user_id.eq(DbUuid::from(user)))
            .filter(
                clients::backchannel_logout
                    .eq(true)
                    .or(clients::frontchannel_logout.eq(true)),
            )
            .select((
                grants::client_id,
                grants::session_id,
                grants::issuer,
                clients::backchannel_logout,
                clients::frontchannel_logout,
            ))
            .distinct()
            .order(grants::session_id.desc())
            .limit(MOST_NOTICES)
            .load::<(DbUuid, DbUuid, String, bool, bool)>(self.connection)?;
        self.warn_of_untold(parties.len());
        let back = parties.iter().filter(|party| party.3);
        let back = back.map(|(client, session, issuer, ..)| (*client, *session, issuer.clone()));
        self.queue_logout_tokens(user, back.collect())?;
        let front = parties.into_iter().filter(|party| party.4);
        Ok(front
            .map(|(client, session, issuer, ..)| FrontChannelClient {
                client_id: ClientId::from(client.0),
                session_id: SessionId::from(session.0),
                issuer,
            })
            .collect())
    }

    /// Says so where there may be more to tell than is told: the youngest sessions go first.
    fn warn_of_untold(&self, found: usize) {
        if i64::try_from(found).is_ok_and(|found| found >= MOST_NOTICES) {
            tracing::warn!(tenant = %self.tenant, found, "more clients and sessions are to be told of a sign-out than are; the oldest sessions are left out");
        }
    }

    /// Whether an application has something yet that came of a session of this person's; those who are never asked leave no consent.
    pub fn has_grant_of_session(&mut self, user: UserId, client: ClientId) -> Result<bool> {
        let live = scoped::grants(self.tenant)
            .filter(grants::user_id.eq(DbUuid::from(user)))
            .filter(grants::client_id.eq(DbUuid::from(client)))
            .filter(grants::session_id.ne(DbUuid(Uuid::nil())))
            .filter(grants::revoked_at.is_null())
            .filter(grants::expires_at.gt(self.db_now()));
        Ok(diesel::select(diesel::dsl::exists(live)).get_result(self.connection)?)
    }

    /// Has one client told that a person's sessions there have ended: what they allowed it is withdrawn. To be called before the grants are
    /// revoked.
    ///
    /// Whose tokens were revoked before may still keep a session of its own of them, as long as ours, or one that carries it on, hasn't ended.
    pub fn tell_of_withdrawal(&mut self, user: UserId, client: ClientId) -> Result<()> {
        let live = diesel::alias!(sessions as live_session);
        let same_line = live.field(sessions::id).eq(grants::session_id).or(live
            .field(sessions::lineage_id)
            .assume_not_null()
            .eq(sessions::lineage_id.assume_not_null()));
        let goes_on = live
            .filter(live.field(sessions::tenant_id).eq(grants::tenant_id))
            .filter(live.field(sessions::user_id).eq(grants::user_id))
            .filter(live.field(sessions::ended_at).is_null())
            .filter(same_line);
        let parties = scoped::grants(self.tenant)
            .inner_join(
                clients::table.on(clients::tenant_id
                    .eq(grants::tenant_id)
                    .and(clients::id.eq(grants::client_id))),
            )
            .left_join(
                sessions::table.on(sessions::tenant_id
                    .eq(grants::tenant_id)
                    .and(sessions::id.eq(grants::session_id))),
            )
            .filter(grants::user_id.eq(DbUuid::from(user)))
            .filter(grants::client_id.eq(DbUuid::from(client)))
            .filter(
                grants::revoked_at
                    .is_null()
                    .or(diesel::dsl::exists(goes_on)),
            )
            .filter(clients::backchannel_logout.eq(true))
            .select((grants::client_id, grants::session_id, grants::issuer))
            .distinct()
            .order(grants::session_id.desc())
            .limit(MOST_NOTICES)
            .load::<Party>(self.connection)?;
        self.warn_of_untold(parties.len());
        self.queue_logout_tokens(user, parties)
    }

    fn queue_logout_tokens(&mut self, user: UserId, parties: Vec<Party>) -> Result<()> {
        if parties.is_empty() {
            return Ok(());
        }
        let now = self.db_now();
        let rows: Vec<_> = parties
            .into_iter()
            .map(|(client_id, session_id, issuer)| NewDeliveryRow {
                tenant_id: DbUuid::from(self.tenant),
                id: DbUuid(self.clock.uuid_v7()),
                client_id,
                user_id: DbUuid::from(user),
                session_id,
                issuer,
                state: DeliveryState::Pending.as_str(),
                attempts: 0,
                claimed: false,
                due_at: Some(now),
                created_at: now,
                kind: DeliveryKind::Logout.as_str(),
                request_id: None,
            })
            .collect();
        let first = rows[0].id.0;
        for rows in rows.chunks(NOTICES_AT_ONCE) {
            on_backend!(&mut *self.connection, inner => {
                diesel::insert_into(logout_deliveries::table).values(rows).execute(inner)
            })?;
        }
        self.note_here(Entity::LogoutDelivery, first);
        Ok(())
    }

    /// Has something told of a backchannel authentication request, at once.
    pub fn queue_backchannel_delivery(
        &mut self,
        kind: DeliveryKind,
        request: &BackchannelRequest,
    ) -> Result<()> {
        let (now, id) = (self.db_now(), self.clock.uuid_v7());
        let row = NewDeliveryRow {
            tenant_id: DbUuid::from(self.tenant),
            id: DbUuid(id),
            client_id: DbUuid::from(request.client_id),
            user_id: DbUuid::from(request.user_id),
            session_id: DbUuid(Uuid::nil()),
            issuer: request.issuer.clone(),
            state: DeliveryState::Pending.as_str(),
            attempts: 0,
            claimed: false,
            due_at: Some(now),
            created_at: now,
            kind: kind.as_str(),
            request_id: Some(DbUuid::from(request.id)),
        };
        diesel::insert_into(logout_deliveries::table)
            .values(row)
            .execute(self.connection)?;
        self.note_here(Entity::LogoutDelivery, id);
        Ok(())
    }

    /// Finds a delivery, whatever its state.
    pub fn find_logout_delivery(&mut self, id: LogoutDeliveryId) -> Result<Option<LogoutDelivery>> {
        scoped::logout_deliveries(self.tenant)
            .filter(logout_deliveries::id.eq(DbUuid::from(id)))
            .select(DeliveryRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(LogoutDelivery::try_from)
            .transpose()
    }

    /// Lists deliveries, the youngest first; those in one state, or all.
    pub fn list_logout_deliveries(
        &mut self,
        state: Option<DeliveryState>,
        page: PageRequest,
    ) -> Result<Page<LogoutDelivery>> {
        let mut query = scoped::logout_deliveries(self.tenant)
            .select(DeliveryRow::as_select())
            .order(logout_deliveries::id.desc())
            .limit(page.rows() + 1)
            .into_boxed();
        if let Some(state) = state {
            query = query.filter(logout_deliveries::state.eq(state.as_str()));
        }
        if let Some(after) = page.after {
            query = query.filter(logout_deliveries::id.lt(DbUuid(after)));
        }
        let items = query
            .load::<DeliveryRow>(self.connection)?
            .into_iter()
            .map(LogoutDelivery::try_from)
            .collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(items, page, |delivery| delivery.id.uuid()))
    }

    /// Has a delivery tried at once; `false` where it was delivered, or a node is at it.
    pub fn retry_logout_delivery(&mut self, id: LogoutDeliveryId) -> Result<bool> {
        let now = self.db_now();
        let changed = diesel::update(
            scoped::logout_deliveries(self.tenant)
                .filter(logout_deliveries::id.eq(DbUuid::from(id)))
                .filter(logout_deliveries::state.ne(DeliveryState::Delivered.as_str()))
                .filter(logout_deliveries::claimed.eq(false)),
        )
        .set((
            logout_deliveries::state.eq(DeliveryState::Pending.as_str()),
            logout_deliveries::due_at.eq(Some(now)),
            logout_deliveries::ended_at.eq(None::<DbInstant>),
        ))
        .execute(self.connection)?;
        if changed == 1 {
            self.note_here(Entity::LogoutDelivery, id);
        }
        Ok(changed == 1)
    }

    /// Writes down how an attempt ended: `state` and, where it is to be tried again, when. `false` where the lease had run out and somebody
    /// else has taken it up meanwhile.
    pub fn finish_logout_attempt(
        &mut self,
        attempted: &LogoutDelivery,
        state: DeliveryState,
        next: Option<Timestamp>,
        error: Option<&str>,
    ) -> Result<bool> {
        let now = self.db_now();
        let ended = (state != DeliveryState::Pending).then_some(now);
        let attempts = i32::try_from(attempted.attempts).unwrap_or(i32::MAX);
        let changed = diesel::update(
            scoped::logout_deliveries(self.tenant)
                .filter(logout_deliveries::id.eq(DbUuid::from(attempted.id)))
                .filter(logout_deliveries::state.eq(DeliveryState::Pending.as_str()))
                .filter(logout_deliveries::attempts.eq(attempts)),
        )
        .set((
            logout_deliveries::state.eq(state.as_str()),
            logout_deliveries::claimed.eq(false),
            logout_deliveries::due_at.eq(next.map(DbInstant)),
            logout_deliveries::last_error.eq(error.map(ToOwned::to_owned)),
            logout_deliveries::ended_at.eq(ended),
        ))
        .execute(self.connection)?;
        Ok(changed == 1)
    }
}

impl Installation<'_> {
    /// When the next delivery of any tenant is due.
    pub fn next_logout_delivery(&mut self) -> Result<Option<Timestamp>> {
        let due = logout_deliveries::table
            .filter(logout_deliveries::due_at.is_not_null())
            .select(logout_deliveries::due_at)
            .order(logout_deliveries::due_at.asc())
            .first::<Option<DbInstant>>(self.connection)
            .optional()?;
        Ok(due.flatten().map(|at| at.0))
    }

    /// Takes deliveries that are due, until `lease` at the latest: `most` at the most, and of each tenant no more than `room` says (`usual`
    /// for those that it doesn't name).
    pub fn claim_logout_deliveries(
        &mut self,
        most: usize,
        usual: usize,
        room: &HashMap<TenantId, usize>,
        lease: Timestamp,
    ) -> Result<Vec<ClaimedDelivery>> {
        let now = DbInstant(self.clock.now());
        let mut room = room.clone();
        let mut claimed = Vec::new();
        while claimed.len() < most {
            let mut query = logout_deliveries::table
                .inner_join(tenants::table.on(tenants::id.eq(logout_deliveries::tenant_id)))
                .filter(logout_deliveries::due_at.le(now))
                .select((tenants::id, tenants::slug, DeliveryRow::as_select()))
                .order(logout_deliveries::due_at.asc())
                .limit(WINDOW)
                .into_boxed();
            for tenant in room.iter().filter(|(_, room)| **room == 0) {
                query = query.filter(logout_deliveries::tenant_id.ne(DbUuid::from(*tenant.0)));
            }
            let due = query.load::<(DbUuid, String, DeliveryRow)>(self.connection)?;
            if due.is_empty() {
                break;
            }
            let before = claimed.len();
            for (tenant, slug, row) in due {
                let tenant = TenantId::from(tenant.0);
                let left = room.entry(tenant).or_insert(usual);
                if *left == 0 || claimed.len() == most {
                    continue;
                }
                // Whoever else looks at this moment takes the rest.
                if self.claim(tenant, &row, now, lease)? {
                    *left -= 1;
                    let mut delivery = LogoutDelivery::try_from(row)?;
                    delivery.attempts += 1;
                    claimed.push(ClaimedDelivery {
                        tenant: TenantScope::of_stored(tenant),
                        slug: Slug::parse(&slug)
                            .map_err(|_| StorageError::Corrupt("tenants.slug"))?,
                        delivery,
                    });
                }
            }
            if claimed.len() == before {
                break;
            }
        }
        Ok(claimed)
    }

    fn claim(
        &mut self,
        tenant: TenantId,
        row: &DeliveryRow,
        now: DbInstant,
        lease: Timestamp,
    ) -> Result<bool> {
        let changed = diesel::update(
            logout_deliveries::table
                .filter(logout_deliveries::tenant_id.eq(DbUuid::from(tenant)))
                .filter(logout_deliveries::id.eq(row.id))
                .filter(logout_deliveries::attempts.eq(row.attempts))
                .filter(logout_deliveries::due_at.le(now)),
        )
        .set((
            logout_deliveries::attempts.eq(row.attempts.saturating_add(1)),
            logout_deliveries::claimed.eq(true),
            logout_deliveries::due_at.eq(Some(DbInstant(lease))),
        ))
        .execute(self.connection)?;
        Ok(changed == 1)
    }
}
