//! The way in: reads and writes of one tenant, or, under another name, of the whole installation.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use tokio::sync::oneshot;

use super::changes::{Change, Notice};
use super::connection::{AnyConnection, StatementCount};
use super::error::{Result, StorageError};
use super::installation::Installation;
use super::postgres::{self, Access, Sight};
use super::progress::{self, Progress};
use super::repo::Repo;
use super::scope::TenantScope;
use super::sqlite::{self, Write, Writer};
use crate::clock::Clock;
use crate::threads::ThreadPool;

/// Which database runs, for messages and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// SQLite, embedded.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A file.
    Sqlite(PathBuf),
    /// A connection URL.
    Postgres(String),
}

/// How the database is to be used.
#[derive(Clone, Debug)]
pub struct DbOptions {
    /// Where it is.
    pub location: Location,
    /// Connections, and threads that use them.
    pub connections: u32,
    /// Requests that may wait for a thread, and for the writer.
    pub queue: usize,
    /// How long a request waits for its answer.
    pub deadline: Duration,
}

/// What the pool looks like at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct PoolGauges {
    /// Open connections.
    pub connections: u32,
    /// Those of them that do nothing.
    pub idle: u32,
    /// Requests waiting for a thread.
    pub waiting: usize,
    /// Statements that were run since the start, but for those of the feed.
    pub statements: u64,
}

