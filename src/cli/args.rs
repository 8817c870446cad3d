//! The grammar of the command line, and the way from it to the commands.

use std::process::ExitCode;

use clap::Parser as _;

use super::output::{Failure, Output, Report};
use super::{
    bulk, client, doctor, domain, external_subject, key, master_key, migrate, openapi, operator,
    quickstart, resource, role, serve, tenant, user,
};
use crate::config::Flags;

/// A multi-tenant OAuth 2 and OpenID Connect provider
#[derive(Debug, clap::Parser)]
#[command(
    name = "tessera",
    version,
    propagate_version = true,
    max_term_width = 120
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print one JSON document and nothing else on standard output
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// From nothing to a sign-in in a browser: a working installation with two tenants and an application that signs in
    Quickstart,
    /// Run the server
    Serve,
    /// Bring the database's schema up to date
    Migrate,
    /// Tenants: customers with their own issuer, people, clients and keys
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Custom domains of a tenant
    #[command(subcommand)]
    Domain(domain::Command),
    /// Resources: the APIs of a tenant
    #[command(subcommand)]
    Resource(resource::Command),
    /// People of a tenant
    #[command(subcommand)]
    User(user::Command),
    /// Who administers a tenant
    #[command(subcommand)]
    Role(role::Command),
    /// What other issuers call people: for assertions by which tokens are got (RFC 7523)
    #[command(subcommand)]
    ExternalSubject(external_subject::Command),
    /// Clients: the applications and services of a tenant
    #[command(subcommand)]
    Client(client::Command),
    /// Signing keys of a tenant
    #[command(subcommand)]
    Key(key::Command),
    /// Operators: programs and people who may do everything
    #[command(subcommand)]
    Operator(operator::Command),
    /// The key that seals the others
    #[command(subcommand)]
    MasterKey(master_key::Command),
    /// Look at everything that a server needs; say what is wrong and how to mend it
    Doctor,
    /// Print the administration API's description (`OpenAPI`)
    Openapi,
}

/// The grammar, for whoever asks what commands there are.
pub fn grammar() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Reads the command line of this process and does what it says.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let output = Output::new(cli.json);
    match actix_web::rt::System::new().block_on(execute(cli, output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.print(output);
            ExitCode::from(error.exit())
        }
    }
}

/// Help and version are answers; everything else is wrong usage.
fn refuse(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|argument| argument == "--json");
    if error.use_stderr() && json {
        Failure::usage(error.to_string().trim_end().trim_start_matches("error: "))
            .print(Output::new(true));
    } else {
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

async fn execute(cli: Cli, output: Output) -> Result<(), Failure> {
    let Cli { command, flags, .. } = cli;
    let report: Report = match command {
        Command::Quickstart => return quickstart::run(flags, output).await,
        Command::Serve => return serve::run(flags, output).await,
        Command::Doctor => return doctor::run(flags, output).await,
        Command::Openapi => return openapi::run(flags, output),
        Command::Tenant(tenant::Command::Export(export)) => {
            match bulk::export_tenant(export, flags, output.is_json()).await? {
                Some(report) => report,
                None => return Ok(()),
            }
        }
        Command::Migrate => migrate::run(flags)?,
        Command::Tenant(command) => tenant::run(command, flags).await?,
        Command::Domain(command) => domain::run(command, flags).await?,
        Command::Resource(command) => resource::run(command, flags).await?,
        Command::User(command) => user::run(command, flags).await?,
        Command::Role(command) => role::run(command, flags).await?,
        Command::ExternalSubject(command) => external_subject::run(command, flags).await?,
        Command::Client(command) => client::run(command, flags).await?,
        Command::Key(command) => key::run(command, flags).await?,
        Command::Operator(command) => operator::run(command, flags).await?,
        Command::MasterKey(command) => master_key::run(command, flags).await?,
    };
    report.print(output)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_grammar_is_sound() {
        super::Cli::command().debug_assert();
    }
}
