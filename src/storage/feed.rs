//! The change feed's reader: tells this process's caches what others (another node, the command line) have committed.
//!
//! SQLite says by `PRAGMA data_version` that somebody else committed; its commits come in the order of their numbers. PostgreSQL's
//! don't: a transaction may take a number early and commit late. There the cursor is a snapshot, and what comes next are the notes
//! whose transaction that snapshot didn't see and the present one does; nothing waits for old transactions, and none is lost.
//! Left out: LISTEN/NOTIFY, which would save a poll and serialise commits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::changes::{Change, Entity, Notice};
use super::connection::AnyConnection;
use super::db::Db;
use super::error::{Result, StorageError};
use super::schema::changes;
use super::types::{DbUuid, UuidType};
use crate::domain::ids::TenantId;

/// How old the last look at the feed may be.
const CURRENT_FOR: Duration = Duration::from_secs(5);

/// After so long without a look, notes may have been swept: far less than they are kept.
const GAP: Duration = Duration::from_mins(10);

/// How long the end waits for a look that hangs on the network.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// Notes read at once.
const BATCH: i64 = 1000;

/// Reads the change feed on a thread of its own until it is dropped.
pub struct Feed {
    stop: Option<SyncSender<()>>,
    // In a mutex, as a feed is shared between threads and a receiver may not be.
    ended: Mutex<Receiver<()>>,
    thread: Option<JoinHandle<()>>,
    pulse: Arc<Pulse>,
}

/// When the feed was last seen to its end.
struct Pulse {
    begun: Instant,
    /// Milliseconds after `begun`, plus one; zero for never.
    seen: AtomicU64,
}

impl Pulse {
    fn beat(&self) {
        let millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.seen.store(millis + 1, Ordering::Release);
    }

    fn age(&self) -> Option<Duration> {
        let seen = self.seen.load(Ordering::Acquire).checked_sub(1)?;
        Some(
            self.begun
                .elapsed()
                .saturating_sub(Duration::from_millis(seen)),
        )
    }
}

impl Feed {
    /// Begins to look every `interval`. The listener is first told to drop everything, as it may have loaded before.
    pub fn start(db: Db, interval: Duration) -> Self {
        let pulse = Arc::new(Pulse {
            begun: Instant::now(),
            seen: AtomicU64::new(0),
        });
        let (stop, stopped) = sync_channel(0);
        let (ending, ended) = sync_channel(1);
        let beat = Arc::clone(&pulse);
        let thread = std::thread::Builder::new()
            .name("tessera-feed".into())
            .spawn(move || {
                follow(&db, interval, &stopped, &beat);
                let _ = ending.send(());
            });
        let thread = thread
            .inspect_err(
                |error| tracing::error!(%error, "the change feed's reader can't be started"),
            )
            .ok();
        Self {
            stop: Some(stop),
            ended: Mutex::new(ended),
            thread,
            pulse,
        }
    }

    /// Whether this process knows what was committed up to a few seconds ago.
    pub fn is_current(&self) -> bool {
        self.pulse.age().is_some_and(|age| age <= CURRENT_FOR)
    }

    /// How long ago the feed was last seen to its end; none before the first time.
    pub fn age(&self) -> Option<Duration> {
        self.pulse.age()
    }

    /// Ends the reader.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        drop(self.stop.take());
        let Some(thread) = self.thread.take() else {
            return;
        };
        // A reader that waits for a dead network is left to itself.
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(STOP_WAIT) != Err(RecvTimeoutError::Timeout) {
            let _ = thread.join();
        }
    }
}

