//! Backchannel authentication requests (OpenID Connect CIBA).

use chrono::Duration;
use diesel::prelude::*;

use super::connection::Kept;
use super::error::{Result, StorageError};
use super::installation::Installation;
use super::repo::Repo;
use super::schema::{backchannel_requests, insert_scoped, scoped, tenants};
use super::types::{DbInstant, DbUuid};
use crate::domain::backchannel_request::{BackchannelRequest, BackchannelStage};
use crate::domain::ids::{BackchannelRequestId, ClientId, TenantId, UserId};
use crate::domain::tenant::TenantStatus;
use crate::protocol::backchannel_authentication::DeliveryMode;
use crate::protocol::slug::Slug;
use crate::secret::HashedSecret;

/// Of a person's waiting requests, so many are shown and counted.
const MOST_WAITING: i64 = 100;

#[derive(Queryable, Selectable)]
#[diesel(table_name = backchannel_requests)]
struct BackchannelRequestRow {
    id: DbUuid,
    client_id: DbUuid,
    user_id: DbUuid,
    proof_hash: Vec<u8>,
    issuer: String,
    scope: String,
    resources: String,
    claims: Option<String>,
    binding_message: String,
    delivery_mode: String,
    sealed_notice: Option<Vec<u8>>,
    poll_interval: i32,
    allowed_at: Option<DbInstant>,
    denied_at: Option<DbInstant>,
    expired_at: Option<DbInstant>,
    created_at: DbInstant,
    expires_at: DbInstant,
    authorization_details: Option<String>,
}

impl TryFrom<BackchannelRequestRow> for BackchannelRequest {
    type Error = StorageError;

    fn try_from(row: BackchannelRequestRow) -> Result<Self> {
        let stage = match (row.denied_at, row.allowed_at, row.expired_at) {
            (Some(at), ..) => BackchannelStage::Denied { at: at.0 },
            (None, Some(at), _) => BackchannelStage::Allowed { at: at.0 },
            (None, None, Some(at)) => BackchannelStage::Expired { at: at.0 },
            (None, None, None) => BackchannelStage::Pending,
        };
        Ok(Self {
            id: BackchannelRequestId::from(row.id.0),
            client_id: ClientId::from(row.client_id.0),
            user_id: UserId::from(row.user_id.0),
            proof: HashedSecret::from_slice(&row.proof_hash)
                .ok_or(StorageError::Corrupt("backchannel_requests.proof_hash"))?,
            issuer: row.issuer,
            scope: row
                .scope
                .parse()
                .map_err(|_| StorageError::Corrupt("backchannel_requests.scope"))?,
            resources: serde_json::from_str(&row.resources)
                .map_err(|_| StorageError::Corrupt("backchannel_requests.resources"))?,
            claims: row
                .claims
                .as_deref()
                .map(serde_json::from_str)
                .transpose()
                .map_err(|_| StorageError::Corrupt("backchannel_requests.claims"))?,
            details: row
                .authorization_details
                .as_deref()
                .map(serde_json::from_str)
                .transpose()
                .map_err(|_| StorageError::Corrupt("backchannel_requests.authorization_details"))?
                .unwrap_or_default(),
            binding_message: row.binding_message,
            delivery: DeliveryMode::parse(&row.delivery_mode)
                .ok_or(StorageError::Corrupt("backchannel_requests.delivery_mode"))?,
            sealed_notice: row.sealed_notice,
            interval: u32::try_from(row.poll_interval)
                .map_err(|_| StorageError::Corrupt("backchannel_requests.poll_interval"))?,
            stage,
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
        })
    }
}

/// A request whose time is over, and of which that isn't written down.
#[derive(Clone, Debug)]
pub struct OverdueRequest {
    /// Whose.
    pub tenant: TenantId,
    /// By which the tenant is found.
    pub slug: Slug,
    /// Which.
    pub id: BackchannelRequestId,
}

/// Seconds as they are kept.
fn kept(interval: u32) -> i32 {
    i32::try_from(interval).unwrap_or(i32::MAX)
}

