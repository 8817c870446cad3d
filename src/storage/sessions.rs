//! People's sessions in their browsers.

use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::{Result, StorageError};
use super::logout_deliveries::FrontChannelClient;
use super::repo::{Page, PageRequest, Repo};
use super::schema::{insert_scoped, scoped, sessions};
use super::types::{DbInstant, DbUuid};
use crate::domain::ids::{SessionId, UserId};
use crate::domain::session::Session;
use crate::secret::HashedSecret;

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
struct SessionRow {
    id: DbUuid,
    user_id: DbUuid,
    proof_hash: Vec<u8>,
    auth_time: DbInstant,
    amr: String,
    user_agent: String,
    address: String,
    last_used_at: DbInstant,
    expires_at: DbInstant,
    ended_at: Option<DbInstant>,
    lineage_id: Option<DbUuid>,
}

impl TryFrom<SessionRow> for Session {
    type Error = StorageError;

    fn try_from(row: SessionRow) -> Result<Self> {
        Ok(Self {
            id: SessionId::from(row.id.0),
            user_id: UserId::from(row.user_id.0),
            proof: HashedSecret::from_slice(&row.proof_hash)
                .ok_or(StorageError::Corrupt("sessions.proof_hash"))?,
            auth_time: row.auth_time.0,
            amr: row
                .amr
                .split(' ')
                .filter(|method| !method.is_empty())
                .map(ToOwned::to_owned)
                .collect(),
            user_agent: row.user_agent,
            address: row.address,
            last_used_at: row.last_used_at.0,
            expires_at: row.expires_at.0,
            ended_at: row.ended_at.map(|at| at.0),
            lineage: SessionId::from(row.lineage_id.unwrap_or(row.id).0),
        })
    }
}

