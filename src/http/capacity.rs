//! How many connections a process may hold: what the operating system allows it of open files, shared among its workers.
//!
//! Left to itself, actix takes 25,000 for each worker. Where the limit is 1,024, as most service managers have it, the process would run out of
//! descriptors long before, and could neither accept nor ask its database.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// What a worker takes at the most, whatever the limit is.
const MOST: usize = 25_000;

/// A connection's own, and the handle by which it is looked after.
const FOR_EACH: usize = 2;

/// Below this many open files a server is worth a word.
pub const FEW: u64 = 8_192;

/// How many files this process may have open: now, and at the most. `None` is without a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// What holds now.
    pub soft: Option<u64>,
    /// What the process may raise it to.
    pub hard: Option<u64>,
}

/// What the operating system allows.
pub fn open_files() -> OpenFiles {
    let limit = getrlimit(Resource::Nofile);
    OpenFiles {
        soft: limit.current,
        hard: limit.maximum,
    }
}

/// Takes all that the process may have, and says what that is.
pub fn raise_open_files() -> Option<u64> {
    let OpenFiles { soft, hard } = open_files();
    if soft != hard {
        let wanted = Rlimit {
            current: hard,
            maximum: hard,
        };
        if let Err(error) = setrlimit(Resource::Nofile, wanted) {
            tracing::warn!(%error, "the limit of open files can't be raised");
        }
    }
    open_files().soft
}

/// Connections that each worker may hold, so that all of them leave enough for the database, for requests outward and for files.
pub fn connections_per_worker(open_files: Option<u64>, config: &Config) -> usize {
    let workers = config.workers.get();
    let Some(open_files) = open_files else {
        return MOST;
    };
    let open_files = usize::try_from(open_files).unwrap_or(usize::MAX);
    // SQLite has three files for each connection; beside the pool's there are the writer's and the feed's.
    let database = (config.database_pool_size.get() as usize).saturating_add(2);
    let database = database.saturating_mul(3);
    let others = database.saturating_add(workers.saturating_mul(8)) + 64;
    let left = open_files.saturating_sub(others.min(open_files / 2));
    (left / FOR_EACH / workers).clamp(1, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        let of = |files, settings: &str| {
            let config = Config::from_toml(settings).expect("settings");
            connections_per_worker(files, &config)
        };
        let two = "workers = 2";
        assert_eq!(of(Some(1_024), two), 228);
        assert_eq!(of(Some(65_536), two), 16_356);
        assert_eq!(of(Some(1 << 20), two), MOST);
        assert_eq!(of(None, two), MOST);
        // However little there is, and however much is asked for, it serves.
        assert_eq!(of(Some(64), two), 8);
        assert_eq!(of(Some(0), two), 1);
        assert_eq!(
            of(
                Some(1_024),
                "workers = 4000\ndatabase_pool_size = 4000000000"
            ),
            1
        );
    }
}
