//! By whose word grants were made (RFC 7523), and their end with it.

use diesel::prelude::*;

use super::changes::Entity;
use super::error::Result;
use super::repo::Repo;
use super::schema::{assertion_grants, grants, insert_scoped, scoped};
use super::types::DbUuid;
use crate::domain::ids::{ClientId, GrantId, UserId};
use crate::secret::HashedSecret;

/// How many grants are ended by one statement.
const SET: i64 = 250;

/// By whose word grants were made.
#[derive(Clone, Copy, Debug)]
pub enum WordOf<'a> {
    /// An issuer's, to whichever client.
    Issuer(&'a [u8; 32]),
    /// An issuer's, to one client.
    IssuerTo(&'a [u8; 32], ClientId),
    /// An issuer's, by a name of theirs that was written down.
    Name(&'a HashedSecret),
}

impl Repo<'_> {
    /// Writes down by whose word a grant was made, and by which name.
    pub fn insert_assertion_grant(
        &mut self,
        grant: GrantId,
        issuer: &[u8; 32],
        name: Option<&HashedSecret>,
    ) -> Result<()> {
        insert_scoped!(
            self,
            assertion_grants,
            (
                assertion_grants::grant_id.eq(DbUuid::from(grant)),
                assertion_grants::issuer_hash.eq(issuer.to_vec()),
                assertion_grants::name_hash.eq(name.map(|name| name.as_bytes().to_vec())),
            )
        )
        .execute(self.connection)?;
        Ok(())
    }

    /// Revokes what was granted by somebody's word; says how many grants.
    pub fn revoke_assertion_grants(&mut self, word: WordOf<'_>) -> Result<usize> {
        let mut revoked = 0;
        loop {
            let mut live = scoped::grants(self.tenant)
                .inner_join(
                    assertion_grants::table.on(assertion_grants::tenant_id
                        .eq(grants::tenant_id)
                        .and(assertion_grants::grant_id.eq(grants::id))),
                )
                .filter(grants::revoked_at.is_null())
                .filter(grants::expires_at.gt(self.db_now()))
                .select((grants::id, grants::user_id))
                .limit(SET)
                .into_boxed();
            live = match word {
                WordOf::Issuer(issuer) => {
                    live.filter(assertion_grants::issuer_hash.eq(issuer.to_vec()))
                }
                WordOf::IssuerTo(issuer, client) => live
                    .filter(assertion_grants::issuer_hash.eq(issuer.to_vec()))
                    .filter(grants::client_id.eq(DbUuid::from(client))),
                WordOf::Name(name) => {
                    live.filter(assertion_grants::name_hash.eq(name.as_bytes().to_vec()))
                }
            };
            let found = live.load::<(DbUuid, DbUuid)>(self.connection)?;
            if found.is_empty() {
                return Ok(revoked);
            }
            let ids: Vec<_> = found.iter().map(|(id, _)| *id).collect();
            revoked += diesel::update(scoped::grants(self.tenant).filter(grants::id.eq_any(ids)))
                .set(grants::revoked_at.eq(Some(self.db_now())))
                .execute(self.connection)?;
            for (_, user) in found {
                self.note(Entity::User, UserId::from(user.0))?;
            }
        }
    }
}
