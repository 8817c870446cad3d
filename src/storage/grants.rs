//! Grants, their codes and their refresh tokens.

use std::sync::Arc;

use diesel::prelude::*;
use uuid::Uuid;

use super::changes::Entity;
use super::connection::Kept;
use super::error::{Result, StorageError};
use super::repo::Repo;
use super::schema::{
    assertion_ids, consents, grants, insert_scoped, refresh_tokens, revoked_tokens, scoped,
};
use super::sessions::SessionGrants;
use super::types::{DbInstant, DbUuid};
use crate::clock::Timestamp;
use crate::domain::grant::{Grant, GrantStage, PendingCode, RefreshToken, Rotation};
use crate::domain::ids::{ClientId, GrantId, RefreshTokenId, SessionId, UserId};
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::claims::ClaimsRequest;
use crate::protocol::dpop::{Confirmation, Thumbprint};
use crate::protocol::pkce::CodeChallenge;
use crate::secret::HashedSecret;

#[derive(Queryable, Selectable)]
#[diesel(table_name = grants)]
pub(super) struct GrantRow {
    id: DbUuid,
    user_id: DbUuid,
    client_id: DbUuid,
    session_id: DbUuid,
    issuer: String,
    scope: String,
    resources: String,
    claims: Option<String>,
    auth_time: DbInstant,
    amr: String,
    acr: Option<String>,
    offline: bool,
    code_hash: Vec<u8>,
    redirect_uri: Option<String>,
    nonce: Option<String>,
    code_challenge: Option<String>,
    code_expires_at: DbInstant,
    redeemed_at: Option<DbInstant>,
    revoked_at: Option<DbInstant>,
    created_at: DbInstant,
    expires_at: DbInstant,
    dpop_jkt: Option<Vec<u8>>,
    authorization_details: Option<String>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = refresh_tokens)]
pub(super) struct RefreshTokenRow {
    id: DbUuid,
    grant_id: DbUuid,
    proof_hash: Vec<u8>,
    created_at: DbInstant,
    expires_at: DbInstant,
    rotated_at: Option<DbInstant>,
    successor_id: Option<DbUuid>,
    dpop_jkt: Option<Vec<u8>>,
    x5t_s256: Option<Vec<u8>>,
}

impl TryFrom<RefreshTokenRow> for RefreshToken {
    type Error = StorageError;

    fn try_from(row: RefreshTokenRow) -> Result<Self> {
        Ok(Self {
            id: RefreshTokenId::from(row.id.0),
            grant_id: GrantId::from(row.grant_id.0),
            proof: hashed(&row.proof_hash, "refresh_tokens.proof_hash")?,
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
            rotated: row
                .rotated_at
                .zip(row.successor_id)
                .map(|(at, successor)| Rotation {
                    at: at.0,
                    successor: RefreshTokenId::from(successor.0),
                }),
            bound_to: match (
                thumbprint(row.dpop_jkt.as_deref(), "refresh_tokens.dpop_jkt")?,
                thumbprint(row.x5t_s256.as_deref(), "refresh_tokens.x5t_s256")?,
            ) {
                (None, None) => None,
                (Some(key), None) => Some(Confirmation::Key(key)),
                (None, Some(certificate)) => Some(Confirmation::Certificate(certificate)),
                (Some(_), Some(_)) => return Err(StorageError::Corrupt("refresh_tokens.x5t_s256")),
            },
        })
    }
}

fn hashed(bytes: &[u8], column: &'static str) -> Result<HashedSecret> {
    HashedSecret::from_slice(bytes).ok_or(StorageError::Corrupt(column))
}

fn bytes_of(thumbprint: Option<Thumbprint>) -> Option<Vec<u8>> {
    thumbprint.map(|thumbprint| thumbprint.as_bytes().to_vec())
}

/// A column that isn't a thumbprint is a fault, never "bound to nothing".
fn thumbprint(bytes: Option<&[u8]>, column: &'static str) -> Result<Option<Thumbprint>> {
    bytes
        .map(|bytes| Thumbprint::from_slice(bytes).ok_or(StorageError::Corrupt(column)))
        .transpose()
}

impl TryFrom<GrantRow> for (Grant, PendingCode) {
    type Error = StorageError;

