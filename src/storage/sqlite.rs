//! SQLite: connections, and the one thread that writes.
//!
//! Two writers contending for SQLite's lock wait up to a second, and each commit costs a flush to disk. So all writes go to one
//! thread, which takes what is queued, runs each write in a savepoint of one `BEGIN IMMEDIATE`, commits once, and only then answers
//! them all: nothing is acknowledged before it is on disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use super::connection::AnyConnection;
use super::error::{Result, StorageError};

/// How many writes share a commit at the most; bounds how long the first of them waits.
const GROUP_MAX: usize = 256;

/// Opens the file, which must exist unless `create` made it.
pub(super) fn open(path: &Path) -> Result<AnyConnection> {
    let text = path
        .to_str()
        .ok_or_else(|| StorageError::Unavailable("the database's path isn't UTF-8".into()))?;
    let mut connection = SqliteConnection::establish(text)
        .map_err(|error| StorageError::Unavailable(error.to_string()))?;
    // FULL: with NORMAL, a power cut loses commits that were acknowledged. The larger checkpoint keeps it out of most commits.
    connection.batch_execute(
        "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000; \
         PRAGMA trusted_schema = OFF",
    )?;
    Ok(AnyConnection::Sqlite(connection))
}

/// Makes reading connections for r2d2.
pub(super) struct Manager {
    pub(super) path: PathBuf,
}

impl r2d2::ManageConnection for Manager {
    type Connection = AnyConnection;
    type Error = StorageError;

    fn connect(&self) -> Result<AnyConnection> {
        let mut connection = open(&self.path)?;
        connection.batch_execute("PRAGMA query_only = ON")?;
        Ok(connection)
    }

    fn is_valid(&self, connection: &mut AnyConnection) -> Result<()> {
        Ok(connection.batch_execute("SELECT 1")?)
    }

    fn has_broken(&self, _: &mut AnyConnection) -> bool {
        false
    }
}

/// A write on its way to the writer thread.
pub(super) trait Write: Send {
    /// Runs the statements; may be called more than once.
    fn run(&mut self, connection: &mut AnyConnection) -> Result<()>;
    /// Tells the caller: `Err` where the group's commit failed after `run` had succeeded.
    fn answer(self: Box<Self>, outcome: Result<()>);
    /// Whether nobody waits any more, so that it needn't run.
    fn is_abandoned(&self) -> bool;
}

/// The one thread that writes.
pub(super) struct Writer {
    queue: Option<SyncSender<Box<dyn Write>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(path: PathBuf, bound: usize) -> Result<Self> {
        let mut connection = open(&path)?;
        let (queue, jobs) = sync_channel(bound);
        let thread = std::thread::Builder::new()
            .name("tessera-writer".into())
            .spawn(move || {
                while let Some(group) = next_group(&jobs) {
                    commit_group(&mut connection, group);
                    if let AnyConnection::Sqlite(_) = connection {
                        reopen_if_broken(&mut connection, &path);
                    }
                }
            })
            .map_err(|error| StorageError::Unavailable(error.to_string()))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    pub(super) fn submit(&self, write: Box<dyn Write>) -> Result<()> {
        match self.queue.as_ref().map(|queue| queue.try_send(write)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => Err(StorageError::Busy),
            Some(Err(TrySendError::Disconnected(_))) | None => {
                Err(StorageError::Unavailable("the writer has ended".into()))
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn next_group(jobs: &Receiver<Box<dyn Write>>) -> Option<Vec<Box<dyn Write>>> {
    let mut group = vec![jobs.recv().ok()?];
    while group.len() < GROUP_MAX {
        match jobs.try_recv() {
            Ok(job) => group.push(job),
            Err(_) => break,
        }
    }
    group.retain(|job| !job.is_abandoned());
    Some(group)
}

/// Runs and commits a group; if the whole transaction breaks, every write that had succeeded in it is told so.
fn commit_group(connection: &mut AnyConnection, mut group: Vec<Box<dyn Write>>) {
    if group.is_empty() {
        return;
    }
    let outcomes = run_group(connection, &mut group);
    let outcomes = match outcomes {
        Ok(outcomes) => outcomes,
        Err(error) => {
            // Fails harmlessly where SQLite has rolled back by itself (a full disk, an I/O error).
            let _ = connection.batch_execute("ROLLBACK");
            vec![Err(error); group.len()]
        }
    };
    for (job, outcome) in group.into_iter().zip(outcomes) {
        job.answer(outcome);
    }
}

fn run_group(
    connection: &mut AnyConnection,
    group: &mut [Box<dyn Write>],
) -> Result<Vec<Result<()>>> {
    connection.batch_execute("BEGIN IMMEDIATE")?;
    let mut outcomes = Vec::with_capacity(group.len());
    for job in group.iter_mut() {
        connection.batch_execute("SAVEPOINT one_write")?;
        let outcome = catch_unwind(AssertUnwindSafe(|| job.run(connection)))
            .unwrap_or_else(|_| Err(StorageError::Statement("a write panicked".into())));
        match &outcome {
            Ok(()) => connection.batch_execute("RELEASE one_write")?,
            Err(error) => {
                connection
                    .batch_execute("ROLLBACK TO one_write; RELEASE one_write")
                    .map_err(|_| error.clone())?;
            }
        }
        outcomes.push(outcome);
    }
    connection.batch_execute("COMMIT")?;
    Ok(outcomes)
}

/// After an I/O error the handle may stay unusable although the disk has recovered: a fresh one heals by itself.
fn reopen_if_broken(connection: &mut AnyConnection, path: &Path) {
    if connection.batch_execute("PRAGMA data_version").is_ok() {
        return;
    }
    if let Ok(fresh) = open(path) {
        *connection = fresh;
    }
}
