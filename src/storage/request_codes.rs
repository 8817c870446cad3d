//! The codes with which people have themselves asked by the back channel. They aren't part of whoever is loaded: only a request looks at one.

use diesel::prelude::*;

use super::error::{Result, StorageError};
use super::repo::Repo;
use super::schema::{scoped, users};
use super::types::DbUuid;
use crate::domain::ids::UserId;
use crate::secret::HashedSecret;

impl Repo<'_> {
    /// What a person's code hashes to, if they have set one.
    pub fn find_request_code(&mut self, person: UserId) -> Result<Option<HashedSecret>> {
        let kept = scoped::users(self.tenant)
            .filter(users::id.eq(DbUuid::from(person)))
            .select(users::request_code_hash)
            .get_result::<Option<Vec<u8>>>(self.connection)
            .optional()?
            .flatten();
        kept.map(|hash| {
            HashedSecret::from_slice(&hash).ok_or(StorageError::Corrupt("users.request_code_hash"))
        })
        .transpose()
    }

    /// Sets a person's code, or takes it away; `false` where nobody is there, or had none that could be taken away. No change of the person: their
    /// version stays.
    pub fn set_request_code(
        &mut self,
        person: UserId,
        code: Option<&HashedSecret>,
    ) -> Result<bool> {
        let own = scoped::users(self.tenant).filter(users::id.eq(DbUuid::from(person)));
        let changed = match code {
            Some(code) => diesel::update(own)
                .set(users::request_code_hash.eq(Some(code.as_bytes().to_vec())))
                .execute(self.connection)?,
            None => diesel::update(own.filter(users::request_code_hash.is_not_null()))
                .set(users::request_code_hash.eq(None::<Vec<u8>>))
                .execute(self.connection)?,
        };
        Ok(changed == 1)
    }
}
