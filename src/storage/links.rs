//! One-time links, by which people set a password.

use diesel::prelude::*;

use super::error::{Result, StorageError};
use super::repo::Repo;
use super::schema::{insert_scoped, one_time_links, scoped};
use super::types::{DbInstant, DbUuid};
use crate::clock::Timestamp;
use crate::domain::ids::{LinkId, UserId};
use crate::domain::one_time_link::OneTimeLink;
use crate::secret::HashedSecret;

impl Repo<'_> {
    /// Makes a link; the person's older ones are good no more.
    pub fn insert_link(&mut self, link: &OneTimeLink) -> Result<()> {
        self.revoke_links(link.user_id)?;
        insert_scoped!(
            self,
            one_time_links,
            (
                one_time_links::id.eq(DbUuid::from(link.id)),
                one_time_links::user_id.eq(DbUuid::from(link.user_id)),
                one_time_links::proof_hash.eq(link.proof.as_bytes().to_vec()),
                one_time_links::expires_at.eq(DbInstant(link.expires_at)),
                one_time_links::consumed_at.eq(link.consumed_at.map(DbInstant)),
                one_time_links::by_administrator.eq(link.by_administrator),
            )
        )
        .execute(self.connection)?;
        Ok(())
    }

    /// Finds a link, used and expired ones too.
    pub fn find_link(&mut self, id: LinkId) -> Result<Option<OneTimeLink>> {
        let row = scoped::one_time_links(self.tenant)
            .filter(one_time_links::id.eq(DbUuid::from(id)))
            .select((
                one_time_links::user_id,
                one_time_links::proof_hash,
                one_time_links::expires_at,
                one_time_links::consumed_at,
                one_time_links::by_administrator,
            ))
            .get_result::<(DbUuid, Vec<u8>, DbInstant, Option<DbInstant>, bool)>(self.connection)
            .optional()?;
        row.map(|(user, proof, expires, consumed, by_administrator)| {
            Ok(OneTimeLink {
                id,
                user_id: UserId::from(user.0),
                proof: HashedSecret::from_slice(&proof)
                    .ok_or(StorageError::Corrupt("one_time_links.proof_hash"))?,
                expires_at: expires.0,
                by_administrator,
                consumed_at: consumed.map(|at| at.0),
            })
        })
        .transpose()
    }

    /// Uses a link: `true` for the one that wins, while it is good.
    pub fn consume_link(&mut self, id: LinkId, now: Timestamp) -> Result<bool> {
        let changed = diesel::update(
            scoped::one_time_links(self.tenant)
                .filter(one_time_links::id.eq(DbUuid::from(id)))
                .filter(one_time_links::consumed_at.is_null())
                .filter(one_time_links::expires_at.gt(DbInstant(now))),
        )
        .set(one_time_links::consumed_at.eq(Some(DbInstant(now))))
        .execute(self.connection)?;
        Ok(changed == 1)
    }

    /// Ends a person's links that are out.
    pub fn revoke_links(&mut self, user: UserId) -> Result<()> {
        diesel::update(
            scoped::one_time_links(self.tenant)
                .filter(one_time_links::user_id.eq(DbUuid::from(user)))
                .filter(one_time_links::consumed_at.is_null()),
        )
        .set(one_time_links::consumed_at.eq(Some(self.db_now())))
        .execute(self.connection)?;
        Ok(())
    }

    /// Ends those of a person's links that are out and weren't made by an administrator; whether there was one.
    pub fn revoke_lesser_links(&mut self, user: UserId) -> Result<bool> {
        let now = self.db_now();
        let changed = diesel::update(
            scoped::one_time_links(self.tenant)
                .filter(one_time_links::user_id.eq(DbUuid::from(user)))
                .filter(one_time_links::consumed_at.is_null())
                .filter(one_time_links::expires_at.gt(now))
                .filter(one_time_links::by_administrator.eq(false)),
        )
        .set(one_time_links::consumed_at.eq(Some(now)))
        .execute(self.connection)?;
        Ok(changed > 0)
    }
}
