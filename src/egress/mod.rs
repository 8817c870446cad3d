//! The only place that opens connections outward.
//!
//! What a tenant or a client may name (a `jwks_uri`, a sector identifier, a logout URI) is a URL of a stranger, and the server must not be
//! made to knock at its own network's doors with it. One guarded client therefore does every fetch: https only, public addresses
//! only, no redirects, bounded in time, size and number. Hosts that `egress_allow` lists are exempt, for development.
//!
//! The other way out are questions to name servers, which are the operator's choice and no stranger's.
//!
//! Left out: SMTP, and following redirects, which no specification that is served here asks for.

mod address;
mod client;
mod connect;
mod dns;
mod error;
mod freshness;
mod jwks;
mod limits;
mod request_objects;

pub use address::is_public;
pub use client::{EgressClient, EgressOptions, Expected, Fetched, Outward};
pub use connect::{NameResolver, SystemResolver};
pub use dns::{DnsClient, DnsError};
pub use error::{EgressError, EgressSetupError};
pub use jwks::{JwkSet, JwksCache, MAX_JWKS_BYTES, REFETCH_AFTER};
pub use request_objects::{FETCHES_A_MINUTE, Reference, RequestObjectCache};
