//! The order of the checks, and those of settings and files.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::Access;

use super::findings::{Findings, Level, text};
use super::{database, keys};
use crate::cli::output::{Failure, Output, Report};
use crate::cli::quickstart::Memory;
use crate::clock::Clock;
use crate::config::{Config, DatabaseUrl, Flags, Origin};
use crate::http::capacity::{self, OpenFiles};
use crate::http::tls::TlsListener;

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

async fn examine(config: Config, findings: &mut Findings) {
    settings(&config, findings);
    settings_file(&config, findings);
    certificates(&config, &Clock::system(), findings);
    open_files(capacity::open_files(), findings);
    data_directory(&config, findings);
    remembered_address(&config, findings);
    if let Some(db) = database::database(&config, findings).await {
        let master = keys::master_key(&config, &db, findings).await;
        database::clock(&db, findings).await;
        if let Some(master) = master {
            keys::tenants(config, db, master, findings).await;
        }
    } else {
        keys::master_key_file(&config, findings);
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
    if let Some(path) = &config.egress_ca_file
        && let Err(error) = std::fs::File::open(path)
    {
        findings.fail(
            "configuration",
            format!("`egress_ca_file` {} can't be read: {error}", path.display()),
            "correct the path, or the file's mode",
        );
    }
}

/// A password in a file that everybody may read is everybody's.
fn settings_file(config: &Config, findings: &mut Findings) {
    let urls = [
        ("database_url", Some(&config.database_url)),
        ("migrate_database_url", config.migrate_database_url.as_ref()),
    ];
    for (key, url) in urls {
        let Origin::File { path, .. } = config.origin(key) else {
            continue;
        };
        let open = std::fs::metadata(&path).is_ok_and(|file| file.mode() & 0o007 != 0);
        if open && url.is_some_and(DatabaseUrl::holds_password) {
            findings.warn(
                "configuration",
                format!(
                    "{} holds the password of `{key}`, and everybody on this machine may read it",
                    path.display()
                ),
                format!(
                    "chgrp tessera {0} && chmod 640 {0} (the group that the server runs as), and change the password",
                    path.display()
                ),
            );
        }
    }
}

/// Fewer days than these are left to renew a certificate before anybody is turned away.
const RENEWAL_DAYS: i64 = 14;

fn certificates(config: &Config, clock: &Clock, findings: &mut Findings) {
    for listener in TlsListener::of(config) {
        let file = listener.certificate_file().display();
        let left = match listener.load() {
            Ok(loaded) => loaded.good_for(clock.now()),
            Err(error) => {
                findings.fail(
                    "certificates",
                    error.to_string(),
                    "correct the path, the file's mode or what is in it",
                );
                continue;
            }
        };
        let remedy = "renew it, and send SIGHUP to a server that runs (systemctl reload tessera)";
        match left.num_days() {
            _ if left <= chrono::TimeDelta::zero() => findings.fail(
                "certificates",
                format!("that of `{}`, {file}, has expired", listener.setting),
                remedy,
            ),
            days if days < RENEWAL_DAYS => findings.warn(
                "certificates",
                format!(
                    "that of `{}`, {file}, expires in {days} days",
                    listener.setting
                ),
                remedy,
            ),
            days => findings.ok(
                "certificates",
                format!(
                    "that of `{}`, {file}, is good for {days} days",
                    listener.setting
                ),
            ),
        }
    }
}

/// The server takes what it may have, so the hard limit is what counts.
fn open_files(limit: OpenFiles, findings: &mut Findings) {
    match limit.hard {
        Some(files) if files < capacity::FEW => findings.warn(
            "open files",
            format!("at most {files} may be open at once here, two for each connection"),
            "LimitNOFILE=65536 in the unit of systemd; elsewhere `ulimit -n`",
        ),
        limit => findings.ok(
            "open files",
            limit.map_or_else(
                || "as many as are wanted".to_owned(),
                |files| format!("{files} may be open at once here"),
            ),
        ),
    }
}

/// A quick start remembers where its tenants are. At another address the links that commands print lead nowhere.
fn remembered_address(config: &Config, findings: &mut Findings) {
    let memory = Memory::in_directory(&config.data_dir);
    let Ok(Some(document)) = memory.load() else {
        return;
    };
    let moved = document
        .tenants
        .iter()
        .find(|entry| config.public_url.issuer(&entry.slug) != entry.issuer);
    if let Some(entry) = moved {
        findings.warn(
            "public_url",
            format!(
                "the quick start of this data directory has tenant {} at {}, these settings have it at {}: links that commands print lead nowhere",
                entry.slug,
                entry.issuer,
                config.public_url.issuer(&entry.slug)
            ),
            "begin commands with the words that `tessera quickstart` prints for them",
        );
    }
}

fn data_directory(config: &Config, findings: &mut Findings) {
    let path = &config.data_dir;
    if config.database_url.is_sqlite() || path.exists() {
        directory(path, findings);
    }
}

fn directory(path: &Path, findings: &mut Findings) {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let me = rustix::process::geteuid().as_raw();
            let private = metadata.mode().trailing_zeros() >= 6;
            if !private {
                findings.warn(
                    "data_dir",
                    format!("{} is open to other users of this machine", path.display()),
                    format!("chmod 700 {}", path.display()),
                );
            }
            let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
            if let Err(error) = rustix::fs::access(path, all) {
                findings.fail(
                    "data_dir",
                    format!(
                        "{} belongs to user {}, and this command runs as user {me}, who can't work in it: {error}",
                        path.display(),
                        metadata.uid()
                    ),
                    format!(
                        "begin this command as the user that the server runs as; if that is this one, `chown -R {me} {}` as root",
                        path.display()
                    ),
                );
            } else if metadata.uid() != me && me != 0 {
                findings.warn(
                    "data_dir",
                    format!(
                        "{} belongs to user {}, and this command runs as user {me}",
                        path.display(),
                        metadata.uid()
                    ),
                    format!(
                        "`chown -R {me} {}` as root, if the server runs as this user",
                        path.display()
                    ),
                );
            } else if private {
                findings.ok(
                    "data_dir",
                    format!("{} is there, for its owner alone", path.display()),
                );
            }
        }
        Ok(_) => findings.fail(
            "data_dir",
            format!("{} is no directory", path.display()),
            "correct the path, or move away what is there",
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => findings.ok(
            "data_dir",
            format!(
                "{} isn't there yet: it is made at first start",
                path.display()
            ),
        ),
        Err(error) => findings.fail(
            "data_dir",
            format!("{} can't be looked at: {error}", path.display()),
            "correct the path, or the mode of the directories that lead there",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_a_quick_start_did_not_have_is_told() {
        let directory = tempfile::tempdir().expect("a directory");
        let document = serde_json::json!({
            "tenants": [{ "slug": "acme", "name": "Acme", "issuer": "http://localhost:9000/t/acme", "users": [], "clients": [] }],
            "operator": { "client_id": "", "client_secret": "", "issuer": "", "users": [] }, "demo_app": "", "console": "",
        });
        std::fs::write(
            directory.path().join("quickstart.json"),
            document.to_string(),
        )
        .expect("written");
        for (public_url, level) in [
            ("http://localhost:9000/t/{tenant}", Level::Ok),
            ("http://localhost:8080/t/{tenant}", Level::Warning),
        ] {
            let mut config =
                Config::from_toml(&format!("public_url = '{public_url}'")).expect("settings");
            config.data_dir = directory.path().to_owned();
            let mut findings = Findings::default();
            findings.ok("mail", "none");
            remembered_address(&config, &mut findings);
            assert_eq!(findings.worst(), level, "{public_url}");
        }
    }

    #[test]
    fn few_open_files_are_told_of() {
        for (hard, level) in [
            (Some(1_024), Level::Warning),
            (Some(8_191), Level::Warning),
            (Some(8_192), Level::Ok),
            (None, Level::Ok),
        ] {
            let mut findings = Findings::default();
            let soft = Some(1_024);
            open_files(OpenFiles { soft, hard }, &mut findings);
            assert_eq!(findings.worst(), level, "{hard:?}");
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_told_from_one_that_nobody_gets_to() {
        for (path, level) in [
            ("/no-such-directory", Level::Ok),
            ("/dev/null/tessera", Level::Failure),
            ("/dev/null", Level::Failure),
        ] {
            let mut findings = Findings::default();
            directory(Path::new(path), &mut findings);
            assert_eq!(findings.worst(), level, "{path}");
        }
    }
}
