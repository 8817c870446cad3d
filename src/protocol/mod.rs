//! Pure wire types and rules, one file per specification: no I/O, no actix, no diesel.
//!
//! Whatever a stranger can send has a bound here, and every parser refuses what it does not understand instead of guessing. The one
//! thing that needs time or randomness to decide (expiry, uniqueness) is left to the layers above.

#![deny(missing_docs)]

pub mod algorithm;
pub mod claims;
pub mod client_metadata;
pub mod email;
pub mod errors;
pub mod jwks;
pub mod pkce;
pub mod redirect_uri;
pub mod resource;
pub mod response_mode;
pub mod scope;
pub mod slug;
pub mod uri;

pub use algorithm::SigningAlgorithm;
pub use errors::{ErrorCode, OAuthError};
pub use redirect_uri::{RedirectUri, ValidatedRedirect};
pub use response_mode::ResponseMode;
pub use scope::Scope;
pub use slug::Slug;
