//! Tenants and people as files: `tenant export`, `tenant import`, `user import`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::open::{self, LONG_DEADLINE, Opening};
use super::output::{Failure, Report, note};
use crate::config::Flags;
use crate::flows::admin::{
    By, Existing, Exported, ImportFailure, Imported, Mode, NewClientSecret, SecretKeeper, Secrets,
};
use crate::flows::{Provider, Tenant};

/// What to export, and where to.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// The tenant's slug
    slug: String,
    /// Write to a file that only its owner may read, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// With keys and hashes, so that nobody notices that the tenant has moved; keep the file like a password
    #[arg(long)]
    with_secrets: bool,
}

/// Where from, and how.
#[derive(Debug, clap::Args)]
pub struct ImportFrom {
    /// JSON Lines; standard input where it is `-` or not there
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Check everything and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Pass over what is there already: to go on after an interruption
    #[arg(long)]
    skip_existing: bool,
}

/// Where the secrets go that an import makes.
#[derive(Debug, clap::Args)]
pub struct ImportTenants {
    #[command(flatten)]
    import: ImportFrom,
    /// A new file, for its owner alone, for the secrets of clients that come without one
    #[arg(long, value_name = "FILE")]
    secrets_file: Option<PathBuf>,
}

impl ImportFrom {
    const fn mode(&self) -> Mode {
        Mode {
            dry_run: self.dry_run,
            existing: if self.skip_existing {
                Existing::Skip
            } else {
                Existing::Refuse
            },
        }
    }

    fn source(&self) -> Result<Box<dyn BufRead>, Failure> {
        let Some(path) = self.file.as_deref().filter(|path| *path != Path::new("-")) else {
            if io::stdin().is_terminal() {
                note("Reading JSON Lines from standard input; end with Ctrl-D.");
            }
            return Ok(Box::new(io::stdin().lock()));
        };
        let file = File::open(path).map_err(|error| at(path, "unreadable_file", &error))?;
        Ok(Box::new(BufReader::with_capacity(1 << 18, file)))
    }
}

async fn provider(opening: Opening) -> Result<Arc<Provider>, Failure> {
    let opening = Opening {
        deadline: LONG_DEADLINE,
        ..opening
    };
    Ok(opening.provider().await?)
}

fn at(path: &Path, code: &'static str, error: &io::Error) -> Failure {
    Failure::failed(code, format!("{}: {error}", path.display()))
}

/// `tenant import`.
pub async fn import_tenants(arguments: ImportTenants, flags: Flags) -> Result<Report, Failure> {
    let source = arguments.import.source()?;
    let mode = arguments.import.mode();
    let provider = provider(Opening::first_command(open::config(flags)?)).await?;
    let mut keeper = match arguments.secrets_file.filter(|_| !mode.dry_run) {
        Some(path) => Some(SecretsFile::create(path)?),
        None => None,
    };
    let secrets = keeper
        .as_mut()
        .map(|keeper| keeper as &mut dyn SecretKeeper);
    let by = By::command_line();
    let imported = provider.import_tenants(source, mode, secrets, &by).await;
    if let Some(keeper) = &keeper {
        keeper.remove_if_empty();
    }
    if imported.as_ref().is_ok_and(|all| summary(all) == NOTHING) {
        return Err(Failure::failed(
            "empty_import",
            "there is nothing in it to import: not one tenant. An export that broke off looks so; compare it with the one that it was copied from",
        ));
    }
    report(imported, mode)
}

/// `user import`.
pub async fn import_users(
    tenant: &str,
    import: ImportFrom,
    flags: Flags,
) -> Result<Report, Failure> {
    let source = import.source()?;
    let mode = import.mode();
    let provider = provider(Opening::command(open::config(flags)?)).await?;
    let tenant = provider.load_tenant_named(tenant).await?;
    let by = By::command_line();
    let imported = provider.import_users(&tenant, source, mode, &by).await;
    report(imported, mode)
}

fn report(imported: Result<Imported, ImportFailure>, mode: Mode) -> Result<Report, Failure> {
    match imported {
        Ok(imported) => {
            let text = if mode.dry_run {
                format!(
                    "Nothing is wrong with it, and nothing was changed. It has {}.",
                    summary(&imported)
                )
            } else {
                format!("Imported: {}.", summary(&imported))
            };
            Ok(Report::new(
                json!({ "dry_run": mode.dry_run, "imported": imported }),
                format!("{text}{}", next(&imported)),
            ))
        }
        Err(failure) => {
            let mut lines = failure
                .problems
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>();
            let done = &failure.imported;
            lines.push(if mode.dry_run {
                "Nothing was changed.".to_owned()
            } else if done.tenants + done.people == 0 {
                "Nothing was imported.".to_owned()
            } else {
                format!(
                    "What stands before that is imported: {}. Once it is mended, go on by --skip-existing.",
                    summary(done)
                )
            });
            Err(Failure::failed(failure.code(), lines.join("\n")))
        }
    }
}

const NOTHING: &str = "nothing";

