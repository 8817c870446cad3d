//! A bounded cache that is loaded on demand and told by the change feed.

use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

/// Values by key, bounded in number.
pub struct Cache<K, V> {
    values: quick_cache::sync::Cache<K, V>,
    /// Counts up with every removal.
    epoch: AtomicU64,
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    /// A cache of `capacity` values at most.
    pub fn new(capacity: usize) -> Self {
        Self {
            values: quick_cache::sync::Cache::new(capacity),
            epoch: AtomicU64::new(0),
        }
    }

    /// The value, loaded where it isn't there. What `load` doesn't find isn't kept.
    pub async fn get_or_load<E>(
        &self,
        key: &K,
        load: impl Future<Output = Result<Option<V>, E>>,
    ) -> Result<Option<V>, E> {
        if let Some(value) = self.values.get(key) {
            return Ok(Some(value));
        }
        let epoch = self.epoch.load(Ordering::SeqCst);
        let value = load.await?;
        if let Some(value) = &value {
            self.values.insert(key.clone(), value.clone());
            // Something was removed while this was loading, perhaps this very key: what was loaded may be older than that.
            if self.epoch.load(Ordering::SeqCst) != epoch {
                self.values.remove(key);
            }
        }
        Ok(value)
    }

    /// Loads a value that says itself by which key it is to be kept.
    pub async fn load<E>(
        &self,
        load: impl Future<Output = Result<Option<(K, V)>, E>>,
    ) -> Result<Option<V>, E> {
        let epoch = self.epoch.load(Ordering::SeqCst);
        let Some((key, value)) = load.await? else {
            return Ok(None);
        };
        self.values.insert(key.clone(), value.clone());
        // As above.
        if self.epoch.load(Ordering::SeqCst) != epoch {
            self.values.remove(&key);
        }
        Ok(Some(value))
    }

    /// The value, if it is there.
    pub fn get(&self, key: &K) -> Option<V> {
        self.values.get(key)
    }

    /// Keeps a value whatever was there: one that is held against what it leads to, or is looked after by its caller.
    pub fn put(&self, key: &K, value: V) {
        self.values.insert(key.clone(), value);
    }

    /// Forgets a value.
    pub fn remove(&self, key: &K) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.values.remove(key);
    }

    /// Forgets all values but those that `keep` says yes to.
    pub fn retain(&self, keep: impl Fn(&K, &V) -> bool) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.values.retain(keep);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.values.clear();
    }

    /// How many values are kept.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn what_was_loaded_across_a_removal_is_not_kept() {
        let cache = Cache::<u8, u8>::new(10);
        let loaded = cache
            .get_or_load(&1, async {
                cache.remove(&1);
                Ok::<_, ()>(Some(7))
            })
            .now_or_never()
            .expect("ready");
        assert_eq!(loaded, Ok(Some(7)));
        assert_eq!(
            cache.get(&1),
            None,
            "a value read before the change must not outlive it"
        );
    }

    #[test]
    fn a_value_is_loaded_once() {
        let cache = Cache::<u8, u8>::new(10);
        for _ in 0..2 {
            let loaded = cache
                .get_or_load(&1, async { Ok::<_, ()>(Some(7)) })
                .now_or_never()
                .expect("ready");
            assert_eq!(loaded, Ok(Some(7)));
        }
        let again = cache
            .get_or_load(&1, async { Err::<Option<u8>, _>(()) })
            .now_or_never()
            .expect("ready");
        assert_eq!(again, Ok(Some(7)));
    }
}
