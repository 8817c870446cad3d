//! Tessera: a multi-tenant OAuth 2 and OpenID Connect provider.
//!
//! One direction: `cli → http → flows → {storage, jose, egress} → domain → protocol`; nothing imports upward. `clock`, `config`,
//! `files`, `secret` and `threads` lie below all of them.

pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod egress;
pub mod files;
pub mod flows;
pub mod http;
pub mod jobs;
pub mod jose;
pub mod protocol;
pub mod secret;
pub mod storage;
pub mod threads;
