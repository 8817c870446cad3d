//! `tessera master-key`: the key that seals the others.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::open::{self, LONG_DEADLINE, Opening};
use super::output::{Failure, Report, note};
use crate::clock::Clock;
use crate::config::{Config, Flags};
use crate::files::make_private_dir;
use crate::flows::admin::By;
use crate::jose::seal::{MasterKey, MasterKeyError};

/// What to do with the master key.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a master key in a new file
    Create {
        /// The file, `master_key_file` unless told; one that is there is never overwritten
        #[arg(long, value_name = "FILE", conflicts_with = "print")]
        file: Option<PathBuf>,
        /// Print the key instead of writing a file: for `TESSERA_MASTER_KEY`
        #[arg(long)]
        print: bool,
    },
    /// Seal everything anew under a new master key; nodes that don't read it from the same file have to be given it
    Rotate {
        /// Write the new key to this new file, and leave the present one alone
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// Does it.
pub async fn run(command: Command, flags: Flags) -> Result<Report, Failure> {
    let config = open::config(flags)?;
    match command {
        Command::Create { file, print } => create(&config, file, print),
        Command::Rotate { file } => rotate(config, file).await,
    }
}

fn create(config: &Config, file: Option<PathBuf>, print: bool) -> Result<Report, Failure> {
    let key = MasterKey::generate(&Clock::system());
    if print {
        let text = key.to_text();
        let document = json!({ "master_key": text.trim_end(), "fingerprint": key.fingerprint() });
        return Ok(Report::new(document, text.as_str()));
    }
    let path = file.unwrap_or_else(|| config.master_key_file.clone());
    write_new(&key, &path)?;
    let text = format!(
        "The master key is in {}, readable to its owner alone.\nKeep a copy apart from the database's backups, and give every node the same: \
         without it, nothing that the database seals can be opened.\nfingerprint  {}",
        path.display(),
        key.fingerprint()
    );
    Ok(Report::new(
        json!({ "file": path, "fingerprint": key.fingerprint() }),
        text,
    ))
}

fn write_new(key: &MasterKey, path: &Path) -> Result<(), Failure> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        make_private_dir(folder).map_err(|error| {
            Failure::failed(
                "unusable_directory",
                format!("{}: {error}", folder.display()),
            )
        })?;
    }
    key.write_new_file(path).map_err(|error| match error {
        MasterKeyError::File(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Failure::failed(
                "already_exists",
                format!(
                    "{} is there already and isn't overwritten: a database may be sealed under it",
                    path.display()
                ),
            )
        }
        error => Failure::failed("unusable_file", format!("{}: {error}", path.display())),
    })
}

/// The new key is on the disk before anything is sealed under it, and the old one stays: backups need it.
async fn rotate(config: Config, file: Option<PathBuf>) -> Result<Report, Failure> {
    let present = config.master_key_file.clone();
    let from_environment = config.master_key.is_some();
    if file.is_none() && from_environment {
        return Err(Failure::usage(
            "the master key comes from TESSERA_MASTER_KEY; name a file for the new one with --file, and put its text there afterwards",
        ));
    }
    let old = present.with_added_extension("old");
    if file.is_none() && old.exists() {
        let message = format!(
            "{} is there, the key before the present one; move it to where your old backups' keys are, then rotate again",
            old.display()
        );
        return Err(Failure::failed("already_exists", message));
    }
    let new_path = file
        .clone()
        .unwrap_or_else(|| present.with_added_extension("new"));
    let provider = Opening {
        deadline: LONG_DEADLINE,
        ..Opening::command(config)
    }
    .provider()
    .await?;
    let key = MasterKey::generate(&provider.clock);
    write_new(&key, &new_path)?;
    let tenants = match provider.rotate_master_key(&key, &By::command_line()).await {
        Ok(tenants) => tenants,
        Err(error) => {
            note(&format!(
                "The new key stays in {}: should the database turn out to be sealed under it after all, it says so.",
                new_path.display()
            ));
            return Err(error.into());
        }
    };
    let (place, previous) = match file {
        // The key before came from the environment, where that is set.
        Some(_) if from_environment => (new_path, None),
        Some(_) => (new_path, Some(present)),
        None => (swap(&present, &old, &new_path)?, Some(old.clone())),
    };
    let previous = previous.map_or_else(String::new, |path| {
        format!(", which is in {}", path.display())
    });
    let text = format!(
        "{tenants} tenants are sealed under the new master key in {}.\nNodes that read it from there take it by themselves. Give it to every other node now, and start those again that get it from the environment: until then they answer 503 for tenants that they don't hold.\n\
         Keep the old key{previous}, for as long as you keep backups made under it.\nfingerprint  {}",
        place.display(),
        key.fingerprint()
    );
    let kept = old.exists().then_some(old);
    Ok(Report::new(
        json!({ "file": place, "previous_file": kept, "fingerprint": key.fingerprint(), "tenants": tenants }),
        text,
    ))
}

fn swap(present: &Path, old: &Path, new: &Path) -> Result<PathBuf, Failure> {
    let moved = std::fs::rename(present, old).and_then(|()| std::fs::rename(new, present));
    let failed = |error: io::Error| {
        let message = format!(
            "the database is sealed under the new key in {}, but it couldn't be moved to {} ({error}); do that yourself before a node is started",
            new.display(),
            present.display()
        );
        Failure::failed("unusable_file", message)
    };
    moved.map_err(failed)?;
    Ok(present.to_owned())
}
