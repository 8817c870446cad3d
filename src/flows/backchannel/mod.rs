//! Client-initiated backchannel authentication (OpenID Connect CIBA): an application asks for a person who isn't at it, and they answer on a page
//! of their account.
//!
//! The application gets a name for its request (`request`), the `auth_req_id`. The person hears of it by a [`Notifier`], finds it in their
//! account, and decides (`decide`). Once they have allowed it there is a grant whose code is that name: from there on everything is as with an
//! authorization code. An application that polls comes for its tokens (see `grants::backchannel`); one that doesn't is told, or sent them
//! (`deliver`), by the queue that tells of sign-outs.
//!
//! # Who may make out whether somebody is known here
//!
//! Only an application that authenticates and may use the grant: it is told `unknown_user_id` (§13), as it has to know that nobody will
//! answer. It is told so [`request::UNKNOWN_RATE`] times in an hour, known people don't count, and then nothing at all for the rest of it. That it needs
//! somebody's code, or another one, which asks nobody and tells it that they are known, it is told [`request::MISS_RATE`] times. A person whose account is
//! closed isn't known. The `sub` that other applications know somebody by names nobody to a client with pairwise subjects.
//!
//! # Prompts that never end
//!
//! What is asked of a person by one application is limited at a time and by the hour, and so is what all ask together. Whoever wants more than that sets a
//! code (`code`), without which nobody asks them.

mod code;
mod decide;
mod deliver;
mod expire;
mod notify;
mod request;
mod whom;

pub(in crate::flows) use request::check_permitted;

pub use code::CodeChange;
pub use decide::WaitingRequest;
pub use notify::{Notifier, OnAccountPage, Webhook, notifier_of};
