//! `tessera doctor`: looks at everything that a server needs, changes nothing, and says what is wrong and how to mend it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::open::{self, OpenError};
use super::output::{Failure, Output, Report};
use crate::clock::{Clock, Timestamp};
use crate::config::{Config, DatabaseUrl, Flags};
use crate::domain::tenant::TenantStatus;
use crate::flows::Provider;
use crate::flows::issue::ACCESS_TOKEN_ALGORITHM;
use crate::flows::provider::FeedUse;
use crate::jose::seal::{DataKey, MasterKey, is_private};
use crate::storage::{
    DatabaseHealth, Db, DbOptions, MigrationState, PageRequest, SchemaError, migration_state,
};

/// How long the database may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// A durable commit that takes longer is felt by everybody.
const SLOW_WRITE: Duration = Duration::from_millis(100);

/// Tenants whose keys are looked at.
const SAMPLE: u32 = 50;

/// The clocks may be apart by this much before it is worth a word.
const CLOCK_WARNING: i64 = 2;

/// Beyond this, assertions and tokens fail (`PROTOCOL`: 60 s at most).
const CLOCK_FAILURE: i64 = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warning,
    Failure,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    status: Level,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.0.push(Finding {
            check,
            status: Level::Ok,
            message: message.into(),
            remedy: None,
        });
    }

    fn warn(&mut self, check: &'static str, message: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding {
            check,
            status: Level::Warning,
            message: message.into(),
            remedy: Some(remedy.into()),
        });
    }

    fn fail(&mut self, check: &'static str, message: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding {
            check,
            status: Level::Failure,
            message: message.into(),
            remedy: Some(remedy.into()),
        });
    }

    fn worst(&self) -> Level {
        self.0
            .iter()
            .map(|finding| finding.status)
            .max()
            .unwrap_or(Level::Ok)
    }
}

/// Looks, prints, and fails where something is wrong.
pub async fn run(flags: Flags, output: Output) -> Result<(), Failure> {
    let mut findings = Findings::default();
    match Config::load(flags) {
        Ok(config) => examine(config, &mut findings).await,
        Err(errors) => {
            for error in errors.0 {
                findings.fail(
                    "configuration",
                    error.to_string(),
                    "correct it where it stands; `docs/src/configuration.md` lists every setting",
                );
            }
        }
    }
    let document = serde_json::json!({ "status": findings.worst(), "checks": findings.0 });
    Report::new(document, text(&findings)).print(output)?;
    match findings
        .0
        .iter()
        .filter(|finding| finding.status == Level::Failure)
        .count()
    {
        0 => Ok(()),
        1 => Err(Failure::failed("unhealthy", "one check failed")),
        failed => Err(Failure::failed(
            "unhealthy",
            format!("{failed} checks failed"),
        )),
    }
}

fn text(findings: &Findings) -> String {
    let mut lines = Vec::new();
    for finding in &findings.0 {
        let mark = match finding.status {
            Level::Ok => "ok     ",
            Level::Warning => "warning",
            Level::Failure => "FAILURE",
        };
        lines.push(format!(
            "{mark}  {:<15}  {}",
            finding.check, finding.message
        ));
        if let Some(remedy) = &finding.remedy {
            lines.push(format!("{:26}→ {remedy}", ""));
        }
    }
    lines.join("\n")
}

async fn examine(config: Config, findings: &mut Findings) {
    settings(&config, findings);
    data_directory(&config, findings);
    if let Some(db) = database(&config, findings).await {
        let master = master_key(&config, &db, findings).await;
        clock(&db, findings).await;
        if let Some(master) = master {
            tenants(config, db, master, findings).await;
        }
    } else {
        master_key_file(&config, findings);
    }
    findings.ok(
        "mail",
        "not configured: this version sends none, links are handed over by whoever makes them",
    );
}