fn follow(db: &Db, interval: Duration, stopped: &Receiver<()>, pulse: &Pulse) {
    let mut reader = None;
    let mut failures = 0_u32;
    loop {
        if pulse.age().is_some_and(|age| age > GAP) {
            reader = None;
        }
        let wait = match look(db, &mut reader) {
            Ok(()) => {
                if failures > 0 {
                    tracing::info!("the change feed is back");
                }
                failures = 0;
                pulse.beat();
                interval
            }
            Err(error) => {
                reader = None;
                if failures == 0 {
                    tracing::warn!(%error, "the change feed can't be read");
                }
                failures = failures.saturating_add(1);
                Duration::from_millis(50 << failures.min(5)).min(Duration::from_secs(1))
            }
        };
        if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// Reads what is new and tells of it; connects where there is no reader.
fn look(db: &Db, reader: &mut Option<Reader>) -> Result<()> {
    if let Some(reader) = reader {
        return reader.look(db);
    }
    // A fresh cursor knows nothing of what came before it; the database may even be another one, after a failover.
    *reader = Some(Reader::begin(db.feed_connection()?)?);
    db.announce(Notice::Everything);
    Ok(())
}

struct Reader {
    connection: AnyConnection,
    cursor: Cursor,
}

enum Cursor {
    Sqlite { data_version: i64, seq: i64 },
    Postgres { snapshot: String },
}

#[derive(QueryableByName)]
struct DataVersion {
    #[diesel(sql_type = BigInt)]
    data_version: i64,
}

#[derive(QueryableByName)]
struct Snapshot {
    #[diesel(sql_type = Text)]
    snapshot: String,
}

#[derive(QueryableByName)]
struct Seen {
    #[diesel(sql_type = Text)]
    snapshot: String,
    #[diesel(sql_type = Nullable<UuidType>)]
    tenant_id: Option<DbUuid>,
    #[diesel(sql_type = Nullable<Text>)]
    entity: Option<String>,
    #[diesel(sql_type = Nullable<UuidType>)]
    entity_id: Option<DbUuid>,
}

/// One statement, so that the notes and the next cursor are of the same snapshot.
const NEXT: &str = "SELECT s.snapshot, c.tenant_id, c.entity, c.entity_id \
    FROM (SELECT pg_current_snapshot()::text AS snapshot) s \
    LEFT JOIN changes c ON c.xid >= pg_snapshot_xmin($1::pg_snapshot) AND NOT pg_visible_in_snapshot(c.xid, $1::pg_snapshot) \
        AND c.xid < pg_snapshot_xmax(pg_current_snapshot())";

impl Reader {
    fn begin(mut connection: AnyConnection) -> Result<Self> {
        let cursor = match &mut connection {
            AnyConnection::Sqlite(inner) => Cursor::Sqlite {
                data_version: data_version(inner)?,
                seq: changes::table
                    .select(diesel::dsl::max(changes::seq))
                    .first::<Option<i64>>(inner)?
                    .unwrap_or(0),
            },
            AnyConnection::Postgres(inner) => {
                let now = diesel::sql_query("SELECT pg_current_snapshot()::text AS snapshot")
                    .get_result::<Snapshot>(inner)?;
                Cursor::Postgres {
                    snapshot: now.snapshot,
                }
            }
        };
        Ok(Self { connection, cursor })
    }

    fn look(&mut self, db: &Db) -> Result<()> {
        match (&mut self.connection, &mut self.cursor) {
            (
                AnyConnection::Sqlite(inner),
                Cursor::Sqlite {
                    data_version: last,
                    seq,
                },
            ) => {
                // Read before the notes: a commit in between shows again at the next look.
                let present = data_version(inner)?;
                if present == *last {
                    return Ok(());
                }
                loop {
                    let rows = changes::table
                        .filter(changes::seq.gt(*seq))
                        .order(changes::seq.asc())
                        .limit(BATCH)
                        .select((
                            changes::seq,
                            changes::tenant_id,
                            changes::entity,
                            changes::entity_id,
                        ))
                        .load::<(i64, DbUuid, String, DbUuid)>(inner)?;
                    let Some((read, ..)) = rows.last() else { break };
                    *seq = *read;
                    let notes = rows
                        .iter()
                        .filter_map(|(_, tenant, entity, id)| change(*tenant, entity, *id));
                    tell(db, &notes.collect::<Vec<_>>());
                }
                *last = present;
                Ok(())
            }
            (AnyConnection::Postgres(inner), Cursor::Postgres { snapshot }) => {
                let rows = diesel::sql_query(NEXT)
                    .bind::<Text, _>(&*snapshot)
                    .load::<Seen>(inner)?;
                let next = rows
                    .first()
                    .map(|row| row.snapshot.clone())
                    .ok_or(StorageError::Corrupt("the change feed"))?;
                let notes = rows.iter().filter_map(|row| {
                    change(row.tenant_id?, row.entity.as_deref()?, row.entity_id?)
                });
                tell(db, &notes.collect::<Vec<_>>());
                *snapshot = next;
                Ok(())
            }
            _ => Err(StorageError::Corrupt("the change feed's cursor")),
        }
    }
}

fn data_version(connection: &mut SqliteConnection) -> Result<i64> {
    Ok(diesel::sql_query("PRAGMA data_version")
        .get_result::<DataVersion>(connection)?
        .data_version)
}

/// A kind that this program doesn't know is one that it doesn't keep: a newer node's.
fn change(tenant: DbUuid, entity: &str, id: DbUuid) -> Option<Change> {
    Some(Change {
        tenant: TenantId::from(tenant.0),
        entity: Entity::parse(entity)?,
        id: id.0,
    })
}

fn tell(db: &Db, changes: &[Change]) {
    if !changes.is_empty() {
        db.announce(Notice::Changes(changes));
    }
}