    fn try_from(row: GrantRow) -> Result<Self> {
        let stage = match (row.revoked_at, row.redeemed_at) {
            (Some(at), _) => GrantStage::Revoked { at: at.0 },
            (None, Some(at)) => GrantStage::Redeemed { at: at.0 },
            (None, None) => GrantStage::CodeIssued,
        };
        let claims = row.claims.as_deref().map(serde_json::from_str).transpose();
        let code = PendingCode {
            proof: hashed(&row.code_hash, "grants.code_hash")?,
            redirect_uri: row.redirect_uri,
            nonce: row.nonce,
            code_challenge: row
                .code_challenge
                .map(|text| {
                    CodeChallenge::parse(&text, Some("S256"))
                        .map_err(|_| StorageError::Corrupt("grants.code_challenge"))
                })
                .transpose()?,
            dpop_jkt: thumbprint(row.dpop_jkt.as_deref(), "grants.dpop_jkt")?,
            expires_at: row.code_expires_at.0,
        };
        let grant = Grant {
            id: GrantId::from(row.id.0),
            user_id: UserId::from(row.user_id.0),
            client_id: ClientId::from(row.client_id.0),
            session_id: SessionId::from(row.session_id.0),
            issuer: row.issuer,
            scope: row
                .scope
                .parse()
                .map_err(|_| StorageError::Corrupt("grants.scope"))?,
            resources: serde_json::from_str(&row.resources)
                .map_err(|_| StorageError::Corrupt("grants.resources"))?,
            details: row
                .authorization_details
                .as_deref()
                .map(serde_json::from_str)
                .transpose()
                .map_err(|_| StorageError::Corrupt("grants.authorization_details"))?
                .unwrap_or_default(),
            claims: claims.map_err(|_| StorageError::Corrupt("grants.claims"))?,
            auth_time: row.auth_time.0,
            amr: row
                .amr
                .split(' ')
                .filter(|method| !method.is_empty())
                .map(ToOwned::to_owned)
                .collect(),
            acr: row.acr,
            offline: row.offline,
            stage,
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
        };
        Ok((grant, code))
    }
}

/// What our own endpoints must know of a grant to accept its JWT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantSummary {
    /// Whose grant.
    pub user_id: UserId,
    /// To which client.
    pub client_id: ClientId,
    /// Whether it is not revoked. Whether its code was redeemed says nothing of an access token: one that is there came of that, or with the code.
    pub live: bool,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// The claims that were asked of userinfo one by one (OpenID Connect Core §5.5).
    pub userinfo_claims: Arc<[String]>,
}

/// What a grant allows in objects (RFC 9396) that its client may use.
#[derive(Clone, Debug)]
pub struct DetailedGrant {
    /// What.
    pub details: AuthorizationDetails,
    /// Until when it can be used at the latest.
    pub until: Timestamp,
}

/// An application that a person allowed something in objects.
#[derive(Clone, Copy, Debug)]
pub struct DetailedClient {
    /// Which.
    pub client_id: ClientId,
    /// Whether what it may do besides is remembered.
    pub has_consent: bool,
}

/// The most of one application's that are looked at, the youngest first.
const DETAILED_MAX: i64 = 50;

/// The most applications that are.
const DETAILED_CLIENTS_MAX: i64 = 200;

