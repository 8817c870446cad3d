//! A person of a tenant.

use serde::Serialize;

use super::ids::UserId;
use super::role::Role;
use crate::clock::Timestamp;
use crate::protocol::claims::StandardClaims;
use crate::protocol::email::EmailAddress;

/// A person of a tenant. The same e-mail address in two tenants is two people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct User {
    /// The permanent identifier.
    pub id: UserId,
    /// The address that they sign in with.
    pub email: EmailAddress,
    /// Whether the address was proved to be theirs.
    pub email_verified: bool,
    /// Whether they may sign in.
    pub status: UserStatus,
    /// What the standard claims say of them, but for the e-mail address.
    pub claims: StandardClaims,
    /// How their password is known; none until they have set a password.
    #[serde(skip)]
    pub password: Option<PasswordHash>,
    /// What they administer, sorted.
    pub roles: Vec<Role>,
    /// Counts up with every change.
    pub version: i64,
    /// When the record was made.
    pub created_at: Timestamp,
    /// When it was changed last: `updated_at` of the claims.
    pub updated_at: Timestamp,
}

impl User {
    /// Whether the person may get sessions and tokens.
    pub fn is_active(&self) -> bool {
        self.status == UserStatus::Active
    }

    /// The same person with another address to sign in with. What was proved is the old one: the new one counts as verified only where whoever
    /// changes it says so. One that differs in capitals alone is the same address, and as proved as it was.
    #[must_use]
    pub fn with_address(self, email: EmailAddress, verified: Option<bool>) -> Self {
        let is_same = self.email.key() == email.key();
        Self {
            email_verified: verified.unwrap_or(self.email_verified && is_same),
            email,
            ..self
        }
    }
}

/// A stored password hash in PHC form, and when it was set.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    /// `$argon2id$…`; what another system made, as it was imported, until its owner signs in.
    pub phc: String,
    /// When it was set.
    pub set_at: Timestamp,
    /// Whether somebody with less power than an administrator may know it: they chose it, or made the link by which it was chosen. What its
    /// owner changes it to since is no better, as nobody knows who the owner was by then.
    pub by_lesser: bool,
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PasswordHash(set_at: {})", self.set_at)
    }
}

/// Whether a person may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum UserStatus {
    /// They may.
    Active,
    /// An administrator closed the account: no sign-in, and no token by any grant.
    Disabled {
        /// Since when.
        since: Timestamp,
    },
}
