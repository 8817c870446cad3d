//! The end of rows whose life is over: in bounded batches, so that a sweep holds neither the writer nor locks for long.
//!
//! Some are kept for a while after their end, so that what is presented late is told apart from what never was, and so that an
//! administrator can still see it.

use chrono::Duration;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::connection::on_backend;
use super::error::Result;
use super::installation::Installation;
use super::postgres;
use super::schema::{audit_events, changes, grants, scoped, tenants};
use super::scope::TenantScope;
use super::types::{DbInstant, DbUuid, InstantType};
use crate::clock::Timestamp;
use crate::domain::ids::TenantId;

/// What one sweep deleted, by table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Refresh tokens; those that went with their grant aren't counted.
    pub refresh_tokens: usize,
    /// Marks of revoked tokens.
    pub revoked_tokens: usize,
    /// Identifiers of client assertions.
    pub assertion_ids: usize,
    /// Proofs of possession, assertions and hints that were used.
    pub dpop_proofs: usize,
    /// Sessions.
    pub sessions: usize,
    /// Counters of failed sign-ins.
    pub login_failures: usize,
    /// One-time links.
    pub one_time_links: usize,
    /// Pushed authorization requests.
    pub pushed_requests: usize,
    /// Deliveries of logout tokens.
    pub logout_deliveries: usize,
    /// Device codes.
    pub device_codes: usize,
    /// Device secrets; those that went with their session aren't counted.
    pub device_secrets: usize,
    /// Backchannel authentication requests.
    pub backchannel_requests: usize,
    /// Initial access tokens.
    pub initial_access_tokens: usize,
    /// Idempotency keys.
    pub idempotency_keys: usize,
    /// Grants.
    pub grants: usize,
    /// Signing keys.
    pub signing_keys: usize,
    /// Notes of the change feed.
    pub changes: usize,
    /// Whether a batch was full, so that there may be more.
    pub more: bool,
}

/// Rows of one table that have come to their end.
struct Ended {
    table: &'static str,
    key: &'static str,
    /// `$1` is the present less `kept`.
    condition: &'static str,
    kept: Duration,
}

/// What a look at some among all came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookedAt<Place> {
    /// So many rows went, by this look or by one beside it.
    pub deleted: usize,
    /// Up to there all were looked at: the end of a code, or a tenant.
    pub reached: Option<Place>,
    /// Whether there are more to look at.
    pub more: bool,
}

/// How long a tenant that asks for another end of its events has for another thought.
const SECOND_THOUGHTS: Duration = Duration::days(7);

/// Tenants whose oldest event is looked at in one transaction.
const TENANTS: usize = 100;

const MONTH: Duration = Duration::days(30);

/// As many times the rows that are deleted are looked at for a code that nobody redeemed.
const LOOKED_AT: i64 = 10;

impl Expired {
    /// Rows in all.
    pub fn total(&self) -> usize {
        self.refresh_tokens
            + self.revoked_tokens
            + self.assertion_ids
            + self.dpop_proofs
            + self.sessions
            + self.login_failures
            + self.one_time_links
            + self.pushed_requests
            + self.logout_deliveries
            + self.device_codes
            + self.device_secrets
            + self.backchannel_requests
            + self.initial_access_tokens
            + self.idempotency_keys
            + self.grants
            + self.signing_keys
            + self.changes
    }
}

