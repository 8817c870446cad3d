//! Clients' published keys (`jwks_uri`), kept for `private_key_jwt` and its like.
//!
//! OpenID Connect Core §10.1.1: a key id that isn't known makes the set be fetched again, so that a client may rotate as it likes; at most
//! once in [`REFETCH_AFTER`], so that invented key ids make no traffic. A set whose answer says so (`Cache-Control`) is fetched again before it is an
//! hour old, by the same bound. Sets are returned as they came: what a key is good for is for its user to check.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use serde_json::{Map, Value};
use tokio::sync::{Mutex, OwnedMutexGuard};
use uuid::Uuid;

use super::client::{EgressClient, Outward};
use super::error::EgressError;
use super::freshness::age;
use crate::clock::{Clock, Timestamp};

/// How long an unknown key id, or a fetch that failed, waits for the next fetch.
pub const REFETCH_AFTER: Duration = Duration::from_mins(1);
/// The largest set that is read.
pub const MAX_JWKS_BYTES: usize = 128 * 1024;
/// The age at which a set is fetched again although it holds the key, so that a withdrawn key is forgotten; earlier where its answer says so.
const FRESH_FOR: Duration = Duration::from_hours(1);
/// How long a set serves while it can't be fetched again.
const STALE_FOR: Duration = Duration::from_hours(24);
/// The most keys that a set may have.
const MAX_KEYS: usize = 100;
/// Sets that are kept.
const CAPACITY: usize = 10_000;

/// A JWK set as its owner published it (RFC 7517 §5): every key an object, nothing else checked.
#[derive(Clone, Debug, PartialEq)]
pub struct JwkSet {
    /// The keys in their order.
    pub keys: Vec<Map<String, Value>>,
}

impl JwkSet {
    /// Reads a JWK set.
    pub fn from_value(value: Value) -> Result<Self, EgressError> {
        let Value::Object(mut set) = value else {
            return Err(EgressError::Malformed);
        };
        let Some(Value::Array(keys)) = set.remove("keys") else {
            return Err(EgressError::Malformed);
        };
        if keys.len() > MAX_KEYS {
            return Err(EgressError::Malformed);
        }
        let as_object = |key| {
            if let Value::Object(key) = key {
                Ok(key)
            } else {
                Err(EgressError::Malformed)
            }
        };
        Ok(Self {
            keys: keys.into_iter().map(as_object).collect::<Result<_, _>>()?,
        })
    }

    /// Whether a key has this id.
    pub fn holds(&self, kid: &str) -> bool {
        self.keys
            .iter()
            .any(|key| key.get("kid").and_then(Value::as_str) == Some(kid))
    }
}

/// Whose set, and from where.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    tenant: Uuid,
    client: Uuid,
    url: String,
}

/// A set that came.
#[derive(Clone)]
struct Kept {
    set: Arc<JwkSet>,
    fetched: Timestamp,
    /// From when on it is fetched again although it holds the key.
    fresh_for: Duration,
}

#[derive(Default)]
struct Entry {
    /// The last set that came.
    set: Option<Kept>,
    /// The last attempt and its failure.
    attempt: Option<(Timestamp, Option<EgressError>)>,
}

/// The sets of all clients of all tenants, fetched when they are first needed. Bounded: the least used are forgotten. Cheap to clone; clones
/// share the sets.
#[derive(Clone)]
pub struct JwksCache {
    egress: EgressClient,
    clock: Clock,
    refetch_after: Duration,
    entries: Arc<Cache<Key, Arc<Mutex<Entry>>>>,
}

impl JwksCache {
    /// An empty cache.
    pub fn new(egress: EgressClient, clock: Clock) -> Self {
        Self {
            egress,
            clock,
            refetch_after: REFETCH_AFTER,
            entries: Arc::new(Cache::new(CAPACITY)),
        }
    }

    /// With another pause between fetches than [`REFETCH_AFTER`].
    #[must_use]
    pub fn with_refetch_after(mut self, pause: Duration) -> Self {
        self.refetch_after = pause;
        self
    }

