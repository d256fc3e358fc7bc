//! A sorted map of small entries in pages that snapshots of the state share. A change copies the one page that it
//! is in, and only if a snapshot still holds it; an entry costs its own bytes and a share of half-filled pages.
//! A persistent map of single entries costs several times that, and a change of each entry a path of nodes.

use std::fmt;
use std::sync::Arc;

use imbl::OrdMap;

/// Entries of a page. More make a change dearer, fewer the map of pages larger.
const PAGE_ENTRIES: usize = 32;
/// Entries that a page grows by: pages are many, so that what they set aside counts.
const PAGE_GROWTH: usize = 4;

/// What a page holds, sorted by its key.
pub(in crate::domain) trait Entry: Clone {
    /// What it is found by.
    type Key: Copy + Ord;

    fn key(&self) -> Self::Key;
}

impl<K: Copy + Ord, V: Clone> Entry for (K, V) {
    type Key = K;

    fn key(&self) -> K {
        self.0
    }
}

/// See the module. Each page stands under the key that its first entry had when the page was made, which is
/// not greater than that of any entry in it.
#[derive(Clone)]
pub(in crate::domain) struct Paged<E: Entry> {
    pages: OrdMap<E::Key, Arc<Vec<E>>>,
    len: usize,
}

impl<E: Entry> Default for Paged<E> {
    fn default() -> Self {
        Self { pages: OrdMap::new(), len: 0 }
    }
}

impl<E: Entry + PartialEq> PartialEq for Paged<E> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<E: Entry> fmt::Debug for Paged<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entries in {} pages", self.len, self.pages.len())
    }
}

impl<E: Entry> Paged<E> {
    /// Entries that are sorted and have different keys, in full pages.
    pub(in crate::domain) fn from_sorted(entries: &[E]) -> Self {
        let pages = entries.chunks(PAGE_ENTRIES);
        let pages = pages.filter_map(|page| Some((page.first()?.key(), Arc::new(page.to_vec()))));
        Self { pages: pages.collect(), len: entries.len() }
    }

    pub(in crate::domain) fn len(&self) -> usize {
        self.len
    }

    pub(in crate::domain) fn get(&self, key: &E::Key) -> Option<&E> {
        let (_, page) = self.pages.get_prev(key)?;
        page.get(find(page, key).ok()?)
    }

    pub(in crate::domain) fn iter(&self) -> impl Iterator<Item = &E> {
        self.pages.values().flat_map(|page| page.iter())
    }

    /// The entries from `key` on.
    pub(in crate::domain) fn iter_from(
        &self,
        key: &E::Key,
    ) -> impl Iterator<Item = &E> + use<'_, E> {
        let first = self.pages.get_prev(key).map_or(*key, |(first, _)| *first);
        let pages = self.pages.range(first..).map(|(_, page)| page);
        let key = *key;
        pages.flat_map(|page| page.iter()).skip_while(move |entry| entry.key() < key)
    }

    /// Changes an entry, which keeps its key.
    pub(in crate::domain) fn update<T>(
        &mut self,
        key: &E::Key,
        change: impl FnOnce(&mut E) -> T,
    ) -> Option<T> {
        let (_, page) = self.pages.get_prev_mut(key)?;
        let at = find(page, key).ok()?;
        Arc::make_mut(page).get_mut(at).map(change)
    }

    /// Puts an entry in; the one of its key that was there before.
    pub(in crate::domain) fn insert(&mut self, entry: E) -> Option<E> {
        let key = entry.key();
        let last = self.pages.get_max().is_none_or(|(first, _)| *first <= key);
        let Some((_, page)) = self.pages.get_prev_mut(&key) else {
            self.len += 1;
            self.pages.insert(key, Arc::new(vec![entry]));
            return None;
        };
        let at = match find(page, &key) {
            Ok(at) => {
                let place = Arc::make_mut(page).get_mut(at)?;
                return Some(std::mem::replace(place, entry));
            }
            Err(at) => at,
        };
        self.len += 1;
        if page.len() < PAGE_ENTRIES {
            put(Arc::make_mut(page), at, entry);
            return None;
        }
        // Keys that come in order leave full pages behind them.
        let cut = if last && at == page.len() { at } else { PAGE_ENTRIES / 2 };
        let mut right = Arc::make_mut(page).split_off(cut);
        if at < cut {
            put(Arc::make_mut(page), at, entry);
        } else {
            put(&mut right, at - cut, entry);
        }
        if let Some(first) = right.first().map(Entry::key) {
            self.pages.insert(first, Arc::new(right));
        }
        None
    }

    /// Takes an entry out. Pages that empty go; others stay as they are, for ids that are drawn fill them again.
    pub(in crate::domain) fn remove(&mut self, key: &E::Key) -> Option<E> {
        let (first, page) = self.pages.get_prev_mut(key)?;
        let first = *first;
        let at = find(page, key).ok()?;
        let entry = Arc::make_mut(page).remove(at);
        if page.is_empty() {
            self.pages.remove(&first);
        }
        self.len -= 1;
        Some(entry)
    }
}

