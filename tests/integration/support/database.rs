//! Databases for tests: `db_test!` runs one body on SQLite and on PostgreSQL, each time on a fresh database.
//!
//! PostgreSQL is found by `TESSERA_TEST_POSTGRES_URL`, a URL whose role may create databases and roles. Of either database a template is
//! migrated once; each test gets a copy of it, which goes at its end.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use tessera::clock::{Clock, ClockControl};
use tessera::domain::ids::TenantId;
use tessera::protocol::slug::Slug;
use tessera::storage::{DatabaseKind, Db, DbOptions, Location, NewTenant, TenantScope, migrate};

/// Runs an async test on SQLite and on PostgreSQL: `db_test! { async fn name(database: TestDatabase) { … } }`.
macro_rules! db_test {
    ($($(#[$attribute:meta])* async fn $name:ident($database:ident: TestDatabase) $body:block)+) => {
        $(
            $(#[$attribute])*
            mod $name {
                #[allow(unused_imports, reason = "what the body needs")]
                use super::*;

                async fn body($database: $crate::support::database::TestDatabase) $body

                #[test]
                fn sqlite() {
                    $crate::support::database::run($crate::support::database::TestDatabase::sqlite(), body);
                }

                #[test]
                fn postgres() {
                    $crate::support::database::run($crate::support::database::TestDatabase::postgres(), body);
                }
            }
        )+
    };
}
pub(crate) use db_test;

/// A database of a test's own.
pub struct TestDatabase {
    /// The database.
    pub db: Db,
    /// Where it is, for a second node or process.
    pub location: Location,
    /// The time that it uses.
    pub clock: Clock,
    /// Moves that time.
    pub time: ClockControl,
    _end: End,
}

enum End {
    Directory { _directory: tempfile::TempDir },
    Database(String),
}

impl Drop for End {
    fn drop(&mut self) {
        if let Self::Database(name) = self {
            let mut admin = connect(&admin_url());
            let _ = admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

/// Runs the body of a test and ends it, with the database outliving what the body holds of it.
pub fn run<F: Future<Output = ()>>(database: TestDatabase, body: impl FnOnce(TestDatabase) -> F) {
    run_boxed(Box::pin(body(database)));
}

/// Boxed, so that this is compiled once and not for each of very many tests.
fn run_boxed(body: Pin<Box<dyn Future<Output = ()> + '_>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(body);
}

impl TestDatabase {
    /// A migrated SQLite file.
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tessera.db");
        std::fs::write(&path, migrated_sqlite()).expect("a copy of the template");
        Self::open(
            Location::Sqlite(path),
            End::Directory {
                _directory: directory,
            },
        )
    }

    /// A migrated database of PostgreSQL.
    pub fn postgres() -> Self {
        let (location, end) = copy_of_template();
        Self::open(location, end)
    }

    fn open(location: Location, end: End) -> Self {
        let (clock, time) = Clock::adjustable();
        Self {
            db: open(&location, clock.clone()),
            location,
            clock,
            time,
            _end: end,
        }
    }

    /// Another process at the same database: its own connections, its own writer.
    pub fn second_node(&self) -> Db {
        open(&self.location, self.clock.clone())
    }

    /// Which database this is.
    pub fn kind(&self) -> DatabaseKind {
        self.db.kind()
    }

    /// Makes a tenant.
    pub async fn tenant(&self, slug: &str) -> TenantScope {
        let tenant = NewTenant {
            id: TenantId::from(self.clock.uuid_v7()),
            slug: Slug::parse(slug).expect("a slug"),
            name: slug.to_owned(),
            sealed_data_key: vec![0; 60],
        };
        self.db
            .write_installation(move |all| all.insert_tenant(&tenant))
            .await
            .expect("a tenant")
    }

    /// A plain connection as the login role, past every layer of ours.
    pub fn raw(&self) -> Raw {
        Raw::connect(&self.location)
    }
}

/// A plain connection of either database.
pub enum Raw {
    /// SQLite.
    Sqlite(SqliteConnection),
    /// PostgreSQL.
    Postgres(PgConnection),
}

impl Raw {
    /// Connects as the login role.
    pub fn connect(location: &Location) -> Self {
        match location {
            Location::Sqlite(path) => {
                let mut connection = SqliteConnection::establish(path.to_str().expect("UTF-8"))
                    .expect("a connection");
                connection
                    .batch_execute("PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON")
                    .expect("set up");
                Self::Sqlite(connection)
            }
            Location::Postgres(url) => Self::Postgres(connect(url)),
        }
    }

    /// Runs statements.
    pub fn execute(&mut self, sql: &str) -> QueryResult<()> {
        match self {
            Self::Sqlite(connection) => connection.batch_execute(sql),
            Self::Postgres(connection) => connection.batch_execute(sql),
        }
    }

    /// The one column `value` of a query, as text.
    pub fn texts(&mut self, sql: &str) -> Vec<String> {
        let query = diesel::sql_query(sql);
        let rows = match self {
            Self::Sqlite(connection) => query.load::<Value>(connection),
            Self::Postgres(connection) => query.load::<Value>(connection),
        };
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
            .into_iter()
            .map(|row| row.value)
            .collect()
    }

    /// How many rows a table has.
    pub fn count(&mut self, table: &str) -> i64 {
        self.texts(&format!(
            "SELECT CAST(count(*) AS text) AS value FROM {table}"
        ))[0]
            .parse()
            .expect("a number")
    }
}

#[derive(QueryableByName)]
struct Value {
    #[diesel(sql_type = diesel::sql_types::Text)]
    value: String,
}

fn open(location: &Location, clock: Clock) -> Db {
    let options = DbOptions {
        location: location.clone(),
        connections: 4,
        queue: 1024,
        deadline: Duration::from_secs(20),
    };
    Db::open(&options, clock).expect("the database opens")
}

fn admin_url() -> String {
    std::env::var("TESSERA_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!(
            "TESSERA_TEST_POSTGRES_URL isn't set: name a PostgreSQL whose role may create databases and roles, \
             like postgres://postgres@127.0.0.1:5432/postgres (./test starts one by itself)"
        )
    })
}

fn connect(url: &str) -> PgConnection {
    // Without OpenSSL's clearing up at exit, as the product does it: other threads still use it then.
    openssl::init();
    let mut connection = PgConnection::establish(url)
        .unwrap_or_else(|error| panic!("PostgreSQL for tests: {error}"));
    connection
        .batch_execute("SET client_min_messages = warning")
        .expect("set up");
    connection
}

fn url_of(database: &str) -> String {
    let mut url = url::Url::parse(&admin_url()).expect("TESSERA_TEST_POSTGRES_URL is a URL");
    url.set_path(database);
    url.into()
}

/// The bytes of a migrated SQLite database.
fn migrated_sqlite() -> &'static [u8] {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("template.db");
        migrate(&Location::Sqlite(path.clone())).expect("migrated");
        assert!(
            !path.with_extension("db-wal").exists(),
            "all of it is in the file"
        );
        std::fs::read(&path).expect("the template")
    })
}

