//! The master key, what it seals, and the keys that sign.

use std::sync::Arc;

use super::findings::{Findings, private_file};
use crate::cli::open::{self, OpenError};
use crate::config::Config;
use crate::domain::tenant::TenantStatus;
use crate::flows::Provider;
use crate::flows::issue::ACCESS_TOKEN_ALGORITHM;
use crate::flows::provider::FeedUse;
use crate::jose::seal::{DataKey, MasterKey, MasterKeyError};
use crate::storage::{Db, PageRequest};

/// Tenants whose keys are looked at.
const SAMPLE: u32 = 50;

/// What became of reading the master key.
pub(super) enum Read {
    /// It is there.
    Key(MasterKey),
    /// It isn't there yet, or any more; nothing was said of it.
    Missing,
    /// It can't be had, and that was said.
    Unusable,
}

pub(super) fn master_key_file(config: &Config, findings: &mut Findings) -> Read {
    match open::read_master_key(config) {
        Ok(Some(key)) => {
            if config.master_key.is_none() {
                private_file("master key", &config.master_key_file, findings);
            }
            Read::Key(key)
        }
        Ok(None) if config.database_url.is_sqlite() => Read::Missing,
        Ok(None) => {
            findings.fail(
                "master key",
                OpenError::NoMasterKey(config.master_key_file.clone()).to_string(),
                "or put the copy there that you have",
            );
            Read::Unusable
        }
        Err(error) => {
            let remedy = match &error {
                OpenError::MasterKey {
                    error: MasterKeyError::File(_),
                    ..
                } => {
                    "see its owner and mode: it has to be readable to the user that the server runs as"
                }
                _ if config.master_key.is_some() => {
                    "set the variable to the key's text, or unset it and use `master_key_file`"
                }
                _ => "put the right one there, from your copy",
            };
            findings.fail("master key", error.to_string(), remedy);
            Read::Unusable
        }
    }
}

pub(super) async fn master_key(
    config: &Config,
    db: &Db,
    findings: &mut Findings,
) -> Option<MasterKey> {
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
        (Read::Key(key), Some(wanted)) => match open::check_fingerprint(config, key, wanted) {
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
        (Read::Key(_), None) => {
            findings.ok(
                "master key",
                "there; the database takes its fingerprint at first start",
            );
            None
        }
        (Read::Missing, Some(fingerprint)) => {
            let lost = OpenError::LostMasterKey {
                path: config.master_key_file.clone(),
                fingerprint,
            };
            findings.fail("master key", lost.to_string(), "no node can start before");
            None
        }
        (Read::Missing | Read::Unusable, _) => None,
    }
}

pub(super) async fn tenants(config: Config, db: Db, master: MasterKey, findings: &mut Findings) {
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
                sound += 1;
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
