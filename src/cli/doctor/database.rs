//! The database: that it answers, that its schema and its fences are right, that it writes fast enough and has room to, that its clock is ours.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

use super::findings::{Findings, Level, private_file};
use crate::cli::{open, output};
use crate::clock::{Clock, Timestamp};
use crate::config::{Config, DatabaseUrl};
use crate::storage::{DatabaseHealth, Db, DbOptions, MigrationState, SchemaError, migration_state};

/// How long the database may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// A durable commit that takes longer is felt by everybody.
const SLOW_WRITE: Duration = Duration::from_millis(100);

/// The clocks may be apart by this much before it is worth a word.
const CLOCK_WARNING: i64 = 2;

/// Beyond this, assertions and tokens made elsewhere are refused.
const CLOCK_FAILURE: i64 = 30;

pub(super) async fn database(config: &Config, findings: &mut Findings) -> Option<Db> {
    let location = open::location_of(&config.database_url);
    if let DatabaseUrl::Sqlite(path) = &config.database_url {
        match path.try_exists() {
            Ok(true) => {}
            Err(error) => {
                findings.fail(
                    "database",
                    format!("{} can't be looked at: {error}", path.display()),
                    "begin this command as the user that the server runs as, and give that user the data directory (chown -R)",
                );
                return None;
            }
            Ok(false) => {
                findings.ok(
                    "database",
                    format!(
                        "{} isn't there yet: it is made at first start",
                        path.display()
                    ),
                );
                return None;
            }
        }
        private_file("database", path, findings);
        room(path, findings);
    }
    match migration_state(&location) {
        Ok(MigrationState::Current) => findings.ok("schema", "up to date"),
        Ok(MigrationState::Pending(names)) => {
            findings.fail(
                "schema",
                format!("not up to date: {} to be run", open::pending(&names)),
                "run `tessera migrate` with the same settings",
            );
            return None;
        }
        Ok(MigrationState::Newer(versions)) => {
            findings.fail(
                "schema",
                SchemaError::Newer(versions).to_string(),
                "see above",
            );
            return None;
        }
        Ok(MigrationState::Skipped(names)) => {
            findings.fail(
                "schema",
                SchemaError::Skipped(names).to_string(),
                "see above",
            );
            return None;
        }
        Err(error) => {
            let remedy = if config.database_url.is_sqlite() {
                format!(
                    "see that {} is Tessera's database, and that it and its directory are the server's to read and write",
                    config.database_url
                )
            } else {
                format!(
                    "see that {} is right, and that the database runs and lets this machine in",
                    config.database_url
                )
            };
            findings.fail("database", error.to_string(), remedy);
            return None;
        }
    }
    let options = DbOptions {
        location,
        connections: 2,
        queue: 16,
        deadline: DEADLINE,
    };
    let opened = match Db::open(&options, Clock::system()) {
        Ok(db) => db
            .read_installation(|all| all.database_health())
            .await
            .map(|health| (db, health)),
        Err(error) => Err(error),
    };
    let (db, health) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            findings.fail(
                "database",
                error.to_string(),
                "see that the database runs, and that its log-in may work as tessera_app",
            );
            return None;
        }
    };
    describe(config, &health, findings);
    write_latency(&db, findings).await;
    Some(db)
}

fn describe(config: &Config, health: &DatabaseHealth, findings: &mut Findings) {
    match health {
        DatabaseHealth::Sqlite {
            version,
            journal_mode,
        } if journal_mode == "wal" => {
            findings.ok(
                "database",
                format!(
                    "SQLite {version} at {}, with a write-ahead log",
                    config.database_url
                ),
            );
        }
        DatabaseHealth::Sqlite { journal_mode, .. } => findings.warn(
            "database",
            format!("the journal mode is {journal_mode}, not wal: readers wait for writers"),
            "run `tessera migrate`; keep the file on a local disk",
        ),
        DatabaseHealth::Postgres {
            version,
            role,
            passes_rows_security,
            unprotected,
            ..
        } => {
            findings.ok(
                "database",
                format!("PostgreSQL {version} at {}", config.database_url),
            );
            if *passes_rows_security {
                findings.fail(
                    "row security",
                    format!("the server's role {role} passes row-level security by"),
                    "take superuser, BYPASSRLS and the tables' ownership from it",
                );
            } else if unprotected.is_empty() {
                findings.ok(
                    "row security",
                    format!("forced on every table of tenants; the server works as {role}"),
                );
            } else {
                findings.fail(
                    "row security",
                    format!("not forced on {}", unprotected.join(", ")),
                    "somebody changed the schema by hand: ALTER TABLE … FORCE ROW LEVEL SECURITY",
                );
            }
        }
    }
}

/// Less than this is soon full.
const LITTLE_ROOM: u64 = 512 << 20;

/// What is tried to be written beside the database: as much as its log takes between two of its own ends.
const TRIED: usize = 1 << 20;

