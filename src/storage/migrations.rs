//! The schema, brought up to date.
//!
//! All pending migrations run in one transaction under a lock, so that two processes that start at once migrate once, and a failure
//! leaves the schema as it was. They run as the role that the URL logs in as, which owns the tables; the server then works as another.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::db::Location;
use super::postgres::{self, APP_ROLE};
use crate::files::make_private_dir;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// How long another process that migrates is waited for.
const LOCK_WAIT: Duration = Duration::from_mins(1);

/// How long a connection may take, from the first packet to the end of the log-in, unless the URL says otherwise.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// How long the database may take to say how its schema stands, once there is a connection.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// `tessera` in ASCII; any number does, as long as it stays.
const LOCK_KEY: i64 = 0x74_6573_7365_7261;

/// How the schema stands to this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MigrationState {
    /// Up to date.
    Current,
    /// These migrations are to be run, in this order.
    Pending(Vec<String>),
    /// A newer program has migrated the database: this one doesn't know these versions.
    Newer(Vec<String>),
    /// These were left out although later ones were run.
    Skipped(Vec<String>),
}

/// Why the schema couldn't be read or brought up to date, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// No connection.
    #[error("the database can't be reached: {0}{advice}", advice = silence(.0))]
    Unavailable(String),
    /// A connection, and nothing that can be read.
    #[error("the database can't be read: {0}")]
    Unreadable(String),
    /// The file or its directory can't be made.
    #[error("the database file {} can't be made: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// Migrated by a newer program.
    #[error(
        "the database was migrated by a newer version of tessera ({}); run that version, or restore a backup made before its upgrade",
        .0.join(", ")
    )]
    Newer(Vec<String>),
    /// A migration is missing in the middle.
    #[error(
        "the database lacks migrations that come before ones it has ({}); it was migrated by a program that isn't a released tessera: restore a backup",
        .0.join(", ")
    )]
    Skipped(Vec<String>),
    /// Another process held the lock for too long.
    #[error(
        "another process is migrating the database, or keeps it locked; try again when it is done"
    )]
    Locked,
    /// The login role can't work as the server's role.
    #[error(
        "the database's login role may not work as {APP_ROLE}: {0}; have a superuser run GRANT {APP_ROLE} TO that role"
    )]
    Role(String),
    /// A migration failed; nothing was changed.
    #[error("the schema can't be brought up to date, and is as it was: {0}")]
    Failed(String),
}

impl From<diesel::result::Error> for SchemaError {
    fn from(error: diesel::result::Error) -> Self {
        Self::of_message(error.to_string())
    }
}

/// What to look at where somebody takes the connection and says nothing.
fn silence(message: &str) -> &'static str {
    if message.contains("timeout expired") || message.contains(NO_ANSWER) {
        ". Something takes connections at that address, or swallows them, and doesn't answer: look at the firewall, at what stands between (a pooler, a balancer, a failover under way), and at the database itself"
    } else {
        ""
    }
}

const NO_ANSWER: &str = "it took the connection and answers nothing";

impl SchemaError {
    /// Whether the same may succeed a little later, without anybody having mended anything.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable(message) => {
                message.contains(NO_ANSWER) || postgres::passes_by(message)
            }
            Self::Unreadable(message) => postgres::passes_by(message),
            Self::Locked => true,
            _ => false,
        }
    }

    /// Of a failure by which nothing was to be changed.
    fn reading(error: &diesel::result::Error) -> Self {
        match Self::of_message(error.to_string()) {
            Self::Failed(message) => Self::Unreadable(message),
            other => other,
        }
    }

    fn of_message(message: String) -> Self {
        const LOCKED: &[&str] = &[
            "database is locked",
            "database table is locked",
            "lock timeout",
        ];
        if LOCKED.iter().any(|text| message.contains(text)) {
            Self::Locked
        } else {
            Self::Failed(message)
        }
    }
}

