//! One use case a file: what happens at an endpoint, without HTTP.
//!
//! A flow is steps, prepare and commit: argon2, RSA and outward fetches are awaited between them and hold neither a pool's thread nor
//! a connection; tokens are signed after the commit. `issue.rs` is the only place where a token is minted, and `grants/` holds one
//! file per grant behind one pipeline that authenticates the client and checks scopes.

pub mod cache;
pub mod key_ring;
pub mod keys;
pub mod provider;
pub mod tenancy;

pub use provider::Provider;
pub use tenancy::Tenant;
