//! The order of the checks, and those of settings and files.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::findings::{Findings, Level, text};
use super::{database, keys};
use crate::cli::output::{Failure, Output, Report};
use crate::cli::quickstart::Memory;
use crate::config::{Config, Flags};

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
    for (name, path) in [
        ("tls_certificate_file", &config.tls_certificate_file),
        ("tls_key_file", &config.tls_key_file),
        ("mtls_certificate_file", &config.mtls_certificate_file),
        ("mtls_key_file", &config.mtls_key_file),
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
    fn a_directory_that_is_not_there_is_told_from_one_that_nobody_gets_to() {
        for (path, level) in [
            ("/no-such-directory", Level::Ok),
            ("/dev/null/tessera", Level::Failure),
        ] {
            let mut findings = Findings::default();
            directory(Path::new(path), &mut findings);
            assert_eq!(findings.worst(), level, "{path}");
        }
    }
}