/// Runs the pending migrations and names them. Makes SQLite's file where it is missing.
pub fn migrate(location: &Location) -> Result<Vec<String>, SchemaError> {
    match location {
        Location::Sqlite(path) => {
            create_file(path)?;
            migrate_sqlite(path)
        }
        Location::Postgres(url) => migrate_postgres(url),
    }
}

/// How the schema stands, without changing anything.
pub fn migration_state(location: &Location) -> Result<MigrationState, SchemaError> {
    match location {
        Location::Sqlite(path) => {
            let applied = if path.exists() {
                applied_in_sqlite(&mut connect_sqlite(path)?)?
            } else {
                BTreeSet::new()
            };
            Ok(assess(&known::<Sqlite>(&SQLITE)?, &applied))
        }
        Location::Postgres(url) => {
            let applied = ask_postgres(url.clone())?;
            Ok(assess(&known::<Pg>(&POSTGRES)?, &applied))
        }
    }
}

/// Asks on a thread of its own, as a database that stands still, or a pooler before one that is gone, would be waited for without end: what is
/// asked while a connection is made is within no limit of libpq's, and no limit of the database's holds where it isn't reached.
fn ask_postgres(url: String) -> Result<BTreeSet<String>, SchemaError> {
    let patience = patience(&url);
    ASKERS.ask(patience, move || {
        applied_in_postgres(&mut connect_postgres(&url)?)
    })
}

/// How many may hang before nobody is asked anew: a server that waits for its database asks again and again, and each who hangs keeps a thread
/// and a connection until the other end answers or lets go of it.
const HANGING_MOST: usize = 4;

/// Whoever hangs for so long doesn't count any more: the database's name may lead elsewhere by now.
const HANGING_LONG: Duration = Duration::from_mins(5);

static ASKERS: Askers = Askers(Mutex::new(Vec::new()));

/// Those who asked, and whom nobody waits for any more.
struct Askers(Mutex<Vec<(Instant, JoinHandle<()>)>>);

