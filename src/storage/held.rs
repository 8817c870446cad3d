//! What a code or a refresh token that is presented hangs on (its grant, the person, their roles, the session), in one statement: on
//! PostgreSQL each statement is a way there and back, and on SQLite all of them are made by the one thread that writes.
//!
//! On PostgreSQL each table is asked for a row by its whole key, which a sub-query looks up, and not for the rows that match another
//! table's: so there is one way to it, whatever is believed to be in the tables. Joined by their columns, all people of the tenant and all
//! grants of each were read where PostgreSQL hadn't counted them yet. SQLite counts nothing and takes the keys by itself, for less.

use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::{Result, StorageError};
use super::grants::{GrantRow, RefreshTokenRow};
use super::repo::Repo;
use super::schema::{grants, refresh_tokens, role_assignments, scoped, sessions, users};
use super::types::{DbInstant, DbUuid};
use super::users::{UserRow, parse_roles};
use crate::clock::Timestamp;
use crate::domain::grant::{Grant, PendingCode, RefreshToken};
use crate::domain::ids::{GrantId, RefreshTokenId};
use crate::domain::user::User;

/// A grant, and who and what it hangs on at this moment.
pub struct HeldGrant {
    /// The grant.
    pub grant: Grant,
    /// Its code, whatever became of it.
    pub code: PendingCode,
    /// Whose it is.
    pub user: User,
    /// The session in which it was given; none where that was cleared away.
    pub session: Option<HeldSession>,
}

/// What a grant must know of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldSession {
    /// Whether it was ended before its time.
    pub ended: bool,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

type SessionRow = (Option<DbInstant>, Option<DbInstant>);
/// One for each role of the person, or one without a role.
type HeldRow = (GrantRow, UserRow, SessionRow, Option<String>);

/// A column of the tenant's row with this id in an alias of a table, as a value.
macro_rules! value_of {
    ($alias:expr, $table:ident, $tenant:expr, $id:expr, $column:ident) => {
        $alias
            .filter(
                $alias
                    .field($table::tenant_id)
                    .eq(DbUuid::from($tenant))
                    .and($alias.field($table::id).nullable().eq($id)),
            )
            .select($alias.field($table::$column))
            .single_value()
    };
}

/// The tables that are looked at, from the grant's on: by its person and its session, which may be values or its columns.
macro_rules! with_what_it_hangs_on {
    ($from:expr, $user:expr, $session:expr) => {
        $from
            .inner_join(
                users::table.on(users::tenant_id
                    .eq(grants::tenant_id)
                    .and(users::id.nullable().eq($user))),
            )
            .left_join(
                sessions::table.on(sessions::tenant_id
                    .eq(grants::tenant_id)
                    .and(sessions::id.nullable().eq($session))),
            )
            .left_join(
                role_assignments::table.on(role_assignments::tenant_id
                    .eq(grants::tenant_id)
                    .and(role_assignments::user_id.nullable().eq($user))),
            )
    };
}

/// The same by the columns of the grant.
macro_rules! joined {
    ($from:expr) => {
        with_what_it_hangs_on!(
            $from,
            grants::user_id.nullable(),
            grants::session_id.nullable()
        )
    };
}

/// The same of the grant whose id is `$id`, by values that sub-queries look up.
macro_rules! keyed {
    ($tenant:expr, $from:expr, $id:expr) => {{
        let known = diesel::alias!(grants as known_grant);
        with_what_it_hangs_on!(
            $from,
            value_of!(known, grants, $tenant, $id, user_id),
            value_of!(known, grants, $tenant, $id, session_id)
        )
        .filter(grants::id.nullable().eq($id))
    }};
}

/// What is looked up there: a [`HeldRow`].
macro_rules! held_columns {
    () => {
        (
            GrantRow::as_select(),
            UserRow::as_select(),
            (
                sessions::ended_at.nullable(),
                sessions::expires_at.nullable(),
            ),
            role_assignments::role.nullable(),
        )
    };
}

/// A grant from its rows, which differ in the role alone.
fn gather(rows: Vec<HeldRow>) -> Result<Option<HeldGrant>> {
    let mut roles = Vec::new();
    let mut found = None;
    for (grant, user, session, role) in rows {
        roles.extend(role);
        found = Some((grant, user, session));
    }
    let Some((grant, user, (ended_at, expires_at))) = found else {
        return Ok(None);
    };
    let (grant, code) = grant.try_into()?;
    Ok(Some(HeldGrant {
        grant,
        code,
        user: user.with_roles(parse_roles(roles)?)?,
        session: expires_at.map(|expires_at| HeldSession {
            ended: ended_at.is_some(),
            expires_at: expires_at.0,
        }),
    }))
}

impl Repo<'_> {
    /// Finds a grant with everything it hangs on, whatever its stage.
    pub fn find_held_grant(&mut self, id: GrantId) -> Result<Option<HeldGrant>> {
        let (tenant, id) = (self.tenant, DbUuid::from(id));
        let grants = scoped::grants(tenant);
        let rows = match &mut *self.connection {
            AnyConnection::Sqlite(connection) => joined!(grants.filter(grants::id.eq(id)))
                .select(held_columns!())
                .load::<HeldRow>(connection)?,
            AnyConnection::Postgres(connection) => keyed!(tenant, grants, Some(id))
                .select(held_columns!())
                .load::<HeldRow>(connection)?,
        };
        gather(rows)
    }

    /// Finds a refresh token, rotated ones too, with everything it hangs on.
    pub fn find_held_refresh_token(
        &mut self,
        id: RefreshTokenId,
    ) -> Result<Option<(RefreshToken, HeldGrant)>> {
        let (tenant, id) = (self.tenant, DbUuid::from(id));
        let tokens = scoped::refresh_tokens(tenant).filter(refresh_tokens::id.eq(id));
        let within_tenant = grants::tenant_id.eq(refresh_tokens::tenant_id);
        let found: Vec<(RefreshTokenRow, HeldRow)> = match &mut *self.connection {
            AnyConnection::Sqlite(connection) => {
                let own = within_tenant.and(grants::id.eq(refresh_tokens::grant_id));
                joined!(tokens.inner_join(grants::table.on(own)))
                    .select((RefreshTokenRow::as_select(), held_columns!()))
                    .load(connection)?
            }
            AnyConnection::Postgres(connection) => {
                let presented = diesel::alias!(refresh_tokens as presented_token);
                let grant = || value_of!(presented, refresh_tokens, tenant, Some(id), grant_id);
                let both = tokens.inner_join(grants::table.on(within_tenant));
                keyed!(tenant, both, grant())
                    .select((RefreshTokenRow::as_select(), held_columns!()))
                    .load(connection)?
            }
        };
        let (mut tokens, rows): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let Some(token) = tokens.pop() else {
            return Ok(None);
        };
        // Each row of the token came with one of its grant.
        let held = gather(rows)?.ok_or(StorageError::Corrupt("refresh_tokens.grant_id"))?;
        Ok(Some((token.try_into()?, held)))
    }
}