impl Repo<'_> {
    /// Writes a request down that nobody has decided on.
    pub fn insert_backchannel_request(&mut self, request: &BackchannelRequest) -> Result<()> {
        let resources = serde_json::to_string(&request.resources)
            .map_err(|_| StorageError::Corrupt("resources"))?;
        let claims = request
            .claims
            .as_ref()
            .map(serde_json::to_string)
            .transpose()
            .map_err(|_| StorageError::Corrupt("claims"))?;
        insert_scoped!(
            self,
            backchannel_requests,
            (
                backchannel_requests::id.eq(DbUuid::from(request.id)),
                backchannel_requests::client_id.eq(DbUuid::from(request.client_id)),
                backchannel_requests::user_id.eq(DbUuid::from(request.user_id)),
                backchannel_requests::proof_hash.eq(request.proof.as_bytes().to_vec()),
                backchannel_requests::issuer.eq(request.issuer.clone()),
                backchannel_requests::scope.eq(request.scope.to_string()),
                backchannel_requests::resources.eq(resources),
                backchannel_requests::claims.eq(claims),
                backchannel_requests::binding_message.eq(request.binding_message.clone()),
                backchannel_requests::delivery_mode.eq(request.delivery.as_str()),
                backchannel_requests::sealed_notice.eq(request.sealed_notice.clone()),
                backchannel_requests::poll_interval.eq(kept(request.interval)),
                backchannel_requests::created_at.eq(DbInstant(request.created_at)),
                backchannel_requests::expires_at.eq(DbInstant(request.expires_at)),
                backchannel_requests::authorization_details
                    .eq((!request.details.is_empty()).then(|| request.details.to_string())),
            )
        )
        .execute(self.connection)?;
        Ok(())
    }

    /// Finds a request, whatever became of it.
    pub fn find_backchannel_request(
        &mut self,
        id: BackchannelRequestId,
    ) -> Result<Option<BackchannelRequest>> {
        scoped::backchannel_requests(self.tenant)
            .filter(backchannel_requests::id.eq(DbUuid::from(id)))
            .select(BackchannelRequestRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(BackchannelRequest::try_from)
            .transpose()
    }

    /// The requests that wait for a person, the youngest first.
    pub fn list_waiting_backchannel_requests(
        &mut self,
        user: UserId,
    ) -> Result<Vec<BackchannelRequest>> {
        let now = self.db_now();
        scoped::backchannel_requests(self.tenant)
            .filter(backchannel_requests::user_id.eq(DbUuid::from(user)))
            .filter(backchannel_requests::expires_at.gt(now))
            .filter(backchannel_requests::allowed_at.is_null())
            .filter(backchannel_requests::denied_at.is_null())
            .order(backchannel_requests::id.desc())
            .limit(MOST_WAITING)
            .select(BackchannelRequestRow::as_select())
            .load::<BackchannelRequestRow>(self.connection)?
            .into_iter()
            .map(BackchannelRequest::try_from)
            .collect()
    }

    /// By which clients a person is asked at this moment, each as often as it asks.
    pub fn clients_that_wait_for(&mut self, user: UserId) -> Result<Vec<ClientId>> {
        let now = self.db_now();
        let clients = scoped::backchannel_requests(self.tenant)
            .filter(backchannel_requests::user_id.eq(DbUuid::from(user)))
            .filter(backchannel_requests::expires_at.gt(now))
            .filter(backchannel_requests::allowed_at.is_null())
            .filter(backchannel_requests::denied_at.is_null())
            .limit(MOST_WAITING)
            .select(backchannel_requests::client_id)
            .load::<DbUuid>(self.connection)?;
        Ok(clients.into_iter().map(|id| ClientId::from(id.0)).collect())
    }

    /// Writes a person's permission down: `true` for the decision that is the first, in time, and theirs to make.
    pub fn allow_backchannel_request(
        &mut self,
        id: BackchannelRequestId,
        user: UserId,
    ) -> Result<bool> {
        let now = self.db_now();
        let allowed = diesel::update(
            scoped::backchannel_requests(self.tenant)
                .filter(backchannel_requests::id.eq(DbUuid::from(id)))
                .filter(backchannel_requests::user_id.eq(DbUuid::from(user)))
                .filter(backchannel_requests::allowed_at.is_null())
                .filter(backchannel_requests::denied_at.is_null())
                .filter(backchannel_requests::expires_at.gt(now)),
        )
        .set(backchannel_requests::allowed_at.eq(Some(now)));
        Ok(Kept(allowed).execute(self.connection)? == 1)
    }

    /// Writes a person's refusal down: `true` for the decision that is the first, in time, and theirs to make.
    pub fn deny_backchannel_request(
        &mut self,
        id: BackchannelRequestId,
        user: UserId,
    ) -> Result<bool> {
        let now = self.db_now();
        let denied = diesel::update(
            scoped::backchannel_requests(self.tenant)
                .filter(backchannel_requests::id.eq(DbUuid::from(id)))
                .filter(backchannel_requests::user_id.eq(DbUuid::from(user)))
                .filter(backchannel_requests::allowed_at.is_null())
                .filter(backchannel_requests::denied_at.is_null())
                .filter(backchannel_requests::expires_at.gt(now)),
        )
        .set(backchannel_requests::denied_at.eq(Some(now)));
        Ok(Kept(denied).execute(self.connection)? == 1)
    }

    /// Writes down that nobody decided in time: `true` for the first to do so.
    pub fn expire_backchannel_request(&mut self, id: BackchannelRequestId) -> Result<bool> {
        let now = self.db_now();
        let expired = diesel::update(
            scoped::backchannel_requests(self.tenant)
                .filter(backchannel_requests::id.eq(DbUuid::from(id)))
                .filter(backchannel_requests::allowed_at.is_null())
                .filter(backchannel_requests::denied_at.is_null())
                .filter(backchannel_requests::expired_at.is_null())
                .filter(backchannel_requests::expires_at.le(now)),
        )
        .set(backchannel_requests::expired_at.eq(Some(now)));
        Ok(Kept(expired).execute(self.connection)? == 1)
    }

    /// Makes a client wait longer between two polls; `from` is what it was, so that polls of one moment count once.
    pub fn slow_backchannel_request_down(
        &mut self,
        id: BackchannelRequestId,
        from: u32,
        to: u32,
    ) -> Result<()> {
        let slowed = diesel::update(
            scoped::backchannel_requests(self.tenant)
                .filter(backchannel_requests::id.eq(DbUuid::from(id)))
                .filter(backchannel_requests::poll_interval.eq(kept(from))),
        )
        .set(backchannel_requests::poll_interval.eq(kept(to)));
        Kept(slowed).execute(self.connection)?;
        Ok(())
    }
}