impl Askers {
    /// Asks, and waits for an answer for so long.
    fn ask<T: Send + 'static>(
        &self,
        patience: Option<Duration>,
        question: impl FnOnce() -> Result<T, SchemaError> + Send + 'static,
    ) -> Result<T, SchemaError> {
        let silent = || Err(SchemaError::Unavailable(NO_ANSWER.to_owned()));
        if self.hanging() >= HANGING_MOST {
            return silent();
        }
        let (told, heard) = mpsc::channel();
        let asker = thread::Builder::new()
            .name("tessera-schema".to_owned())
            .spawn(move || {
                // Whoever doesn't listen any more doesn't miss anything.
                let _ = told.send(question());
            })
            .map_err(|error| SchemaError::Unavailable(error.to_string()))?;
        let answer = match patience {
            Some(patience) => heard.recv_timeout(patience).ok(),
            None => heard.recv().ok(),
        };
        answer.unwrap_or_else(|| {
            self.lock().push((Instant::now(), asker));
            silent()
        })
    }

    fn hanging(&self) -> usize {
        let mut askers = self.lock();
        askers.retain(|(since, asker)| !asker.is_finished() && since.elapsed() < HANGING_LONG);
        askers.len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Instant, JoinHandle<()>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long that may take: what libpq gives each address of each host, of which a name has two mostly, and the time for an answer. `None` where
/// whoever wrote the URL wants to wait for as long as it takes.
fn patience(url: &str) -> Option<Duration> {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let pairs = || query.split('&').filter_map(|pair| pair.split_once('='));
    let named = pairs().filter(|(name, _)| *name == "host");
    let hosts = named.fold(address.matches(',').count(), |hosts, (_, value)| {
        hosts + value.matches(',').count()
    });
    let own = pairs().find(|(name, _)| *name == "connect_timeout");
    let wait = match own.map(|(_, seconds)| seconds.parse::<u32>()) {
        Some(Ok(0)) => return None,
        Some(Ok(seconds)) => Duration::from_secs(seconds.into()),
        _ => CONNECT_WAIT,
    };
    let hosts = u32::try_from(hosts + 1).unwrap_or(u32::MAX);
    Some(wait.saturating_mul(2 * hosts.min(100)) + ANSWER_WAIT)
}

/// A migration's version and its whole name.
type Known = (String, String);

fn known<DB: Backend>(source: &EmbeddedMigrations) -> Result<Vec<Known>, SchemaError> {
    let migrations = MigrationSource::<DB>::migrations(source)
        .map_err(|error| SchemaError::Failed(error.to_string()))?;
    let mut known: Vec<Known> = migrations
        .iter()
        .map(|migration| {
            (
                migration.name().version().to_string(),
                migration.name().to_string(),
            )
        })
        .collect();
    known.sort();
    Ok(known)
}

/// Compares what this program knows, in order, to what was run.
fn assess(known: &[Known], applied: &BTreeSet<String>) -> MigrationState {
    let newer: Vec<_> = applied
        .iter()
        .filter(|version| !known.iter().any(|(own, _)| own == *version))
        .cloned()
        .collect();
    if !newer.is_empty() {
        return MigrationState::Newer(newer);
    }
    let missing = known
        .iter()
        .filter(|(version, _)| !applied.contains(version));
    let skipped: Vec<_> = missing
        .clone()
        .filter(|(version, _)| applied.last().is_some_and(|last| version < last))
        .map(|(_, name)| name.clone())
        .collect();
    if !skipped.is_empty() {
        return MigrationState::Skipped(skipped);
    }
    let pending: Vec<_> = missing.map(|(_, name)| name.clone()).collect();
    if pending.is_empty() {
        MigrationState::Current
    } else {
        MigrationState::Pending(pending)
    }
}

/// Runs what is pending on a connection that holds the lock.
fn run_pending<DB: Backend, C: MigrationHarness<DB>>(
    connection: &mut C,
    source: &EmbeddedMigrations,
) -> Result<Vec<String>, SchemaError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        SchemaError::of_message(error.to_string())
    };
    let applied = connection
        .applied_migrations()
        .map_err(failed)?
        .iter()
        .map(ToString::to_string)
        .collect();
    let names = match assess(&known::<DB>(source)?, &applied) {
        MigrationState::Current => return Ok(Vec::new()),
        MigrationState::Newer(versions) => return Err(SchemaError::Newer(versions)),
        MigrationState::Skipped(names) => return Err(SchemaError::Skipped(names)),
        MigrationState::Pending(names) => names,
    };
    let migrations = MigrationSource::<DB>::migrations(source).map_err(failed)?;
    for name in &names {
        for migration in migrations
            .iter()
            .filter(|migration| migration.name().to_string() == *name)
        {
            connection.run_migration(migration).map_err(failed)?;
        }
    }
    Ok(names)
}

fn create_file(path: &Path) -> Result<(), SchemaError> {
    let failed = |error: std::io::Error| SchemaError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    if path.exists() {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        make_private_dir(directory).map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    // Nobody else's to read; SQLite gives its other files the same mode.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(error)),
        _ => Ok(()),
    }
}

fn connect_sqlite(path: &Path) -> Result<SqliteConnection, SchemaError> {
    let text = path
        .to_str()
        .ok_or_else(|| SchemaError::Unavailable("the file's path isn't UTF-8".into()))?;
    let mut connection = SqliteConnection::establish(text)
        .map_err(|error| SchemaError::Unavailable(error.to_string()))?;
    connection
        .batch_execute(&format!("PRAGMA busy_timeout = {}", LOCK_WAIT.as_millis()))
        .map_err(|error| SchemaError::reading(&error))?;
    Ok(connection)
}

