//! Many at once: tenants as a stream of lines, out and in, and people into a tenant.
//!
//! What a line has to be is asked of the functions that registration and the administration API ask; what differs is the writing, many
//! tenants a commit, and the audit: one event for a tenant, one for a commit of people. No password is hashed here: hashes come as they
//! are, and are made anew when their owner signs in.
//!
//! Never in an export: sessions, grants with their tokens, one-time links, counters of wrong guesses, audit events, and the clients
//! that the server makes for itself. Only with secrets: the tenant's data key, what is sealed under it (signing keys) and hashed under
//! it (client secrets), and password hashes.

mod clients;
mod draft;
mod export;
mod format;
mod import;
mod lines;
mod parts;
mod people;
mod report;

pub use clients::NewClientSecret;
pub use export::{Exported, Secrets};
pub use report::{Existing, ImportFailure, Imported, Mode, Problem, SecretKeeper};
