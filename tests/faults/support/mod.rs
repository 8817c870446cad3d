//! What the programs share: a client, an installation with people and clients in it, databases, and ways to disturb them.

pub mod database;
pub mod disk;
pub mod http;
pub mod jwt;
pub mod model;
pub mod postgres;
pub mod proxy;
pub mod random;
pub mod scene;
pub mod shim;
pub mod site;