fn migrate_sqlite(path: &Path) -> Result<Vec<String>, SchemaError> {
    let mut connection = connect_sqlite(path)?;
    let begun = Instant::now();
    // Switching to the write-ahead log fails at once where others are at the file: the busy timeout doesn't apply.
    while let Err(error) = connection
        .batch_execute("PRAGMA journal_mode = WAL")
        .map_err(SchemaError::from)
    {
        if error != SchemaError::Locked || begun.elapsed() > LOCK_WAIT {
            return Err(error);
        }
        thread::sleep(Duration::from_millis(20));
    }
    // A migration that makes a table anew would otherwise delete what refers to it; checked below instead.
    connection.batch_execute("PRAGMA foreign_keys = OFF")?;
    connection.exclusive_transaction(|connection| {
        let names = run_pending::<Sqlite, _>(connection, &SQLITE)?;
        let dangling =
            diesel::sql_query("SELECT \"table\" AS name FROM pragma_foreign_key_check LIMIT 1")
                .load::<Name>(connection)?;
        match dangling.first() {
            Some(row) if !names.is_empty() => Err(SchemaError::Failed(format!(
                "a row of {} refers to one that isn't there",
                row.name
            ))),
            _ => Ok(names),
        }
    })
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    answer: bool,
}

const APPLIED: &str = "SELECT version AS name FROM __diesel_schema_migrations";

fn applied_in_sqlite(connection: &mut SqliteConnection) -> Result<BTreeSet<String>, SchemaError> {
    let made = diesel::sql_query(
        "SELECT name FROM sqlite_master WHERE name = '__diesel_schema_migrations'",
    )
    .load::<Name>(connection)
    .map_err(|error| SchemaError::reading(&error))?;
    if made.is_empty() {
        return Ok(BTreeSet::new());
    }
    versions(diesel::sql_query(APPLIED).load::<Name>(connection))
}

fn versions(rows: QueryResult<Vec<Name>>) -> Result<BTreeSet<String>, SchemaError> {
    let rows = rows.map_err(|error| SchemaError::reading(&error))?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}

/// A connection, made within [`CONNECT_WAIT`], that waits for locks as migrations do.
fn connect_postgres(url: &str) -> Result<PgConnection, SchemaError> {
    let wait = u64::try_from(CONNECT_WAIT.as_millis()).unwrap_or(u64::MAX);
    let mut connection = postgres::establish(&postgres::with_timeouts(url, wait))
        .map_err(|error| SchemaError::Unavailable(error.to_string()))?;
    connection
        .batch_execute(&format!(
            "SET client_min_messages = warning; SET lock_timeout = {}",
            LOCK_WAIT.as_millis()
        ))
        .map_err(|error| SchemaError::reading(&error))?;
    Ok(connection)
}

fn migrate_postgres(url: &str) -> Result<Vec<String>, SchemaError> {
    // Looked at before anything is begun: where nothing is to be done, or can't be, no right to change the schema is needed to say so. And a
    // database that doesn't answer is told in time.
    match migration_state(&Location::Postgres(url.to_owned())) {
        Ok(MigrationState::Current) => return Ok(Vec::new()),
        Ok(MigrationState::Newer(versions)) => return Err(SchemaError::Newer(versions)),
        Ok(MigrationState::Skipped(names)) => return Err(SchemaError::Skipped(names)),
        Err(error @ SchemaError::Unavailable(_)) => return Err(error),
        // The owner's log-in may not read as the server does, and needn't.
        Ok(MigrationState::Pending(_)) | Err(_) => {}
    }
    connect_postgres(url)?.transaction(|connection| {
        // Ends with the transaction, so that it works through a pooler too.
        connection.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK_KEY})"))?;
        run_pending::<Pg, _>(connection, &POSTGRES)
    })
}

