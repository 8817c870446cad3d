//! `tessera tenant`: makes and looks after tenants.

use serde_json::{Value, json};
use url::Url;

use super::bulk;
use super::open::{self, LONG_DEADLINE, Opening};
use super::output::{Confirmation, Failure, Listing, Report, fields, list, moment};
use crate::config::Flags;
use crate::domain::branding::{Branding, Rgb};
use crate::domain::tenant::TenantRecord;
use crate::flows::admin::{AdminError, By, change_setting};
use crate::flows::{Provider, Tenant};

/// What to do with tenants.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a tenant; it works at once
    Create {
        /// Its name in addresses: a-z, 0-9 and single hyphens
        slug: String,
        /// What people read
        #[arg(long)]
        name: String,
    },
    /// List tenants
    List {
        /// Those whose slug or name begins with this
        #[arg(long, value_name = "PREFIX")]
        search: Option<String>,
        #[command(flatten)]
        listing: Listing,
    },
    /// Show a tenant and its settings
    Show {
        /// The tenant's slug
        slug: String,
    },
    /// Change name, settings and branding
    Update {
        /// The tenant's slug
        slug: String,
        #[command(flatten)]
        change: Change,
    },
    /// Close a tenant for everybody; nothing is lost
    Suspend {
        /// The tenant's slug
        slug: String,
    },
    /// Open a suspended tenant again
    Resume {
        /// The tenant's slug
        slug: String,
    },
    /// Write a tenant as JSON Lines, to keep or to move it
    Export(bulk::Export),
    /// Make tenants, one or very many, from JSON Lines
    Import(bulk::ImportTenants),
    /// Delete a tenant for good, with everything in it
    Delete {
        /// The tenant's slug
        slug: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

/// What to change.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub struct Change {
    /// What people read
    #[arg(long)]
    name: Option<String>,
    /// A setting, like `access_token_lifetime=600` or `password.minimum_length=12`; times are in seconds
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// The logo's https address, or nothing for none
    #[arg(long, value_name = "URL")]
    logo_uri: Option<String>,
    /// The accent colour, like `#175c6b`, or nothing for the default
    #[arg(long, value_name = "#RRGGBB")]
    accent: Option<String>,
    /// The accent colour on dark pages; derived from --accent unless told
    #[arg(long, value_name = "#RRGGBB")]
    accent_dark: Option<String>,
}

/// Does it.
pub async fn run(command: Command, flags: Flags) -> Result<Report, Failure> {
    let by = By::command_line();
    let command = match command {
        Command::Delete { slug, confirmation } => return delete(&slug, confirmation, flags).await,
        Command::Import(import) => return bulk::import_tenants(import, flags).await,
        other => other,
    };
    let provider = match command {
        Command::Create { .. } => open::first_command(flags).await?,
        _ => open::command(flags).await?,
    };
    match command {
        Command::Create { slug, name } => {
            let tenant = provider.create_tenant(&slug, &name, &by).await?;
            let record = &tenant.record;
            let text = format!(
                "{}\nIt works already; `tessera tenant show {slug}` prints its settings. Next:\n  tessera user create --tenant {slug} --email EMAIL --role administrator\n  \
                 tessera client create --tenant {slug} --name NAME --redirect-uri URI",
                fields(&[
                    ("slug", record.slug.to_string()),
                    ("name", record.name.clone()),
                    ("issuer", tenant.canonical.to_string()),
                ])
            );
            Ok(Report::new(document(&tenant), text))
        }
        Command::List { search, listing } => {
            let page = listing
                .collect(async |page| provider.list_tenants(search.clone(), page).await)
                .await?;
            let rows = page
                .items
                .iter()
                .map(|tenant| row(&provider, tenant))
                .collect::<Vec<_>>();
            let page = page.map(|tenant| summary(&provider, &tenant));
            Ok(list(
                "tenants",
                &page,
                &["SLUG", "NAME", "STATUS", "ISSUER"],
                &rows,
                "No tenant has such a slug.",
            ))
        }
        Command::Show { slug } => {
            let tenant = provider.load_tenant_named(&slug).await?;
            Ok(Report::new(document(&tenant), describe(&tenant)))
        }
        Command::Update { slug, change } => {
            let tenant = provider.load_tenant_named(&slug).await?;
            let changed = change.apply(tenant.record.clone())?;
            let tenant = provider.update_tenant(changed, &by).await?;
            Ok(Report::new(document(&tenant), describe(&tenant)))
        }
        Command::Suspend { slug } => {
            let done = provider.suspend_tenant(&slug, &by).await?;
            let text = if done {
                format!(
                    "{slug} is suspended: everything but its keys and metadata answers 403, and its tokens introspect as inactive.\nOpen it again by: tessera tenant resume {slug}"
                )
            } else {
                format!("{slug} is suspended already.")
            };
            status(&provider, &slug, text).await
        }
        Command::Resume { slug } => {
            let done = provider.resume_tenant(&slug, &by).await?;
            status(
                &provider,
                &slug,
                if done {
                    format!("{slug} is open again.")
                } else {
                    format!("{slug} is open already.")
                },
            )
            .await
        }
        Command::Delete { .. } | Command::Export(_) | Command::Import(_) => {
            Err(Failure::new("this command has a way of its own"))
        }
    }
}