impl Repo<'_> {
    /// Begins a session.
    pub fn insert_session(&mut self, session: &Session) -> Result<()> {
        insert_scoped!(
            self,
            sessions,
            (
                sessions::id.eq(DbUuid::from(session.id)),
                sessions::user_id.eq(DbUuid::from(session.user_id)),
                sessions::proof_hash.eq(session.proof.as_bytes().to_vec()),
                sessions::auth_time.eq(DbInstant(session.auth_time)),
                sessions::amr.eq(session.amr.join(" ")),
                sessions::user_agent.eq(session.user_agent.clone()),
                sessions::address.eq(session.address.clone()),
                sessions::last_used_at.eq(DbInstant(session.last_used_at)),
                sessions::expires_at.eq(DbInstant(session.expires_at)),
                sessions::lineage_id.eq(Some(DbUuid::from(session.lineage))),
            )
        )
        .execute(self.connection)?;
        Ok(())
    }

    /// Finds a session, ended ones too.
    pub fn find_session(&mut self, id: SessionId) -> Result<Option<Session>> {
        scoped::sessions(self.tenant)
            .filter(sessions::id.eq(DbUuid::from(id)))
            .select(SessionRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(Session::try_from)
            .transpose()
    }

    /// A person's sessions that may still be alive, the youngest first.
    pub fn list_sessions(&mut self, user: UserId, page: PageRequest) -> Result<Page<Session>> {
        let mut query = scoped::sessions(self.tenant)
            .filter(sessions::user_id.eq(DbUuid::from(user)))
            .filter(sessions::ended_at.is_null())
            .filter(sessions::expires_at.gt(self.db_now()))
            .select(SessionRow::as_select())
            .order(sessions::id.desc())
            .limit(page.rows() + 1)
            .into_boxed();
        if let Some(after) = page.after {
            query = query.filter(sessions::id.lt(DbUuid(after)));
        }
        let items = query
            .load::<SessionRow>(self.connection)?
            .into_iter()
            .map(Session::try_from)
            .collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(items, page, |session| session.id.uuid()))
    }

    /// Holds a session until the end of the transaction, so that whoever ends it meanwhile comes after what is made for it here, and finds it;
    /// `false` where it has ended. PostgreSQL lets a reader see what another transaction is about to end; SQLite has one writer.
    pub fn hold_session(&mut self, id: SessionId) -> Result<bool> {
        if matches!(self.connection, AnyConnection::Sqlite(_)) {
            let session = self.find_session(id)?;
            return Ok(session.is_some_and(|session| session.ended_at.is_none()));
        }
        let changed = diesel::update(
            scoped::sessions(self.tenant)
                .filter(sessions::id.eq(DbUuid::from(id)))
                .filter(sessions::ended_at.is_null()),
        )
        .set(sessions::last_used_at.eq(sessions::last_used_at))
        .execute(self.connection)?;
        Ok(changed == 1)
    }

    /// Writes down that a session was used.
    pub fn touch_session(&mut self, id: SessionId) -> Result<()> {
        diesel::update(scoped::sessions(self.tenant).filter(sessions::id.eq(DbUuid::from(id))))
            .set(sessions::last_used_at.eq(self.db_now()))
            .execute(self.connection)?;
        Ok(())
    }

    /// Ends a session, and with it the grants that don't outlive it; its clients are told. `false` where it had ended before.
    pub fn end_session(
        &mut self,
        user: UserId,
        id: SessionId,
        grants: SessionGrants,
    ) -> Result<bool> {
        Ok(self.end_session_in_browser(user, id, grants)?.is_some())
    }

    /// The same from the session's own browser: answers which clients want to be told there, too.
    pub fn end_session_in_browser(
        &mut self,
        user: UserId,
        id: SessionId,
        grants: SessionGrants,
    ) -> Result<Option<Vec<FrontChannelClient>>> {
        if self.replace_session(user, id, grants)? {
            self.tell_of_ends(user, &[DbUuid::from(id)]).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Ends a session that another one carries on: nobody is told, as nobody signed out.
    pub fn replace_session(
        &mut self,
        user: UserId,
        id: SessionId,
        grants: SessionGrants,
    ) -> Result<bool> {
        let changed = diesel::update(
            scoped::sessions(self.tenant)
                .filter(sessions::id.eq(DbUuid::from(id)))
                .filter(sessions::user_id.eq(DbUuid::from(user)))
                .filter(sessions::ended_at.is_null()),
        )
        .set(sessions::ended_at.eq(Some(self.db_now())))
        .execute(self.connection)?;
        if changed == 1 {
            self.revoke_grants_of_sessions(user, &[DbUuid::from(id)], grants)?;
        }
        Ok(changed == 1)
    }

    /// Ends all sessions of a person but `keep`, and tells their clients; says how many. Sets of them at a time: a person may have thousands.
    pub fn end_sessions(
        &mut self,
        user: UserId,
        keep: Option<SessionId>,
        grants: SessionGrants,
    ) -> Result<usize> {
        let mut ended = 0;
        loop {
            let mut live = scoped::sessions(self.tenant)
                .filter(sessions::user_id.eq(DbUuid::from(user)))
                .filter(sessions::ended_at.is_null())
                .select(sessions::id)
                .limit(i64::try_from(SET).unwrap_or(i64::MAX))
                .into_boxed();
            if let Some(keep) = keep {
                live = live.filter(sessions::id.ne(DbUuid::from(keep)));
            }
            let ids = live.load::<DbUuid>(self.connection)?;
            if ids.is_empty() {
                return Ok(ended);
            }
            ended += self.end_set(user, &ids, grants)?;
            if ids.len() < SET {
                return Ok(ended);
            }
        }
    }

    fn end_set(&mut self, user: UserId, ids: &[DbUuid], grants: SessionGrants) -> Result<usize> {
        // Those that another transaction ended meanwhile were that one's to tell of; telling twice does no harm.
        let ended = diesel::update(
            scoped::sessions(self.tenant)
                .filter(sessions::id.eq_any(ids.to_vec()))
                .filter(sessions::user_id.eq(DbUuid::from(user)))
                .filter(sessions::ended_at.is_null()),
        )
        .set(sessions::ended_at.eq(Some(self.db_now())))
        .execute(self.connection)?;
        self.revoke_grants_of_sessions(user, ids, grants)?;
        self.tell_of_ends(user, ids)?;
        Ok(ended)
    }
}

/// How many sessions are ended by one statement.
const SET: usize = 250;

/// Which grants end with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionGrants {
    /// Those without `offline_access`.
    KeepOffline,
    /// All of them.
    All,
}
