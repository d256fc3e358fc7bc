//! A bounded map for what is dear to derive and safe to forget: unwrapped account keys, signing keys.
//!
//! Two generations: what is used moves to the young one; when that is full it becomes the old one, and
//! what nobody asked for since the last time is dropped, and with it wiped. So the map never holds more
//! than it is told, and the entries in use stay. Sharded, so that callers on several cores seldom wait
//! for each other; a lock is held for a lookup only.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Parts with a lock of their own.
const SHARDS: usize = 16;

/// See the module.
pub struct Cache<K, V> {
    shards: [Mutex<Generations<K, V>>; SHARDS],
    hasher: RandomState,
    /// Entries of one generation of one shard.
    generation_max: usize,
}

struct Generations<K, V> {
    young: Entries<K, V>,
    old: Entries<K, V>,
}

/// By the hash of the key, which is drawn anew for each process: two keys of one hash displace each other.
type Entries<K, V> = HashMap<u64, (K, V), BuildHasherDefault<Hashed>>;

/// Passes on what is a hash already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// A map of at most `entries_max` entries, and at least of two a shard.
    #[must_use]
    pub fn new(entries_max: usize) -> Self {
        let empty = || Generations { young: HashMap::default(), old: HashMap::default() };
        Self {
            shards: std::array::from_fn(|_| Mutex::new(empty())),
            hasher: RandomState::new(),
            generation_max: (entries_max / (2 * SHARDS)).max(1),
        }
    }

    /// What was kept for `key`, if it is still there.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash)?;
        if let Some((kept, value)) = shard.young.get(&hash) {
            return (kept.borrow() == key).then(|| value.clone());
        }
        let (kept, value) = shard.old.remove(&hash).filter(|(kept, _)| kept.borrow() == key)?;
        let found = value.clone();
        self.put(&mut shard, hash, kept, value);
        Some(found)
    }

    /// Keeps `value` for `key` for a while.
    pub fn insert(&self, key: K, value: V) {
        let hash = self.hasher.hash_one(&key);
        if let Some(mut shard) = self.shard(hash) {
            shard.old.remove(&hash);
            self.put(&mut shard, hash, key, value);
        }
    }

    /// Forgets whatever `keep` does not want kept.
    pub fn retain(&self, keep: impl Fn(&K, &V) -> bool) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.young.retain(|_, (key, value)| keep(key, value));
            shard.old.retain(|_, (key, value)| keep(key, value));
        }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let count = |shard: &Generations<K, V>| shard.young.len() + shard.old.len();
        self.shards.iter().map(|shard| count(&lock(shard))).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn put(&self, shard: &mut Generations<K, V>, hash: u64, key: K, value: V) {
        if shard.young.len() >= self.generation_max && !shard.young.contains_key(&hash) {
            shard.old = std::mem::take(&mut shard.young);
        }
        shard.young.insert(hash, (key, value));
    }

    /// The part that a hash belongs to: always there.
    fn shard(&self, hash: u64) -> Option<MutexGuard<'_, Generations<K, V>>> {
        // The upper bits, since maps use the lower ones.
        let index = usize::try_from(hash >> 60).ok()?;
        self.shards.get(index).map(lock)
    }
}

fn lock<K, V>(shard: &Mutex<Generations<K, V>>) -> MutexGuard<'_, Generations<K, V>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K, V> std::fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cache(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects memory: whatever is put in, the bound holds.
    #[test]
    fn no_more_is_kept_than_was_agreed() {
        let cache = Cache::new(320);
        for number in 0..100_000_u32 {
            cache.insert(number, number);
        }
        assert!((100..=320).contains(&cache.len()), "{}", cache.len());
    }

    /// Protects speed: an entry in use outlives any number of others.
    #[test]
    fn what_is_used_stays() {
        let cache = Cache::new(64);
        cache.insert("used".to_owned(), 1);
        for number in 0..10_000 {
            cache.insert(number.to_string(), 0);
            assert_eq!(cache.get("used"), Some(1), "after {number}");
        }
        assert_eq!(cache.get("0"), None);
    }

    /// Protects those who take something back: what is replaced or dropped is not found again.
    #[test]
    fn what_is_replaced_or_dropped_is_gone() {
        let cache = Cache::new(64);
        cache.insert(1, "old");
        cache.insert(1, "new");
        cache.insert(2, "other");
        assert_eq!(cache.get(&1), Some("new"));
        cache.retain(|_, value| *value != "new");
        assert_eq!((cache.get(&1), cache.get(&2), cache.len()), (None, Some("other"), 1));
    }
}
