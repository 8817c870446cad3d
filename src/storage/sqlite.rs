//! SQLite: connections, and the one thread that writes.
//!
//! Two writers contending for SQLite's lock wait up to a second, and each commit costs a flush to disk. So all writes go to one
//! thread, which takes what is queued, runs it in one `BEGIN IMMEDIATE`, commits once, and only then answers them all: nothing is
//! acknowledged before it is on disk. Where one of them fails, which is rare, all are run again with a savepoint around each, so that
//! it fails alone: savepoints cost as much as a row.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use super::connection::{AnyConnection, Pooled, StatementCount};
use super::error::{Result, StorageError};
use super::postgres::guarded;

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
    pub(super) statements: StatementCount,
}

impl r2d2::ManageConnection for Manager {
    type Connection = Pooled;
    type Error = StorageError;

    fn connect(&self) -> Result<Pooled> {
        let mut connection = open(&self.path)?;
        connection.batch_execute("PRAGMA query_only = ON")?;
        Ok(self.statements.watch(connection))
    }

    fn is_valid(&self, connection: &mut Pooled) -> Result<()> {
        Ok(connection.batch_execute("SELECT 1")?)
    }

    fn has_broken(&self, connection: &mut Pooled) -> bool {
        connection.is_dead()
    }
}

/// Reads in one snapshot. A read needs no commit to be true, so what it found stands however its transaction ends.
pub(super) fn read<T>(
    connection: &mut Pooled,
    work: impl FnOnce(&mut AnyConnection) -> Result<T>,
) -> Result<T> {
    if let Err(error) = connection.batch_execute("BEGIN DEFERRED") {
        connection.mark_dead();
        return Err(error.into());
    }
    let result = guarded(|| work(connection));
    // After an I/O error there may be no transaction left to end, and the handle may stay unusable.
    if connection.batch_execute("COMMIT").is_err() {
        connection.mark_dead();
    }
    result
}

/// A write on its way to the writer thread.
pub(super) trait Write: Send {
    /// Runs the statements; may be called more than once.
    fn run(&mut self, connection: &mut AnyConnection) -> Result<()>;
    /// Tells the caller: `Err` where the group's commit failed after `run` had succeeded.
    fn answer(self: Box<Self>, outcome: Result<()>);
    /// Whether nobody waits any more, so that it mustn't begin.
    fn is_given_up(&self) -> bool;
    /// Binds the caller to what becomes of the commit; `false` where it has given up.
    fn begin_commit(&self) -> bool;
    /// Takes that back: it is to be run again.
    fn begin_again(&self);
}

