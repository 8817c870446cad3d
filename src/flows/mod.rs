//! One use case a file: what happens at an endpoint, without HTTP.
//!
//! A flow is steps, prepare and commit: argon2, RSA and outward fetches are awaited between them and hold neither a pool's thread nor
//! a connection; tokens are signed after the commit. `issue.rs` is the only place where a token is minted, and `grants/` holds one
//! file per grant behind one pipeline that authenticates the client and checks scopes.

pub mod access;
pub mod account;
pub mod admin;
mod assertion_issuers;
pub mod authorize;
pub mod backchannel;
pub mod browser;
pub mod cache;
pub mod client_authentication;
mod client_secrets;
pub mod client_uses;
pub mod consent;
pub mod console;
pub mod decoupled;
pub mod device;
pub mod dpop;
pub mod encryption;
mod fapi;
pub mod grants;
mod hashing_waits;
pub mod hint;
pub mod interaction;
pub mod introspection;
pub mod issue;
pub mod key_ring;
pub mod keys;
pub mod links;
pub mod logout;
pub mod logout_delivery;
mod master;
mod native_sso;
mod own_sign_in;
pub mod password_policy;
pub mod provider;
pub mod registration;
pub mod revocation;
mod rsa_pool;
pub mod scopes;
pub mod sessions;
pub mod signin;
pub mod tenancy;
pub mod trial;
pub mod userinfo;

pub use master::MasterKeyState;
pub use provider::Provider;
pub use tenancy::Tenant;
