//! Request objects that clients publish (`request_uri`, OpenID Connect Core §6.2), kept for a while.
//!
//! They are kept by their addresses without the fragment: that is never sent, so that anybody can invent one, and each would else be a fetch
//! of its own. Whoever names a hash is served for a day by a copy that has it; whoever names none, by a copy that is a minute old at the most; and
//! whoever names anything else than the copy's hash by one that is some seconds old, as a fragment that changed says that what came before it
//! is old (§6.2). An address that failed isn't tried again for some seconds.
//!
//! Whoever knows a client's name can have us fetch for it. It therefore has so many fetches in a minute, and so few at once; when they are
//! spent, an older copy serves. Counted on each node by itself.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};
use uuid::Uuid;

use super::client::{EgressClient, Outward};
use super::error::EgressError;
use super::freshness::age;
use crate::clock::{Clock, Timestamp};
use crate::protocol::request_uri::Meant;

/// How long an object serves that may change.
const FRESH_FOR: Duration = Duration::from_mins(1);
/// How long one serves that may change, while no fetch is to be had.
const STALE_FOR: Duration = Duration::from_hours(1);
/// How long one serves that is known by its hash.
const FIXED_FOR: Duration = Duration::from_hours(24);
/// How long an address waits for the next fetch after one that failed or brought an object of another hash than was named.
const REFETCH_AFTER: Duration = Duration::from_secs(10);
/// Addresses of which something is kept, failures among it.
const CAPACITY: usize = 2_000;
/// Fetches for one client in a minute.
pub const FETCHES_A_MINUTE: u32 = 30;
/// Fetches for one client at once: half of what a tenant has by default, so that one client's slow hosts don't fill the line of all.
const FETCHES_AT_ONCE: u32 = 2;
/// Clients whose fetches are counted.
const COUNTED: usize = 10_000;

/// What to fetch, and for whom.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The tenant.
    pub tenant: Uuid,
    /// The client, who registered the address.
    pub client: Uuid,
    /// The address without its fragment.
    pub address: String,
}

/// What came.
type Outcome = Result<Arc<str>, EgressError>;

/// What is known of an address.
#[derive(Default)]
struct Entry {
    /// Held by whoever fetches. What is known can be read meanwhile: one whose hash isn't there must not have the others wait.
    fetching: Arc<Mutex<()>>,
    state: std::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The last object that came.
    kept: Option<Kept>,
    /// When the last attempt was made, where that failed.
    failure: Option<(Timestamp, EgressError)>,
}

#[derive(Clone)]
struct Kept {
    at: Timestamp,
    /// Of all that came, white space around it included.
    hash: [u8; 32],
    text: Arc<str>,
}

impl State {
    /// What can be answered without a fetch.
    fn known(&self, now: Timestamp, meant: Meant) -> Option<Outcome> {
        let served = self.kept_within(now, |kept| match meant {
            Meant::Current => FRESH_FOR,
            Meant::Hash(hash) if hash == kept.hash => FIXED_FOR,
            Meant::Hash(_) | Meant::Marked => REFETCH_AFTER,
        });
        if let Some(text) = served {
            return Some(Ok(text));
        }
        let (at, failure) = self.failure.as_ref()?;
        (age(now, *at) < REFETCH_AFTER).then(|| Err(failure.clone()))
    }

    /// What serves while nothing can be fetched: not what was there before a fragment that changed.
    fn stale(&self, now: Timestamp, meant: Meant) -> Option<Arc<str>> {
        self.kept_within(now, |kept| match meant {
            Meant::Hash(hash) if hash != kept.hash => REFETCH_AFTER,
            Meant::Marked => REFETCH_AFTER,
            Meant::Current | Meant::Hash(_) => STALE_FOR,
        })
    }

    fn kept_within(
        &self,
        now: Timestamp,
        serves: impl FnOnce(&Kept) -> Duration,
    ) -> Option<Arc<str>> {
        let kept = self.kept.as_ref()?;
        (age(now, kept.at) < serves(kept)).then(|| Arc::clone(&kept.text))
    }
}

/// A client's fetches.
type SharedAccount = Arc<std::sync::Mutex<Account>>;

#[derive(Default)]
struct Account {
    minute: i64,
    /// Those in the minute.
    begun: u32,
    under_way: u32,
}

/// A fetch that was counted, until it ends.
struct Turn(SharedAccount);

impl Drop for Turn {
    fn drop(&mut self) {
        let mut account = locked(&self.0);
        account.under_way = account.under_way.saturating_sub(1);
    }
}

/// The objects of all clients of all tenants. Cheap to clone; clones share the objects.
#[derive(Clone)]
pub struct RequestObjectCache {
    egress: EgressClient,
    clock: Clock,
    entries: Arc<Cache<Reference, Arc<Entry>>>,
    accounts: Arc<Cache<(Uuid, Uuid), SharedAccount>>,
}