    /// The client's keys. With a `kid` that the kept set lacks, the set is fetched again first, if the last attempt is long enough ago; it may
    /// lack the key even then. Simultaneous callers share one fetch, and a caller who leaves doesn't end it.
    pub async fn load(
        &self,
        tenant: Uuid,
        client: Uuid,
        url: &str,
        kid: Option<&str>,
    ) -> Result<Arc<JwkSet>, EgressError> {
        self.load_until(tenant, client, url, |set| {
            kid.is_none_or(|kid| set.holds(kid))
        })
        .await
    }

    /// The client's keys, by the same rules for a set that doesn't suffice: where whoever asks knows what they look for otherwise than by its name.
    pub async fn load_until(
        &self,
        tenant: Uuid,
        client: Uuid,
        url: &str,
        suffices: impl Fn(&JwkSet) -> bool,
    ) -> Result<Arc<JwkSet>, EgressError> {
        let key = Key {
            tenant,
            client,
            url: url.to_owned(),
        };
        let entry = self
            .entries
            .get_or_insert_with(&key, || Ok::<_, EgressError>(Arc::default()))?;
        let entry = entry.lock_owned().await;
        if let Some(known) = self.known(&entry, suffices) {
            return known;
        }
        let cache = self.clone();
        // A task of its own: whoever hangs up in the middle must not make the next caller begin anew.
        let fetching = tokio::spawn(async move { cache.fetch(&key, entry).await });
        fetching.await.unwrap_or(Err(EgressError::Stopped))
    }

    /// What can be answered without a fetch.
    fn known(
        &self,
        entry: &Entry,
        suffices: impl Fn(&JwkSet) -> bool,
    ) -> Option<Result<Arc<JwkSet>, EgressError>> {
        let now = self.clock.now();
        let kept = self.usable(entry);
        if let Some(kept) = &kept
            && age(now, kept.fetched) < kept.fresh_for
            && suffices(&kept.set)
        {
            return Some(Ok(Arc::clone(&kept.set)));
        }
        let (at, failure) = entry.attempt.as_ref()?;
        if age(now, *at) >= self.refetch_after {
            return None;
        }
        match (kept, failure) {
            (Some(kept), _) => Some(Ok(kept.set)),
            (None, failure) => failure.clone().map(Err),
        }
    }

    fn usable(&self, entry: &Entry) -> Option<Kept> {
        let now = self.clock.now();
        let kept = entry.set.clone();
        kept.filter(|kept| age(now, kept.fetched) < STALE_FOR)
    }

    async fn fetch(
        &self,
        key: &Key,
        mut entry: OwnedMutexGuard<Entry>,
    ) -> Result<Arc<JwkSet>, EgressError> {
        let fetched = self
            .egress
            .send(key.tenant, Outward::get_json(&key.url, MAX_JWKS_BYTES))
            .await
            .and_then(|fetched| {
                let read = serde_json::from_slice(&fetched.body);
                let set = JwkSet::from_value(read.map_err(|_| EgressError::Malformed)?)?;
                Ok((Arc::new(set), fetched.fresh_for))
            });
        let now = self.clock.now();
        // Otherwise nobody asked there, and whoever comes next may.
        if fetched.as_ref().err().is_none_or(EgressError::was_asked) {
            entry.attempt = Some((now, fetched.as_ref().err().cloned()));
        }
        match (fetched, self.usable(&entry)) {
            (Ok((set, asked)), _) => {
                // Whoever can name the client can have its keys fetched as often as this.
                let fresh_for = asked.map_or(FRESH_FOR, |asked| {
                    asked.clamp(self.refetch_after.min(FRESH_FOR), FRESH_FOR)
                });
                entry.set = Some(Kept {
                    set: Arc::clone(&set),
                    fetched: now,
                    fresh_for,
                });
                Ok(set)
            }
            (Err(error), Some(Kept { set, .. })) => {
                tracing::warn!(tenant = %key.tenant, client = %key.client, %error, "a client's keys can't be fetched again; the kept ones serve on");
                Ok(set)
            }
            (Err(error), None) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
