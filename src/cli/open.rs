//! From settings to a working provider: the data directory, the schema, the master key, the tenant of the operators; each is refused
//! with what to do about it.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::output::note;
use crate::clock::Clock;
use crate::config::{Config, ConfigErrors, DatabaseUrl, Flags};
use crate::files::make_private_dir;
use crate::flows::Provider;
use crate::flows::admin::AdminError;
use crate::flows::provider::{FeedUse, FlowError};
use crate::jose::seal::{MasterKey, MasterKeyError};
use crate::storage::{
    Db, DbOptions, Location, MigrationState, SchemaError, StorageError, migrate, migration_state,
};

/// How often a server looks at what others have changed.
const FEED_INTERVAL: Duration = Duration::from_millis(200);

/// How long a command waits for the database, which a server beside it may keep busy.
const COMMAND_DEADLINE: Duration = Duration::from_mins(1);

/// The same for what touches every row of a tenant, or every tenant.
pub const LONG_DEADLINE: Duration = Duration::from_hours(1);

/// Why there is no provider, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The settings are wrong.
    #[error("the configuration can't be used:\n{0}")]
    Config(#[from] ConfigErrors),
    /// The directory can't be made.
    #[error("the data directory {} can't be made: {error}", path.display())]
    DataDir {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another server works on the same file.
    #[error("another tessera server runs on {}; stop it first, or take PostgreSQL for several nodes", .0.display())]
    Occupied(PathBuf),
    /// The lock can't be taken for another reason.
    #[error("the lock file {} can't be used: {error}", path.display())]
    Lock {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is no database, and a command that only looks makes none.
    #[error(
        "there is no database at {}: say by --config, --data-dir or --database-url where the installation is. `tessera serve`, `tessera tenant create` and `tessera operator create` begin a new one",
        .0.display()
    )]
    NoDatabase(PathBuf),
    /// A server has to write.
    #[error("the database {} can't be written: {error}; see its owner and mode, those of its directory, and how the disk is mounted", path.display())]
    ReadOnly {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The schema is old.
    #[error("the database's schema isn't up to date ({}); run `tessera migrate` with the same settings", pending(.0))]
    Pending(Vec<String>),
    /// The schema can't be worked with.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The key's text can't be had.
    #[error("the master key in {place} can't be used: {error}")]
    MasterKey {
        /// File or environment.
        place: String,
        /// Why.
        error: MasterKeyError,
    },
    /// There is no key yet, and none is made unasked.
    #[error(
        "there is no master key at {}; make one by `tessera master-key create` and give every node the same, by `master_key_file` or TESSERA_MASTER_KEY",
        .0.display()
    )]
    NoMasterKey(PathBuf),
    /// The database was sealed under a key that is gone.
    #[error(
        "the master key {} is missing, and the database is sealed under it (fingerprint {fingerprint}); put your copy of it there. A new one can't open what is stored",
        path.display()
    )]
    LostMasterKey {
        /// Where it should be.
        path: PathBuf,
        /// Of the key that is wanted.
        fingerprint: String,
    },
    /// The database is sealed under another key.
    #[error(
        "the master key in {place} is not the database's: its fingerprint is {found}, and {wanted} is wanted{hint}"
    )]
    WrongMasterKey {
        /// File or environment.
        place: String,
        /// Of the key that is there.
        found: String,
        /// Of the key that is wanted.
        wanted: String,
        /// Where the right one may be.
        hint: String,
    },
    /// The database doesn't answer.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The tenant of the operators can't be made.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The parts can't be put together.
    #[error(transparent)]
    Flow(#[from] FlowError),
}

impl OpenError {
    /// A stable name for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "invalid_configuration",
            Self::DataDir { .. } | Self::Lock { .. } => "unusable_directory",
            Self::Occupied(_) => "already_running",
            Self::Pending(_) => "schema_outdated",
            Self::Schema(_) => "schema_unusable",
            Self::NoDatabase(_) => "no_database",
            Self::MasterKey { .. }
            | Self::NoMasterKey(_)
            | Self::LostMasterKey { .. }
            | Self::WrongMasterKey { .. } => "master_key_unusable",
            Self::Storage(_) | Self::ReadOnly { .. } => "database_failed",
            Self::Admin(error) => error.code(),
            Self::Flow(_) => "failed",
        }
    }

    /// Whether the database may be there a moment later, without anybody having mended anything.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Schema(error) => error.is_passing(),
            Self::Storage(error) => error.is_passing(),
            _ => false,
        }
    }
}