impl Installation<'_> {
    /// Requests of any tenant that nobody decided on in time. Those that are long over are cleared away without a word.
    pub fn list_overdue_backchannel_requests(&mut self, limit: i64) -> Result<Vec<OverdueRequest>> {
        let now = self.clock.now();
        let rows = backchannel_requests::table
            .inner_join(tenants::table.on(tenants::id.eq(backchannel_requests::tenant_id)))
            .filter(backchannel_requests::expires_at.le(DbInstant(now)))
            .filter(backchannel_requests::expires_at.gt(DbInstant(now - Duration::hours(2))))
            .filter(backchannel_requests::allowed_at.is_null())
            .filter(backchannel_requests::denied_at.is_null())
            .filter(backchannel_requests::expired_at.is_null())
            .filter(tenants::status.ne(TenantStatus::Deleting.as_str()))
            .order(backchannel_requests::expires_at.asc())
            .limit(limit)
            .select((
                backchannel_requests::tenant_id,
                tenants::slug,
                backchannel_requests::id,
            ))
            .load::<(DbUuid, String, DbUuid)>(self.connection)?;
        rows.into_iter()
            .map(|(tenant, slug, id)| {
                Ok(OverdueRequest {
                    tenant: TenantId::from(tenant.0),
                    slug: Slug::parse(&slug).map_err(|_| StorageError::Corrupt("tenants.slug"))?,
                    id: BackchannelRequestId::from(id.0),
                })
            })
            .collect()
    }
}