async fn status(provider: &Provider, slug: &str, text: String) -> Result<Report, Failure> {
    Ok(Report::new(
        document(&*provider.load_tenant_named(slug).await?),
        text,
    ))
}

async fn delete(slug: &str, confirmation: Confirmation, flags: Flags) -> Result<Report, Failure> {
    let opening = Opening {
        deadline: LONG_DEADLINE,
        ..Opening::command(open::config(flags)?)
    };
    let provider = opening.provider().await?;
    // Nobody is asked about what isn't there.
    provider.load_tenant_record(slug).await?;
    confirmation.obtain(&format!(
        "The tenant {slug} will be deleted with its people, clients, keys and audit events, and its data key destroyed. Nothing can bring it back."
    ))?;
    let record = provider.delete_tenant(slug, &By::command_line()).await?;
    Ok(Report::new(
        json!({ "deleted": { "id": record.id, "slug": record.slug } }),
        format!("The tenant {slug} is gone."),
    ))
}

impl Change {
    fn apply(self, mut tenant: TenantRecord) -> Result<TenantRecord, Failure> {
        if let Some(name) = self.name {
            tenant.name = name;
        }
        for setting in &self.settings {
            let Some((key, value)) = setting.split_once('=') else {
                return Err(Failure::usage(format!(
                    "--set takes KEY=VALUE, like access_token_lifetime=600; `{setting}` has no `=`"
                )));
            };
            tenant.settings = change_setting(&tenant.settings, key.trim(), value.trim())?;
        }
        let invalid = |field: &str, reason: String| {
            Failure::from(AdminError::Invalid {
                field: field.to_owned(),
                reason,
            })
        };
        let colour =
            |field: &str, text: Option<String>, present: Option<Rgb>| match text.as_deref() {
                None => Ok(present),
                Some("") => Ok(None),
                Some(text) => text.parse().map(Some).map_err(
                    |error: crate::domain::branding::BrandingError| {
                        invalid(field, error.to_string())
                    },
                ),
            };
        let logo = match self.logo_uri.as_deref() {
            None => tenant.branding.logo_uri().cloned(),
            Some("") => None,
            Some(text) => {
                Some(Url::parse(text).map_err(|error| invalid("logo_uri", error.to_string()))?)
            }
        };
        let accent = colour("accent", self.accent, tenant.branding.accent())?;
        let accent_dark = colour(
            "accent_dark",
            self.accent_dark,
            tenant.branding.accent_dark(),
        )?;
        tenant.branding = Branding::new(logo, accent, accent_dark)
            .map_err(|error| invalid("logo_uri", error.to_string()))?;
        Ok(tenant)
    }
}

fn summary(provider: &Provider, tenant: &TenantRecord) -> Value {
    let mut document = serde_json::to_value(tenant).unwrap_or_default();
    document["issuer"] = provider
        .config
        .public_url
        .issuer(tenant.slug.as_str())
        .into();
    document
}

fn row(provider: &Provider, tenant: &TenantRecord) -> Vec<String> {
    vec![
        tenant.slug.to_string(),
        tenant.name.clone(),
        tenant.status.to_string(),
        provider.config.public_url.issuer(tenant.slug.as_str()),
    ]
}

fn document(tenant: &Tenant) -> Value {
    let mut document = serde_json::to_value(&tenant.record).unwrap_or_default();
    document["issuer"] = tenant.canonical.as_ref().into();
    document["issuers"] = tenant
        .issuers
        .iter()
        .map(|issuer| Value::from(&**issuer))
        .collect();
    document
}

fn describe(tenant: &Tenant) -> String {
    let record = &tenant.record;
    let others = tenant
        .issuers
        .iter()
        .filter(|issuer| **issuer != tenant.canonical)
        .map(ToString::to_string)
        .collect::<Vec<_>>();
    let mut rows = vec![
        ("slug", record.slug.to_string()),
        ("name", record.name.clone()),
        ("status", record.status.to_string()),
        ("id", record.id.to_string()),
        ("issuer", tenant.canonical.to_string()),
        ("other addresses", others.join(", ")),
        ("made", moment(record.created_at)),
        ("changed", moment(record.updated_at)),
        (
            "logo_uri",
            record
                .branding
                .logo_uri()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
        (
            "accent",
            record
                .branding
                .accent()
                .map(|accent| accent.to_string())
                .unwrap_or_default(),
        ),
        (
            "accent_dark",
            record
                .branding
                .accent_dark()
                .map(|accent| accent.to_string())
                .unwrap_or_default(),
        ),
    ];
    let mut settings = Vec::new();
    flatten(
        "",
        &serde_json::to_value(&record.settings).unwrap_or_default(),
        &mut settings,
    );
    rows.extend(
        settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone())),
    );
    fields(&rows)
}

fn flatten(path: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                flatten(
                    &if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    },
                    value,
                    rows,
                );
            }
        }
        Value::String(text) => rows.push((path.to_owned(), text.clone())),
        other => rows.push((path.to_owned(), other.to_string())),
    }
}