impl Installation<'_> {
    /// Deletes up to `batch` rows of each kind whose life has ended, and looks once for codes that nobody redeemed.
    pub fn delete_expired(&mut self, batch: i64) -> Result<Expired> {
        let mut expired = self.delete_ended_rows(batch)?;
        let looked = self.delete_unredeemed(batch, None)?;
        expired.grants += looked.deleted;
        expired.more |= looked.more;
        Ok(expired)
    }

    /// Deletes up to `batch` rows of each kind whose life has ended, but for grants whose code nobody redeemed ([`Self::delete_unredeemed`]).
    #[expect(
        clippy::too_many_lines,
        reason = "one sweep for each table, one after the other"
    )]
    pub fn delete_ended_rows(&mut self, batch: i64) -> Result<Expired> {
        let batch = batch.clamp(1, 10_000);
        let mut expired = Expired::default();
        let mut more = false;
        let mut sweep = |ended: &Ended, count: &mut usize| -> Result<()> {
            let deleted = self.delete_ended(ended, batch)?;
            *count += deleted;
            more |= i64::try_from(deleted).is_ok_and(|deleted| deleted >= batch);
            Ok(())
        };
        let row = |table, key, condition, kept| Ended {
            table,
            key,
            condition,
            kept,
        };
        let none = Duration::zero();
        sweep(
            &row("refresh_tokens", "tenant_id, id", "expires_at < $1", none),
            &mut expired.refresh_tokens,
        )?;
        sweep(
            &row("revoked_tokens", "tenant_id, jti", "expires_at < $1", none),
            &mut expired.revoked_tokens,
        )?;
        sweep(
            &row(
                "assertion_ids",
                "tenant_id, client_id, jti_hash",
                "expires_at < $1",
                none,
            ),
            &mut expired.assertion_ids,
        )?;
        sweep(
            &row(
                "dpop_proofs",
                "tenant_id, proof_hash",
                "expires_at < $1",
                none,
            ),
            &mut expired.dpop_proofs,
        )?;
        sweep(
            &row("sessions", "tenant_id, id", "expires_at < $1", MONTH),
            &mut expired.sessions,
        )?;
        sweep(
            &row("sessions", "tenant_id, id", "ended_at < $1", MONTH),
            &mut expired.sessions,
        )?;
        // No window is longer than a day.
        sweep(
            &row(
                "login_failures",
                "tenant_id, counter",
                "window_start < $1",
                Duration::days(1),
            ),
            &mut expired.login_failures,
        )?;
        sweep(
            &row("one_time_links", "tenant_id, id", "expires_at < $1", MONTH),
            &mut expired.one_time_links,
        )?;
        // Whoever began with one in time has an hour for the rest.
        sweep(
            &row(
                "pushed_requests",
                "tenant_id, id",
                "expires_at < $1",
                Duration::hours(1),
            ),
            &mut expired.pushed_requests,
        )?;
        // A device that comes late is told that it is late.
        sweep(
            &row(
                "device_codes",
                "tenant_id, id",
                "expires_at < $1",
                Duration::hours(1),
            ),
            &mut expired.device_codes,
        )?;
        // Whoever comes late is told so, and what came of it may still be on its way.
        sweep(
            &row(
                "backchannel_requests",
                "tenant_id, id",
                "expires_at < $1",
                Duration::hours(2),
            ),
            &mut expired.backchannel_requests,
        )?;
        sweep(
            &row("device_secrets", "tenant_id, id", "expires_at < $1", none),
            &mut expired.device_secrets,
        )?;
        sweep(
            &row(
                "initial_access_tokens",
                "tenant_id, id",
                "expires_at < $1",
                MONTH,
            ),
            &mut expired.initial_access_tokens,
        )?;
        // Long enough for somebody who asks why an application didn't notice.
        let delivered = "state = 'delivered' AND ended_at < $1";
        sweep(
            &row(
                "logout_deliveries",
                "tenant_id, id",
                delivered,
                Duration::days(1),
            ),
            &mut expired.logout_deliveries,
        )?;
        let failed = "state = 'failed' AND ended_at < $1";
        sweep(
            &row("logout_deliveries", "tenant_id, id", failed, MONTH),
            &mut expired.logout_deliveries,
        )?;
        sweep(
            &row(
                "idempotency_keys",
                "tenant_id, caller_id, key_hash",
                "expires_at < $1",
                none,
            ),
            &mut expired.idempotency_keys,
        )?;
        sweep(
            &row("grants", "tenant_id, id", "expires_at < $1", MONTH),
            &mut expired.grants,
        )?;
        sweep(
            &row("grants", "tenant_id, id", "revoked_at < $1", MONTH),
            &mut expired.grants,
        )?;
        sweep(
            &row("signing_keys", "tenant_id, id", "removed_at < $1", MONTH),
            &mut expired.signing_keys,
        )?;
        sweep(
            &row("signing_keys", "tenant_id, id", "revoked_at < $1", MONTH),
            &mut expired.signing_keys,
        )?;
        expired.changes = self.delete_old_changes(batch)?;
        expired.more = more || i64::try_from(expired.changes).is_ok_and(|deleted| deleted >= batch);
        Ok(expired)
    }

    /// Deletes up to `batch` grants whose code nobody redeemed, of some whose codes ended after `looked_at`.
    ///
    /// A code that was never redeemed made no tokens. Some may have gone out with it: no access token lives longer than a day, but of an ID
    /// token its client may have made a session, of whose end it has to be told.
    ///
    /// They are among those that were redeemed, in the order of their codes' ends, and looked at some at a time: an index of them
    /// alone would have each redemption write all indices of its grant anew.
    pub fn delete_unredeemed(
        &mut self,
        batch: i64,
        looked_at: Option<Timestamp>,
    ) -> Result<LookedAt<Timestamp>> {
        let batch = batch.clamp(1, 10_000);
        let longest = Duration::days(1) + Duration::minutes(10);
        let before = DbInstant(self.clock.now() - longest);
        let after = DbInstant(looked_at.unwrap_or(Timestamp::UNIX_EPOCH));
        let further = grants::table
            .filter(grants::code_expires_at.gt(after))
            .filter(grants::code_expires_at.lt(before))
            .order(grants::code_expires_at.asc())
            .select(grants::code_expires_at)
            .offset(LOOKED_AT * batch - 1)
            .limit(1)
            .get_result::<DbInstant>(self.connection)
            .optional()?;
        let until = further.map_or(before.0 - Duration::microseconds(1), |further| further.0);
        let text = format!(
            "DELETE FROM grants WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM grants \
             WHERE code_expires_at > $1 AND code_expires_at <= $2 AND redeemed_at IS NULL AND NOT EXISTS (SELECT 1 FROM sessions, clients \
             WHERE sessions.tenant_id = grants.tenant_id AND sessions.id = grants.session_id AND sessions.ended_at IS NULL AND sessions.expires_at > $3 \
             AND clients.tenant_id = grants.tenant_id AND clients.id = grants.client_id AND (clients.backchannel_logout OR clients.frontchannel_logout)) \
             LIMIT {batch})"
        );
        let query = diesel::sql_query(text)
            .bind::<InstantType, _>(after)
            .bind::<InstantType, _>(DbInstant(until))
            .bind::<InstantType, _>(before);
        let deleted = on_backend!(&mut *self.connection, inner => query.execute(inner))?;
        let is_full = i64::try_from(deleted).is_ok_and(|deleted| deleted >= batch);
        let reached = if is_full { looked_at } else { Some(until) };
        Ok(LookedAt {
            deleted,
            reached,
            more: is_full || further.is_some(),
        })
    }

    /// Deletes up to `batch` audit events of some of the tenants after `after` that don't keep them for ever.
    ///
    /// A tenant's events are in the order of time by their ids, so that a look reads the oldest one alone where none has to go.
    pub fn delete_old_events(
        &mut self,
        batch: i64,
        after: Option<TenantId>,
    ) -> Result<LookedAt<TenantId>> {
        let now = self.clock.now();
        let mut room = usize::try_from(batch.clamp(1, 10_000)).unwrap_or(1);
        // Written out, as an index of such rows alone serves no parameter.
        let mut query = tenants::table
            .filter(diesel::dsl::sql::<Bool>("audit_event_days > 0"))
            .select((
                tenants::id,
                tenants::audit_event_days,
                tenants::audit_event_days_set_at,
            ))
            .order(tenants::id.asc())
            .limit(i64::try_from(TENANTS).unwrap_or(i64::MAX))
            .into_boxed();
        if let Some(after) = after {
            query = query.filter(tenants::id.gt(DbUuid::from(after)));
        }
        let rows = query.load::<(DbUuid, i32, Option<DbInstant>)>(self.connection)?;
        let mut found = LookedAt {
            deleted: 0,
            reached: after,
            more: rows.len() == TENANTS,
        };
        for (tenant, days, set_at) in rows {
            let tenant = TenantId::from(tenant.0);
            if set_at.is_none_or(|at| at.0 + SECOND_THOUGHTS <= now) {
                let before = now - Duration::days(days.into());
                let deleted = self.delete_events_before(tenant, before, room)?;
                found.deleted += deleted;
                room -= deleted;
                if room == 0 {
                    found.more = true;
                    break;
                }
            }
            found.reached = Some(tenant);
        }
        Ok(found)
    }

    /// Deletes up to `most` of a tenant's oldest events, up to the first that isn't as old; says how many of them it found, which another node
    /// may be deleting at the same time.
    fn delete_events_before(
        &mut self,
        tenant: TenantId,
        before: Timestamp,
        most: usize,
    ) -> Result<usize> {
        let oldest = |most: usize| {
            scoped::audit_events(tenant)
                .select((audit_events::id, audit_events::at))
                .order(audit_events::id.asc())
                .limit(i64::try_from(most).unwrap_or(i64::MAX))
        };
        let is_old = |event: &(DbUuid, DbInstant)| event.1.0 < before;
        let first = oldest(1).load::<(DbUuid, DbInstant)>(self.connection)?;
        if !first.first().is_some_and(is_old) {
            return Ok(0);
        }
        postgres::narrowed(
            self.connection,
            TenantScope::of_stored(tenant),
            |connection| {
                let events = oldest(most).load::<(DbUuid, DbInstant)>(connection)?;
                let old: Vec<_> = events.into_iter().take_while(is_old).collect();
                if let Some((last, _)) = old.last() {
                    let ended = scoped::audit_events(tenant).filter(audit_events::id.le(*last));
                    diesel::delete(ended).execute(connection)?;
                }
                Ok(old.len())
            },
        )
    }

    /// SQLite has no `DELETE … LIMIT`, and diesel no keys of several columns: both take this, and read `$1` alike.
    fn delete_ended(&mut self, ended: &Ended, batch: i64) -> Result<usize> {
        let Ended {
            table,
            key,
            condition,
            kept,
        } = ended;
        let before = DbInstant(self.clock.now() - *kept);
        let text = format!(
            "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {condition} LIMIT {batch})"
        );
        let query = diesel::sql_query(text).bind::<InstantType, _>(before);
        Ok(on_backend!(&mut *self.connection, inner => query.execute(inner))?)
    }

    /// Notes are swept from the oldest on, by number, up to the first that is still of use.
    fn delete_old_changes(&mut self, batch: i64) -> Result<usize> {
        let before = self.clock.now() - Duration::hours(1);
        let oldest = changes::table
            .select((changes::seq, changes::created_at))
            .order(changes::seq.asc())
            .limit(batch)
            .load::<(i64, DbInstant)>(self.connection)?;
        let Some((last, _)) = oldest
            .into_iter()
            .take_while(|(_, at)| at.0 < before)
            .last()
        else {
            return Ok(0);
        };
        Ok(
            diesel::delete(changes::table.filter(changes::seq.le(last)))
                .execute(self.connection)?,
        )
    }
}
