//! What is good for one use, and the refresh token that comes of the use. Whoever changes the row has won.

use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::sql_types::{Binary, Bool, Nullable};
use diesel::sqlite::Sqlite;

use super::connection::{AnyConnection, Kept, on_backend};
use super::error::Result;
use super::repo::Repo;
use super::schema::{grants, refresh_tokens, scoped};
use super::types::{DbInstant, DbUuid, InstantType, UuidType};
use crate::domain::grant::RefreshToken;
use crate::domain::ids::{GrantId, RefreshTokenId, TenantId};
use crate::protocol::dpop::{Confirmation, Thumbprint};

/// An UPDATE, and an INSERT that happens where it changed a row: one statement, as each is a way there and back. PostgreSQL alone has it.
struct Replacing<U, I> {
    update: U,
    insert: I,
}

/// By what the INSERT of a [`Replacing`] knows that something changed.
const CHANGED: &str = "EXISTS (SELECT FROM changed)";

impl<U: QueryFragment<Pg>, I: QueryFragment<Pg>> QueryFragment<Pg> for Replacing<U, I> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH changed AS (");
        self.update.walk_ast(out.reborrow())?;
        out.push_sql(" RETURNING 1) ");
        self.insert.walk_ast(out)
    }
}

/// The INSERT of a refresh token, where `$condition` holds: it stays prepared as long as that is the same text.
macro_rules! insert_token {
    ($repo:expr, $token:expr, $condition:expr) => {{
        let token: &RefreshToken = $token;
        let bytes_of = |bound: Option<Thumbprint>| bound.map(|bound| bound.as_bytes().to_vec());
        let row = diesel::select((
            DbUuid::from($repo.tenant).into_sql::<UuidType>(),
            DbUuid::from(token.id).into_sql::<UuidType>(),
            DbUuid::from(token.grant_id).into_sql::<UuidType>(),
            token.proof.as_bytes().to_vec().into_sql::<Binary>(),
            DbInstant(token.created_at).into_sql::<InstantType>(),
            DbInstant(token.expires_at).into_sql::<InstantType>(),
            bytes_of(token.bound_to.and_then(Confirmation::key)).into_sql::<Nullable<Binary>>(),
            bytes_of(token.bound_to.and_then(Confirmation::certificate))
                .into_sql::<Nullable<Binary>>(),
        ));
        let insert = diesel::insert_into(refresh_tokens::table)
            .values(row.filter(sql::<Bool>($condition)))
            .into_columns((
                refresh_tokens::tenant_id,
                refresh_tokens::id,
                refresh_tokens::grant_id,
                refresh_tokens::proof_hash,
                refresh_tokens::created_at,
                refresh_tokens::expires_at,
                refresh_tokens::dpop_jkt,
                refresh_tokens::x5t_s256,
            ));
        Kept(insert)
    }};
}

/// Changes a row by `$update` and, where that was done, writes a refresh token down: whether it was.
macro_rules! replace {
    ($repo:expr, $update:expr, $token:expr) => {{
        let update = $update;
        match &mut *$repo.connection {
            AnyConnection::Sqlite(connection) => {
                let changed = Kept(update).execute(connection)? == 1;
                if changed {
                    insert_token!($repo, $token, "TRUE").execute(connection)?;
                }
                Ok(changed)
            }
            AnyConnection::Postgres(connection) => {
                let insert = insert_token!($repo, $token, CHANGED);
                Ok(Kept(Replacing { update, insert }).execute(connection)? == 1)
            }
        }
    }};
}

/// The use of a code.
fn use_of_code(
    tenant: TenantId,
    id: GrantId,
    now: DbInstant,
) -> impl QueryFragment<Pg> + QueryFragment<Sqlite> {
    diesel::update(
        scoped::grants(tenant)
            .filter(grants::id.eq(DbUuid::from(id)))
            .filter(grants::redeemed_at.is_null())
            .filter(grants::revoked_at.is_null()),
    )
    .set(grants::redeemed_at.eq(Some(now)))
}

impl Repo<'_> {
    /// Redeems a grant's code: `true` for the one that wins.
    pub fn consume_code(&mut self, id: GrantId) -> Result<bool> {
        let used = Kept(use_of_code(self.tenant, id, self.db_now()));
        let changed = on_backend!(&mut *self.connection, inner => used.execute(inner))?;
        Ok(changed == 1)
    }

    /// Redeems a grant's code for a refresh token, which is written down: `true` for the one that wins.
    pub fn redeem_code(&mut self, id: GrantId, token: &RefreshToken) -> Result<bool> {
        replace!(self, use_of_code(self.tenant, id, self.db_now()), token)
    }

    /// Rotates a refresh token, and writes its successor down: `true` for the one that wins.
    pub fn rotate_refresh_token(
        &mut self,
        id: RefreshTokenId,
        successor: &RefreshToken,
    ) -> Result<bool> {
        let rotated = diesel::update(
            scoped::refresh_tokens(self.tenant)
                .filter(refresh_tokens::id.eq(DbUuid::from(id)))
                .filter(refresh_tokens::rotated_at.is_null()),
        )
        .set((
            refresh_tokens::rotated_at.eq(Some(self.db_now())),
            refresh_tokens::successor_id.eq(Some(DbUuid::from(successor.id))),
        ));
        replace!(self, rotated, successor)
    }

    /// Writes a refresh token down.
    pub fn insert_refresh_token(&mut self, token: &RefreshToken) -> Result<()> {
        let insert = insert_token!(self, token, "TRUE");
        on_backend!(&mut *self.connection, inner => insert.execute(inner))?;
        Ok(())
    }
}
