//! Device authorization (RFC 8628): a device without a browser asks, and its person decides elsewhere.
//!
//! The device gets two codes (`request`). The one that it shows leads its person, signed in, to a page that says who asks for what and where
//! from (`decide`); the other one it polls with, see `grants::device_code`. Once the person has allowed it there is a grant whose
//! code is the device code: from there on everything is as with an authorization code.
//!
//! # Guessing
//!
//! There are 20⁸ user codes, 2.56 · 10¹⁰ (RFC 8628 §5.1, §6.1). Only somebody who is signed in can try one. With the settings as they are at
//! first a person has 10 tries in 15 minutes, right ones included, a network 50, and all people of a tenant 200 wrong ones together. While
//! a thousand devices wait, all that one client may have, a try hits one of them with a chance of 4 · 10⁻⁸. One person who tries without pause
//! needs 73 years on average to hit any, and all that a tenant lets through comes to one hit in three and a half years: of a
//! device that is then signed in as whoever guessed. A guess costs its account's standing, as it is written down with the name.

mod decide;
mod request;

pub(in crate::flows) use request::check_permitted;

pub use decide::{Found, WaitingDevice};
