//! One file per command.

pub mod quickstart;
