//! What is taken once and is no row otherwise: proofs of possession (RFC 9449 §11.1), bearer assertions (RFC 7523 §3) and the one event that
//! tells of their replay, signed hints of people. The table is called by the first of them.

use diesel::prelude::*;

use super::error::Result;
use super::repo::Repo;
use super::schema::dpop_proofs;
use super::types::{DbInstant, DbUuid};
use crate::clock::Timestamp;
use crate::secret::HashedSecret;

impl Repo<'_> {
    /// Remembers something by its hash until it would be refused for its age; `false` where it was presented before, on whatever node. What
    /// kind of thing it is is part of the hash.
    pub fn consume_once(&mut self, hash: &HashedSecret, until: Timestamp) -> Result<bool> {
        let values = (
            dpop_proofs::tenant_id.eq(DbUuid::from(self.tenant)),
            dpop_proofs::proof_hash.eq(hash.as_bytes().to_vec()),
            dpop_proofs::expires_at.eq(DbInstant(until)),
        );
        let inserted = super::connection::on_backend!(&mut *self.connection, inner => {
            diesel::insert_into(dpop_proofs::table).values(values).on_conflict_do_nothing().execute(inner)
        })?;
        Ok(inserted == 1)
    }
}
