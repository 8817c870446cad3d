//! The authorization endpoint (RFC 6749 §3.1, OpenID Connect Core §3.1.2): the request's checks, what a person still has to do, and the
//! grant at the end of it.

mod checks;
mod issue;
mod steps;

pub use checks::{AuthorizeRefusal, CheckedRequest};
pub use issue::Outcome;
pub use steps::{ACR, ACR_VALUES, Decision, Flow, Step};
