//! One connection type for both databases, so that a query is written once.
//!
//! The derived `establish` tries one database after the other, and SQLite takes any text for a path; so connections are only made
//! by [`super::postgres`] and [`super::sqlite`], which know what they want.

use diesel::{MultiConnection, PgConnection, SqliteConnection};

/// A connection to whichever database runs.
#[derive(MultiConnection)]
pub enum AnyConnection {
    /// SQLite, embedded.
    Sqlite(SqliteConnection),
    /// PostgreSQL.
    Postgres(PgConnection),
}

/// Runs a statement that doesn't compile on the enum (upserts, say) on the connection that is there: the statement is written once
/// and expanded for each.
macro_rules! on_backend {
    ($connection:expr, $inner:ident => $body:expr) => {
        match $connection {
            $crate::storage::connection::AnyConnection::Sqlite($inner) => $body,
            $crate::storage::connection::AnyConnection::Postgres($inner) => $body,
        }
    };
}
pub(super) use on_backend;
