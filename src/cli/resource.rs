//! `tessera resource`: the APIs of a tenant.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::open;
use super::output::{Confirmation, Failure, Listing, Report, fields, list};
use crate::config::Flags;
use crate::domain::resource::{Resource, ResourceScope};
use crate::flows::admin::{By, NewResource};
use crate::protocol::authorization_details::DetailsType;
use crate::storage::{DEPENDENTS_MAX, DependentClient, Page};

/// As many clients as are named where an API that they depend on is deleted.
const NAMED: usize = 20;

/// What to do with resources.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a resource: an API, its audience and its scopes
    Create {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// The absolute URI that stands as `aud` in its tokens
        #[arg(long, value_name = "URI")]
        identifier: String,
        /// What people read; the identifier unless told
        #[arg(long)]
        name: Option<String>,
        /// A scope that it understands
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<String>,
        /// What people read of a scope when they are asked for consent
        #[arg(long = "describe", value_name = "SCOPE=TEXT")]
        descriptions: Vec<String>,
        /// A JSON array of the types of authorization details (RFC 9396) that it understands
        #[arg(long, value_name = "FILE")]
        details_types_file: Option<PathBuf>,
    },
    /// List resources
    List {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
    },
    /// Delete a resource
    Delete {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// Its identifier, as `resource list` shows it
        #[arg(long, value_name = "URI")]
        identifier: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

/// Does it.
pub async fn run(command: Command, flags: Flags) -> Result<Report, Failure> {
    let by = By::command_line();
    match command {
        Command::Create {
            tenant,
            identifier,
            name,
            scopes,
            descriptions,
            details_types_file,
        } => {
            let new = NewResource {
                identifier,
                name,
                scopes: described(&scopes, &descriptions)?,
                details_types: details_types_file
                    .map_or_else(|| Ok(Vec::new()), |path| types_in(&path))?,
            };
            let provider = open::command(flags).await?;
            let tenant = provider.load_tenant_named(&tenant).await?;
            let resource = provider.create_resource(&tenant, new, &by).await?;
            Ok(Report::new(&resource, describe(&resource)))
        }
        Command::List { tenant } => {
            let provider = open::command(flags).await?;
            let tenant = provider.load_tenant_named(&tenant).await?;
            let all = Listing::default()
                .collect(async |page| provider.list_resources(&tenant, None, page).await)
                .await?;
            let resources = all.items;
            let rows = resources
                .iter()
                .map(|resource| {
                    vec![
                        resource.identifier.clone(),
                        resource.name.clone(),
                        scopes(resource),
                    ]
                })
                .collect::<Vec<_>>();
            let page = Page {
                items: resources.iter().map(|resource| json!(resource)).collect(),
                next: None,
            };
            Ok(list(
                "resources",
                &page,
                &["IDENTIFIER", "NAME", "SCOPES"],
                &rows,
                "This tenant has no resources.",
            ))
        }
        Command::Delete {
            tenant,
            identifier,
            confirmation,
        } => {
            let provider = open::command(flags).await?;
            let tenant = provider.load_tenant_named(&tenant).await?;
            let resource = provider.load_resource_named(&tenant, &identifier).await?;
            let tied = provider.list_dependent_clients(&tenant, &resource).await?;
            let told = in_words(&tied);
            confirmation.obtain_at_terminal(&format!(
                "{identifier} will be deleted: no more tokens are issued for it, none can be refreshed, and requests that name it fail. Those that are out expire by themselves. {told}"
            ))?;
            let resource = provider.delete_resource(&tenant, resource.id, &by).await?;
            let text = format!(
                "{identifier} is gone. No more tokens are issued for it; those that are out expire by themselves. {told}"
            );
            let tied: Vec<_> = tied
                .iter()
                .map(|client| json!({ "client_id": client.id, "client_name": client.name }))
                .collect();
            Ok(Report::new(
                json!({
                    "deleted": { "id": resource.id, "identifier": resource.identifier },
                    "dependent_clients": tied,
                }),
                text,
            ))
        }
    }
}

/// Who loses something with a resource: how many they are, and the first of them by name.
fn in_words(tied: &[DependentClient]) -> String {
    let count = match tied.len() {
        0 => {
            return "No client is tied to it; those that may ask for any API lose this one."
                .to_owned();
        }
        1 => "1 client is".to_owned(),
        DEPENDENTS_MAX => format!("{DEPENDENTS_MAX} clients or more are"),
        count => format!("{count} clients are"),
    };
    let names = tied.iter().take(NAMED).map(|client| {
        if client.name.is_empty() {
            client.id.to_string()
        } else {
            format!("{} ({})", client.name, client.id)
        }
    });
    let mut names = names.collect::<Vec<_>>().join(", ");
    if tied.len() > NAMED {
        names.push_str(", and others");
    }
    format!("{count} tied to it, by name, scopes, types or exchanges: {names}.")
}

/// The scopes with their descriptions. A scope may be given as several, with spaces between them.
fn described(names: &[String], descriptions: &[String]) -> Result<Vec<ResourceScope>, Failure> {
    let split = |name: &String| {
        name.split(' ')
            .filter(|name| !name.is_empty())
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>()
    };
    let mut scopes = names
        .iter()
        .flat_map(split)
        .map(|name| ResourceScope {
            name,
            description: None,
        })
        .collect::<Vec<_>>();
    for description in descriptions {
        // A scope-token may hold `=` itself: the longest one that fits is meant.
        let fits = |scope: &&mut ResourceScope| {
            description
                .strip_prefix(&scope.name)
                .is_some_and(|rest| rest.starts_with('='))
        };
        match scopes
            .iter_mut()
            .filter(fits)
            .max_by_key(|scope| scope.name.len())
        {
            Some(scope) => {
                scope.description = description
                    .get(scope.name.len() + 1..)
                    .map(ToOwned::to_owned);
            }
            None => {
                return Err(Failure::usage(format!(
                    "--describe takes SCOPE=TEXT with one of the scopes; `{description}` names none"
                )));
            }
        }
    }
    Ok(scopes)
}

/// The types that a file defines.
fn types_in(path: &Path) -> Result<Vec<DetailsType>, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{shown} can't be read: {error}")))?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::usage(format!(
            "{shown} is no JSON array of types of authorization details: {error}"
        ))
    })
}

fn scopes(resource: &Resource) -> String {
    resource
        .scopes
        .iter()
        .map(|scope| scope.name.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

fn types(resource: &Resource) -> String {
    let names: Vec<_> = resource
        .details_types
        .iter()
        .map(|kind| kind.name.as_str())
        .collect();
    names.join(" ")
}

fn describe(resource: &Resource) -> String {
    fields(&[
        ("identifier", resource.identifier.clone()),
        ("name", resource.name.clone()),
        ("scopes", scopes(resource)),
        ("types", types(resource)),
        ("id", resource.id.to_string()),
    ])
}
