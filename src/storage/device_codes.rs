//! Device codes (RFC 8628).

use diesel::prelude::*;

use super::connection::{Kept, on_backend};
use super::error::{Result, StorageError};
use super::repo::Repo;
use super::schema::{device_codes, insert_scoped, scoped};
use super::types::{DbInstant, DbUuid};
use crate::domain::device_code::{DeviceCode, DeviceStage};
use crate::domain::ids::{ClientId, DeviceCodeId};
use crate::secret::HashedSecret;

#[derive(Queryable, Selectable)]
#[diesel(table_name = device_codes)]
struct DeviceCodeRow {
    id: DbUuid,
    client_id: DbUuid,
    proof_hash: Vec<u8>,
    user_code_hash: Vec<u8>,
    issuer: String,
    scope: String,
    resources: String,
    address: String,
    poll_interval: i32,
    allowed_at: Option<DbInstant>,
    denied_at: Option<DbInstant>,
    created_at: DbInstant,
    expires_at: DbInstant,
    authorization_details: Option<String>,
}

impl TryFrom<DeviceCodeRow> for DeviceCode {
    type Error = StorageError;

    fn try_from(row: DeviceCodeRow) -> Result<Self> {
        let hashed = |bytes: &[u8], column| {
            HashedSecret::from_slice(bytes).ok_or(StorageError::Corrupt(column))
        };
        let stage = match (row.denied_at, row.allowed_at) {
            (Some(at), _) => DeviceStage::Denied { at: at.0 },
            (None, Some(at)) => DeviceStage::Allowed { at: at.0 },
            (None, None) => DeviceStage::Pending,
        };
        Ok(Self {
            id: DeviceCodeId::from(row.id.0),
            client_id: ClientId::from(row.client_id.0),
            proof: hashed(&row.proof_hash, "device_codes.proof_hash")?,
            user_code: hashed(&row.user_code_hash, "device_codes.user_code_hash")?,
            issuer: row.issuer,
            scope: row
                .scope
                .parse()
                .map_err(|_| StorageError::Corrupt("device_codes.scope"))?,
            resources: serde_json::from_str(&row.resources)
                .map_err(|_| StorageError::Corrupt("device_codes.resources"))?,
            details: row
                .authorization_details
                .as_deref()
                .map(serde_json::from_str)
                .transpose()
                .map_err(|_| StorageError::Corrupt("device_codes.authorization_details"))?
                .unwrap_or_default(),
            address: row.address,
            interval: u32::try_from(row.poll_interval)
                .map_err(|_| StorageError::Corrupt("device_codes.poll_interval"))?,
            stage,
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
        })
    }
}

/// Seconds as they are kept.
fn kept(interval: u32) -> i32 {
    i32::try_from(interval).unwrap_or(i32::MAX)
}

impl Repo<'_> {
    /// Writes a device code down that nobody has decided on; `false` where another's user code is the same.
    pub fn insert_device_code(&mut self, code: &DeviceCode) -> Result<bool> {
        let resources = serde_json::to_string(&code.resources)
            .map_err(|_| StorageError::Corrupt("resources"))?;
        let statement = insert_scoped!(
            self,
            device_codes,
            (
                device_codes::id.eq(DbUuid::from(code.id)),
                device_codes::client_id.eq(DbUuid::from(code.client_id)),
                device_codes::proof_hash.eq(code.proof.as_bytes().to_vec()),
                device_codes::user_code_hash.eq(code.user_code.as_bytes().to_vec()),
                device_codes::issuer.eq(code.issuer.clone()),
                device_codes::scope.eq(code.scope.to_string()),
                device_codes::resources.eq(resources),
                device_codes::address.eq(code.address.clone()),
                device_codes::poll_interval.eq(kept(code.interval)),
                device_codes::created_at.eq(DbInstant(code.created_at)),
                device_codes::expires_at.eq(DbInstant(code.expires_at)),
                device_codes::authorization_details
                    .eq((!code.details.is_empty()).then(|| code.details.to_string())),
            )
        );
        let inserted = on_backend!(&mut *self.connection, inner => {
            statement
                .on_conflict((device_codes::tenant_id, device_codes::user_code_hash))
                .do_nothing()
                .execute(inner)
        })?;
        Ok(inserted == 1)
    }

    /// How many of a client's devices wait for their people.
    pub fn count_waiting_device_codes(&mut self, client: ClientId) -> Result<i64> {
        Ok(scoped::device_codes(self.tenant)
            .filter(device_codes::client_id.eq(DbUuid::from(client)))
            .filter(device_codes::expires_at.gt(self.db_now()))
            .filter(device_codes::allowed_at.is_null())
            .filter(device_codes::denied_at.is_null())
            .count()
            .get_result(self.connection)?)
    }

    /// Finds a device code, whatever became of it.
    pub fn find_device_code(&mut self, id: DeviceCodeId) -> Result<Option<DeviceCode>> {
        scoped::device_codes(self.tenant)
            .filter(device_codes::id.eq(DbUuid::from(id)))
            .select(DeviceCodeRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(DeviceCode::try_from)
            .transpose()
    }

    /// Finds a device code by what its device shows, whatever became of it.
    pub fn find_device_code_shown(
        &mut self,
        user_code: &HashedSecret,
    ) -> Result<Option<DeviceCode>> {
        scoped::device_codes(self.tenant)
            .filter(device_codes::user_code_hash.eq(user_code.as_bytes().to_vec()))
            .select(DeviceCodeRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(DeviceCode::try_from)
            .transpose()
    }

    /// Writes a person's permission down: `true` for the decision that is the first, in time.
    pub fn allow_device_code(&mut self, id: DeviceCodeId) -> Result<bool> {
        let now = self.db_now();
        let allowed = diesel::update(
            scoped::device_codes(self.tenant)
                .filter(device_codes::id.eq(DbUuid::from(id)))
                .filter(device_codes::allowed_at.is_null())
                .filter(device_codes::denied_at.is_null())
                .filter(device_codes::expires_at.gt(now)),
        )
        .set(device_codes::allowed_at.eq(Some(now)));
        let changed = Kept(allowed).execute(self.connection)?;
        Ok(changed == 1)
    }

    /// Writes a person's refusal down: `true` for the decision that is the first, in time.
    pub fn deny_device_code(&mut self, id: DeviceCodeId) -> Result<bool> {
        let now = self.db_now();
        let denied = diesel::update(
            scoped::device_codes(self.tenant)
                .filter(device_codes::id.eq(DbUuid::from(id)))
                .filter(device_codes::allowed_at.is_null())
                .filter(device_codes::denied_at.is_null())
                .filter(device_codes::expires_at.gt(now)),
        )
        .set(device_codes::denied_at.eq(Some(now)));
        let changed = Kept(denied).execute(self.connection)?;
        Ok(changed == 1)
    }

    /// Makes a device wait longer between two polls; `from` is what it was, so that polls of one moment count once.
    pub fn slow_device_down(&mut self, id: DeviceCodeId, from: u32, to: u32) -> Result<()> {
        let slowed = diesel::update(
            scoped::device_codes(self.tenant)
                .filter(device_codes::id.eq(DbUuid::from(id)))
                .filter(device_codes::poll_interval.eq(kept(from))),
        )
        .set(device_codes::poll_interval.eq(kept(to)));
        Kept(slowed).execute(self.connection)?;
        Ok(())
    }
}
