//! Pure wire types and rules, one file per specification: no I/O, no actix, no diesel.
//!
//! Whatever a stranger can send has a bound here, and every parser refuses what it does not understand instead of guessing. What needs stored state to
//! decide (expiry, single use, who may) is left to the layers above.

#![deny(missing_docs)]

pub mod access_token;
pub mod algorithm;
pub mod authorization;
pub mod authorization_details;
pub mod backchannel_authentication;
pub mod bearer;
pub mod claims;
pub mod client_authentication;
pub mod client_metadata;
pub mod device_authorization;
pub mod discovery;
pub mod distinguished_name;
pub mod dpop;
pub mod email;
pub mod encryption;
pub mod errors;
pub mod fapi;
pub mod id_token;
pub mod initiated_login;
pub mod introspection;
pub mod jarm;
pub mod json;
pub mod jwks;
pub mod logout;
pub mod logout_token;
pub mod merge_patch;
pub mod mutual_tls;
pub mod native_sso;
pub mod params;
pub mod person_code;
pub mod pkce;
pub mod prompt;
pub mod pushed_request;
pub mod redirect_uri;
pub mod request_object;
pub mod request_uri;
pub mod resource;
pub mod response_mode;
pub mod revocation;
pub mod scope;
pub mod session_state;
pub mod slug;
pub mod step_up;
pub mod strict_json;
pub mod token;
pub mod token_exchange;
pub mod uri;
pub mod userinfo;

pub use algorithm::SigningAlgorithm;
pub use encryption::{ContentEncryption, Encryption, KeyManagementAlgorithm};
pub use errors::{ErrorCode, OAuthError};
pub use params::Params;
pub use redirect_uri::{RedirectUri, ValidatedRedirect};
pub use response_mode::ResponseMode;
pub use scope::Scope;
pub use slug::Slug;
