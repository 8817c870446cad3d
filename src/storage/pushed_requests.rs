//! Pushed authorization requests (RFC 9126).

use diesel::prelude::*;

use super::error::{Result, StorageError};
use super::repo::Repo;
use super::schema::{insert_scoped, pushed_requests, scoped};
use super::types::{DbInstant, DbUuid};
use crate::domain::ids::{ClientId, PushedRequestId};
use crate::domain::pushed_request::PushedRequest;
use crate::secret::HashedSecret;

#[derive(Queryable, Selectable)]
#[diesel(table_name = pushed_requests)]
struct PushedRequestRow {
    id: DbUuid,
    client_id: DbUuid,
    proof_hash: Vec<u8>,
    issuer: String,
    parameters: String,
    expires_at: DbInstant,
    consumed_at: Option<DbInstant>,
}

impl TryFrom<PushedRequestRow> for PushedRequest {
    type Error = StorageError;

    fn try_from(row: PushedRequestRow) -> Result<Self> {
        Ok(Self {
            id: PushedRequestId::from(row.id.0),
            client_id: ClientId::from(row.client_id.0),
            proof: HashedSecret::from_slice(&row.proof_hash)
                .ok_or(StorageError::Corrupt("pushed_requests.proof_hash"))?,
            issuer: row.issuer,
            parameters: row.parameters,
            expires_at: row.expires_at.0,
            consumed_at: row.consumed_at.map(|at| at.0),
        })
    }
}

impl Repo<'_> {
    /// Writes a pushed request down.
    pub fn insert_pushed_request(&mut self, request: &PushedRequest) -> Result<()> {
        insert_scoped!(
            self,
            pushed_requests,
            (
                pushed_requests::id.eq(DbUuid::from(request.id)),
                pushed_requests::client_id.eq(DbUuid::from(request.client_id)),
                pushed_requests::proof_hash.eq(request.proof.as_bytes().to_vec()),
                pushed_requests::issuer.eq(request.issuer.clone()),
                pushed_requests::parameters.eq(request.parameters.clone()),
                pushed_requests::expires_at.eq(DbInstant(request.expires_at)),
                pushed_requests::consumed_at.eq(request.consumed_at.map(DbInstant)),
            )
        )
        .execute(self.connection)?;
        Ok(())
    }

    /// Finds a pushed request, used and expired ones too.
    pub fn find_pushed_request(&mut self, id: PushedRequestId) -> Result<Option<PushedRequest>> {
        scoped::pushed_requests(self.tenant)
            .filter(pushed_requests::id.eq(DbUuid::from(id)))
            .select(PushedRequestRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(PushedRequest::try_from)
            .transpose()
    }

    /// Uses a pushed request up, as a code is issued for it: `true` for the one that wins. That it was begun in time is known by then.
    pub fn consume_pushed_request(&mut self, id: PushedRequestId) -> Result<bool> {
        let changed = diesel::update(
            scoped::pushed_requests(self.tenant)
                .filter(pushed_requests::id.eq(DbUuid::from(id)))
                .filter(pushed_requests::consumed_at.is_null()),
        )
        .set(pushed_requests::consumed_at.eq(Some(self.db_now())))
        .execute(self.connection)?;
        Ok(changed == 1)
    }
}
