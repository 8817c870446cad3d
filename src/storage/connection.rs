//! One connection type for both databases, so that a query is written once.
//!
//! The derived `establish` tries one database after the other, and SQLite takes any text for a path; so connections are only made
//! by [`super::postgres`] and [`super::sqlite`], which know what they want.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use diesel::backend::Backend;
use diesel::connection::{Connection as _, InstrumentationEvent};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::{MultiConnection, PgConnection, QueryResult, RunQueryDsl, SqliteConnection};

use super::postgres::Plans;

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

/// An UPDATE that stays prepared. diesel has each of them parsed and planned anew, as the columns that a changeset sets may hang on its
/// values; so this is for statements whose text is the same each time: what they set are single columns.
pub(super) struct Kept<S>(pub(super) S);

impl<S> QueryId for Kept<S> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<S: QueryFragment<DB>, DB: Backend> QueryFragment<DB> for Kept<S> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }

    fn is_safe_to_cache_prepared(&self, _: &DB) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<S, C> RunQueryDsl<C> for Kept<S> {}

/// How many statements were run; the connections of a process share one.
#[derive(Clone, Default)]
pub(super) struct StatementCount(Arc<AtomicU64>);

impl StatementCount {
    /// Takes a connection into a pool, and counts what it runs from now on.
    pub(super) fn watch(&self, mut connection: AnyConnection) -> Pooled {
        let count = Arc::clone(&self.0);
        let failed = Arc::new(AtomicBool::new(false));
        let fails = Arc::clone(&failed);
        let watch = move |event: InstrumentationEvent<'_>| match event {
            InstrumentationEvent::StartQuery { .. } => {
                count.fetch_add(1, Ordering::Relaxed);
            }
            InstrumentationEvent::FinishQuery { error: Some(_), .. } => {
                fails.store(true, Ordering::Relaxed);
            }
            _ => {}
        };
        on_backend!(&mut connection, inner => inner.set_instrumentation(watch));
        Pooled {
            connection,
            failed,
            plans: Plans::new(),
            dead: false,
        }
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection of a pool, which is told when it is of no use any more: diesel only knows of the transactions that it began itself.
pub(super) struct Pooled {
    connection: AnyConnection,
    failed: Arc<AtomicBool>,
    plans: Plans,
    dead: bool,
}

impl Pooled {
    /// When it plans its statements anew; SQLite's plans don't hang on what is in the tables.
    pub(super) fn plans(&mut self) -> &mut Plans {
        &mut self.plans
    }

    /// Has the pool close it instead of handing it out again.
    pub(super) fn mark_dead(&mut self) {
        self.dead = true;
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead
    }

    /// Whether a statement failed since this was asked last.
    pub(super) fn take_failed(&self) -> bool {
        self.failed.swap(false, Ordering::Relaxed)
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
