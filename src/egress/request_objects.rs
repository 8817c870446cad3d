//! Request objects that clients publish (`request_uri`, OpenID Connect Core §6.2), kept for a while.
//!
//! They are kept by their addresses without the fragment: that is never sent, so that anybody can invent one, and each would else be a fetch
//! of its own. Whoever names a hash is served for a day by a copy that has it, and by no other; whoever names none, by a copy that is a
//! minute old at the most. An address that failed, or led to another object than the one that was meant, isn't tried again for some seconds.
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
use crate::clock::{Clock, Timestamp};

/// How long an object serves that may change.
const FRESH_FOR: Duration = Duration::from_mins(1);
/// How long one serves that may change, while no fetch is to be had.
const STALE_FOR: Duration = Duration::from_hours(1);
/// How long one serves that is known by its hash.
const FIXED_FOR: Duration = Duration::from_hours(24);
/// How long an address waits for the next fetch after one that failed or brought another object.
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

/// The SHA-256 hash of an object.
type ObjectHash = [u8; 32];

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
    /// The last attempt and its failure.
    attempt: Option<(Timestamp, Option<EgressError>)>,
}

#[derive(Clone)]
struct Kept {
    at: Timestamp,
    /// Of all that came, white space around it included.
    hash: ObjectHash,
    text: Arc<str>,
}

impl Kept {
    /// The object, if it is the one that is meant.
    fn meant_by(&self, hash: Option<ObjectHash>) -> Option<Arc<str>> {
        hash.is_none_or(|hash| hash == self.hash)
            .then(|| Arc::clone(&self.text))
    }
}

impl State {
    /// What can be answered without a fetch.
    fn known(&self, now: Timestamp, hash: Option<ObjectHash>) -> Option<Outcome> {
        let serves = if hash.is_some() { FIXED_FOR } else { FRESH_FOR };
        if let Some(text) = self.kept_within(serves, now, hash) {
            return Some(Ok(text));
        }
        let (at, failure) = self.attempt.as_ref()?;
        // A fetch that didn't fail brought another object.
        (age(now, *at) < REFETCH_AFTER)
            .then(|| Err(failure.clone().unwrap_or(EgressError::Malformed)))
    }

    fn kept_within(
        &self,
        serves: Duration,
        now: Timestamp,
        hash: Option<ObjectHash>,
    ) -> Option<Arc<str>> {
        let kept = self.kept.as_ref()?;
        (age(now, kept.at) < serves)
            .then(|| kept.meant_by(hash))
            .flatten()
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

    /// The object of an address, fetched where the kept one is too old or isn't the one with this SHA-256 hash. Simultaneous callers share one
    /// fetch, and a caller who leaves doesn't end it.
    pub async fn load(
        &self,
        reference: Reference,
        limit: usize,
        hash: Option<ObjectHash>,
    ) -> Outcome {
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
            if let Some(known) = self.known(&entry, hash) {
                return known;
            }
            let lock = Arc::clone(&entry.fetching).lock_owned().await;
            // Whoever held it may have fetched what is looked for.
            if let Some(known) = self.known(&entry, hash) {
                return known;
            }
            match self.begin(&reference) {
                Ok(turn) => (turn, lock),
                Err(busy) => return self.stale(&entry, hash).ok_or(busy),
            }
        };
        match self.fetch_apart(reference, limit, &entry, turn, lock).await {
            Ok(kept) => kept.meant_by(hash).ok_or(EgressError::Malformed),
            Err(error @ (EgressError::Busy | EgressError::Stopped)) => {
                self.stale(&entry, hash).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    fn known(&self, entry: &Entry, hash: Option<ObjectHash>) -> Option<Outcome> {
        locked(&entry.state).known(self.clock.now(), hash)
    }

    /// What serves while nothing can be fetched.
    fn stale(&self, entry: &Entry, hash: Option<ObjectHash>) -> Option<Arc<str>> {
        locked(&entry.state).kept_within(STALE_FOR, self.clock.now(), hash)
    }

    /// Fetches in a task of its own: whoever hangs up in the middle must not make the next caller begin anew.
    async fn fetch_apart(
        &self,
        reference: Reference,
        limit: usize,
        entry: &Arc<Entry>,
        turn: Turn,
        lock: OwnedMutexGuard<()>,
    ) -> Result<Kept, EgressError> {
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
    async fn fetch(
        &self,
        reference: &Reference,
        limit: usize,
        entry: &Entry,
    ) -> Result<Kept, EgressError> {
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
        if !matches!(outcome, Err(EgressError::Busy | EgressError::Stopped)) {
            let mut state = locked(&entry.state);
            state.attempt = Some((now, outcome.as_ref().err().cloned()));
            // What was there before serves on for those who know its hash where nothing came.
            if let Ok(kept) = &outcome {
                state.kept = Some(kept.clone());
            }
        }
        outcome
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

/// Time between two moments, whichever came first: a clock that was set back must not keep anything alive.
fn age(now: Timestamp, then: Timestamp) -> Duration {
    (now - then).abs().to_std().unwrap_or(Duration::MAX)
}
