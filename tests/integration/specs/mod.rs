//! Each specification, over HTTP.

pub mod addresses;
pub mod client_authentication;
pub mod nodes;
pub mod oidc_userinfo;
pub mod rfc6749_token;
pub mod rfc7009;
pub mod rfc7636;
pub mod rfc7662;
pub mod rfc8707;
pub mod rfc9068;
pub mod seed;
pub mod tenancy;