fn summary(imported: &Imported) -> String {
    let all = [
        (imported.tenants, "tenant", "tenants"),
        (imported.people, "person", "people"),
        (imported.resources, "resource", "resources"),
        (imported.clients, "client", "clients"),
        (imported.consents, "consent", "consents"),
        (
            imported.skipped_tenants,
            "tenant that was there already",
            "tenants that were there already",
        ),
        (
            imported.skipped_people,
            "person who was there already",
            "people who were there already",
        ),
    ];
    let there = counted(&all);
    if there.is_empty() {
        NOTHING.to_owned()
    } else {
        there.join(", ")
    }
}

/// What is left to do.
fn next(imported: &Imported) -> String {
    let left = [
        (
            imported.people - imported.people_with_password,
            "person has no password: `tessera user reset-password` makes a link",
            "people have no password: `tessera user reset-password` makes a link for one of them",
        ),
        (
            imported.new_client_secrets,
            "client gets a new secret, which goes where --secrets-file says",
            "clients get new secrets, which go where --secrets-file says",
        ),
        (
            imported.clients_naming_unknown,
            "client names a scope or an API that the tenant hasn't got, and gets nothing by it until somebody makes that",
            "clients name a scope or an API that the tenant hasn't got, and get nothing by it until somebody makes that",
        ),
        (
            imported.domains_to_verify,
            "custom domain has to be proved here: `tessera domain list` says how",
            "custom domains have to be proved here: `tessera domain list` says how",
        ),
    ];
    let mut text = String::new();
    for what in counted(&left) {
        text.push('\n');
        text.push_str(&what);
        text.push('.');
    }
    text
}

/// How many there are of each thing (what one is called, and several), without those of which there is none.
fn counted(things: &[(u64, &str, &str)]) -> Vec<String> {
    let there = things.iter().filter(|(count, ..)| *count > 0);
    let named = there.map(|(count, one, several)| {
        let what = if *count == 1 { one } else { several };
        format!("{count} {what}")
    });
    named.collect()
}

/// `tenant export`. Prints its own lines; a report where they went into a file.
pub async fn export_tenant(
    arguments: Export,
    flags: Flags,
    json: bool,
) -> Result<Option<Report>, Failure> {
    if json && arguments.output.is_none() {
        return Err(Failure::usage(
            "an export is JSON Lines and no one document: with --json, name a file by --output",
        ));
    }
    let provider = provider(Opening::command(open::config(flags)?)).await?;
    let tenant = provider.load_tenant_named(&arguments.slug).await?;
    let secrets = if arguments.with_secrets {
        Secrets::With
    } else {
        Secrets::Without
    };
    let by = By::command_line();
    let Some(path) = arguments.output else {
        let mut output = BufWriter::new(io::stdout().lock());
        let written = provider.export_tenant(&tenant, secrets, &mut output, &by);
        written.await?;
        output
            .flush()
            .map_err(|error| Failure::failed("output_failed", error))?;
        return Ok(None);
    };
    // Under another name until it is complete: what bears the name can be relied upon.
    let partial = path.with_added_extension("partial");
    let exported = write_export(&provider, &tenant, secrets, &partial).await;
    if exported.is_err() {
        let _ = fs::remove_file(&partial);
    }
    let exported = exported?;
    fs::rename(&partial, &path).map_err(|error| at(&path, "output_failed", &error))?;
    Ok(Some(exported_report(&arguments.slug, &path, &exported)))
}

async fn write_export(
    provider: &Provider,
    tenant: &Tenant,
    secrets: Secrets,
    path: &Path,
) -> Result<Exported, Failure> {
    let failed = |error: io::Error| at(path, "output_failed", &error);
    let file = private_file(path, File::options().truncate(true).create(true)).map_err(failed)?;
    let mut output = BufWriter::new(file);
    let by = By::command_line();
    let exported = provider
        .export_tenant(tenant, secrets, &mut output, &by)
        .await?;
    let file = output
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(exported)
}

fn exported_report(slug: &str, path: &Path, exported: &Exported) -> Report {
    let text = format!(
        "{slug} is in {}: {} people, {} clients.",
        path.display(),
        exported.people,
        exported.clients
    );
    Report::new(
        json!({ "output": path.display().to_string(), "exported": exported }),
        text,
    )
}

/// Opens a file that nobody but its owner may read, one that was there before too.
fn private_file(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    use std::os::unix::fs::PermissionsExt as _;
    let file = options.write(true).mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

/// The file for secrets that an import makes: one JSON object a line.
struct SecretsFile {
    path: PathBuf,
    file: File,
    empty: bool,
}

impl SecretsFile {
    fn create(path: PathBuf) -> Result<Self, Failure> {
        let file = private_file(&path, File::options().create_new(true)).map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                let text = format!(
                    "{} exists already; name another file for secrets",
                    path.display()
                );
                Failure::failed("output_failed", text)
            } else {
                at(&path, "output_failed", &error)
            }
        })?;
        Ok(Self {
            path,
            file,
            empty: true,
        })
    }

    fn remove_if_empty(&self) {
        if self.empty {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl SecretKeeper for SecretsFile {
    fn keep(&mut self, secrets: &[NewClientSecret]) -> io::Result<()> {
        self.empty = false;
        let mut lines = zeroize::Zeroizing::new(String::new());
        for new in secrets {
            let line = json!({
                "tenant": new.tenant, "client_id": new.client_id, "client_name": new.client_name, "client_secret": new.secret.expose(),
            });
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
        self.file.write_all(lines.as_bytes())?;
        self.file.sync_data()
    }
}
