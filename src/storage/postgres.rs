//! PostgreSQL: connections that work as a role which can't see past row-level security, and transactions that are run again.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};

use super::connection::{AnyConnection, Pooled, StatementCount};
use super::error::{Result, StorageError};
use super::scope::TenantScope;

/// The role that the server works as; made by the first migration.
pub(super) const APP_ROLE: &str = "tessera_app";

/// When a connection has its statements planned anew. They stay prepared for as long as it lives, with plans that were good for the tables
/// of their first use: of a table with a handful of rows PostgreSQL reads all of them, and would go on doing so while it grows, until it
/// counts its rows again. A new installation under load would stand still for a minute.
pub(super) struct Plans {
    used: u32,
    most: u32,
    made: Instant,
}

impl Plans {
    /// After how many transactions: twice as many each time, as fast as a table can grow, up to these.
    const MOST: u32 = 8_192;
    /// Or after this time, as others fill the tables too.
    const AGE: Duration = Duration::from_mins(1);

    pub(super) fn new() -> Self {
        Self {
            used: 0,
            most: 16,
            made: Instant::now(),
        }
    }

    /// Counts a transaction that begins; whether what was planned is too old for it.
    fn are_old(&mut self) -> bool {
        self.used += 1;
        if self.used < self.most && self.made.elapsed() < Self::AGE {
            return false;
        }
        *self = Self {
            used: 0,
            most: self.most.saturating_mul(2).min(Self::MOST),
            made: Instant::now(),
        };
        true
    }
}

/// Connects. OpenSSL is set up first, and so that it doesn't take itself down at `exit`: libpq would leave that on, and a thread that
/// just then makes another connection would fall over what is gone.
pub(super) fn establish(url: &str) -> diesel::ConnectionResult<PgConnection> {
    openssl::init();
    PgConnection::establish(url)
}

/// Whether the database may be there a moment later, by what libpq said of a connection that failed: nobody listens, nobody answers, it starts,
/// ends or is full. What stays wrong until somebody mends it (a password, a name, a certificate) isn't.
pub(super) fn passes_by(message: &str) -> bool {
    const PASSING: &[&str] = &[
        "Connection refused",
        "Connection reset",
        "Connection timed out",
        "timeout expired",
        "could not translate host name",
        "No route to host",
        "Network is unreachable",
        "Network is down",
        "Host is down",
        "Host is unreachable",
        "server closed the connection",
        "could not receive data from server",
        "could not send data to server",
        "could not send startup packet",
        "the database system is",
        "too many clients",
        "remaining connection slots",
        "terminating connection",
        "canceling statement due to statement timeout",
        "timed out waiting for connection",
        // `target_session_attrs`, while none of the hosts is the primary.
        "session is read-only",
        "session is not read-only",
        "server is in hot standby mode",
        "server is not in hot standby mode",
        // A socket that isn't made yet.
        "Is the server running locally and accepting connections on that socket",
    ];
    PASSING.iter().any(|text| message.contains(text))
}

/// Makes connections for r2d2.
#[derive(Clone)]
pub(super) struct Manager {
    pub(super) url: String,
    pub(super) statement_timeout_ms: u64,
    pub(super) statements: StatementCount,
}

impl Manager {
    /// A connection outside of the pool, whose statements aren't counted.
    pub(super) fn open(&self) -> Result<AnyConnection> {
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
}

impl r2d2::ManageConnection for Manager {
    type Connection = Pooled;
    type Error = StorageError;

    fn connect(&self) -> Result<Pooled> {
        Ok(self.statements.watch(self.open()?))
    }

    fn is_valid(&self, connection: &mut Pooled) -> Result<()> {
        Ok(connection.batch_execute("SELECT 1")?)
    }