/// What may be made where it isn't there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstStart {
    /// Nothing: a command that works on what is there would answer of a new installation, in whatever directory it was begun.
    Nothing,
    /// The embedded database with its schema and master key. With PostgreSQL two nodes could make two keys, so nothing is made there.
    Embedded,
    /// Schema and master key whatever the database is: for one who tries it out.
    Anything,
}

/// How a provider is to be opened.
pub struct Opening {
    /// The settings.
    pub config: Config,
    /// Whether it follows what others change.
    pub feed: FeedUse,
    /// What may be made on the way.
    pub first_start: FirstStart,
    /// How long the database may take.
    pub deadline: Duration,
}

impl Opening {
    /// For a server.
    pub fn server(config: Config) -> Self {
        let deadline = config.database_timeout;
        Self {
            config,
            feed: FeedUse::Every(FEED_INTERVAL),
            first_start: FirstStart::Embedded,
            deadline,
        }
    }

    /// For a command, which ends at once and can wait. What it works on has to be there.
    pub fn command(config: Config) -> Self {
        let deadline = config.database_timeout.max(COMMAND_DEADLINE);
        Self {
            config,
            feed: FeedUse::None,
            first_start: FirstStart::Nothing,
            deadline,
        }
    }

    /// For a command that may be the first one of an installation.
    pub fn first_command(config: Config) -> Self {
        Self {
            first_start: FirstStart::Embedded,
            ..Self::command(config)
        }
    }

    /// Opens everything.
    pub async fn provider(self) -> Result<Arc<Provider>, OpenError> {
        if self.first_start == FirstStart::Nothing {
            must_be_there(&self.config.database_url)?;
        }
        make_data_dir(&self.config)?;
        if matches!(self.feed, FeedUse::Every(_)) {
            must_be_writable(&self.config.database_url)?;
        }
        let location = location_of(&self.config.database_url);
        let make = match self.first_start {
            FirstStart::Nothing => false,
            FirstStart::Embedded => self.config.database_url.is_sqlite(),
            FirstStart::Anything => true,
        };
        ready_schema(&location, make).await?;
        let connections = match self.feed {
            FeedUse::None => 2,
            FeedUse::Every(_) => self.config.database_pool_size.get(),
        };
        let options = DbOptions {
            location,
            connections,
            queue: self.config.blocking_queue.get(),
            deadline: self.deadline,
        };
        let db = Db::open(&options, Clock::system())?;
        let master = ready_master_key(&self.config, &db, make).await?;
        let provider = Provider::new(Arc::new(self.config), db, master, self.feed)?;
        provider.ensure_system_tenant().await?;
        Ok(Arc::new(provider))
    }
}

/// Reads the settings.
pub fn config(flags: Flags) -> Result<Config, OpenError> {
    Ok(Config::load(flags)?)
}

/// Opens a provider for a command, on an installation that is there.
pub async fn command(flags: Flags) -> Result<Arc<Provider>, OpenError> {
    Opening::command(config(flags)?).provider().await
}

/// Opens a provider for a command that may be the first of an installation.
pub async fn first_command(flags: Flags) -> Result<Arc<Provider>, OpenError> {
    Opening::first_command(config(flags)?).provider().await
}

/// A provider, and what keeps other servers off its database.
pub struct Opened {
    /// The provider.
    pub provider: Arc<Provider>,
    /// To be held for as long as it serves.
    pub(super) _lock: DatabaseLock,
}

/// Opens a provider for `quickstart`, which makes whatever isn't there yet.
pub async fn quickstart(config: Config) -> Result<Opened, OpenError> {
    // It remembers what it made there, whatever the database is.
    make_private_dir(&config.data_dir).map_err(|error| OpenError::DataDir {
        path: config.data_dir.clone(),
        error,
    })?;
    let lock = lock(&config)?;
    let provider = Opening {
        first_start: FirstStart::Anything,
        ..Opening::server(config)
    }
    .provider()
    .await?;
    Ok(Opened {
        provider,
        _lock: lock,
    })
}

