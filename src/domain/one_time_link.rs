//! One-time links: an invitation or a reset, by which a person sets a password.

use super::ids::{LinkId, UserId};
use crate::clock::Timestamp;
use crate::secret::HashedSecret;

/// A link that lets a person set a password once.
#[derive(Clone, Debug)]
pub struct OneTimeLink {
    /// The identifier.
    pub id: LinkId,
    /// For whom.
    pub user_id: UserId,
    /// What its proof hashes to.
    pub proof: HashedSecret,
    /// End of its life.
    pub expires_at: Timestamp,
    /// Whether an administrator made it, or the command line: whoever it is for may have roles.
    pub by_administrator: bool,
    /// When it was used.
    pub consumed_at: Option<Timestamp>,
}
