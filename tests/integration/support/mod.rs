//! What tests stand on.

pub mod admin;
pub mod app;
pub mod browser;
pub mod certificates;
pub mod command;
pub mod database;
pub mod dpop;
pub mod http;
pub mod impatient;
pub mod race;
pub mod receiver;
pub mod relying_party;
pub mod secrets;
pub mod sector;
