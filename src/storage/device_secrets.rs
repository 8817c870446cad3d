//! Device secrets (OpenID Connect Native SSO).

use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::error::{Result, StorageError};
use super::repo::Repo;
use super::schema::{device_secrets, insert_scoped, scoped};
use super::types::{DbInstant, DbUuid, UuidType};
use crate::domain::device_secret::DeviceSecret;
use crate::domain::ids::{ClientId, DeviceSecretId, SessionId, UserId};
use crate::secret::HashedSecret;

/// The most that are listed for a page of sessions.
const LISTED: i64 = 1000;

#[derive(Queryable, Selectable)]
#[diesel(table_name = device_secrets)]
struct SecretRow {
    id: DbUuid,
    session_id: DbUuid,
    client_id: DbUuid,
    proof_hash: Vec<u8>,
    created_at: DbInstant,
    last_used_at: Option<DbInstant>,
    expires_at: DbInstant,
}

impl TryFrom<SecretRow> for DeviceSecret {
    type Error = StorageError;

    fn try_from(row: SecretRow) -> Result<Self> {
        Ok(Self {
            id: DeviceSecretId::from(row.id.0),
            session_id: SessionId::from(row.session_id.0),
            client_id: ClientId::from(row.client_id.0),
            proof: HashedSecret::from_slice(&row.proof_hash)
                .ok_or(StorageError::Corrupt("device_secrets.proof_hash"))?,
            created_at: row.created_at.0,
            last_used_at: row.last_used_at.map(|at| at.0),
            expires_at: row.expires_at.0,
        })
    }
}

impl Repo<'_> {
    /// Writes a device secret down in place of the one that its client had in the session.
    pub fn replace_device_secret(&mut self, secret: &DeviceSecret) -> Result<()> {
        diesel::delete(
            scoped::device_secrets(self.tenant)
                .filter(device_secrets::session_id.eq(DbUuid::from(secret.session_id)))
                .filter(device_secrets::client_id.eq(DbUuid::from(secret.client_id))),
        )
        .execute(self.connection)?;
        insert_scoped!(
            self,
            device_secrets,
            (
                device_secrets::id.eq(DbUuid::from(secret.id)),
                device_secrets::session_id.eq(DbUuid::from(secret.session_id)),
                device_secrets::client_id.eq(DbUuid::from(secret.client_id)),
                device_secrets::proof_hash.eq(secret.proof.as_bytes().to_vec()),
                device_secrets::created_at.eq(DbInstant(secret.created_at)),
                device_secrets::last_used_at.eq(secret.last_used_at.map(DbInstant)),
                device_secrets::expires_at.eq(DbInstant(secret.expires_at)),
            )
        )
        .execute(self.connection)?;
        Ok(())
    }

    /// Finds a device secret.
    pub fn find_device_secret(&mut self, id: DeviceSecretId) -> Result<Option<DeviceSecret>> {
        scoped::device_secrets(self.tenant)
            .filter(device_secrets::id.eq(DbUuid::from(id)))
            .select(SecretRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(DeviceSecret::try_from)
            .transpose()
    }

    /// The one that a client has in a session.
    pub fn find_device_secret_of(
        &mut self,
        session: SessionId,
        client: ClientId,
    ) -> Result<Option<DeviceSecret>> {
        scoped::device_secrets(self.tenant)
            .filter(device_secrets::session_id.eq(DbUuid::from(session)))
            .filter(device_secrets::client_id.eq(DbUuid::from(client)))
            .order(device_secrets::id.desc())
            .select(SecretRow::as_select())
            .first(self.connection)
            .optional()?
            .map(DeviceSecret::try_from)
            .transpose()
    }

    /// Those of a page of sessions, in the order of their making.
    pub fn list_device_secrets(&mut self, sessions: &[SessionId]) -> Result<Vec<DeviceSecret>> {
        let sessions: Vec<_> = sessions.iter().copied().map(DbUuid::from).collect();
        scoped::device_secrets(self.tenant)
            .filter(device_secrets::session_id.eq_any(sessions))
            .filter(device_secrets::expires_at.gt(self.db_now()))
            .order(device_secrets::id.asc())
            .limit(LISTED)
            .select(SecretRow::as_select())
            .load(self.connection)?
            .into_iter()
            .map(DeviceSecret::try_from)
            .collect()
    }

    /// Writes down that somebody signed in by it; `false` where it was revoked meanwhile.
    pub fn touch_device_secret(&mut self, id: DeviceSecretId) -> Result<bool> {
        let changed = diesel::update(
            scoped::device_secrets(self.tenant).filter(device_secrets::id.eq(DbUuid::from(id))),
        )
        .set(device_secrets::last_used_at.eq(Some(self.db_now())))
        .execute(self.connection)?;
        Ok(changed == 1)
    }

    /// Ends one; `false` where there is none.
    pub fn delete_device_secret(&mut self, id: DeviceSecretId) -> Result<bool> {
        let deleted = diesel::delete(
            scoped::device_secrets(self.tenant).filter(device_secrets::id.eq(DbUuid::from(id))),
        )
        .execute(self.connection)?;
        Ok(deleted == 1)
    }

    /// Ends those that a client has in the sessions of a person.
    pub(super) fn delete_device_secrets_of(
        &mut self,
        user: UserId,
        client: ClientId,
    ) -> Result<()> {
        let theirs = diesel::dsl::sql::<Bool>(
            "session_id IN (SELECT id FROM sessions WHERE sessions.tenant_id = device_secrets.tenant_id AND user_id = ",
        )
        .bind::<UuidType, _>(DbUuid::from(user))
        .sql(")");
        diesel::delete(
            scoped::device_secrets(self.tenant)
                .filter(device_secrets::client_id.eq(DbUuid::from(client)))
                .filter(theirs),
        )
        .execute(self.connection)?;
        Ok(())
    }

    /// Ends all of a session; says how many they were.
    pub fn delete_device_secrets(&mut self, session: SessionId) -> Result<usize> {
        Ok(diesel::delete(
            scoped::device_secrets(self.tenant)
                .filter(device_secrets::session_id.eq(DbUuid::from(session))),
        )
        .execute(self.connection)?)
    }
}