fn applied_in_postgres(connection: &mut PgConnection) -> Result<BTreeSet<String>, SchemaError> {
    connection
        .batch_execute(&format!(
            "SET statement_timeout = {0}; SET lock_timeout = {0}",
            ANSWER_WAIT.as_millis() / 2
        ))
        .map_err(|error| SchemaError::reading(&error))?;
    let made =
        diesel::sql_query("SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS answer")
            .get_result::<Answer>(connection)
            .map_err(|error| SchemaError::reading(&error))?;
    if !made.answer {
        return Ok(BTreeSet::new());
    }
    // The login role may be another than the tables' owner; the server's role may read this one.
    connection
        .batch_execute(&format!("SET ROLE {APP_ROLE}"))
        .map_err(|error| SchemaError::Role(error.to_string()))?;
    versions(diesel::sql_query(APPLIED).load::<Name>(connection))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn state(applied: &[&str]) -> MigrationState {
        let known = ["1", "2", "3"].map(|version| (version.to_owned(), format!("{version}_name")));
        assess(
            &known,
            &applied
                .iter()
                .map(|version| (*version).to_owned())
                .collect(),
        )
    }

    #[test]
    fn what_was_run_is_compared_to_what_is_known() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(state(&["1", "2", "3"]), MigrationState::Current);
        assert_eq!(
            state(&[]),
            MigrationState::Pending(names(&["1_name", "2_name", "3_name"]))
        );
        assert_eq!(
            state(&["1"]),
            MigrationState::Pending(names(&["2_name", "3_name"]))
        );
        assert_eq!(
            state(&["1", "3"]),
            MigrationState::Skipped(names(&["2_name"]))
        );
        assert_eq!(
            state(&["1", "2", "3", "4"]),
            MigrationState::Newer(names(&["4"]))
        );
    }

    #[test]
    fn a_database_that_says_nothing_is_waited_for_as_long_as_its_url_has_it() {
        for (url, seconds) in [
            ("postgres://h/d", Some(20)),
            ("postgres://h1:1,h2:2/d", Some(30)),
            ("postgres:///d?host=h1,h2,h3", Some(40)),
            ("postgres://h/d?connect_timeout=30", Some(70)),
            ("postgres://h/d?connect_timeout=soon", Some(20)),
            ("postgres://h/d?sslmode=require&connect_timeout=0", None),
        ] {
            assert_eq!(patience(url), seconds.map(Duration::from_secs), "{url}");
        }
    }

    #[test]
    fn no_more_than_a_few_hang_on_a_database_that_says_nothing() {
        let askers = Askers(Mutex::default());
        let silent = || Err(SchemaError::Unavailable(NO_ANSWER.to_owned()));
        for _ in 0..2 * HANGING_MOST {
            assert_eq!(askers.ask(None, || Ok(1)), Ok(1), "who is answered is gone");
        }
        let mute = Arc::new(Mutex::new(()));
        let hang = || {
            for _ in 0..HANGING_MOST {
                let mute = Arc::clone(&mute);
                let question = move || {
                    let _answered = mute.lock();
                    Ok(1)
                };
                assert_eq!(askers.ask(Some(Duration::ZERO), question), silent());
            }
        };
        let held = mute.lock().unwrap();
        hang();
        assert_eq!(askers.ask(None, || Ok(1)), silent(), "nobody is asked");
        drop(held);
        let begun = Instant::now();
        while askers.ask(None, || Ok(1)) != Ok(1) {
            assert!(begun.elapsed() < Duration::from_secs(10), "they hang on");
            thread::sleep(Duration::from_millis(1));
        }
        let _held = mute.lock().unwrap();
        hang();
        for (since, _) in askers.lock().iter_mut() {
            *since = since.checked_sub(HANGING_LONG).expect("a moment");
        }
        assert_eq!(askers.ask(None, || Ok(1)), Ok(1), "elsewhere it answers");
    }

    #[test]
    fn both_databases_have_migrations_of_the_same_names() {
        let names = known::<Sqlite>(&SQLITE).expect("names");
        assert!(!names.is_empty());
        assert_eq!(names, known::<Pg>(&POSTGRES).expect("names"));
    }
}