fn settings(config: &Config, findings: &mut Findings) {
    let warnings = config.warnings();
    if warnings.is_empty() {
        findings.ok(
            "configuration",
            format!(
                "tenants are at {}, the server listens on {}",
                config.public_url, config.listen
            ),
        );
    }
    for warning in warnings {
        findings.warn(
            "configuration",
            warning,
            "change the setting, unless this is a trial",
        );
    }
    if !config.public_url.is_https() {
        findings.ok(
            "public_url",
            format!("{}: plain http, for this machine only", config.public_url),
        );
    } else if config.tls_listen.is_some() {
        findings.ok(
            "public_url",
            format!(
                "{}: https, by a listener of the server's own",
                config.public_url
            ),
        );
    } else if config.trusted_proxies == crate::config::TrustedProxies::default() {
        findings.warn(
            "trusted_proxies",
            "`public_url` is https, but nothing here speaks TLS and no proxy is trusted: every client would have the proxy's address",
            "name the proxy's address in `trusted_proxies`, or set `tls_listen` with a certificate",
        );
    } else {
        findings.ok(
            "public_url",
            format!("{}: https, by a trusted proxy", config.public_url),
        );
    }
    for (name, path) in [
        ("tls_certificate_file", &config.tls_certificate_file),
        ("tls_key_file", &config.tls_key_file),
        ("egress_ca_file", &config.egress_ca_file),
    ] {
        if let Some(path) = path
            && let Err(error) = std::fs::File::open(path)
        {
            findings.fail(
                "configuration",
                format!("`{name}` {} can't be read: {error}", path.display()),
                "correct the path, or the file's mode",
            );
        }
    }
}

fn data_directory(config: &Config, findings: &mut Findings) {
    let path = &config.data_dir;
    if !config.database_url.is_sqlite() && !path.exists() {
        return;
    }
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.mode() & 0o077 != 0 => {
            findings.warn(
                "data_dir",
                format!("{} is open to other users of this machine", path.display()),
                format!("chmod 700 {}", path.display()),
            );
        }
        Ok(_) => findings.ok(
            "data_dir",
            format!("{} is there, for its owner alone", path.display()),
        ),
        Err(_) => findings.ok(
            "data_dir",
            format!(
                "{} isn't there yet: it is made at first start",
                path.display()
            ),
        ),
    }
}

