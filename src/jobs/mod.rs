//! Work that no request asks for. Each job is safe to run on several nodes at once.
//!
//! Signing keys need no job: they are rotated by the first signature after they have come of age. The change feed's readers belong to
//! storage.

pub mod client_uses;
pub mod deletion;
pub mod expiry;
pub mod logout;
mod runner;

pub use runner::{Jobs, start};
