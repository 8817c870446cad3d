//! Each specification, over HTTP.

pub mod account;
pub mod addresses;
pub mod attack_browser;
pub mod attack_faults;
pub mod attack_input;
pub mod attack_jose;
pub mod attack_redirects;
pub mod attack_signin;
pub mod browser_security;
pub mod client_authentication;
pub mod consent_pairs;
pub mod nodes;
pub mod oidc_core_authorization;
pub mod oidc_userinfo;
pub mod one_time_links;
pub mod rfc6749_token;
pub mod rfc7009;
pub mod rfc7636;
pub mod rfc7662;
pub mod rfc8707;
pub mod rfc9068;
pub mod rfc9207;
pub mod rp_initiated_logout;
pub mod seed;
pub mod sign_in;
pub mod tenancy;
