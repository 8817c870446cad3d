//! `tessera role`: who administers a tenant.

use super::open;
use super::output::{Failure, Report};
use super::user;
use crate::config::Flags;
use crate::domain::role::Role;
use crate::flows::admin::By;

/// What to do with roles.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Grant a role
    Grant(Assignment),
    /// Take a role away, from the next token on
    Revoke(Assignment),
}

/// A person and a role.
#[derive(Debug, clap::Args)]
pub struct Assignment {
    /// The tenant's slug
    #[arg(long, value_name = "SLUG")]
    tenant: String,
    #[command(flatten)]
    person: user::Person,
    /// administrator, user-manager, client-manager or auditor
    role: Role,
}

/// Does it.
pub async fn run(command: Command, flags: Flags) -> Result<Report, Failure> {
    let by = By::command_line();
    let (grant, assignment) = match command {
        Command::Grant(assignment) => (true, assignment),
        Command::Revoke(assignment) => (false, assignment),
    };
    let provider = open::command(flags).await?;
    let tenant = provider.load_tenant_named(&assignment.tenant).await?;
    let user = assignment.person.load(&provider, &tenant).await?;
    let role = assignment.role;
    let text = if grant {
        let done = provider.grant_role(&tenant, &user, role, &by).await?;
        let had_password = user.password.is_some();
        let after = provider.load_user(&tenant, user.id).await?;
        let text = format!(
            "{} {} {role}.",
            user.email,
            if done { "is now" } else { "is already" }
        );
        if had_password && after.password.is_none() {
            format!(
                "{text} Somebody with less power may have known the password, so it is good no more: `tessera user reset-password` makes a link."
            )
        } else {
            text
        }
    } else {
        let done = provider.revoke_role(&tenant, &user, role, &by).await?;
        format!(
            "{} {} {role}.",
            user.email,
            if done { "is no longer" } else { "isn't" }
        )
    };
    let user = provider.load_user(&tenant, user.id).await?;
    Ok(Report::new(user::document(&user), text))
}
