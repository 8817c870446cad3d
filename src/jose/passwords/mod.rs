//! Passwords: argon2id (RFC 9106) in PHC text form, and the queue that all hashing goes through.
//!
//! Passwords are hashed as the bytes that came; Unicode normalisation is left to input fields.

mod hashing;
mod pool;

pub use hashing::{
    MAX_PASSWORD, PasswordError, PasswordParameters, Verification, Workspace, dummy_phc, hash,
    verify,
};
pub use pool::{HashingObserver, HashingPool, NotHashed, PoolLimits, Submission};
