//! `tessera doctor`: looks at everything that a server needs, changes nothing, and says what is wrong and how to mend it.

mod checkup;
mod database;
mod findings;
mod keys;

pub use checkup::run;
