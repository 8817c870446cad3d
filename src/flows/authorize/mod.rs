//! The authorization endpoint (RFC 6749 §3.1, OpenID Connect Core §3.1.2) and the one beside it that takes requests ahead (RFC 9126): how a
//! request comes, its checks, what a person still has to do, and the grant at the end of it.

mod answer;
mod checks;
mod encrypted;
mod issue;
mod presented;
mod pushed;
mod reference;
mod steps;

pub use checks::{AuthorizeRefusal, CheckedRequest, Recipient};
pub(in crate::flows) use checks::{check_acr_values, check_essential_acr};
pub(in crate::flows) use encrypted::Opened;
pub(in crate::flows) use issue::Granted;
pub use issue::Outcome;
pub(in crate::flows) use presented::ObjectRefusal;
pub use presented::Pushed;
pub use pushed::PushedRefusal;
pub use steps::{ACR, ACR_VALUES, Decision, Flow, Step};
