//! `tessera key`: the signing keys of a tenant.

use std::sync::Arc;

use serde_json::{Value, json};

use super::open;
use super::output::{Confirmation, Failure, Report, list, moment};
use crate::clock::Timestamp;
use crate::config::Flags;
use crate::domain::key::{KeyAlgorithm, KeyRecord, KeyStage};
use crate::flows::admin::By;
use crate::flows::keys::RotationStart;
use crate::flows::{Provider, Tenant};
use crate::storage::Page;

/// What to do with signing keys.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List signing keys and where they stand
    List {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
    },
    /// Give keys a successor, which is published before it signs
    Rotate {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// `RS256`, `ES256`, `PS256`, `EdDSA` or `Ed25519`, or `RSA-OAEP-256` or `ECDH-ES` for encryption; every one that the tenant has unless told
        #[arg(long)]
        algorithm: Option<KeyAlgorithm>,
        /// Let the successor sign at once: services that cached the keys must fetch them again
        #[arg(long)]
        immediately: bool,
    },
    /// Withdraw a key that may be known to others: nothing that it signed is accepted any more
    Revoke {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        #[command(flatten)]
        kid: Kid,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

/// A key's name. It is a thumbprint in base64url, so one of 64 begins with a hyphen: both ways take that.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Kid {
    /// Which, as `key list` names it
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    positional: Option<String>,
    /// The same, by a name
    #[arg(long = "kid", value_name = "KID", allow_hyphen_values = true)]
    named: Option<String>,
}

/// Does it.
pub async fn run(command: Command, flags: Flags) -> Result<Report, Failure> {
    match command {
        Command::List { tenant } => {
            let (provider, tenant) = load(&tenant, flags).await?;
            let keys = provider
                .db
                .read(&*tenant, |repo| repo.list_keys())
                .await
                .map_err(crate::flows::provider::FlowError::from)?;
            Ok(report(&keys, provider.now(), ""))
        }
        Command::Rotate {
            tenant,
            algorithm,
            immediately,
        } => {
            let (provider, tenant) = load(&tenant, flags).await?;
            let start = if immediately {
                RotationStart::Immediately
            } else {
                RotationStart::PublishedFirst
            };
            rotate(&provider, &tenant, algorithm, start).await
        }
        Command::Revoke {
            tenant,
            kid,
            confirmation,
        } => {
            let kid = kid.positional.or(kid.named).unwrap_or_default();
            let (provider, tenant) = load(&tenant, flags).await?;
            // Nobody is asked about what isn't there.
            provider.load_signing_key(&tenant, &kid).await?;
            confirmation.obtain(&format!(
                "Every token that the key {kid} signed is refused from now on: people sign in again, applications ask for other tokens. \
                 Services refuse them as soon as they fetch the keys again."
            ))?;
            let key = provider
                .revoke_signing_key(&tenant, &kid, &By::command_line())
                .await?;
            Ok(Report::new(
                document(&key, provider.now()),
                format!("The key {kid} is revoked. Another one signs."),
            ))
        }
    }
}

async fn load(slug: &str, flags: Flags) -> Result<(Arc<Provider>, Arc<Tenant>), Failure> {
    let provider = open::command(flags).await?;
    let tenant = provider.load_tenant_named(slug).await?;
    Ok((provider, tenant))
}

async fn rotate(
    provider: &Provider,
    tenant: &Arc<Tenant>,
    algorithm: Option<KeyAlgorithm>,
    start: RotationStart,
) -> Result<Report, Failure> {
    let by = By::command_line();
    let made = provider
        .rotate_signing_keys(tenant, algorithm, start, &by)
        .await?;
    let now = provider.now();
    // An algorithm's first key doesn't wait for verifiers either.
    let text = if made.iter().all(|key| key.signs(now)) {
        "These sign from now on; what was signed before stays valid."
    } else {
        "These are published now and sign from then on; nobody has to do anything."
    };
    Ok(report(&made, now, text))
}

fn report(keys: &[KeyRecord], now: Timestamp, text: &str) -> Report {
    let rows = keys
        .iter()
        .map(|key| {
            vec![
                key.kid.clone(),
                key.algorithm.to_string(),
                key.state(now).as_str().to_owned(),
                since(key),
            ]
        })
        .collect::<Vec<_>>();
    let page = Page {
        items: keys.iter().map(|key| document(key, now)).collect(),
        next: None,
    };
    let report = list(
        "keys",
        &page,
        &["KID", "ALGORITHM", "STATE", "SINCE OR UNTIL"],
        &rows,
        "There are no keys.",
    );
    if text.is_empty() {
        report
    } else {
        report.with_text(text)
    }
}

fn since(key: &KeyRecord) -> String {
    match key.stage {
        KeyStage::Published { signs_from } => format!("from {}", moment(signs_from)),
        KeyStage::Retired {
            retired_at,
            removed_at,
            ..
        } if key.algorithm.is_encryption() => format!(
            "replaced {}, decrypts until {}",
            moment(retired_at),
            moment(removed_at)
        ),
        KeyStage::Retired {
            retired_at,
            removed_at,
            ..
        } => format!(
            "signs until {}, verifies until {}",
            moment(retired_at),
            moment(removed_at)
        ),
        KeyStage::Revoked { revoked_at } => moment(revoked_at),
    }
}

fn document(key: &KeyRecord, now: Timestamp) -> Value {
    let mut document = serde_json::to_value(key).unwrap_or_default();
    document["state"] = json!(key.state(now).as_str());
    document
}
