//! The command line: one file per command. `args` is the whole grammar, `output` the two forms in which a command answers, `open` the
//! way from settings to a working provider.
//!
//! A command returns a [`output::Report`], which is printed once and at the end, so that `--json` can't print anything else.

pub mod args;
mod bulk;
pub mod client;
pub mod doctor;
pub mod domain;
pub mod external_subject;
mod initial_access_token;
pub mod key;
pub mod master_key;
pub mod migrate;
pub mod open;
pub mod openapi;
pub mod operator;
pub mod output;
pub mod quickstart;
pub mod resource;
pub mod role;
pub mod serve;
pub mod tenant;
pub mod user;

pub use args::{grammar, run};
