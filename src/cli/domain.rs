//! `tessera domain`: further addresses at which a tenant is an issuer in full.

use serde_json::{Value, json};

use super::open;
use super::output::{Confirmation, Failure, Report, list, moment};
use crate::config::Flags;
use crate::domain::address::{Domain, DomainStage};
use crate::flows::admin::{By, VERIFICATION_PATH, removal_consequences, verification_record};
use crate::storage::{Page, PageRequest};

/// What to do with domains.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Add a domain; says how to prove that it is yours
    Add(Target),
    /// List domains
    List {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
    },
    /// Fetch the proof; the domain serves the tenant from then on
    Verify(Target),
    /// Choose the address that stands in links: a verified domain, or `default` for that of `public_url`
    SetCanonical(Target),
    /// Remove a domain; says first what that breaks
    Remove {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

/// A domain of a tenant.
#[derive(Debug, clap::Args)]
pub struct Target {
    /// The tenant's slug
    #[arg(long, value_name = "SLUG")]
    tenant: String,
    /// Scheme and host, like `https://login.example.com`
    url: String,
}

/// Does it.
pub async fn run(command: Command, flags: Flags) -> Result<Report, Failure> {
    let by = By::command_line();
    let provider = open::command(flags).await?;
    match command {
        Command::Add(Target { tenant, url }) => {
            let tenant = provider.load_tenant_named(&tenant).await?;
            let domain = provider.add_domain(&tenant, &url, &by).await?;
            let text = match &domain.stage {
                DomainStage::Pending { verification_token } => {
                    let record = verification_record(&domain.origin)
                        .map(|name| format!("make a TXT record {name}, or "))
                        .unwrap_or_default();
                    format!(
                        "Prove that {0} is yours: {record}have {0}{VERIFICATION_PATH} answer, with this text and nothing else,\n\n  {verification_token}\n\nthen run\n\n  \
                         tessera domain verify --tenant {1} {0}\n\nand lead the domain to this server.",
                        domain.origin,
                        tenant.slug()
                    )
                }
                DomainStage::Verified { .. } => {
                    format!("{} serves {}.", domain.origin, tenant.slug())
                }
            };
            Ok(Report::new(document(&domain), text))
        }
        Command::List { tenant } => {
            let tenant = provider.load_tenant_named(&tenant).await?;
            // As many as a tenant may have.
            let domains = provider
                .list_domains(&tenant, PageRequest::first(200))
                .await?
                .items;
            let rows = domains.iter().map(row).collect::<Vec<_>>();
            let page = Page {
                items: domains.iter().map(document).collect(),
                next: None,
            };
            Ok(list(
                "domains",
                &page,
                &["DOMAIN", "STATE", "CANONICAL"],
                &rows,
                "This tenant has no domains of its own.",
            ))
        }
        Command::Verify(Target { tenant, url }) => {
            let tenant = provider.load_tenant_named(&tenant).await?;
            let done = provider.verify_domain(&tenant, &url, &by).await?;
            let domain = provider.load_domain(&tenant, &url).await?;
            let text = if done {
                format!(
                    "{0} is verified, and an issuer of {1}: {0}/.well-known/openid-configuration",
                    domain.origin,
                    tenant.slug()
                )
            } else {
                format!("{} is verified already.", domain.origin)
            };
            Ok(Report::new(document(&domain), text))
        }
        Command::SetCanonical(Target { tenant, url }) => {
            let tenant = provider.load_tenant_named(&tenant).await?;
            provider
                .set_canonical_domain(&tenant, (url != "default").then_some(url.as_str()), &by)
                .await?;
            let tenant = provider.load_tenant_named(tenant.slug().as_str()).await?;
            let document = json!({ "issuer": &*tenant.canonical, "issuers": tenant.issuers.iter().map(|issuer| &**issuer).collect::<Vec<_>>() });
            Ok(Report::new(
                document,
                format!(
                    "Links name {} from now on. Every other address works as before.",
                    tenant.canonical
                ),
            ))
        }
        Command::Remove {
            target: Target { tenant, url },
            confirmation,
        } => {
            let tenant = provider.load_tenant_named(&tenant).await?;
            let domain = provider.load_domain(&tenant, &url).await?;
            let consequences = removal_consequences(&tenant, &domain);
            confirmation.obtain(&consequences.join("\n"))?;
            let domain = provider.remove_domain(&tenant, &url, &by).await?;
            let text = format!("{} is removed.\n{}", domain.origin, consequences.join("\n"));
            Ok(Report::new(
                json!({ "deleted": { "id": domain.id, "origin": domain.origin }, "consequences": consequences }),
                text,
            ))
        }
    }
}

fn document(domain: &Domain) -> Value {
    let mut document = json!(domain);
    if matches!(domain.stage, DomainStage::Pending { .. }) {
        if let Some(name) = verification_record(&domain.origin) {
            document["verification_record"] = name.into();
        }
        document["verification_url"] = format!("{}{VERIFICATION_PATH}", domain.origin).into();
    }
    document
}

fn row(domain: &Domain) -> Vec<String> {
    let state = match &domain.stage {
        DomainStage::Pending { .. } => "waits for its proof".to_owned(),
        DomainStage::Verified { verified_at } => format!("verified {}", moment(*verified_at)),
    };
    vec![
        domain.origin.clone(),
        state,
        if domain.canonical { "yes" } else { "" }.to_owned(),
    ]
}