/// Where the database is, as storage wants it.
pub fn location_of(url: &DatabaseUrl) -> Location {
    match url {
        DatabaseUrl::Sqlite(path) => Location::Sqlite(path.clone()),
        DatabaseUrl::Postgres(url) => Location::Postgres(url.to_string()),
    }
}

/// Makes the data directory, readable to its owner alone, where something will lie in it.
pub fn make_data_dir(config: &Config) -> Result<(), OpenError> {
    let path = &config.data_dir;
    let needed = match &config.database_url {
        DatabaseUrl::Sqlite(database) => {
            database.starts_with(path) || config.master_key_file.starts_with(path)
        }
        DatabaseUrl::Postgres(_) => false,
    };
    if needed {
        make_private_dir(path).map_err(|error| OpenError::DataDir {
            path: path.clone(),
            error,
        })
    } else {
        Ok(())
    }
}

/// Held by a server on an embedded database for as long as it runs.
pub struct DatabaseLock {
    _file: Option<File>,
}

/// Takes the lock of a server. Nothing is to be taken with PostgreSQL.
pub fn lock(config: &Config) -> Result<DatabaseLock, OpenError> {
    let DatabaseUrl::Sqlite(database) = &config.database_url else {
        return Ok(DatabaseLock { _file: None });
    };
    make_data_dir(config)?;
    let mut name = database.clone().into_os_string();
    name.push(".lock");
    let path = PathBuf::from(name);
    let failed = |error| OpenError::Lock {
        path: path.clone(),
        error,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(DatabaseLock { _file: Some(file) }),
        Err(TryLockError::WouldBlock) => Err(OpenError::Occupied(database.clone())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Refuses an embedded database that nobody has made yet.
fn must_be_there(url: &DatabaseUrl) -> Result<(), OpenError> {
    match url {
        // One that can't be looked at is there, as far as anybody knows.
        DatabaseUrl::Sqlite(path) if matches!(path.try_exists(), Ok(false)) => {
            Err(OpenError::NoDatabase(path.clone()))
        }
        _ => Ok(()),
    }
}

/// Refuses an embedded database that can't be written: a server on it would answer 503 to every sign-in.
fn must_be_writable(url: &DatabaseUrl) -> Result<(), OpenError> {
    let DatabaseUrl::Sqlite(path) = url else {
        return Ok(());
    };
    // Asked for without opening the file: to close it again would take SQLite's locks from it.
    match rustix::fs::access(
        path,
        rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK,
    ) {
        Err(error) if error != rustix::io::Errno::NOENT => Err(OpenError::ReadOnly {
            path: path.clone(),
            error: error.into(),
        }),
        _ => Ok(()),
    }
}

/// Has the schema looked at beside what runs here, as a database may be long in answering.
async fn state_of(location: &Location) -> Result<MigrationState, OpenError> {
    let (told, heard) = tokio::sync::oneshot::channel();
    let location = location.clone();
    let lost = |error: io::Error| StorageError::Unavailable(error.to_string());
    // No thread of the runtime's, which would be waited for when the process ends.
    std::thread::Builder::new()
        .name("tessera-open".to_owned())
        .spawn(move || {
            let _ = told.send(migration_state(&location));
        })
        .map_err(lost)?;
    match heard.await {
        Ok(state) => Ok(state?),
        Err(error) => Err(lost(io::Error::other(error)).into()),
    }
}

/// Refuses a schema that can't be worked with, and makes one where there is none.
async fn ready_schema(location: &Location, make: bool) -> Result<(), OpenError> {
    match state_of(location).await? {
        MigrationState::Current => Ok(()),
        MigrationState::Pending(names) if make && is_everything(&names) => {
            migrate(location)?;
            Ok(())
        }
        MigrationState::Pending(names) => Err(OpenError::Pending(names)),
        MigrationState::Newer(versions) => Err(SchemaError::Newer(versions).into()),
        MigrationState::Skipped(names) => Err(SchemaError::Skipped(names).into()),
    }
}

/// What is to be run: by name, or how much, where it would be a wall of names.
pub fn pending(names: &[String]) -> String {
    match names {
        [first, .., last] if names.len() > 3 => {
            format!("{} migrations, {first} to {last}", names.len())
        }
        _ => names.join(", "),
    }
}

/// Whether these are all migrations that there are: the database is empty. Both databases have the same ones, and a file without a name
/// is one that isn't there.
fn is_everything(names: &[String]) -> bool {
    matches!(migration_state(&Location::Sqlite(PathBuf::new())), Ok(MigrationState::Pending(all)) if all == names)
}

/// Where the master key is looked for, in words.
pub fn master_key_place(config: &Config) -> String {
    if config.master_key.is_some() {
        "the environment (TESSERA_MASTER_KEY)".to_owned()
    } else {
        config.master_key_file.display().to_string()
    }
}

/// Reads the master key; `None` where there is no file.
pub fn read_master_key(config: &Config) -> Result<Option<MasterKey>, OpenError> {
    let read = match &config.master_key {
        Some(text) => MasterKey::from_text(text.expose()),
        None => MasterKey::from_file(&config.master_key_file),
    };
    match read {
        Ok(key) => Ok(Some(key)),
        Err(MasterKeyError::File(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::MasterKey {
            place: master_key_place(config),
            error,
        }),
    }
}

async fn ready_master_key(config: &Config, db: &Db, make: bool) -> Result<MasterKey, OpenError> {
    let stored = db
        .read_installation(|all| all.master_key_fingerprint())
        .await?;
    match (read_master_key(config)?, stored) {
        (Some(key), Some(wanted)) => check_fingerprint(config, key, wanted),
        (None, Some(fingerprint)) => Err(OpenError::LostMasterKey {
            path: config.master_key_file.clone(),
            fingerprint,
        }),
        (Some(key), None) => remember(config, db, key).await,
        (None, None) if make => {
            let key = make_master_key(config, &Clock::system())?;
            remember(config, db, key).await
        }
        (None, None) => Err(OpenError::NoMasterKey(config.master_key_file.clone())),
    }
}

/// Refuses a key under which the database isn't sealed.
pub fn check_fingerprint(
    config: &Config,
    key: MasterKey,
    wanted: String,
) -> Result<MasterKey, OpenError> {
    let found = key.fingerprint();
    if found == wanted {
        return Ok(key);
    }
    let beside = ["new", "old"].map(|suffix| config.master_key_file.with_added_extension(suffix));
    let fits =
        |path: &&PathBuf| MasterKey::from_file(path).is_ok_and(|key| key.fingerprint() == wanted);
    let hint = match beside.iter().find(fits) {
        Some(path) => format!(
            "; {} holds that one: a rotation was interrupted, move it into place",
            path.display()
        ),
        None => "; put the right one there".to_owned(),
    };
    Err(OpenError::WrongMasterKey {
        place: master_key_place(config),
        found,
        wanted,
        hint,
    })
}

/// Writes the fingerprint down; where another process was faster, its key is the one that counts.
async fn remember(config: &Config, db: &Db, key: MasterKey) -> Result<MasterKey, OpenError> {
    let fingerprint = key.fingerprint();
    match db
        .write_installation(move |all| all.insert_master_key_fingerprint(&fingerprint))
        .await
    {
        Ok(()) => Ok(key),
        Err(error) if error.is_conflict() => match db
            .read_installation(|all| all.master_key_fingerprint())
            .await?
        {
            Some(wanted) => check_fingerprint(config, key, wanted),
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// Makes the key file, or takes that of a process that was faster.
fn make_master_key(config: &Config, clock: &Clock) -> Result<MasterKey, OpenError> {
    let path = &config.master_key_file;
    let failed = |error| OpenError::MasterKey {
        place: path.display().to_string(),
        error,
    };
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        make_private_dir(folder).map_err(|error| failed(error.into()))?;
    }
    let key = MasterKey::generate(clock);
    match key.write_new_file(path) {
        Ok(()) => {
            note(&format!(
                "A master key was made in {}. Keep a copy apart from the database's backups: without it, nothing that the database seals can be opened again.",
                path.display()
            ));
            Ok(key)
        }
        Err(MasterKeyError::File(error)) if error.kind() == io::ErrorKind::AlreadyExists => {
            wait_for_key(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Another process has made the file and may not have written to it yet.
fn wait_for_key(path: &Path) -> Result<MasterKey, MasterKeyError> {
    let mut tries = 0;
    loop {
        match MasterKey::from_file(path) {
            Err(MasterKeyError::Malformed) if tries < 50 => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            other => return other,
        }
    }
}
