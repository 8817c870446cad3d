//! The master key as this process holds it. Where the file that it came from holds another by now, and the database is sealed under that,
//! the process takes it: a rotation ends nobody's service.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::provider::{FlowError, Provider};
use crate::config::Config;
use crate::jose::seal::MasterKey;

/// How the key that is held and the one that the database is sealed under stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MasterKeyState {
    /// They are the same.
    Same,
    /// The database's was found where this one came from, and is held from now on.
    Followed,
    /// The database's isn't to be had here: the process has to be started again with it.
    Rotated,
}

/// The key, which may be replaced by its successor.
pub(super) struct HeldMasterKey {
    key: ArcSwap<MasterKey>,
    /// Where its successor would be; nowhere where it came from the environment.
    files: Vec<PathBuf>,
}

impl HeldMasterKey {
    pub(super) fn new(key: MasterKey, config: &Config) -> Self {
        let file = &config.master_key_file;
        let files = match config.master_key {
            Some(_) => Vec::new(),
            // A rotation writes the new one beside the present one first.
            None => vec![file.clone(), file.with_added_extension("new")],
        };
        Self {
            key: ArcSwap::from_pointee(key),
            files,
        }
    }

    pub(super) fn get(&self) -> Arc<MasterKey> {
        self.key.load_full()
    }

    /// Takes the key of this fingerprint, if one of the files holds it.
    fn follow(&self, wanted: &str) -> MasterKeyState {
        let mut found = self.files.iter().filter_map(|path| {
            let key = MasterKey::from_file(path).ok()?;
            (key.fingerprint() == wanted).then_some((path, key))
        });
        match found.next() {
            Some((path, key)) => {
                tracing::warn!(file = %path.display(), fingerprint = wanted, "the master key was rotated, and is read anew");
                self.key.store(Arc::new(key));
                MasterKeyState::Followed
            }
            None => MasterKeyState::Rotated,
        }
    }
}

impl Provider {
    /// The master key that this process holds.
    pub(super) fn master(&self) -> Arc<MasterKey> {
        self.master.get()
    }

    /// Compares with what the database is sealed under, and takes that key where it is at hand.
    pub async fn follow_master_key(&self) -> Result<MasterKeyState, FlowError> {
        let stored = self
            .db
            .read_installation(|all| all.master_key_fingerprint())
            .await?;
        let wanted = match stored {
            Some(wanted) if wanted != self.master().fingerprint() => wanted,
            _ => return Ok(MasterKeyState::Same),
        };
        let master = Arc::clone(&self.master);
        self.blocking(move || master.follow(&wanted)).await
    }
}