/// The one thread that writes.
pub(super) struct Writer {
    queue: Option<SyncSender<Box<dyn Write>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(path: PathBuf, bound: usize, statements: StatementCount) -> Result<Self> {
        let open = move || {
            let connection = open(&path)?;
            Ok::<_, StorageError>(statements.watch(connection).into_inner())
        };
        let mut connection = open()?;
        let (queue, jobs) = sync_channel(bound);
        let thread = std::thread::Builder::new()
            .name("tessera-writer".into())
            .spawn(move || {
                let mut suspect = false;
                while let Some(group) = next_group(&jobs) {
                    // After an I/O error the handle may stay unusable although the disk has recovered: a fresh one heals by itself.
                    if suspect {
                        match open() {
                            Ok(fresh) => {
                                connection = fresh;
                                suspect = false;
                            }
                            Err(error) => {
                                tracing::warn!(%error, "the database can't be opened anew");
                            }
                        }
                    }
                    suspect |= commit_group(&mut connection, group) == Handle::Suspect;
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
    group.retain(|job| !job.is_given_up());
    Some(group)
}

/// What a group left the connection as.
#[derive(PartialEq, Eq)]
enum Handle {
    Good,
    Suspect,
}

/// Runs and commits a group; if the whole transaction breaks, every write in it is told so.
fn commit_group(connection: &mut AnyConnection, mut group: Vec<Box<dyn Write>>) -> Handle {
    if group.is_empty() {
        return Handle::Good;
    }
    let (outcomes, handle) = match run_group(connection, &mut group) {
        Ok(outcomes) => (outcomes, Handle::Good),
        Err(error) => {
            // Fails harmlessly where SQLite has rolled back by itself (a full disk, an I/O error).
            let _ = connection.batch_execute("ROLLBACK");
            let handle = match error {
                StorageError::Busy => Handle::Good,
                _ => Handle::Suspect,
            };
            // No one write's fault, whatever it was.
            let error = if error.is_transient() {
                error
            } else {
                StorageError::Unavailable(error.to_string())
            };
            (vec![Err(error); group.len()], handle)
        }
    };
    for (job, outcome) in group.into_iter().zip(outcomes) {
        job.answer(outcome);
    }
    handle
}

fn run_group(
    connection: &mut AnyConnection,
    group: &mut [Box<dyn Write>],
) -> Result<Vec<Result<()>>> {
    match run_together(connection, group)? {
        Some(outcomes) => Ok(outcomes),
        None => run_apart(connection, group),
    }
}

/// Runs and commits the group as one; `None` where that isn't possible as one of them failed or was given up after it ran, with nothing done.
fn run_together(
    connection: &mut AnyConnection,
    group: &mut [Box<dyn Write>],
) -> Result<Option<Vec<Result<()>>>> {
    connection.batch_execute("BEGIN IMMEDIATE")?;
    let mut outcomes = Vec::with_capacity(group.len());
    for job in group.iter_mut() {
        // The lock may have been long in coming. What hasn't run needs no way back.
        outcomes.push(if job.is_given_up() {
            Err(StorageError::Timeout)
        } else if guarded(|| job.run(connection)).is_ok() {
            Ok(())
        } else {
            break;
        });
    }
    let done = outcomes.len() == group.len();
    let mut ran = group
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| outcome.is_ok());
    if done && ran.all(|(job, _)| job.begin_commit()) {
        connection.batch_execute("COMMIT")?;
        return Ok(Some(outcomes));
    }
    for job in group.iter() {
        job.begin_again();
    }
    // Fails where SQLite has rolled back by itself; what is run next says whether the connection is still of use.
    let _ = connection.batch_execute("ROLLBACK");
    Ok(None)
}

/// Runs and commits a group of which some fail; each fails alone.
fn run_apart(
    connection: &mut AnyConnection,
    group: &mut [Box<dyn Write>],
) -> Result<Vec<Result<()>>> {
    connection.batch_execute("BEGIN IMMEDIATE")?;
    let mut outcomes = Vec::with_capacity(group.len());
    for job in group.iter_mut() {
        if job.is_given_up() {
            outcomes.push(Err(StorageError::Timeout));
            continue;
        }
        connection.batch_execute("SAVEPOINT one_write")?;
        let outcome = guarded(|| job.run(connection)).and_then(|()| {
            if job.begin_commit() {
                Ok(())
            } else {
                Err(StorageError::Timeout)
            }
        });
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use diesel::connection::{Connection as _, InstrumentationEvent};
    use diesel::dsl::sql;
    use diesel::sql_types::{Integer, Text};
    use diesel::{QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query};
    use uuid::Uuid;

    use super::*;
    use crate::clock::{Clock, Timestamp};
    use crate::domain::audit::Act;
    use crate::storage::audit::EventFilter;
    use crate::storage::db::Location;
    use crate::storage::migrations::migrate;
    use crate::storage::repo::{PageRequest, Repo};
    use crate::storage::scope::TenantScope;

    /// `.cargo/config.toml` asks for it. Without it a list's statement is parsed anew at every call, and nothing but the time would say so.
    #[test]
    fn statements_are_planned_once_whatever_their_values() {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        let stable = sql::<Integer>("SELECT sqlite_compileoption_used('ENABLE_QPSG')");
        assert_eq!(stable.get_result::<i32>(&mut connection), Ok(1));
    }

    /// A step of a plan, as `EXPLAIN QUERY PLAN` has it.
    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }

    /// By which way SQLite finds what the last statement asks for.
    fn way(connection: &mut AnyConnection, ask: impl FnOnce(&mut Repo<'_>)) -> String {
        let asked = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&asked);
        let AnyConnection::Sqlite(inner) = &mut *connection else {
            unreachable!("opened as SQLite")
        };
        inner.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                *heard.lock().unwrap() = query.to_string();
            }
        });
        let tenant = TenantScope::of_stored(Uuid::nil().into());
        ask(&mut Repo::new(connection, tenant, &Clock::system()));
        let text = asked.lock().unwrap().clone();
        let statement = text.split(" -- binds").next().unwrap_or_default();
        let explained = sql_query(format!("EXPLAIN QUERY PLAN {statement}"));
        let steps = explained.load::<Step>(connection).unwrap();
        let steps = steps.into_iter().map(|step| step.detail);
        steps.collect::<Vec<_>>().join("; ")
    }

