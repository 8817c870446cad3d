//! `tessera external-subject`: what issuers of assertions call people (RFC 7523).

use serde_json::{Value, json};

use super::open;
use super::output::{Confirmation, Failure, Listing, Report, fields, list};
use super::user;
use crate::config::Flags;
use crate::domain::external_subject::ExternalSubject;
use crate::domain::ids::ExternalSubjectId;
use crate::flows::admin::{By, NewExternalSubject};
use crate::storage::Page;

/// What to do with them.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Write down what an issuer calls a person: its assertions with that `sub` are of them from then on
    Add {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        #[command(flatten)]
        person: user::Person,
        /// The `iss` of its assertions
        #[arg(long, value_name = "URI")]
        issuer: String,
        /// Their `sub`
        #[arg(long, value_name = "NAME")]
        subject: String,
    },
    /// List what issuers call people
    List {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// A part of the name, or of its issuer's
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        #[command(flatten)]
        listing: Listing,
    },
    /// Forget one, and end what the issuer's word gave by it
    Remove {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// Which, as it is listed
        #[arg(value_name = "UUID")]
        subject_id: ExternalSubjectId,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

/// Does it.
pub async fn run(command: Command, flags: Flags) -> Result<Report, Failure> {
    let by = By::command_line();
    match command {
        Command::Add {
            tenant,
            person,
            issuer,
            subject,
        } => {
            let provider = open::command(flags).await?;
            let tenant = provider.load_tenant_named(&tenant).await?;
            let user = person.load(&provider, &tenant).await?;
            let new = NewExternalSubject {
                user_id: user.id,
                issuer,
                subject,
            };
            let made = provider.create_external_subject(&tenant, new, &by).await?;
            let text = fields(&[
                ("subject", made.subject.clone()),
                ("issuer", made.issuer.clone()),
                ("person", user.email.to_string()),
                ("id", made.id.to_string()),
            ]);
            Ok(Report::new(document(&made), text))
        }
        Command::List {
            tenant,
            search,
            listing,
        } => {
            let provider = open::command(flags).await?;
            let tenant = provider.load_tenant_named(&tenant).await?;
            let all = listing
                .collect(async |page| {
                    provider
                        .list_external_subjects(&tenant, None, search.clone(), page)
                        .await
                })
                .await?;
            let rows: Vec<_> = all
                .items
                .iter()
                .map(|one| {
                    vec![
                        one.subject.clone(),
                        one.issuer.clone(),
                        one.user_id.to_string(),
                        one.id.to_string(),
                    ]
                })
                .collect();
            let page = Page {
                items: all.items.iter().map(document).collect(),
                next: all.next,
            };
            Ok(list(
                "external_subjects",
                &page,
                &["SUBJECT", "ISSUER", "PERSON", "ID"],
                &rows,
                "No issuer's name for anybody is written down.",
            ))
        }
        Command::Remove {
            tenant,
            subject_id,
            confirmation,
        } => {
            let provider = open::command(flags).await?;
            let tenant = provider.load_tenant_named(&tenant).await?;
            let known = provider.load_external_subject(&tenant, subject_id).await?;
            confirmation.obtain(&format!(
                "{} of {} is nobody from now on, and what its word gave by that name ends.",
                known.subject, known.issuer
            ))?;
            provider
                .delete_external_subject(&tenant, subject_id, &by)
                .await?;
            let text = format!("{} of {} is forgotten.", known.subject, known.issuer);
            Ok(Report::new(json!({ "deleted": document(&known) }), text))
        }
    }
}

fn document(one: &ExternalSubject) -> Value {
    json!({
        "id": one.id, "user_id": one.user_id, "issuer": one.issuer, "subject": one.subject, "created_at": one.created_at,
    })
}
