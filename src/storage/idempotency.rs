//! Keys by which a creation is asked for twice and done once (the `Idempotency-Key` header field).
//!
//! The key is written down in the transaction of the creation, so that there is never one without the other; of two requests at once
//! one waits for the other's commit and then finds the key taken.

use diesel::prelude::*;
use uuid::Uuid;

use super::error::{Result, StorageError};
use super::repo::Repo;
use super::schema::{idempotency_keys, insert_scoped, scoped};
use super::types::{DbInstant, DbUuid};
use crate::clock::Timestamp;

/// A request that may be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// Who asks: the key is theirs alone.
    pub caller: Uuid,
    /// The key's SHA-256.
    pub key_hash: [u8; 32],
    /// SHA-256 of what is asked for, so that a key isn't used for two things.
    pub request_hash: [u8; 32],
    /// Until when it is remembered.
    pub expires_at: Timestamp,
}

/// What a key was used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedKey {
    /// SHA-256 of what was asked for.
    pub request_hash: [u8; 32],
    /// What was made.
    pub made: Uuid,
    /// What was shown once, sealed under the tenant's data key.
    pub sealed_secret: Option<Vec<u8>>,
}

impl Repo<'_> {
    /// Writes down that the key is used. [`StorageError::KeyUsed`] where it was already, with which the transaction is to be given up.
    pub fn claim_idempotency_key(
        &mut self,
        once: &Once,
        made: Uuid,
        sealed_secret: Option<&[u8]>,
    ) -> Result<()> {
        let written = insert_scoped!(
            self,
            idempotency_keys,
            (
                idempotency_keys::caller_id.eq(DbUuid(once.caller)),
                idempotency_keys::key_hash.eq(once.key_hash.to_vec()),
                idempotency_keys::request_hash.eq(once.request_hash.to_vec()),
                idempotency_keys::made_id.eq(DbUuid(made)),
                idempotency_keys::sealed_secret.eq(sealed_secret.map(<[u8]>::to_vec)),
                idempotency_keys::expires_at.eq(DbInstant(once.expires_at)),
            )
        )
        .execute(self.connection)
        .map_err(StorageError::from);
        match written {
            Err(error) if error.is_conflict() => Err(StorageError::KeyUsed),
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }

    /// What the key was used for.
    pub fn find_idempotency_key(&mut self, once: &Once) -> Result<Option<UsedKey>> {
        let row = scoped::idempotency_keys(self.tenant)
            .filter(idempotency_keys::caller_id.eq(DbUuid(once.caller)))
            .filter(idempotency_keys::key_hash.eq(once.key_hash.to_vec()))
            .select((
                idempotency_keys::request_hash,
                idempotency_keys::made_id,
                idempotency_keys::sealed_secret,
            ))
            .get_result::<(Vec<u8>, DbUuid, Option<Vec<u8>>)>(self.connection)
            .optional()?;
        row.map(|(request_hash, made, sealed_secret)| {
            Ok(UsedKey {
                request_hash: request_hash
                    .try_into()
                    .map_err(|_| StorageError::Corrupt("idempotency_keys.request_hash"))?,
                made: made.0,
                sealed_secret,
            })
        })
        .transpose()
    }
}
