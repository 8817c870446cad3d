//! `tessera operator`: programs and people who may do everything.

use serde_json::json;

use super::output::{Failure, Report};
use super::{client, open, user};
use crate::config::Flags;
use crate::flows::admin::By;
use crate::protocol::email::EmailAddress;

/// What to do with operators.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make an operator: a program (--name) or a person (--email)
    Create(Who),
}

/// A program or a person.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Who {
    /// A program: prints its issuer, `client_id` and `client_secret`
    #[arg(long)]
    name: Option<String>,
    /// A person: prints a one-time link
    #[arg(long, value_parser = EmailAddress::parse)]
    email: Option<EmailAddress>,
}

/// Does it.
pub async fn run(command: Command, flags: Flags) -> Result<Report, Failure> {
    let Command::Create(who) = command;
    let provider = open::first_command(flags).await?;
    let by = By::command_line();
    if let Some(email) = who.email {
        let created = provider.create_operator_person(email, &by).await?;
        let text = format!(
            "{} may do everything in this installation.\n",
            created.user.email
        );
        return Ok(user::with_link(&created.user, created.link.as_ref(), text));
    }
    let registered = provider
        .create_operator_program(&who.name.unwrap_or_default(), &by)
        .await?;
    let system = provider.ensure_system_tenant().await?;
    let mut document = registered.response();
    document["issuer"] = json!(system.canonical);
    let text = client::credentials(&registered, &system.canonical);
    Ok(Report::new(document, text))
}