impl Repo<'_> {
    /// The applications that a person allowed something in objects, by id; those beyond a page are left out.
    pub fn list_detailed_clients(&mut self, user: UserId) -> Result<Vec<DetailedClient>> {
        let rows = scoped::grants(self.tenant)
            .left_join(
                consents::table.on(consents::tenant_id
                    .eq(grants::tenant_id)
                    .and(consents::user_id.eq(grants::user_id))
                    .and(consents::client_id.eq(grants::client_id))),
            )
            .filter(grants::user_id.eq(DbUuid::from(user)))
            .filter(grants::authorization_details.is_not_null())
            .filter(grants::revoked_at.is_null())
            .filter(grants::redeemed_at.is_not_null())
            .filter(grants::expires_at.gt(self.db_now()))
            .select((grants::client_id, consents::client_id.nullable()))
            .distinct()
            .order(grants::client_id.asc())
            .limit(DETAILED_CLIENTS_MAX)
            .load::<(DbUuid, Option<DbUuid>)>(self.connection)?;
        let clients = rows.into_iter().map(|(client, consent)| DetailedClient {
            client_id: ClientId::from(client.0),
            has_consent: consent.is_some(),
        });
        Ok(clients.collect())
    }

    /// What a person allowed an application in objects and it may use yet, the youngest first; those beyond a page are left out. Its access tokens
    /// live for `lifetime`: without a token to refresh by, what came of a grant ends with the first of them.
    pub fn list_detailed_grants(
        &mut self,
        user: UserId,
        client: ClientId,
        lifetime: chrono::Duration,
    ) -> Result<Vec<DetailedGrant>> {
        let now = self.now();
        let is_fresh = grants::redeemed_at.gt(Some(DbInstant(now - lifetime)));
        let is_refreshed = refresh_tokens::expires_at
            .nullable()
            .gt(Some(DbInstant(now)));
        let rows = scoped::grants(self.tenant)
            .left_join(
                refresh_tokens::table.on(refresh_tokens::tenant_id
                    .eq(grants::tenant_id)
                    .and(refresh_tokens::grant_id.eq(grants::id))
                    .and(refresh_tokens::rotated_at.is_null())),
            )
            .filter(grants::user_id.eq(DbUuid::from(user)))
            .filter(grants::client_id.eq(DbUuid::from(client)))
            .filter(grants::authorization_details.is_not_null())
            .filter(grants::revoked_at.is_null())
            .filter(grants::expires_at.gt(DbInstant(now)))
            .filter(is_fresh.or(is_refreshed))
            .order(grants::id.desc())
            .limit(DETAILED_MAX)
            .select((
                grants::authorization_details.assume_not_null(),
                grants::redeemed_at,
                grants::expires_at,
                refresh_tokens::expires_at.nullable(),
            ))
            .load::<(String, Option<DbInstant>, DbInstant, Option<DbInstant>)>(self.connection)?;
        rows.into_iter()
            .filter_map(|(details, redeemed, ends, refreshed)| {
                let last = redeemed?.0 + lifetime;
                let until = refreshed.map_or(last, |until| until.0.max(last));
                let details = serde_json::from_str(&details)
                    .map_err(|_| StorageError::Corrupt("grants.authorization_details"));
                Some(details.map(|details| DetailedGrant {
                    details,
                    until: until.min(ends.0),
                }))
            })
            .collect()
    }

    /// Writes a grant down whose code goes out.
    pub fn insert_grant(&mut self, grant: &Grant, code: &PendingCode) -> Result<()> {
        let json = |value: &Vec<String>| {
            serde_json::to_string(value).map_err(|_| StorageError::Corrupt("resources"))
        };
        let claims = grant
            .claims
            .as_ref()
            .map(serde_json::to_string)
            .transpose()
            .map_err(|_| StorageError::Corrupt("claims"))?;
        insert_scoped!(
            self,
            grants,
            (
                grants::id.eq(DbUuid::from(grant.id)),
                grants::user_id.eq(DbUuid::from(grant.user_id)),
                grants::client_id.eq(DbUuid::from(grant.client_id)),
                grants::session_id.eq(DbUuid::from(grant.session_id)),
                grants::issuer.eq(grant.issuer.clone()),
                grants::scope.eq(grant.scope.to_string()),
                grants::resources.eq(json(&grant.resources)?),
                grants::claims.eq(claims),
                grants::auth_time.eq(DbInstant(grant.auth_time)),
                grants::amr.eq(grant.amr.join(" ")),
                grants::acr.eq(grant.acr.clone()),
                grants::offline.eq(grant.offline),
                (
                    grants::code_hash.eq(code.proof.as_bytes().to_vec()),
                    grants::redirect_uri.eq(code.redirect_uri.clone()),
                    grants::nonce.eq(code.nonce.clone()),
                    grants::code_challenge
                        .eq(code.code_challenge.as_ref().map(ToString::to_string)),
                    grants::code_expires_at.eq(DbInstant(code.expires_at)),
                    grants::created_at.eq(DbInstant(grant.created_at)),
                    grants::expires_at.eq(DbInstant(grant.expires_at)),
                    grants::dpop_jkt.eq(bytes_of(code.dpop_jkt)),
                    grants::authorization_details
                        .eq((!grant.details.is_empty()).then(|| grant.details.to_string())),
                ),
            )
        )
        .execute(self.connection)?;
        Ok(())
    }

    /// Finds a grant and its code, whatever its stage.
    pub fn find_grant(&mut self, id: GrantId) -> Result<Option<(Grant, PendingCode)>> {
        scoped::grants(self.tenant)
            .filter(grants::id.eq(DbUuid::from(id)))
            .select(GrantRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(TryInto::try_into)
            .transpose()
    }

    /// What our own endpoints must know of a grant.
    pub fn find_grant_summary(&mut self, id: GrantId) -> Result<Option<GrantSummary>> {
        let row = scoped::grants(self.tenant)
            .filter(grants::id.eq(DbUuid::from(id)))
            .select((
                grants::user_id,
                grants::client_id,
                grants::revoked_at,
                grants::expires_at,
                grants::claims,
            ))
            .get_result::<(DbUuid, DbUuid, Option<DbInstant>, DbInstant, Option<String>)>(
                self.connection,
            )
            .optional()?;
        let Some((user, client, revoked, expires, claims)) = row else {
            return Ok(None);
        };
        let asked = claims
            .as_deref()
            .map(serde_json::from_str::<ClaimsRequest>)
            .transpose()
            .map_err(|_| StorageError::Corrupt("grants.claims"))?;
        Ok(Some(GrantSummary {
            user_id: UserId::from(user.0),
            client_id: ClientId::from(client.0),
            live: revoked.is_none(),
            expires_at: expires.0,
            userinfo_claims: asked
                .iter()
                .flat_map(|asked| asked.userinfo.keys().cloned())
                .collect(),
        }))
    }

    /// The newest grant to a client that a person gave in a session, of those that are good still; one that ends with the session where there
    /// is one.
    pub fn find_live_grant_of_session(
        &mut self,
        session: SessionId,
        client: ClientId,
    ) -> Result<Option<GrantId>> {
        let found = scoped::grants(self.tenant)
            .filter(grants::session_id.eq(DbUuid::from(session)))
            .filter(grants::client_id.eq(DbUuid::from(client)))
            .filter(grants::redeemed_at.is_not_null())
            .filter(grants::revoked_at.is_null())
            .filter(grants::expires_at.gt(self.db_now()))
            .order((grants::offline.asc(), grants::id.desc()))
            .select(grants::id)
            .first::<DbUuid>(self.connection)
            .optional()?;
        Ok(found.map(|id| GrantId::from(id.0)))
    }

    /// Revokes a grant and so all its tokens; `false` where it was before.
    pub fn revoke_grant(&mut self, id: GrantId) -> Result<bool> {
        let changed = diesel::update(
            scoped::grants(self.tenant)
                .filter(grants::id.eq(DbUuid::from(id)))
                .filter(grants::revoked_at.is_null()),
        )
        .set(grants::revoked_at.eq(Some(self.db_now())))
        .execute(self.connection)?;
        if changed == 1 {
            self.note(Entity::Grant, id)?;
        }
        Ok(changed == 1)
    }

    /// Revokes a person's grants, all of them or those to one client, with what that shares of their sessions; says how many grants.
    pub fn revoke_grants_of_user(
        &mut self,
        user: UserId,
        client: Option<ClientId>,
    ) -> Result<usize> {
        let live = scoped::grants(self.tenant)
            .filter(grants::user_id.eq(DbUuid::from(user)))
            .filter(grants::revoked_at.is_null());
        let now = self.db_now();
        let changed = match client {
            Some(client) => diesel::update(live.filter(grants::client_id.eq(DbUuid::from(client))))
                .set(grants::revoked_at.eq(Some(now)))
                .execute(self.connection)?,
            None => diesel::update(live)
                .set(grants::revoked_at.eq(Some(now)))
                .execute(self.connection)?,
        };
        if let Some(client) = client {
            self.delete_device_secrets_of(user, client)?;
        }
        if changed > 0 {
            self.note(Entity::User, user)?;
        }
        Ok(changed)
    }

    pub(super) fn revoke_grants_of_sessions(
        &mut self,
        user: UserId,
        sessions: &[DbUuid],
        which: SessionGrants,
    ) -> Result<()> {
        let live = scoped::grants(self.tenant)
            .filter(grants::session_id.eq_any(sessions.to_vec()))
            .filter(grants::revoked_at.is_null());
        let now = self.db_now();
        let changed = match which {
            SessionGrants::KeepOffline => diesel::update(live.filter(grants::offline.eq(false)))
                .set(grants::revoked_at.eq(Some(now)))
                .execute(self.connection)?,
            SessionGrants::All => diesel::update(live)
                .set(grants::revoked_at.eq(Some(now)))
                .execute(self.connection)?,
        };
        if changed > 0 {
            self.note(Entity::User, user)?;
        }
        Ok(())
    }

    /// Finds a refresh token, rotated ones too.
    pub fn find_refresh_token(&mut self, id: RefreshTokenId) -> Result<Option<RefreshToken>> {
        scoped::refresh_tokens(self.tenant)
            .filter(refresh_tokens::id.eq(DbUuid::from(id)))
            .select(RefreshTokenRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(TryInto::try_into)
            .transpose()
    }

    /// Lets a refresh token that isn't rotated live on after a use.
    pub fn extend_refresh_token(
        &mut self,
        id: RefreshTokenId,
        expires_at: Timestamp,
    ) -> Result<()> {
        let extended = diesel::update(
            scoped::refresh_tokens(self.tenant).filter(refresh_tokens::id.eq(DbUuid::from(id))),
        )
        .set(refresh_tokens::expires_at.eq(DbInstant(expires_at)));
        Kept(extended).execute(self.connection)?;
        Ok(())
    }

    /// Revokes a token that hangs on no grant, until it would have expired anyway.
    pub fn revoke_token(&mut self, jti: Uuid, expires_at: Timestamp) -> Result<()> {
        if !self.is_token_revoked(jti)? {
            insert_scoped!(
                self,
                revoked_tokens,
                (
                    revoked_tokens::jti.eq(DbUuid(jti)),
                    revoked_tokens::expires_at.eq(DbInstant(expires_at))
                )
            )
            .execute(self.connection)?;
            self.note(Entity::RevokedToken, jti)?;
        }
        Ok(())
    }

    /// The tokens that were revoked one by one and would be good still, `limit` at the most.
    pub fn list_revoked_tokens(&mut self, limit: u32) -> Result<Vec<Uuid>> {
        let found = scoped::revoked_tokens(self.tenant)
            .filter(revoked_tokens::expires_at.gt(self.db_now()))
            .select(revoked_tokens::jti)
            .limit(limit.into())
            .load::<DbUuid>(self.connection)?;
        Ok(found.into_iter().map(|jti| jti.0).collect())
    }

    /// Whether a token that hangs on no grant was revoked.
    pub fn is_token_revoked(&mut self, jti: Uuid) -> Result<bool> {
        let found = scoped::revoked_tokens(self.tenant)
            .filter(revoked_tokens::jti.eq(DbUuid(jti)))
            .select(revoked_tokens::jti)
            .get_result::<DbUuid>(self.connection)
            .optional()?;
        Ok(found.is_some())
    }

    /// Remembers a client assertion's `jti`; `false` where it was presented before (RFC 7523 §3, point 7).
    pub fn consume_assertion(
        &mut self,
        client: ClientId,
        jti_hash: &HashedSecret,
        expires_at: Timestamp,
    ) -> Result<bool> {
        let tenant = DbUuid::from(self.tenant);
        let values = (
            assertion_ids::tenant_id.eq(tenant),
            assertion_ids::client_id.eq(DbUuid::from(client)),
            assertion_ids::jti_hash.eq(jti_hash.as_bytes().to_vec()),
            assertion_ids::expires_at.eq(DbInstant(expires_at)),
        );
        let inserted = super::connection::on_backend!(&mut *self.connection, inner => {
            diesel::insert_into(assertion_ids::table).values(values).on_conflict_do_nothing().execute(inner)
        })?;
        Ok(inserted == 1)
    }
}