/// Any number does: tests that make and copy the template hold it.
const TEMPLATE_LOCK: i64 = 7_240_611;

/// An empty database of PostgreSQL, not migrated.
pub fn empty_postgres() -> (Location, impl Drop) {
    let name = fresh_name();
    connect(&admin_url())
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .expect("a database");
    (Location::Postgres(url_of(&name)), End::Database(name))
}

fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "tessera_test_{}_{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

fn copy_of_template() -> (Location, End) {
    let name = fresh_name();
    let mut admin = connect(&admin_url());
    let template = template();
    // Shared: copies may be made side by side, but not while another process migrates the template.
    admin
        .batch_execute(&format!("SELECT pg_advisory_lock_shared({TEMPLATE_LOCK})"))
        .expect("a lock");
    admin
        .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        .expect("no such database");
    // A server without fsync copies the files in a fifth of the time that it takes to log them; before version 15 that was the only way.
    let statement = format!("CREATE DATABASE {name} TEMPLATE {template}");
    admin
        .batch_execute(&format!("{statement} STRATEGY FILE_COPY"))
        .or_else(|_| admin.batch_execute(&statement))
        .expect("a copy of the template");
    (Location::Postgres(url_of(&name)), End::Database(name))
}

/// The migrated template's name, made where it isn't there yet; changed migrations make another.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let name = format!("tessera_template_{:016x}", fingerprint_of_migrations());
        let mut admin = connect(&admin_url());
        admin
            .batch_execute(&format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})"))
            .expect("a lock");
        let mut admin = Raw::Postgres(admin);
        let made = admin.texts(&format!(
            "SELECT datname::text AS value FROM pg_database WHERE datname = '{name}'"
        ));
        if made.is_empty() {
            admin
                .execute(&format!("CREATE DATABASE {name}"))
                .expect("a template");
        }
        migrate(&Location::Postgres(url_of(&name))).expect("a migrated template");
        name
    })
}

fn fingerprint_of_migrations() -> u64 {
    use std::hash::{DefaultHasher, Hasher as _};
    let mut hasher = DefaultHasher::new();
    for path in migration_files("postgres") {
        hasher.write(&std::fs::read(&path).expect("a migration"));
    }
    hasher.finish()
}

/// The `up.sql` and `down.sql` of one database, in order.
pub fn migration_files(database: &str) -> Vec<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("migrations")
        .join(database);
    let mut files: Vec<_> = std::fs::read_dir(root)
        .expect("migrations")
        .flat_map(|entry| {
            let directory = entry.expect("an entry").path();
            [directory.join("down.sql"), directory.join("up.sql")]
        })
        .collect();
    files.sort();
    files
}
