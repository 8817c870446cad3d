//! What a browser carries back to us: session cookies, CSRF tokens and known devices, as values. No HTTP and no storage.
//!
//! A form counts only as a [`CheckedForm`], and there is one way to make one: every flow that changes something for a person takes
//! such a value, so that none can forget the check.

mod cookies;
mod devices;
mod forms;
mod sessions;

pub use cookies::{Cookie, CookiePlace, issuer_origin, issuer_path};
pub use devices::{DEVICE_LIFETIME, DeviceCookie};
pub use forms::{CheckedForm, CsrfSeed, FormOwner, FormPurpose, FormRefusal, Provenance};
pub use sessions::{SessionCookie, browser_state};

/// How many sessions, and how many known people, one browser keeps.
pub const MOST_SESSIONS: usize = 5;
