//! From nothing to a sign-in in a browser.

pub mod demo;