impl RequestObjectCache {
    /// An empty cache.
    pub fn new(egress: EgressClient, clock: Clock) -> Self {
        Self {
            egress,
            clock,
            entries: Arc::new(Cache::new(CAPACITY)),
            accounts: Arc::new(Cache::new(COUNTED)),
        }
    }

    /// The object of an address, fetched where the kept one is too old for what is meant. Simultaneous callers share one fetch, and a caller who
    /// leaves doesn't end it.
    pub async fn load(&self, reference: Reference, limit: usize, meant: Meant) -> Outcome {
        let mut first = None;
        let entry = self.entries.get_or_insert_with(&reference, || {
            // Counted before there is anything to keep: a client whose fetches are spent pushes nothing of the others' out.
            let turn = self.begin(&reference)?;
            let entry = Arc::<Entry>::default();
            // Nobody else knows of it yet, so that this fetch is the one that was counted.
            first = Arc::clone(&entry.fetching)
                .try_lock_owned()
                .ok()
                .map(|lock| (turn, lock));
            Ok::<_, EgressError>(entry)
        })?;
        let (turn, lock) = if let Some(first) = first {
            first
        } else {
            if let Some(known) = self.known(&entry, meant) {
                return known;
            }
            let lock = Arc::clone(&entry.fetching).lock_owned().await;
            // Whoever held it may have fetched what is looked for.
            if let Some(known) = self.known(&entry, meant) {
                return known;
            }
            match self.begin(&reference) {
                Ok(turn) => (turn, lock),
                Err(busy) => return self.stale(&entry, meant).ok_or(busy),
            }
        };
        match self.fetch_apart(reference, limit, &entry, turn, lock).await {
            Ok(text) => Ok(text),
            Err(error) if !error.was_asked() => self.stale(&entry, meant).ok_or(error),
            Err(error) => Err(error),
        }
    }

    fn known(&self, entry: &Entry, meant: Meant) -> Option<Outcome> {
        locked(&entry.state).known(self.clock.now(), meant)
    }

    fn stale(&self, entry: &Entry, meant: Meant) -> Option<Arc<str>> {
        locked(&entry.state).stale(self.clock.now(), meant)
    }

    /// Fetches in a task of its own: whoever hangs up in the middle must not make the next caller begin anew.
    async fn fetch_apart(
        &self,
        reference: Reference,
        limit: usize,
        entry: &Arc<Entry>,
        turn: Turn,
        lock: OwnedMutexGuard<()>,
    ) -> Outcome {
        let (cache, entry) = (self.clone(), Arc::clone(entry));
        let fetching = tokio::spawn(async move {
            let fetched = cache.fetch(&reference, limit, &entry).await;
            // Only now: what came is known to whoever waits for the lock.
            drop((turn, lock));
            fetched
        });
        fetching.await.unwrap_or(Err(EgressError::Stopped))
    }

    /// Fetches, and remembers what came of it.
    async fn fetch(&self, reference: &Reference, limit: usize, entry: &Entry) -> Outcome {
        let outward = Outward::get(&reference.address, limit);
        let fetched = self.egress.send(reference.tenant, outward).await;
        let now = self.clock.now();
        let outcome = fetched.and_then(|fetched| {
            let hash = Sha256::digest(&fetched.body).into();
            let text = String::from_utf8(fetched.body).map_err(|_| EgressError::Malformed)?;
            Ok(Kept {
                at: now,
                hash,
                text: Arc::from(text.trim_ascii()),
            })
        });
        // Otherwise nobody asked there.
        if outcome.as_ref().err().is_none_or(EgressError::was_asked) {
            let mut state = locked(&entry.state);
            state.failure = outcome.as_ref().err().map(|error| (now, error.clone()));
            // What was there before serves on for those who know its hash where nothing came.
            if let Ok(kept) = &outcome {
                state.kept = Some(kept.clone());
            }
        }
        outcome.map(|kept| kept.text)
    }

    /// Counts a fetch, if the client may have another.
    fn begin(&self, reference: &Reference) -> Result<Turn, EgressError> {
        let minute = self.clock.unix().div_euclid(60);
        let key = (reference.tenant, reference.client);
        let shared = self
            .accounts
            .get_or_insert_with(&key, || Ok::<_, EgressError>(Arc::default()))?;
        let mut account = locked(&shared);
        if account.minute != minute {
            (account.minute, account.begun) = (minute, 0);
        }
        if account.begun >= FETCHES_A_MINUTE || account.under_way >= FETCHES_AT_ONCE {
            return Err(EgressError::Busy);
        }
        account.begun += 1;
        account.under_way += 1;
        drop(account);
        Ok(Turn(shared))
    }
}

/// Nothing that is done under these locks can panic half way.
fn locked<T>(mutex: &std::sync::Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
