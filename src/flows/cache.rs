//! A bounded cache that is loaded on demand and told by the change feed.

use std::future::Future;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::UnitWeighter;
use quick_cache::sync::DefaultLifecycle;

/// How keys are hashed that are kept only where there is such a thing, ids say: each request looks for half a dozen.
type Quick = foldhash::fast::RandomState;

/// Values by key, bounded in number.
pub struct Cache<K, V, S = Quick> {
    values: quick_cache::sync::Cache<K, V, UnitWeighter, S>,
    /// Counts up with every removal.
    epoch: AtomicU64,
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    /// A cache of `capacity` values at most.
    pub fn new(capacity: usize) -> Self {
        Self::hashed(capacity)
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V, RandomState> {
    /// The same where strangers choose the keys that are kept: by a hash under which they can't have them meet.
    pub fn of_strangers(capacity: usize) -> Self {
        Self::hashed(capacity)
    }
}

impl<K: Clone + Eq + Hash, V: Clone, S: BuildHasher + Clone + Default> Cache<K, V, S> {
    fn hashed(capacity: usize) -> Self {
        Self {
            values: quick_cache::sync::Cache::with(
                capacity,
                capacity as u64,
                UnitWeighter,
                S::default(),
                DefaultLifecycle::default(),
            ),
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
        let before = self.removals();
        let value = load.await?;
        if let Some(value) = &value {
            self.keep(key, value.clone(), before);
        }
        Ok(value)
    }

    /// Loads a value that says itself by which key it is to be kept.
    pub async fn load<E>(
        &self,
        load: impl Future<Output = Result<Option<(K, V)>, E>>,
    ) -> Result<Option<V>, E> {
        let before = self.removals();
        let Some((key, value)) = load.await? else {
            return Ok(None);
        };
        self.keep(&key, value.clone(), before);
        Ok(Some(value))
    }

    /// How often something was removed, for [`Self::keep`].
    pub fn removals(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Keeps what was looked up since there were so many removals. Where there is one more, perhaps of this very key, what was found may be older
    /// than that, and isn't kept; what is there already stays, as it was looked up by somebody else since, or the removal was of another key.
    pub fn keep(&self, key: &K, value: V, removals: u64) {
        if self.removals() != removals {
            return;
        }
        self.values.insert(key.clone(), value);
        if self.removals() != removals {
            self.values.remove(key);
        }
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

/// Into so many places the things are divided that values of a [`Dependent`] cache hang on. A change of one lets go of what hangs on the
/// others of its place too, which costs a look-up and nothing else.
const PLACES: usize = 4096;

/// A cache whose values hang on something that isn't their key, such as a grant on its person. That this changed is noted in no time,
/// however much is kept: a value is held against it when it is asked for.
pub struct Dependent<K, V, S = Quick> {
    /// With the count of changes before the value was looked up.
    values: Cache<K, (V, u64), S>,
    changes: AtomicU64,
    /// The last change in each place.
    last: Box<[AtomicU64]>,
    places: Quick,
}

impl<K: Clone + Eq + Hash, V: Clone> Dependent<K, V> {
    /// A cache of `capacity` values at most.
    pub fn new(capacity: usize) -> Self {
        Self::of(Cache::new(capacity))
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Dependent<K, V, RandomState> {
    /// The same where strangers choose the keys that are kept.
    pub fn of_strangers(capacity: usize) -> Self {
        Self::of(Cache::of_strangers(capacity))
    }
}

impl<K: Clone + Eq + Hash, V: Clone, S: BuildHasher + Clone + Default> Dependent<K, V, S> {
    fn of(values: Cache<K, (V, u64), S>) -> Self {
        Self {
            values,
            changes: AtomicU64::new(0),
            last: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            places: Quick::default(),
        }
    }

    /// The value, if it is there and what it hangs `on` hasn't changed since.
    pub fn get<D: Hash>(&self, key: &K, on: impl Fn(&V) -> D) -> Option<V> {
        let (value, known) = self.values.get(key)?;
        if self.last_change(&on(&value)).load(Ordering::SeqCst) <= known {
            return Some(value);
        }
        self.values.remove(key);
        None
    }

    /// The value, loaded where it isn't there or where what it hangs `on` has changed since. What `load` doesn't find isn't kept.
    pub async fn get_or_load<E, D: Hash>(
        &self,
        key: &K,
        on: impl Fn(&V) -> D,
        load: impl Future<Output = Result<Option<V>, E>>,
    ) -> Result<Option<V>, E> {
        match self.get(key, on) {
            None => self.load(key, load).await,
            kept => Ok(kept),
        }
    }

    /// Loads a value that [`Self::get`] hasn't found.
    pub async fn load<E>(
        &self,
        key: &K,
        load: impl Future<Output = Result<Option<V>, E>>,
    ) -> Result<Option<V>, E> {
        // Before the look-up: a change that comes meanwhile may be in what is found or not.
        let known = self.changes.load(Ordering::SeqCst);
        let load = async { Ok(load.await?.map(|value| (value, known))) };
        let found = self.values.get_or_load(key, load).await?;
        Ok(found.map(|(value, _)| value))
    }

    /// Notes that something changed that values may hang on.
    pub fn changed(&self, on: &impl Hash) {
        let change = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
        self.last_change(on).fetch_max(change, Ordering::SeqCst);
    }

    /// Forgets a value.
    pub fn remove(&self, key: &K) {
        self.values.remove(key);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.values.clear();
    }

    fn last_change(&self, on: &impl Hash) -> &AtomicU64 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the remainder is less than the number of places, whatever the width of a word"
        )]
        let place = self.places.hash_one(on) as usize % PLACES;
        &self.last[place]
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
    fn what_was_found_before_a_removal_is_not_kept() {
        let cache = Cache::<u8, u8>::new(10);
        let before = cache.removals();
        cache.keep(&1, 7, before);
        assert_eq!(cache.get(&1), Some(7));
        cache.remove(&2);
        cache.keep(&1, 8, before);
        assert_eq!(cache.get(&1), Some(7), "of another key");
        cache.clear();
        cache.keep(&1, 7, before);
        assert_eq!(cache.get(&1), None);
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

    /// What the cache says of 1, whose value is its owner; `meanwhile` happens while it is looked up.
    fn owner(cache: &Dependent<u8, u8>, found: u8, meanwhile: impl Fn()) -> u8 {
        let load = async {
            meanwhile();
            Ok::<_, ()>(Some(found))
        };
        let value = cache.get_or_load(&1, |owner| *owner, load).now_or_never();
        value.expect("ready").expect("no failure").expect("a value")
    }

    #[test]
    fn a_value_hangs_on_what_changes() {
        let cache = Dependent::new(10);
        assert_eq!(owner(&cache, 7, || ()), 7);
        cache.changed(&8_u8);
        assert_eq!(owner(&cache, 70, || ()), 7, "another's change");
        cache.changed(&7_u8);
        assert_eq!(owner(&cache, 7, || ()), 7);
        assert_eq!(owner(&cache, 70, || ()), 7, "kept again");
        cache.changed(&7_u8);
        assert_eq!(owner(&cache, 70, || ()), 70);
        cache.remove(&1);
        assert_eq!(owner(&cache, 71, || ()), 71);
        cache.clear();
        assert_eq!(owner(&cache, 72, || ()), 72);
    }

    #[test]
    fn a_change_during_the_look_up_is_heard_where_nothing_was_kept() {
        let cache = Dependent::new(10);
        assert_eq!(owner(&cache, 7, || cache.changed(&7_u8)), 7);
        assert_eq!(
            owner(&cache, 70, || ()),
            70,
            "what was found before the change"
        );
        // And so is a removal.
        let cache = Dependent::new(10);
        assert_eq!(owner(&cache, 7, || cache.remove(&1)), 7);
        assert_eq!(owner(&cache, 70, || ()), 70);
    }
}