fn find<E: Entry>(page: &[E], key: &E::Key) -> Result<usize, usize> {
    page.binary_search_by(|entry| entry.key().cmp(key))
}

fn put<E>(page: &mut Vec<E>, at: usize, entry: E) {
    if page.len() == page.capacity() {
        page.reserve_exact(PAGE_GROWTH);
    }
    page.insert(at, entry);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// What may be done, on few keys, so that pages split, empty and fill again.
    #[derive(Clone, Debug)]
    enum Step {
        Insert(u16, u32),
        Remove(u16),
        Update(u16, u32),
        Snapshot,
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = 0..400_u16;
        prop_oneof![
            6 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
            3 => key.clone().prop_map(Step::Remove),
            3 => (key, any::<u32>()).prop_map(|(key, value)| Step::Update(key, value)),
            1 => Just(Step::Snapshot),
        ]
    }

    type Model = BTreeMap<u16, u32>;

    fn same(paged: &Paged<(u16, u32)>, model: &Model) {
        assert_eq!(paged.len(), model.len());
        assert!(paged.iter().map(|(key, value)| (key, value)).eq(model.iter()));
    }

    proptest! {
        /// Protects the state: whatever is done, pages hold what a plain map holds, and a snapshot stays what it
        /// was when it was taken.
        #[test]
        fn pages_hold_what_a_plain_map_holds(steps in prop::collection::vec(step(), 1..900)) {
            let mut paged = Paged::default();
            let mut model = Model::new();
            let mut snapshots = Vec::new();
            for step in steps {
                match step {
                    Step::Insert(key, value) => {
                        let before = paged.insert((key, value)).map(|(_, value)| value);
                        prop_assert_eq!(before, model.insert(key, value));
                    }
                    Step::Remove(key) => {
                        let before = paged.remove(&key).map(|(_, value)| value);
                        prop_assert_eq!(before, model.remove(&key));
                    }
                    Step::Update(key, value) => {
                        let found = paged.update(&key, |entry| entry.1 = value).is_some();
                        let known = model.get_mut(&key);
                        prop_assert_eq!(found, known.is_some());
                        known.into_iter().for_each(|place| *place = value);
                    }
                    Step::Snapshot => snapshots.push((paged.clone(), model.clone())),
                }
                prop_assert_eq!(paged.get(&200).map(|entry| entry.1), model.get(&200).copied());
            }
            for (paged, model) in snapshots.iter().chain([&(paged, model)]) {
                same(paged, model);
                let from: Vec<_> = paged.iter_from(&150).copied().collect();
                let expected: Vec<_> = model.range(150..).map(|(k, v)| (*k, *v)).collect();
                prop_assert_eq!(from, expected);
                let sorted: Vec<_> = model.iter().map(|(k, v)| (*k, *v)).collect();
                prop_assert!(Paged::from_sorted(&sorted) == *paged);
            }
        }
    }
}
