//! A tenant's keys: the name of its algorithm says what a key is for.

use diesel::prelude::*;

use super::changes::Entity;
use super::connection::AnyConnection;
use super::error::{Result, StorageError};
use super::repo::{Page, PageRequest, Repo};
use super::schema::{scoped, signing_keys};
use super::types::{DbInstant, DbUuid};
use crate::clock::Timestamp;
use crate::domain::ids::{KeyId, TenantId};
use crate::domain::key::{KeyRecord, KeyStage};

#[derive(Queryable, Selectable)]
#[diesel(table_name = signing_keys)]
struct KeyRow {
    id: DbUuid,
    kid: String,
    algorithm: String,
    public_jwk: String,
    sealed_private_jwk: Vec<u8>,
    signs_from: DbInstant,
    retired_at: Option<DbInstant>,
    removed_at: Option<DbInstant>,
    revoked_at: Option<DbInstant>,
    created_at: DbInstant,
}

impl TryFrom<KeyRow> for KeyRecord {
    type Error = StorageError;

    fn try_from(row: KeyRow) -> Result<Self> {
        let stage = match (row.revoked_at, row.retired_at, row.removed_at) {
            (Some(at), _, _) => KeyStage::Revoked { revoked_at: at.0 },
            (None, Some(retired), Some(removed)) => KeyStage::Retired {
                signs_from: row.signs_from.0,
                retired_at: retired.0,
                removed_at: removed.0,
            },
            (None, None, None) => KeyStage::Published {
                signs_from: row.signs_from.0,
            },
            _ => return Err(StorageError::Corrupt("signing_keys")),
        };
        Ok(Self {
            id: KeyId::from(row.id.0),
            kid: row.kid,
            algorithm: row
                .algorithm
                .parse()
                .map_err(|_| StorageError::Corrupt("signing_keys.algorithm"))?,
            stage,
            public_jwk: serde_json::from_str(&row.public_jwk)
                .map_err(|_| StorageError::Corrupt("signing_keys.public_jwk"))?,
            sealed_private_jwk: row.sealed_private_jwk,
            created_at: row.created_at.0,
        })
    }
}

/// A key's row as it is inserted, alone or with many.
#[derive(Insertable)]
#[diesel(table_name = signing_keys, treat_none_as_default_value = false)]
pub(super) struct NewKeyRow<'a> {
    tenant_id: DbUuid,
    id: DbUuid,
    kid: &'a str,
    algorithm: &'static str,
    public_jwk: String,
    sealed_private_jwk: &'a [u8],
    signs_from: DbInstant,
    retired_at: Option<DbInstant>,
    removed_at: Option<DbInstant>,
    revoked_at: Option<DbInstant>,
    created_at: DbInstant,
}

impl<'a> NewKeyRow<'a> {
    pub(super) fn new(tenant: TenantId, key: &'a KeyRecord) -> Self {
        let (signs_from, retired_at, removed_at, revoked_at) = match key.stage {
            KeyStage::Published { signs_from } => (signs_from, None, None, None),
            KeyStage::Retired {
                signs_from,
                retired_at,
                removed_at,
            } => (signs_from, Some(retired_at), Some(removed_at), None),
            KeyStage::Revoked { revoked_at } => (key.created_at, None, None, Some(revoked_at)),
        };
        Self {
            tenant_id: DbUuid::from(tenant),
            id: DbUuid::from(key.id),
            kid: &key.kid,
            algorithm: key.algorithm.as_str(),
            public_jwk: key.public_jwk.to_string(),
            sealed_private_jwk: &key.sealed_private_jwk,
            signs_from: DbInstant(signs_from),
            retired_at: retired_at.map(DbInstant),
            removed_at: removed_at.map(DbInstant),
            revoked_at: revoked_at.map(DbInstant),
            created_at: DbInstant(key.created_at),
        }
    }
}

/// Far more than rotations leave behind; bounds the query all the same.
const KEYS_MAX: i64 = 200;

pub(super) fn list(connection: &mut AnyConnection, tenant: TenantId) -> Result<Vec<KeyRecord>> {
    scoped::signing_keys(tenant)
        .select(KeyRow::as_select())
        .order(signing_keys::id.desc())
        .limit(KEYS_MAX)
        .load::<KeyRow>(connection)?
        .into_iter()
        .map(KeyRecord::try_from)
        .collect()
}

impl Repo<'_> {
    /// Adds a key; it signs from `signs_from` on.
    pub fn insert_key(&mut self, key: &KeyRecord, signs_from: Timestamp) -> Result<()> {
        let row = NewKeyRow {
            signs_from: DbInstant(signs_from),
            retired_at: None,
            removed_at: None,
            revoked_at: None,
            ..NewKeyRow::new(self.tenant, key)
        };
        diesel::insert_into(signing_keys::table)
            .values(row)
            .execute(self.connection)?;
        self.note(Entity::Tenant, self.tenant)
    }

    /// All keys, the youngest first.
    pub fn list_keys(&mut self) -> Result<Vec<KeyRecord>> {
        list(self.connection, self.tenant)
    }

    /// Lists keys, the youngest first, a page at a time.
    pub fn list_key_page(&mut self, page: PageRequest) -> Result<Page<KeyRecord>> {
        let mut query = scoped::signing_keys(self.tenant)
            .select(KeyRow::as_select())
            .order(signing_keys::id.desc())
            .limit(page.rows() + 1)
            .into_boxed();
        if let Some(after) = page.after {
            query = query.filter(signing_keys::id.lt(DbUuid(after)));
        }
        let items = query
            .load::<KeyRow>(self.connection)?
            .into_iter()
            .map(KeyRecord::try_from)
            .collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(items, page, |key| key.id.uuid()))
    }

    /// Finds a key by its public name.
    pub fn find_key(&mut self, kid: &str) -> Result<Option<KeyRecord>> {
        // A few rows of one tenant: an index on the name would cost more than it saves.
        scoped::signing_keys(self.tenant)
            .filter(signing_keys::kid.eq(kid.replace('\0', "")))
            .select(KeyRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(KeyRecord::try_from)
            .transpose()
    }

    /// Has a key sign until `retired_at` and stay published until `removed_at`; one that has been retired for later is so from then on.
    /// `false` where another node came first.
    pub fn retire_key(
        &mut self,
        id: KeyId,
        retired_at: Timestamp,
        removed_at: Timestamp,
    ) -> Result<bool> {
        let changed = diesel::update(
            scoped::signing_keys(self.tenant)
                .filter(signing_keys::id.eq(DbUuid::from(id)))
                .filter(
                    signing_keys::retired_at
                        .is_null()
                        .or(signing_keys::retired_at.gt(DbInstant(retired_at))),
                )
                .filter(signing_keys::revoked_at.is_null()),
        )
        .set((
            signing_keys::retired_at.eq(Some(DbInstant(retired_at))),
            signing_keys::removed_at.eq(Some(DbInstant(removed_at))),
        ))
        .execute(self.connection)?;
        self.note(Entity::Tenant, self.tenant)?;
        Ok(changed == 1)
    }

    /// Withdraws a key at once.
    pub fn revoke_key(&mut self, id: KeyId) -> Result<bool> {
        let changed = diesel::update(
            scoped::signing_keys(self.tenant)
                .filter(signing_keys::id.eq(DbUuid::from(id)))
                .filter(signing_keys::revoked_at.is_null()),
        )
        .set(signing_keys::revoked_at.eq(Some(self.db_now())))
        .execute(self.connection)?;
        self.note(Entity::Tenant, self.tenant)?;
        Ok(changed == 1)
    }
}