    fn has_broken(&self, connection: &mut Pooled) -> bool {
        connection.is_dead() || diesel::r2d2::R2D2Connection::is_broken(&mut **connection)
    }
}

/// Without these, libpq waits for a dead network as long as the kernel does, and takes a thread of the pool with it.
pub(super) fn with_timeouts(url: &str, deadline_ms: u64) -> String {
    let defaults = [
        (
            "connect_timeout",
            deadline_ms.div_ceil(1000).max(2).to_string(),
        ),
        (
            "tcp_user_timeout",
            deadline_ms.saturating_mul(2).to_string(),
        ),
        ("keepalives_idle", "30".to_owned()),
        // What the database's own views call this connection, where neither URL nor environment names it.
        ("fallback_application_name", "tessera".to_owned()),
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

/// What a transaction may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// What a transaction may see.
#[derive(Clone, Copy)]
pub(super) enum Sight {
    Tenant(TenantScope),
    Installation,
}

/// The statements that have row-level security show this for the rest of the transaction.
fn sight_settings(sight: Sight) -> String {
    let (tenant, scope) = match sight {
        Sight::Tenant(scope) => (scope.id().to_string(), "tenant"),
        Sight::Installation => (String::new(), "installation"),
    };
    // Both values are ours: a UUID's text and a constant.
    format!("SET LOCAL tessera.tenant = '{tenant}'; SET LOCAL tessera.scope = '{scope}'")
}

/// A connection with a transaction that sees what `sight` allows, begun in one round trip.
///
/// After a failover every connection that lay idle is dead. None of the transaction was sent by then, so the next is tried, until a
/// fresh one comes; later failures are the caller's to hear of, as nobody knows what they left behind.
pub(super) fn begin(
    pool: &r2d2::Pool<Manager>,
    sight: Sight,
    access: Access,
    given_up: &dyn Fn() -> bool,
) -> Result<r2d2::PooledConnection<Manager>> {
    let mode = match access {
        Access::Read => " READ ONLY",
        Access::Write => "",
    };
    let begin = format!("BEGIN{mode}; {}", sight_settings(sight));
    let mut dead = 0;
    loop {
        let mut connection = pool
            .get()
            .map_err(|error| StorageError::Unavailable(error.to_string()))?;
        connection.take_failed();
        let planned = if connection.plans().are_old() {
            connection.batch_execute(&format!("DISCARD PLANS; {begin}"))
        } else {
            connection.batch_execute(&begin)
        };
        let Err(error) = planned else {
            return Ok(connection);
        };
        // Whatever the reason, who knows in what state it is.
        connection.mark_dead();
        let error = StorageError::from(error);
        dead += 1;
        let lost = matches!(error, StorageError::Unavailable(_));
        if !lost || dead > pool.max_size() || given_up() {
            return Err(error);
        }
    }
}

/// Works with one tenant's rows within a transaction that sees the whole installation: meanwhile row-level security shows no other's, so
/// that a forgotten filter is as harmless there as in the tenant's own transactions. Nothing on SQLite, which has no such thing.
pub(super) fn narrowed<T>(
    connection: &mut AnyConnection,
    scope: TenantScope,
    work: impl FnOnce(&mut AnyConnection) -> Result<T>,
) -> Result<T> {
    if matches!(connection, AnyConnection::Sqlite(_)) {
        return work(connection);
    }
    connection.batch_execute(&sight_settings(Sight::Tenant(scope)))?;
    // After a failure the transaction is rolled back, and what it saw with it.
    let value = work(connection)?;
    connection.batch_execute(&sight_settings(Sight::Installation))?;
    Ok(value)
}

/// Works, and commits where `may_commit` says so; rolls back on failure.
pub(super) fn finish<T>(
    connection: &mut Pooled,
    may_commit: &dyn Fn() -> bool,
    work: impl FnOnce(&mut AnyConnection) -> Result<T>,
) -> Result<T> {
    let failure = match guarded(|| work(connection)) {
        Ok(_) if !may_commit() => StorageError::Timeout,
        Ok(value) => {
            // PostgreSQL answers COMMIT of a failed transaction with a silent rollback; any other statement says so.
            let commit = if connection.take_failed() {
                "SELECT 1; COMMIT"
            } else {
                "COMMIT"
            };
            match connection.batch_execute(commit) {
                Ok(()) => return Ok(value),
                Err(error) => error.into(),
            }
        }
        Err(error) => error,
    };
    if connection.batch_execute("ROLLBACK").is_err() {
        connection.mark_dead();
    }
    Err(failure)
}

/// A panic is an error, so that the transaction is ended and the connection stays usable.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StorageError::Statement("database work panicked".into())))
}

#[cfg(test)]
mod tests {
    use super::{Plans, passes_by, with_timeouts};

    #[test]
    fn what_passes_by_is_told_from_what_somebody_has_to_mend() {
        for passing in [
            "connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
            "connection to server at \"10.0.0.1\", port 5432 failed: timeout expired",
            "connection to server on socket \"/run/.s.PGSQL.5432\" failed: No such file or directory\n\tIs the server running locally and accepting connections on that socket?",
            "could not translate host name \"db\" to address: Temporary failure in name resolution",
            "timed out waiting for connection: the database is unavailable: FATAL:  the database system is starting up",
            "connection to server at \"h1\", port 5432 failed: session is read-only",
        ] {
            assert!(passes_by(passing), "{passing}");
        }
        for lasting in [
            "FATAL:  password authentication failed for user \"tessera\"",
            "FATAL:  database \"tessera\" does not exist",
            "FATAL:  role \"tessera\" does not exist",
            "FATAL:  no pg_hba.conf entry for host \"10.0.0.2\", user \"tessera\", database \"tessera\", no encryption",
            "root certificate file \"/etc/tessera/ca.pem\" does not exist",
            "SSL error: certificate verify failed",
            "server does not support SSL, but SSL was required",
        ] {
            assert!(!passes_by(lasting), "{lasting}");
        }
    }

    #[test]
    fn statements_are_planned_anew_as_fast_as_tables_can_grow() {
        let mut plans = Plans::new();
        let anew: Vec<u32> = (1..=30_000).filter(|_| plans.are_old()).collect();
        assert_eq!(anew[..5], [16, 48, 112, 240, 496]);
        let pauses: Vec<u32> = anew.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            pauses.is_sorted() && pauses.ends_with(&[Plans::MOST]),
            "{pauses:?}"
        );
    }

    #[test]
    fn an_operators_own_timeouts_are_kept() {
        assert_eq!(
            with_timeouts("postgres://h/d", 5_000),
            "postgres://h/d?connect_timeout=5&tcp_user_timeout=10000&keepalives_idle=30&fallback_application_name=tessera"
        );
        let own = with_timeouts("postgres://h/d?sslmode=require&connect_timeout=9", 5_000);
        assert_eq!(
            own,
            "postgres://h/d?sslmode=require&connect_timeout=9&tcp_user_timeout=10000&keepalives_idle=30&fallback_application_name=tessera"
        );
    }
}
