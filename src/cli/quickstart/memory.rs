//! What quickstart made, remembered in `DATA_DIR/quickstart.json` (mode 0600), so that running it again prints the same.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The document that `quickstart --json` prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Document {
    /// `acme` and `globex`.
    pub tenants: Vec<TenantEntry>,
    /// Who may do everything.
    pub operator: OperatorEntry,
    /// The demo application's address.
    pub demo_app: String,
    /// Where the installation is administered.
    pub console: String,
}

/// One tenant of the installation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TenantEntry {
    /// Its name in addresses.
    pub slug: String,
    /// What people read.
    pub name: String,
    /// Its issuer.
    pub issuer: String,
    /// Its people: an ordinary person first, then an administrator.
    pub users: Vec<Credentials>,
    /// Its clients, as RFC 7591 describes them.
    pub clients: Vec<Value>,
}

/// What somebody signs in with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credentials {
    /// The e-mail address.
    pub email: String,
    /// The password.
    pub password: String,
    /// What they administer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

/// The operators: a program and a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OperatorEntry {
    /// The program's client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Where both sign in.
    pub issuer: String,
    /// The person.
    pub users: Vec<Credentials>,
}

/// The file.
pub struct Memory {
    path: PathBuf,
}

impl Memory {
    /// In the data directory.
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            path: directory.join("quickstart.json"),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was made before, if anything was.
    pub fn load(&self) -> io::Result<Option<Document>> {
        match std::fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Remembers it: written beside and moved into place, so that a crash leaves the old file or the new one.
    pub fn store(&self, document: &Document) -> io::Result<()> {
        let beside = self.path.with_extension("json.new");
        let _ = std::fs::remove_file(&beside);
        let mut file: File = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        serde_json::to_writer_pretty(&mut file, document).map_err(io::Error::other)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_remembered_is_for_its_owner_only_and_comes_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let memory = Memory::in_directory(directory.path());
        assert!(memory.load().expect("readable").is_none());
        let document = Document {
            tenants: Vec::new(),
            operator: OperatorEntry {
                client_id: "a".into(),
                client_secret: "b".into(),
                issuer: "c".into(),
                users: Vec::new(),
            },
            demo_app: "http://localhost:1".into(),
            console: "http://localhost:2".into(),
        };
        memory.store(&document).expect("stored");
        memory.store(&document).expect("stored again");
        assert_eq!(
            memory.load().expect("readable").expect("there").demo_app,
            document.demo_app
        );
        let mode = std::fs::metadata(memory.path())
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
