//! How many sessions and half-open handshakes a peer or an address has.

#![forbid(unsafe_code)]

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use core::num::NonZeroU32;

/// A count for each key, bounded in both ways: in how much a key may have, and in how many keys have anything.
///
/// Each call takes logarithmic time, and a key whose count comes to zero takes no memory.
#[derive(Clone, Debug)]
pub(crate) struct Counts<K> {
    counts: BTreeMap<K, NonZeroU32>,
    max_keys: usize,
    max_each: u32,
}

/// Why a count did not rise. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// This key has as many as one may have.
    Key,
    /// As many other keys have something as may at once.
    Keys,
}

impl<K: Ord + Copy> Counts<K> {
    /// At most `max_keys` keys at once, and at most `max_each` for each of them.
    pub(crate) const fn new(max_keys: usize, max_each: u32) -> Self {
        Self { counts: BTreeMap::new(), max_keys, max_each }
    }

    /// How many keys have anything.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> usize {
        self.counts.len()
    }

    /// How many `key` has.
    pub(crate) fn get(&self, key: K) -> u32 {
        self.counts.get(&key).map_or(0, |count| count.get())
    }

    /// One more for `key`.
    ///
    /// # Errors
    /// [`Full`] if that would be more than one of the bounds.
    pub(crate) fn increment(&mut self, key: K) -> Result<(), Full> {
        let has_room = self.counts.len() < self.max_keys;
        match self.counts.entry(key) {
            Entry::Occupied(count) if count.get().get() >= self.max_each => Err(Full::Key),
            Entry::Vacant(_) if self.max_each == 0 => Err(Full::Key),
            Entry::Vacant(_) if !has_room => Err(Full::Keys),
            Entry::Occupied(mut count) => {
                let more = count.get().saturating_add(1);
                count.insert(more);
                Ok(())
            }
            Entry::Vacant(key) => {
                key.insert(NonZeroU32::MIN);
                Ok(())
            }
        }
    }

    /// One less for `key`. A key that has none keeps none.
    pub(crate) fn decrement(&mut self, key: K) {
        if let Entry::Occupied(mut count) = self.counts.entry(key) {
            match NonZeroU32::new(count.get().get().saturating_sub(1)) {
                Some(less) => *count.get_mut() = less,
                None => {
                    count.remove();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_stop_at_both_bounds_and_go_on_below() {
        let mut counts = Counts::new(2, 3);
        assert!((0..3).all(|_| counts.increment('a').is_ok()));
        assert_eq!(counts.increment('a'), Err(Full::Key));
        assert_eq!(counts.increment('b'), Ok(()));
        assert_eq!(counts.increment('c'), Err(Full::Keys));
        assert_eq!((counts.get('a'), counts.get('b'), counts.get('c'), counts.keys()), (3, 1, 0, 2));
        counts.decrement('b');
        counts.decrement('b');
        assert_eq!((counts.get('b'), counts.keys()), (0, 1));
        assert_eq!(counts.increment('c'), Ok(()));
    }

    #[test]
    fn bounds_of_zero_admit_nothing() {
        assert_eq!(Counts::new(5, 0).increment('a'), Err(Full::Key));
        assert_eq!(Counts::new(0, 5).increment('a'), Err(Full::Keys));
    }

    proptest! {
        #[test]
        fn it_counts(operations in proptest::collection::vec((any::<bool>(), 0..6_usize), 0..200)) {
            const MAX_KEYS: usize = 4;
            const MAX_EACH: u32 = 3;
            let mut counts = Counts::new(MAX_KEYS, MAX_EACH);
            let mut reference = [0_u32; 6];
            for (up, key) in operations {
                let keys = reference.iter().filter(|count| **count > 0).count();
                let count = &mut reference[key];
                if up {
                    let fits = *count < MAX_EACH && (*count > 0 || keys < MAX_KEYS);
                    prop_assert_eq!(counts.increment(key).is_ok(), fits);
                    *count += u32::from(fits);
                } else {
                    counts.decrement(key);
                    *count = count.saturating_sub(1);
                }
                prop_assert!((0..6).all(|key| counts.get(key) == reference[key]));
                prop_assert_eq!(counts.keys(), reference.iter().filter(|count| **count > 0).count());
            }
        }
    }
}