type Listener = Arc<dyn Fn(Notice<'_>) + Send + Sync>;

enum Pool {
    Sqlite {
        readers: r2d2::Pool<sqlite::Manager>,
        writer: Writer,
        path: PathBuf,
    },
    Postgres {
        pool: r2d2::Pool<postgres::Manager>,
        manager: postgres::Manager,
    },
}

struct Inner {
    // Declared first, so that its threads end before the connections that they use.
    threads: ThreadPool,
    pool: Pool,
    statements: StatementCount,
    clock: Clock,
    deadline: Duration,
    listener: RwLock<Option<Listener>>,
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

/// How often a write is run again after a serialization failure.
const RETRIES: u32 = 8;

impl Db {
    /// Connects. The schema must be up to date: [`super::migrate`] comes first.
    pub fn open(options: &DbOptions, clock: Clock) -> Result<Self> {
        let unavailable = |error: r2d2::Error| StorageError::Unavailable(error.to_string());
        let statements = StatementCount::default();
        let pool = match &options.location {
            Location::Sqlite(path) => Pool::Sqlite {
                writer: Writer::start(path.clone(), options.queue, statements.clone())?,
                readers: r2d2::Pool::builder()
                    .max_size(options.connections.max(1))
                    .min_idle(Some(1))
                    .test_on_check_out(false)
                    .connection_timeout(options.deadline)
                    .error_handler(Box::new(Quiet))
                    .build(sqlite::Manager {
                        path: path.clone(),
                        statements: statements.clone(),
                    })
                    .map_err(unavailable)?,
                path: path.clone(),
            },
            Location::Postgres(url) => {
                let manager = postgres::Manager {
                    url: url.clone(),
                    statement_timeout_ms: u64::try_from(options.deadline.as_millis())
                        .unwrap_or(5_000),
                    statements: statements.clone(),
                };
                let pool = r2d2::Pool::builder()
                    .max_size(options.connections.max(1))
                    .min_idle(Some(1))
                    .test_on_check_out(false)
                    .connection_timeout(options.deadline)
                    .error_handler(Box::new(Quiet))
                    .build(manager.clone())
                    .map_err(unavailable)?;
                Pool::Postgres { pool, manager }
            }
        };
        let threads = ThreadPool::new("tessera-db", options.connections as usize, options.queue)
            .map_err(|error| StorageError::Unavailable(error.to_string()))?;
        Ok(Self(Arc::new(Inner {
            threads,
            pool,
            statements,
            clock,
            deadline: options.deadline,
            listener: RwLock::new(None),
        })))
    }

    /// Which database runs.
    pub fn kind(&self) -> DatabaseKind {
        match self.0.pool {
            Pool::Sqlite { .. } => DatabaseKind::Sqlite,
            Pool::Postgres { .. } => DatabaseKind::Postgres,
        }
    }

    /// The clock that repositories use.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// What the pool looks like now.
    pub fn gauges(&self) -> PoolGauges {
        let state = match &self.0.pool {
            Pool::Sqlite { readers, .. } => readers.state(),
            Pool::Postgres { pool, .. } => pool.state(),
        };
        PoolGauges {
            connections: state.connections,
            idle: state.idle_connections,
            waiting: self.0.threads.waiting(),
            statements: self.0.statements.get(),
        }
    }

    /// Has `listener` told of every change that this process commits, right after the commit, and of what the feed's reader learns.
    pub fn on_commit(&self, listener: impl Fn(Notice<'_>) + Send + Sync + 'static) {
        if let Ok(mut slot) = self.0.listener.write() {
            *slot = Some(Arc::new(listener));
        }
    }

    /// Reads a tenant's rows.
    pub async fn read<T, F>(&self, tenant: &impl AsRef<TenantScope>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Repo<'_>) -> Result<T> + Send + 'static,
    {
        let scope = *tenant.as_ref();
        let mut work = work;
        self.run_read(Sight::Tenant(scope), move |connection, clock| {
            work(&mut Repo::new(connection, scope, clock))
        })
        .await
    }

    /// Writes a tenant's rows in one transaction. `work` may run more than once.
    pub async fn write<T, F>(&self, tenant: &impl AsRef<TenantScope>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Repo<'_>) -> Result<T> + Send + 'static,
    {
        let scope = *tenant.as_ref();
        let mut work = work;
        self.run_write(Sight::Tenant(scope), move |connection, clock| {
            let mut repo = Repo::new(connection, scope, clock);
            let value = work(&mut repo)?;
            Ok((value, repo.noted))
        })
        .await
    }

    /// Reads across tenants: for operators and jobs only.
    pub async fn read_installation<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Installation<'_>) -> Result<T> + Send + 'static,
    {
        let mut work = work;
        self.run_read(Sight::Installation, move |connection, clock| {
            work(&mut Installation::new(connection, clock))
        })
        .await
    }

    /// Writes across tenants in one transaction: for operators and jobs only. `work` may run more than once.
    pub async fn write_installation<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Installation<'_>) -> Result<T> + Send + 'static,
    {
        let mut work = work;
        self.run_write(Sight::Installation, move |connection, clock| {
            let mut installation = Installation::new(connection, clock);
            let value = work(&mut installation)?;
            Ok((value, installation.noted))
        })
        .await
    }

    async fn run_read<T, F>(&self, sight: Sight, mut work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut AnyConnection, &Clock) -> Result<T> + Send + 'static,
    {
        let (answer, result) = oneshot::channel();
        // A weak handle: the pool's threads mustn't keep the pool alive.
        let inner = Arc::downgrade(&self.0);
        let job = move || {
            if answer.is_closed() {
                return;
            }
            let Some(inner) = inner.upgrade() else { return };
            let _ = answer.send(inner.read(sight, &mut work));
        };
        self.0.threads.submit(job).map_err(|_| StorageError::Busy)?;
        progress::within(self.0.deadline, result)
            .await
            .unwrap_or(Err(StorageError::Timeout))
    }

    async fn run_write<T, F>(&self, sight: Sight, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut AnyConnection, &Clock) -> Result<(T, Vec<Change>)> + Send + 'static,
    {
        let (answer, result) = oneshot::channel();
        let (progress, waiting) = progress::begin(self.0.deadline);
        match &self.0.pool {
            Pool::Sqlite { writer, .. } => {
                writer.submit(Box::new(SqliteWrite {
                    work,
                    value: None,
                    answer: Some(answer),
                    progress,
                    clock: self.0.clock.clone(),
                }))?;
            }
            Pool::Postgres { .. } => {
                let inner = Arc::downgrade(&self.0);
                let mut work = work;
                let job = move || {
                    let Some(inner) = inner.upgrade() else { return };
                    let _ = answer.send(inner.write_postgres(sight, &progress, &mut work));
                };
                self.0.threads.submit(job).map_err(|_| StorageError::Busy)?;
            }
        }
        // Where nobody is left to announce a change that was committed after all, the feed tells of it.
        let (value, changes) = waiting.result(self.0.deadline, result).await?;
        if !changes.is_empty() {
            self.announce(Notice::Changes(&changes));
        }
        Ok(value)
    }

    /// Tells this process's caches of what other processes changed (the feed's reader) or it changed itself.
    pub(super) fn announce(&self, notice: Notice<'_>) {
        let listener = self.0.listener.read().ok().and_then(|slot| slot.clone());
        if let Some(listener) = listener {
            listener(notice);
        }
    }

    /// A connection of its own for the change feed.
    pub(super) fn feed_connection(&self) -> Result<AnyConnection> {
        match &self.0.pool {
            Pool::Sqlite { path, .. } => {
                let mut connection = sqlite::open(path)?;
                connection.batch_execute("PRAGMA query_only = ON")?;
                Ok(connection)
            }
            Pool::Postgres { manager, .. } => {
                let mut connection = manager.open()?;
                // Sees nothing but the feed, which isn't a tenant's.
                connection.batch_execute("SET default_transaction_read_only = on")?;
                Ok(connection)
            }
        }
    }
}

impl Inner {
    fn read<T>(
        &self,
        sight: Sight,
        work: &mut dyn FnMut(&mut AnyConnection, &Clock) -> Result<T>,
    ) -> Result<T> {
        match &self.pool {
            Pool::Sqlite { readers, .. } => {
                let mut connection = readers
                    .get()
                    .map_err(|error| StorageError::Unavailable(error.to_string()))?;
                sqlite::read(&mut connection, |connection| work(connection, &self.clock))
            }
            Pool::Postgres { pool, .. } => {
                let mut connection = postgres::begin(pool, sight, Access::Read, &|| false)?;
                postgres::finish(&mut connection, &|| true, |connection| {
                    work(connection, &self.clock)
                })
            }
        }
    }

    fn write_postgres<T>(
        &self,
        sight: Sight,
        progress: &Progress,
        work: &mut dyn FnMut(&mut AnyConnection, &Clock) -> Result<T>,
    ) -> Result<T> {
        let Pool::Postgres { pool, .. } = &self.pool else {
            return Err(StorageError::Statement("not on PostgreSQL".into()));
        };
        let given_up = || progress.is_given_up();
        let mut attempt = 0;
        loop {
            if given_up() {
                return Err(StorageError::Timeout);
            }
            let mut connection = postgres::begin(pool, sight, Access::Write, &given_up)?;
            // A connection may have been long in coming.
            if given_up() {
                connection.mark_dead();
                return Err(StorageError::Timeout);
            }
            let may_commit = || progress.begin_commit();
            let result = postgres::finish(&mut connection, &may_commit, |connection| {
                work(connection, &self.clock)
            });
            match result {
                Err(StorageError::Serialization) if attempt < RETRIES => {
                    attempt += 1;
                    drop(connection);
                    progress.begin_again();
                    // Grows, so that two that block each other part ways.
                    std::thread::sleep(Duration::from_millis(u64::from(attempt * attempt)));
                }
                Err(StorageError::Serialization) => return Err(StorageError::Busy),
                other => return other,
            }
        }
    }
}

/// What a write gives, and what it changed of what caches keep.
type Noted<T> = (T, Vec<Change>);

struct SqliteWrite<T, F> {
    work: F,
    value: Option<Noted<T>>,
    answer: Option<oneshot::Sender<Result<Noted<T>>>>,
    progress: Progress,
    clock: Clock,
}

impl<T, F> Write for SqliteWrite<T, F>
where
    T: Send,
    F: FnMut(&mut AnyConnection, &Clock) -> Result<(T, Vec<Change>)> + Send,
{
    fn run(&mut self, connection: &mut AnyConnection) -> Result<()> {
        self.value = Some((self.work)(connection, &self.clock)?);
        Ok(())
    }

    fn answer(mut self: Box<Self>, outcome: Result<()>) {
        let value = self.value.take();
        if let Some(answer) = self.answer.take() {
            let missing = || Err(StorageError::Statement("the write didn't run".into()));
            let _ = answer.send(outcome.and_then(|()| value.map_or_else(missing, Ok)));
        }
    }

    fn is_given_up(&self) -> bool {
        self.progress.is_given_up()
    }

    fn begin_commit(&self) -> bool {
        self.progress.begin_commit()
    }

    fn begin_again(&self) {
        self.progress.begin_again();
    }
}

/// r2d2 logs each failed attempt; the caller's error says the same once.
#[derive(Debug)]
struct Quiet;

impl<E: std::error::Error> r2d2::HandleError<E> for Quiet {
    fn handle_error(&self, error: E) {
        tracing::debug!(%error, "no database connection");
    }
}
