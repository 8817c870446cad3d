//! Signing in: one factor a file. A sign-in ends in a new session and in a browser that is known from then on.

mod password;
mod policy;

pub(super) use password::{Admitted, Checked, Counted, minutes_of_window};
pub use password::{Attempt, MAX_USERNAME, NewSession, SignIn, Visitor};
pub use policy::{EntryProblem, take_new_password};
