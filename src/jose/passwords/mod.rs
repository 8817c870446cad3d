//! Passwords: argon2id (RFC 9106) in PHC text form, and the queue that all hashing goes through. What other systems made (PBKDF2,
//! bcrypt) is compared with until its owner signs in.
//!
//! They are compared in one Unicode form, whatever the keyboard sent ([`prepare`]). A hash from elsewhere that was made of another form
//! fits only where both are the same, as they are for all of ASCII.

mod foreign;
mod hashing;
mod parameters;
mod pool;
mod tally;
mod text;

pub use hashing::{
    MAX_PASSWORD, Verification, Workspace, check_stored_hash, dummy_phc, hash, verify,
};
pub use parameters::{PasswordError, PasswordParameters};
pub use pool::{HashingObserver, HashingPool, NotHashed, PoolLimits, Submission};
pub use tally::Tally;
pub use text::prepare;
