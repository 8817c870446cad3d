//! What `doctor` asks a database about itself.

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text, Timestamptz};

use super::connection::AnyConnection;
use super::error::Result;
use super::installation::Installation;
use super::schema::TENANT_TABLES;
use crate::clock::Timestamp;

/// How a database describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseHealth {
    /// SQLite.
    Sqlite {
        /// The library's version.
        version: String,
        /// `wal`, unless somebody changed it.
        journal_mode: String,
    },
    /// PostgreSQL.
    Postgres {
        /// The server's version.
        version: String,
        /// Its clock.
        now: Timestamp,
        /// The role that the server works as.
        role: String,
        /// Whether that role passes row-level security by: as a superuser, by an attribute, or because it owns a table.
        passes_rows_security: bool,
        /// Tables of tenants on which row-level security isn't forced.
        unprotected: Vec<String>,
    },
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Server {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = Timestamptz)]
    now: Timestamp,
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Bool)]
    passes: bool,
}

const SERVER: &str = "SELECT current_setting('server_version') AS version, clock_timestamp() AS now, current_user::text AS role, \
    (r.rolsuper OR r.rolbypassrls OR EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = 'tenants'::regclass AND c.relowner = r.oid)) AS passes \
    FROM pg_roles r WHERE r.rolname = current_user";

const UNPROTECTED: &str = "SELECT relname::text AS name FROM pg_class \
    WHERE relkind = 'r' AND pg_table_is_visible(oid) AND NOT (relrowsecurity AND relforcerowsecurity) ORDER BY relname";

impl Installation<'_> {
    /// Asks the database about itself.
    pub fn database_health(&mut self) -> Result<DatabaseHealth> {
        match &mut *self.connection {
            AnyConnection::Sqlite(inner) => {
                let version = diesel::sql_query("SELECT sqlite_version() AS name")
                    .get_result::<Name>(inner)?
                    .name;
                let journal_mode =
                    diesel::sql_query("SELECT journal_mode AS name FROM pragma_journal_mode()")
                        .get_result::<Name>(inner)?
                        .name;
                Ok(DatabaseHealth::Sqlite {
                    version,
                    journal_mode,
                })
            }
            AnyConnection::Postgres(inner) => {
                let server = diesel::sql_query(SERVER).get_result::<Server>(inner)?;
                let bare = diesel::sql_query(UNPROTECTED).load::<Name>(inner)?;
                Ok(DatabaseHealth::Postgres {
                    version: server.version,
                    now: server.now,
                    role: server.role,
                    passes_rows_security: server.passes,
                    unprotected: bare
                        .into_iter()
                        .map(|row| row.name)
                        .filter(|name| TENANT_TABLES.contains(&name.as_str()))
                        .collect(),
                })
            }
        }
    }
}
