//! What an issuer of assertions calls a person (RFC 7523 §3, `sub`), where that is neither their id here nor their address.

use super::ids::{ExternalSubjectId, UserId};
use crate::clock::Timestamp;
use crate::secret::HashedSecret;

/// The longest name of an issuer, in bytes.
pub const ISSUER_MAX: usize = 2048;

/// The longest subject, in bytes.
pub const SUBJECT_MAX: usize = 1024;

/// The most names of one person.
pub const NAMES_MAX: i64 = 20;

/// A person's name at an issuer.
#[derive(Clone, Debug)]
pub struct ExternalSubject {
    /// The identifier.
    pub id: ExternalSubjectId,
    /// Who.
    pub user_id: UserId,
    /// At whom.
    pub issuer: String,
    /// The name.
    pub subject: String,
    /// Both, as they are looked up.
    pub name: HashedSecret,
    /// When it was written down.
    pub created_at: Timestamp,
}