async fn database(config: &Config, findings: &mut Findings) -> Option<Db> {
    let location = open::location_of(&config.database_url);
    if let DatabaseUrl::Sqlite(path) = &config.database_url {
        if !path.exists() {
            findings.ok(
                "database",
                format!(
                    "{} isn't there yet: it is made at first start",
                    path.display()
                ),
            );
            return None;
        }
        private_file("database", path, findings);
    }
    match migration_state(&location) {
        Ok(MigrationState::Current) => findings.ok("schema", "up to date"),
        Ok(MigrationState::Pending(names)) => {
            findings.fail(
                "schema",
                format!("not up to date: {} to be run", names.join(", ")),
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
            findings.fail(
                "database",
                error.to_string(),
                format!(
                    "see that {} is right, and that the database runs and lets this machine in",
                    config.database_url
                ),
            );
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

fn private_file(check: &'static str, path: &Path, findings: &mut Findings) {
    if let Ok(false) = is_private(path) {
        findings.warn(
            check,
            format!("{} is open to other users of this machine", path.display()),
            format!("chmod 600 {}", path.display()),
        );
    }
}

fn master_key_file(config: &Config, findings: &mut Findings) -> Option<MasterKey> {
    match open::read_master_key(config) {
        Ok(Some(key)) => {
            if config.master_key.is_none() {
                private_file("master key", &config.master_key_file, findings);
            }
            Some(key)
        }
        Ok(None) if config.database_url.is_sqlite() => None,
        Ok(None) => {
            findings.fail(
                "master key",
                OpenError::NoMasterKey(config.master_key_file.clone()).to_string(),
                "or put the copy there that you have",
            );
            None
        }
        Err(error) => {
            findings.fail(
                "master key",
                error.to_string(),
                "put the right one there, from your copy",
            );
            None
        }
    }
}

async fn master_key(config: &Config, db: &Db, findings: &mut Findings) -> Option<MasterKey> {
    let key = master_key_file(config, findings);
    let wanted = match db
        .read_installation(|all| all.master_key_fingerprint())
        .await
    {
        Ok(wanted) => wanted,
        Err(error) => {
            findings.fail(
                "master key",
                format!("its fingerprint can't be read: {error}"),
                "see above",
            );
            return None;
        }
    };
    match (key, wanted) {
        (Some(key), Some(wanted)) => match open::check_fingerprint(config, key, wanted) {
            Ok(key) => {
                findings.ok(
                    "master key",
                    format!(
                        "the one in {} is the database's ({})",
                        open::master_key_place(config),
                        key.fingerprint()
                    ),
                );
                Some(key)
            }
            Err(error) => {
                findings.fail("master key", error.to_string(), "no node can start before");
                None
            }
        },
        (Some(_), None) => {
            findings.ok(
                "master key",
                "there; the database takes its fingerprint at first start",
            );
            None
        }
        (None, Some(fingerprint)) if config.database_url.is_sqlite() => {
            let lost = OpenError::LostMasterKey {
                path: config.master_key_file.clone(),
                fingerprint,
            };
            findings.fail("master key", lost.to_string(), "no node can start before");
            None
        }
        (None, _) => None,
    }
}

async fn clock(db: &Db, findings: &mut Findings) {
    let Ok(DatabaseHealth::Postgres { now, .. }) =
        db.read_installation(|all| all.database_health()).await
    else {
        findings.ok(
            "clock",
            format!(
                "{}; the database has the same",
                super::output::moment(db.clock().now())
            ),
        );
        return;
    };
    compare_clocks(db.clock().now(), now, findings);
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

async fn tenants(config: Config, db: Db, master: MasterKey, findings: &mut Findings) {
    data_keys(&db, &master, findings).await;
    let listed = match db
        .read_installation(|all| all.list_tenants(None, PageRequest::first(SAMPLE)))
        .await
    {
        Ok(page) => page.items,
        Err(error) => return findings.fail("tenants", error.to_string(), "see above"),
    };
    let provider = match Provider::new(Arc::new(config), db, master, FeedUse::None) {
        Ok(provider) => provider,
        Err(error) => return findings.fail("tenants", error.to_string(), "see above"),
    };
    let (mut sound, mut broken) = (0, Vec::new());
    for record in listed
        .iter()
        .filter(|record| record.status != TenantStatus::Deleting)
    {
        match provider.find_tenant(&record.slug).await {
            Ok(Some(tenant))
                if tenant
                    .keys
                    .signer(ACCESS_TOKEN_ALGORITHM, provider.now())
                    .is_some() =>
            {
                sound += 1
            }
            Ok(Some(_)) => broken.push(format!("{}: no key that signs", record.slug)),
            Ok(None) => {}
            Err(error) => broken.push(format!("{}: {error}", record.slug)),
        }
    }
    if broken.is_empty() {
        findings.ok(
            "keys",
            format!("{sound} tenants looked at, each has a key that signs"),
        );
    } else {
        findings.fail("keys", broken.join("; "), "`tessera key rotate --tenant SLUG` makes one where there is none; a key that doesn't open has to come from a backup");
    }
    let unfinished = listed
        .iter()
        .filter(|record| record.status == TenantStatus::Deleting)
        .map(|record| record.slug.to_string())
        .collect::<Vec<_>>();
    if !unfinished.is_empty() {
        findings.warn(
            "tenants",
            format!("not wholly deleted: {}", unfinished.join(", ")),
            "run `tessera tenant delete SLUG --yes` once more",
        );
    }
}

async fn data_keys(db: &Db, master: &MasterKey, findings: &mut Findings) {
    match db
        .read_installation(|all| all.list_data_keys(None, i64::from(SAMPLE)))
        .await
    {
        Ok(keys) => {
            let closed = keys
                .iter()
                .filter(|(tenant, sealed)| {
                    DataKey::open_under(master, tenant.uuid(), sealed).is_err()
                })
                .map(|(tenant, _)| tenant.to_string());
            let closed = closed.collect::<Vec<_>>();
            if closed.is_empty() {
                findings.ok(
                    "data keys",
                    format!("{} looked at, each opens under the master key", keys.len()),
                );
            } else {
                findings.fail(
                    "data keys",
                    format!("those of these tenants don't open: {}", closed.join(", ")),
                    "restore the database from a backup",
                );
            }
        }
        Err(error) => findings.fail("data keys", error.to_string(), "see above"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, TimeDelta};

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
