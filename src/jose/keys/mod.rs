//! Keys as JWKs (RFC 7517, RFC 7518 §6, RFC 8037): what signs, what verifies, what encrypts and
//! decrypts, and how they are named (RFC 7638).
//!
//! josekit does the mathematics. It is told which algorithm to use and never asks a token; signers and verifiers are built once per
//! key. Storing, rotating and publishing keys is for the layers above.

mod encryption;
mod signing;
mod thumbprint;
mod verification;

pub use encryption::{DecryptionKey, EncryptionKey, GeneratedDecryptionKey};
pub use signing::{GeneratedKey, KeyError, RsaBits, SigningKey, TYPES_WITH_READY_HEADERS};
pub use thumbprint::{digest, thumbprint};
pub use verification::{Expect, KeyChoice, VerificationKey, VerificationKeys, Verified, verifies};
