//! Request objects that clients publish (`request_uri`, OpenID Connect Core §6.2), kept for a while.
//!
//! An object whose address carries its hash is kept for a day and never fetched anew; of any other the copy is a minute old at the most. What can't
//! be fetched isn't tried again for some seconds, and one client can have us fetch so many times a minute: whoever knows its name can ask
//! for that. Counted on each node by itself.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::client::{EgressClient, Outward};
use super::error::EgressError;
use crate::clock::{Clock, Timestamp};

/// How long an object serves that may change.
const FRESH_FOR: Duration = Duration::from_mins(1);
/// How long one serves that is known by its hash.
const FIXED_FOR: Duration = Duration::from_hours(24);
/// How long a failure serves.
const FAILED_FOR: Duration = Duration::from_secs(10);
/// Objects that are kept, failures among them.
const CAPACITY: usize = 2_000;
/// Fetches for one client in a minute.
pub const FETCHES_A_MINUTE: u32 = 30;
/// Clients whose fetches are counted.
const COUNTED: usize = 10_000;

/// What to fetch, and for whom.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The tenant.
    pub tenant: Uuid,
    /// The client, who registered the address.
    pub client: Uuid,
    /// The address with its fragment: another hash is another object.
    pub uri: String,
}

/// What came.
type Outcome = Result<Arc<str>, EgressError>;

#[derive(Default)]
struct Entry(Option<(Timestamp, Duration, Outcome)>);

/// The minute, and how many fetches there were in it.
type Count = Arc<std::sync::Mutex<(i64, u32)>>;

/// The objects of all clients of all tenants. Cheap to clone; clones share the objects.
#[derive(Clone)]
pub struct RequestObjectCache {
    egress: EgressClient,
    clock: Clock,
    entries: Arc<Cache<Reference, Arc<Mutex<Entry>>>>,
    counts: Arc<Cache<(Uuid, Uuid), Count>>,
}

impl RequestObjectCache {
    /// An empty cache.
    pub fn new(egress: EgressClient, clock: Clock) -> Self {
        Self {
            egress,
            clock,
            entries: Arc::new(Cache::new(CAPACITY)),
            counts: Arc::new(Cache::new(COUNTED)),
        }
    }

    /// The object of an address, fetched where the kept one is too old. `is_right` says whether a body is what the address means; `is_fixed`, that
    /// it can't become another. Simultaneous callers share one fetch.
    pub async fn load(
        &self,
        reference: Reference,
        limit: usize,
        is_fixed: bool,
        is_right: impl Fn(&[u8]) -> bool,
    ) -> Outcome {
        let entry = self
            .entries
            .get_or_insert_with(&reference, || Ok::<_, EgressError>(Arc::default()))?;
        let mut entry = entry.lock().await;
        let now = self.clock.now();
        if let Some((at, serves, outcome)) = &entry.0
            && (now - *at).abs().to_std().is_ok_and(|age| age < *serves)
        {
            return outcome.clone();
        }
        self.count(&reference)?;
        let outward = Outward::get(&reference.uri, limit);
        let outcome = self
            .egress
            .send(reference.tenant, outward)
            .await
            .and_then(|fetched| {
                if !is_right(&fetched.body) {
                    return Err(EgressError::Malformed);
                }
                let text = String::from_utf8(fetched.body).map_err(|_| EgressError::Malformed)?;
                Ok(Arc::from(text.trim_ascii()))
            });
        let serves = match (&outcome, is_fixed) {
            (Ok(_), true) => FIXED_FOR,
            (Ok(_), false) => FRESH_FOR,
            // Nobody asked there.
            (Err(EgressError::Busy | EgressError::Stopped), _) => return outcome,
            (Err(_), _) => FAILED_FOR,
        };
        entry.0 = Some((now, serves, outcome.clone()));
        outcome
    }

    fn count(&self, reference: &Reference) -> Result<(), EgressError> {
        let minute = self.clock.unix().div_euclid(60);
        let key = (reference.tenant, reference.client);
        let count = self
            .counts
            .get_or_insert_with(&key, || Ok::<_, EgressError>(Count::default()))?;
        let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
        if count.0 != minute {
            *count = (minute, 0);
        }
        if count.1 >= FETCHES_A_MINUTE {
            return Err(EgressError::Busy);
        }
        count.1 += 1;
        Ok(())
    }
}
