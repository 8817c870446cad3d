//! The demo application of `quickstart`: an ordinary relying party, and an ordinary API that accepts tokens.
//!
//! It shares nothing with the server. All it is given are issuer addresses, client ids and secrets, as an application anywhere else would be;
//! everything more it learns from each issuer's discovery document and keys. Its source shows what an application has to do: authorization code with
//! PKCE, `state`, `nonce` and `iss` (OpenID Connect Core §3.1, RFC 7636, RFC 9207), a resource indicator (RFC 8707), refresh, RP-initiated logout, and on
//! the API's side RFC 9068's checks.
//!
//! Left out: everything that an application needs for itself alone. Sessions are in memory and end with the process.

mod api;
mod app;
mod connect;
mod problem;
mod provider;
mod relying_party;
mod session;
mod verify;
mod views;

pub use app::{DemoApp, DemoTenant};

#[cfg(test)]
mod tests;
