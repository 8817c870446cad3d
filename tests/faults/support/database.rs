//! Which database, and plain statements in it past every layer of the product.

use std::fmt;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;

use super::postgres;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];
    pub const SQLITE: [Self; 1] = [Self::Sqlite];
    pub const POSTGRES: [Self; 1] = [Self::Postgres];

    /// As `--database` names it.
    pub fn parse(text: &str) -> Result<Vec<Self>, String> {
        match text {
            "sqlite" => Ok(Self::SQLITE.to_vec()),
            "postgres" => Ok(Self::POSTGRES.to_vec()),
            "both" => Ok(Self::BOTH.to_vec()),
            _ => Err(format!("{text}: sqlite, postgres or both")),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// One database.
#[derive(Clone)]
pub enum Database {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Database {
    /// A new one: a file in `directory`, or a database of the shared PostgreSQL.
    pub fn new(kind: Kind, directory: &Path) -> Self {
        match kind {
            Kind::Sqlite => Self::Sqlite(directory.join("data/tessera.db")),
            Kind::Postgres => Self::Postgres(postgres::shared().database()),
        }
    }

    /// As `TESSERA_DATABASE_URL` takes it.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(url) => url.clone(),
        }
    }

    /// The one column `value` of a query, as text.
    pub fn texts(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite(path) => {
                sqlite(path, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
            }
            Self::Postgres(url) => {
                postgres::psql(url, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
            }
        }
    }

    /// Runs a statement.
    pub fn run(&self, sql: &str) {
        match self {
            Self::Sqlite(path) => {
                let mut connection = SqliteConnection::establish(path.to_str().expect("UTF-8"))
                    .expect("a connection");
                connection
                    .batch_execute(sql)
                    .unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            Self::Postgres(url) => {
                postgres::psql(url, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
        }
    }

    /// The same of a query that counts.
    pub fn count(&self, sql: &str) -> u64 {
        self.texts(sql)[0].parse().expect("a number")
    }

    /// What must hold whatever has happened: the file is whole, and no grant has two refresh tokens that are good.
    pub fn check(&self) {
        if let Self::Sqlite(_) = self {
            let found = self.texts("SELECT integrity_check AS value FROM pragma_integrity_check");
            assert_eq!(found, ["ok"]);
            let dangling = self.texts("SELECT \"table\" AS value FROM pragma_foreign_key_check");
            assert!(
                dangling.is_empty(),
                "rows refer to what isn't there: {dangling:?}"
            );
        }
        let twice = "SELECT CAST(count(*) AS text) AS value FROM (SELECT grant_id FROM refresh_tokens WHERE rotated_at IS NULL \
             GROUP BY tenant_id, grant_id HAVING count(*) > 1) twice";
        assert_eq!(self.count(twice), 0, "a grant has two refresh tokens");
    }
}

#[derive(QueryableByName)]
struct Value {
    #[diesel(sql_type = diesel::sql_types::Text)]
    value: String,
}

/// One query of a file of SQLite's.
pub fn sqlite(path: &Path, sql: &str) -> Result<Vec<String>, String> {
    let text = path.to_str().expect("UTF-8");
    let mut connection = SqliteConnection::establish(text).map_err(|error| error.to_string())?;
    connection
        .batch_execute("PRAGMA busy_timeout = 10000")
        .map_err(|error| error.to_string())?;
    let rows = diesel::sql_query(sql)
        .load::<Value>(&mut connection)
        .map_err(|error| error.to_string())?;
    Ok(rows.into_iter().map(|row| row.value).collect())
}
