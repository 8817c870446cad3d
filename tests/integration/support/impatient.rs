//! Servers whose requests wait for their database only shortly, and ways to take that database from them.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tessera::storage::{Db, DbOptions, Location};

use super::app::{TestApp, run};
use super::database::{Raw, TestDatabase};

/// How long a request waits.
pub const DEADLINE: Duration = Duration::from_millis(1500);

/// Connections, and threads that use them.
const CONNECTIONS: u32 = 4;

/// Runs a body against a server that gives up after [`DEADLINE`].
pub fn run_impatient<F: Future<Output = ()>>(
    mut database: TestDatabase,
    body: impl FnOnce(TestApp) -> F,
) {
    database.db = impatient(&database);
    run(database, body);
}

/// Another process at the same database that gives up after [`DEADLINE`].
pub fn impatient(database: &TestDatabase) -> Db {
    let options = DbOptions {
        location: database.location.clone(),
        connections: CONNECTIONS,
        queue: 1024,
        deadline: DEADLINE,
    };
    Db::open(&options, database.clock.clone()).expect("the database opens")
}

/// [`super::app::app_test`] with [`run_impatient`].
macro_rules! impatient_test {
    ($($(#[$attribute:meta])* async fn $name:ident($app:ident: TestApp) $body:block)+) => {
        $(
            $(#[$attribute])*
            mod $name {
                #[allow(unused_imports, reason = "what the body needs")]
                use super::*;

                async fn body($app: $crate::support::app::TestApp) $body

                #[test]
                fn sqlite() {
                    $crate::support::impatient::run_impatient($crate::support::database::TestDatabase::sqlite(), body);
                }

                #[test]
                fn postgres() {
                    $crate::support::impatient::run_impatient($crate::support::database::TestDatabase::postgres(), body);
                }
            }
        )+
    };
}
pub(crate) use impatient_test;

/// Keeps everything that works with the database busy until it is released: a database that answers nobody in time.
pub struct Occupied {
    released: Arc<AtomicBool>,
}

impl Occupied {
    /// Occupies every reader and writer, and returns once that is so.
    pub async fn all(db: &Db) -> Self {
        let released = Arc::new(AtomicBool::new(false));
        let busy = Arc::new(AtomicUsize::new(0));
        let occupy = || {
            let (released, busy) = (Arc::clone(&released), Arc::clone(&busy));
            move || {
                busy.fetch_add(1, Ordering::SeqCst);
                while !released.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        };
        for _ in 0..CONNECTIONS {
            let (db, occupy) = (db.clone(), occupy());
            actix_web::rt::spawn(async move {
                let _ = db
                    .read_installation(move |_| {
                        occupy();
                        Ok(())
                    })
                    .await;
            });
        }
        let mut wanted = CONNECTIONS as usize;
        if db.kind() == tessera::storage::DatabaseKind::Sqlite {
            let (db, occupy) = (db.clone(), occupy());
            wanted += 1;
            actix_web::rt::spawn(async move {
                let _ = db
                    .write_installation(move |_| {
                        occupy();
                        Ok(())
                    })
                    .await;
            });
        }
        while busy.load(Ordering::SeqCst) < wanted {
            actix_web::rt::time::sleep(Duration::from_millis(2)).await;
        }
        Self { released }
    }

    /// Lets them go.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.released.store(true, Ordering::SeqCst);
    }
}

/// Tables without which nothing but keys and discovery can be answered.
const TABLES: &[&str] = &[
    "users",
    "clients",
    "sessions",
    "consents",
    "login_failures",
    "grants",
    "refresh_tokens",
    "revoked_tokens",
];

/// Takes the tables away: every statement fails.
pub fn break_tables(raw: &mut Raw) {
    for table in TABLES {
        raw.execute(&format!("ALTER TABLE {table} RENAME TO {table}_gone"))
            .expect("renamed");
    }
}

/// Puts them back.
pub fn mend_tables(raw: &mut Raw) {
    for table in TABLES {
        raw.execute(&format!("ALTER TABLE {table}_gone RENAME TO {table}"))
            .expect("renamed");
    }
}

/// A database of PostgreSQL that lets nobody in.
pub struct ShutOut {
    admin: Raw,
    name: String,
}

impl ShutOut {
    /// Ends its connections and admits no more.
    pub fn of(location: &Location) -> Self {
        let Location::Postgres(url) = location else {
            panic!("a file can't go away");
        };
        let name = url::Url::parse(url).expect("a URL").path()[1..].to_owned();
        let admin = std::env::var("TESSERA_TEST_POSTGRES_URL").expect("a PostgreSQL");
        let mut admin = Raw::connect(&Location::Postgres(admin));
        admin
            .execute(&format!(
                "ALTER DATABASE {name} ALLOW_CONNECTIONS false; SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'"
            ))
            .expect("away");
        Self { admin, name }
    }

    /// Admits connections again.
    pub fn end(mut self) {
        let name = &self.name;
        self.admin
            .execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
            .expect("back");
    }
}

/// Cuts every connection to the database but this one, as a failover does.
pub fn cut_connections(raw: &mut Raw) {
    raw.execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .expect("cut");
}
