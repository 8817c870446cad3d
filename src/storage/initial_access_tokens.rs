//! Initial access tokens, by which clients may be registered.

use diesel::prelude::*;

use super::error::{Result, StorageError};
use super::repo::{Page, PageRequest, Repo};
use super::schema::{initial_access_tokens, insert_scoped, scoped};
use super::types::{DbInstant, DbUuid};
use crate::clock::Timestamp;
use crate::domain::ids::InitialAccessTokenId;
use crate::domain::initial_access_token::InitialAccessToken;
use crate::secret::HashedSecret;

#[derive(Queryable, Selectable)]
#[diesel(table_name = initial_access_tokens)]
struct TokenRow {
    id: DbUuid,
    name: String,
    proof_hash: Vec<u8>,
    uses: i32,
    max_uses: i32,
    created_at: DbInstant,
    expires_at: DbInstant,
}

impl TryFrom<TokenRow> for InitialAccessToken {
    type Error = StorageError;

    fn try_from(row: TokenRow) -> Result<Self> {
        let count = |count: i32| {
            u32::try_from(count).map_err(|_| StorageError::Corrupt("initial_access_tokens.uses"))
        };
        Ok(Self {
            id: InitialAccessTokenId::from(row.id.0),
            name: row.name,
            proof: HashedSecret::from_slice(&row.proof_hash)
                .ok_or(StorageError::Corrupt("initial_access_tokens.proof_hash"))?,
            uses: count(row.uses)?,
            max_uses: count(row.max_uses)?,
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
        })
    }
}

/// As the column holds it; more than fits is more than anybody may have.
fn stored(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

impl Repo<'_> {
    /// Makes a token.
    pub fn insert_initial_access_token(&mut self, token: &InitialAccessToken) -> Result<()> {
        insert_scoped!(
            self,
            initial_access_tokens,
            (
                initial_access_tokens::id.eq(DbUuid::from(token.id)),
                initial_access_tokens::name.eq(token.name.clone()),
                initial_access_tokens::proof_hash.eq(token.proof.as_bytes().to_vec()),
                initial_access_tokens::uses.eq(stored(token.uses)),
                initial_access_tokens::max_uses.eq(stored(token.max_uses)),
                initial_access_tokens::created_at.eq(DbInstant(token.created_at)),
                initial_access_tokens::expires_at.eq(DbInstant(token.expires_at)),
            )
        )
        .execute(self.connection)?;
        Ok(())
    }

    /// Finds a token, spent and expired ones too.
    pub fn find_initial_access_token(
        &mut self,
        id: InitialAccessTokenId,
    ) -> Result<Option<InitialAccessToken>> {
        scoped::initial_access_tokens(self.tenant)
            .filter(initial_access_tokens::id.eq(DbUuid::from(id)))
            .select(TokenRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(InitialAccessToken::try_from)
            .transpose()
    }

    /// Lists tokens in the order of their making, spent and expired ones too.
    pub fn list_initial_access_tokens(
        &mut self,
        page: PageRequest,
    ) -> Result<Page<InitialAccessToken>> {
        let mut query = scoped::initial_access_tokens(self.tenant)
            .select(TokenRow::as_select())
            .order(initial_access_tokens::id.asc())
            .limit(page.rows() + 1)
            .into_boxed();
        if let Some(after) = page.after {
            query = query.filter(initial_access_tokens::id.gt(DbUuid(after)));
        }
        let items = query
            .load::<TokenRow>(self.connection)?
            .into_iter()
            .map(InitialAccessToken::try_from)
            .collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(items, page, |token| token.id.uuid()))
    }

    /// Uses a token once: `true` for those that win, as often as it may be used and while it is good.
    pub fn consume_initial_access_token(
        &mut self,
        id: InitialAccessTokenId,
        now: Timestamp,
    ) -> Result<bool> {
        let changed = diesel::update(
            scoped::initial_access_tokens(self.tenant)
                .filter(initial_access_tokens::id.eq(DbUuid::from(id)))
                .filter(initial_access_tokens::uses.lt(initial_access_tokens::max_uses))
                .filter(initial_access_tokens::expires_at.gt(DbInstant(now))),
        )
        .set(initial_access_tokens::uses.eq(initial_access_tokens::uses + 1))
        .execute(self.connection)?;
        Ok(changed == 1)
    }

    /// Ends a token for good; `false` where there is none.
    pub fn delete_initial_access_token(&mut self, id: InitialAccessTokenId) -> Result<bool> {
        let deleted = diesel::delete(
            scoped::initial_access_tokens(self.tenant)
                .filter(initial_access_tokens::id.eq(DbUuid::from(id))),
        )
        .execute(self.connection)?;
        Ok(deleted == 1)
    }
}
