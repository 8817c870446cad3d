//! One connection type for both databases, so that a query is written once.
//!
//! The derived `establish` tries one database after the other, and SQLite takes any text for a path; so connections are only made
//! by [`super::postgres`] and [`super::sqlite`], which know what they want.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::connection::{Connection as _, InstrumentationEvent};
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

/// How many statements were run; the connections of a process share one.
#[derive(Clone, Default)]
pub(super) struct StatementCount(Arc<AtomicU64>);

impl StatementCount {
    /// Counts what this connection runs from now on.
    pub(super) fn watch(&self, connection: &mut AnyConnection) {
        let count = Arc::clone(&self.0);
        let watch = move |event: InstrumentationEvent<'_>| {
            if matches!(event, InstrumentationEvent::StartQuery { .. }) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        };
        on_backend!(connection, inner => inner.set_instrumentation(watch));
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection of a pool, which is told when it is of no use any more: diesel only knows of the transactions that it began itself.
pub(super) struct Pooled {
    connection: AnyConnection,
    dead: bool,
}

impl Pooled {
    pub(super) fn new(connection: AnyConnection) -> Self {
        Self {
            connection,
            dead: false,
        }
    }

    /// Has the pool close it instead of handing it out again.
    pub(super) fn mark_dead(&mut self) {
        self.dead = true;
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead
    }

    pub(super) fn into_inner(self) -> AnyConnection {
        self.connection
    }
}

impl Deref for Pooled {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}