    /// Samples of what an index holds would outlive the tenants that it is about.
    #[test]
    fn what_is_told_of_events_holds_none_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tessera.db");
        migrate(&Location::Sqlite(path.clone())).unwrap();
        let mut connection = open(&path).unwrap();
        let event = "PRAGMA foreign_keys = OFF; INSERT INTO audit_events (tenant_id, id, at, act, actor, detail) \
            VALUES (zeroblob(16), zeroblob(16), '', 'sign_in', 'system', '{}')";
        for statements in [
            event,
            include_str!("../../migrations/sqlite/2026-11-29-001400_events_by_act/down.sql"),
            include_str!("../../migrations/sqlite/2026-11-29-001400_events_by_act/up.sql"),
        ] {
            connection.batch_execute(statements).unwrap();
        }
        for (table, rows) in [("sqlite_stat1", 4), ("sqlite_stat4", 0)] {
            let count = sql::<Integer>(&format!("SELECT count(*) FROM {table}"));
            assert_eq!(
                count.get_result::<i32>(&mut connection),
                Ok(rows),
                "{table}"
            );
        }
    }

    /// Whoever has few events, or none of a kind, is found among as many as a tenant has: SQLite knows nothing of their numbers and takes the table's
    /// own key where a statement lets it.
    #[test]
    fn events_are_found_by_their_indices() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tessera.db");
        migrate(&Location::Sqlite(path.clone())).unwrap();
        let mut connection = open(&path).unwrap();
        let (user, client) = (Uuid::nil().into(), Uuid::nil().into());
        let all = EventFilter::default();
        for (filter, index) in [
            (
                EventFilter {
                    act: Some(Act::SignInFailed),
                    ..all.clone()
                },
                "audit_events_act (tenant_id=? AND act=? AND id<?)",
            ),
            (
                EventFilter {
                    user_id: Some(user),
                    ..all.clone()
                },
                "audit_events_user_id (tenant_id=? AND user_id=? AND id<?)",
            ),
            (
                EventFilter {
                    client_id: Some(client),
                    ..all.clone()
                },
                "audit_events_client_id (tenant_id=? AND client_id=? AND id<?)",
            ),
            (all, "PRIMARY KEY (tenant_id=? AND id<?)"),
        ] {
            for after in [None, Some(Uuid::max())] {
                let page = PageRequest {
                    after,
                    ..PageRequest::first(10)
                };
                let way = way(&mut connection, |repo| {
                    repo.list_events(&filter, page).unwrap();
                });
                assert!(way.ends_with(index) && !way.contains(';'), "{way}");
            }
        }
        let way = way(&mut connection, |repo| {
            let since = Timestamp::UNIX_EPOCH;
            repo.count_some_events(Act::SignInFailed, since).unwrap();
        });
        assert!(
            way.ends_with("COVERING INDEX audit_events_act (tenant_id=? AND act=? AND id>?)"),
            "{way}"
        );
    }
}
