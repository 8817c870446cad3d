//! Guesses at a password, counted.
//!
//! The counter's key is made of the e-mail address as it was typed (so unknown people are counted like known ones) and of the
//! browser: one counter for all strangers, one for each device that the person signed in from before.

use crate::clock::Timestamp;

/// Failed attempts within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: u32,
    /// When the first of them was.
    pub window_start: Timestamp,
}

/// May another guess be looked at?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes, and it has been counted.
    Admitted,
    /// No: too many within the window.
    Refused,
}
