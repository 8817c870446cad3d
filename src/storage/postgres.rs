//! PostgreSQL: connections that work as a role which can't see past row-level security, and transactions that are run again.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};

use super::connection::AnyConnection;
use super::error::{Result, StorageError};
use super::scope::TenantScope;

/// The role that the server works as; made by the first migration.
pub(super) const APP_ROLE: &str = "tessera_app";

/// Connects. OpenSSL is set up first, and so that it doesn't take itself down at `exit`: libpq would leave that on, and a thread that
/// just then makes another connection would fall over what is gone.
pub(super) fn establish(url: &str) -> diesel::ConnectionResult<PgConnection> {
    openssl::init();
    PgConnection::establish(url)
}

/// Makes connections for r2d2.
#[derive(Clone)]
pub(super) struct Manager {
    pub(super) url: String,
    pub(super) statement_timeout_ms: u64,
}

impl r2d2::ManageConnection for Manager {
    type Connection = AnyConnection;
    type Error = StorageError;

    fn connect(&self) -> Result<AnyConnection> {
        let mut connection = establish(&with_timeouts(&self.url, self.statement_timeout_ms))
            .map_err(|error| StorageError::Unavailable(error.to_string()))?;
        // The lock timeout is shorter, so that a blocked row is told apart from a slow query in the log.
        connection.batch_execute(&format!(
            "SET ROLE {APP_ROLE}; SET statement_timeout = {0}; SET lock_timeout = {1}; SET idle_in_transaction_session_timeout = {2}; \
             SET timezone = 'UTC'; SET client_min_messages = warning",
            self.statement_timeout_ms,
            self.statement_timeout_ms * 4 / 5,
            self.statement_timeout_ms * 2,
        ))?;
        Ok(AnyConnection::Postgres(connection))
    }

    fn is_valid(&self, connection: &mut AnyConnection) -> Result<()> {
        Ok(connection.batch_execute("SELECT 1")?)
    }

    fn has_broken(&self, connection: &mut AnyConnection) -> bool {
        diesel::r2d2::R2D2Connection::is_broken(connection)
    }
}

/// Without these, libpq waits for a dead network as long as the kernel does, and takes a thread of the pool with it.
fn with_timeouts(url: &str, deadline_ms: u64) -> String {
    let defaults = [
        ("connect_timeout", deadline_ms.div_ceil(1000).max(2)),
        ("tcp_user_timeout", deadline_ms * 2),
        ("keepalives_idle", 30),
    ];
    let (address, mut query) = url.split_once('?').map_or_else(
        || (url, String::new()),
        |(address, query)| (address, query.to_owned()),
    );
    for (name, value) in defaults {
        let given = query
            .split('&')
            .any(|pair| pair.split('=').next() == Some(name));
        if !given {
            let separator = if query.is_empty() { "" } else { "&" };
            query = format!("{query}{separator}{name}={value}");
        }
    }
    format!("{address}?{query}")
}

/// What a transaction may see.
#[derive(Clone, Copy)]
pub(super) enum Sight {
    Tenant(TenantScope),
    Installation,
}

/// Begins a transaction that sees what `sight` allows, in one round trip.
pub(super) fn begin(connection: &mut AnyConnection, sight: Sight, read_only: bool) -> Result<()> {
    let mode = if read_only { " READ ONLY" } else { "" };
    let (tenant, scope) = match sight {
        Sight::Tenant(scope) => (scope.id().to_string(), "tenant"),
        Sight::Installation => (String::new(), "installation"),
    };
    // Both values are ours: a UUID's text and a constant.
    connection.batch_execute(&format!(
        "BEGIN{mode}; SELECT set_config('tessera.tenant', '{tenant}', true), set_config('tessera.scope', '{scope}', true)"
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::with_timeouts;

    #[test]
    fn an_operators_own_timeouts_are_kept() {
        assert_eq!(
            with_timeouts("postgres://h/d", 5_000),
            "postgres://h/d?connect_timeout=5&tcp_user_timeout=10000&keepalives_idle=30"
        );
        let own = with_timeouts("postgres://h/d?sslmode=require&connect_timeout=9", 5_000);
        assert_eq!(
            own,
            "postgres://h/d?sslmode=require&connect_timeout=9&tcp_user_timeout=10000&keepalives_idle=30"
        );
    }
}