/// SQLite finds room for a small write where an earlier one was, so a write that succeeds doesn't say that the disk isn't full.
fn room(database: &Path, findings: &mut Findings) {
    let directory = match database.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let free = match rustix::fs::statvfs(directory) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => {
            return findings.warn(
                "disk",
                format!("the room on {} can't be told: {error}", directory.display()),
                "look at it with df",
            );
        }
    };
    if let Err(error) = try_to_write(directory) {
        return findings.fail(
            "disk",
            format!(
                "a mebibyte can't be written to {}: {error}",
                directory.display()
            ),
            "make room: sign-ins are answered 503 until then. See the disk, the quota, and how it is mounted",
        );
    }
    let (message, level) = describe_room(directory, free);
    match level {
        Level::Ok => findings.ok("disk", message),
        _ => findings.warn(
            "disk",
            message,
            "make room before it is full: sign-ins are answered 503 then",
        ),
    }
}

fn describe_room(directory: &Path, free: u64) -> (String, Level) {
    let message = format!("{} MiB are free at {}", free >> 20, directory.display());
    let level = if free < LITTLE_ROOM {
        Level::Warning
    } else {
        Level::Ok
    };
    (message, level)
}

/// Writes to a file that has no name and is gone when it is closed. Where a file system has no such thing nothing is tried.
fn try_to_write(directory: &Path) -> io::Result<()> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = match rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => file,
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR | rustix::io::Errno::INVAL) => {
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let mut file = File::from(file);
    file.write_all(&vec![0; TRIED])?;
    // Some file systems look for room only now.
    file.sync_data()
}

/// A write that changes nothing is a durable commit all the same.
async fn write_latency(db: &Db, findings: &mut Findings) {
    let begun = Instant::now();
    let written = db.write_installation(|all| {
        let fingerprint = all.master_key_fingerprint()?.unwrap_or_default();
        all.replace_master_key_fingerprint(&fingerprint, &fingerprint)
    });
    match written.await {
        Ok(_) if begun.elapsed() > SLOW_WRITE => findings.warn(
            "writes",
            format!("a commit took {} ms", begun.elapsed().as_millis()),
            "look at the disk and at what else uses it; a network file system is no place for a database",
        ),
        Ok(_) => findings.ok("writes", format!("a commit takes {:.1} ms", begun.elapsed().as_secs_f64() * 1000.0)),
        Err(error) => findings.fail("writes", format!("nothing can be written: {error}"), "see that the disk isn't full and the database isn't read-only"),
    }
}

pub(super) async fn clock(db: &Db, findings: &mut Findings) {
    match db.read_installation(|all| all.database_health()).await {
        Ok(DatabaseHealth::Postgres { now, .. }) => {
            compare_clocks(db.clock().now(), now, findings);
        }
        Ok(DatabaseHealth::Sqlite { .. }) => findings.ok(
            "clock",
            format!(
                "{}; the database has the same",
                output::moment(db.clock().now())
            ),
        ),
        Err(error) => findings.fail(
            "clock",
            format!("the database's clock can't be read: {error}"),
            "see that the database still runs",
        ),
    }
}

fn compare_clocks(ours: Timestamp, theirs: Timestamp, findings: &mut Findings) {
    let apart = (ours - theirs).num_seconds();
    let message = format!(
        "this machine's clock and the database's are {} seconds apart",
        apart.abs()
    );
    let remedy = "keep every machine's clock in step with NTP (chrony, systemd-timesyncd)";
    match apart.abs() {
        seconds if seconds > CLOCK_FAILURE => findings.fail("clock", message, remedy),
        seconds if seconds > CLOCK_WARNING => findings.warn("clock", message, remedy),
        _ => findings.ok("clock", "in step with the database's"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, TimeDelta};

    #[test]
    fn a_disk_that_is_nearly_full_is_told_of() {
        for (free, level) in [
            (0, Level::Warning),
            (LITTLE_ROOM - 1, Level::Warning),
            (LITTLE_ROOM, Level::Ok),
        ] {
            let (message, found) = describe_room(Path::new("/data"), free);
            assert_eq!(found, level, "{message}");
        }
        let directory = tempfile::tempdir().expect("a directory");
        try_to_write(directory.path()).expect("there is room");
        let left = std::fs::read_dir(directory.path()).expect("readable");
        assert_eq!(left.count(), 0, "nothing is left of it");
        try_to_write(Path::new("/no-such-directory")).expect_err("nobody writes there");
    }

    #[test]
    fn clocks_that_are_apart_are_told_of() {
        let now = DateTime::UNIX_EPOCH;
        for (seconds, level) in [
            (0, Level::Ok),
            (-2, Level::Ok),
            (3, Level::Warning),
            (-30, Level::Warning),
            (31, Level::Failure),
            (-3600, Level::Failure),
        ] {
            let mut findings = Findings::default();
            compare_clocks(now + TimeDelta::seconds(seconds), now, &mut findings);
            assert_eq!(findings.worst(), level, "{seconds}");
        }
    }
}
