//! A map from 64-bit ids to places, made for one look-up per packet.

#![forbid(unsafe_code)]

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::crypto::generator::Generator;

/// An open-addressing hash table: linear probing, so that a look-up mostly reads one line of memory; removal shifts back what follows,
/// so that there are no tombstones and a table that churns for years stays as fast as a new one.
///
/// Three quarters full at most. Where an id lies depends on a secret key, so nobody outside can choose ids that lie together. Finding
/// takes constant time; inserting and removing do on average, since the table doubles and halves.
pub(crate) struct IdMap {
    /// Empty, or a power of two of them.
    entries: Vec<Entry>,
    len: usize,
    mixer: Mixer,
}

#[derive(Clone, Copy)]
struct Entry {
    id: u64,
    /// `VACANT` where there is no entry.
    place: u32,
}

/// No place in a [`Slab`](super::slab::Slab) has this number.
const VACANT: u32 = u32::MAX;

const NOTHING: Entry = Entry { id: 0, place: VACANT };

/// The shortest table with anything in it.
const MIN_CAPACITY: usize = 16;

impl IdMap {
    /// An empty map, keyed from the generator's secret domain.
    pub(crate) fn new(generator: &mut Generator) -> Self {
        Self { entries: Vec::new(), len: 0, mixer: Mixer::new(generator) }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, id: u64) -> Option<u32> {
        let entry = self.entries.get(self.find(id)?)?;
        (entry.place != VACANT).then_some(entry.place)
    }

    /// Adds an id. False, and nothing changes, if the map has it already, or if `place` is `u32::MAX`, which is none.
    pub(crate) fn insert(&mut self, id: u64, place: u32) -> bool {
        if place == VACANT || self.get(id).is_some() {
            return false;
        }
        if self.len.saturating_add(1) > most(self.entries.len()) {
            self.resize(self.entries.len().saturating_mul(2).max(MIN_CAPACITY));
        }
        self.add(Entry { id, place });
        self.len = self.len.saturating_add(1);
        true
    }

    /// Takes an id out.
    pub(crate) fn remove(&mut self, id: u64) -> Option<u32> {
        let hole = self.find(id)?;
        let place = self.entries.get(hole).map(|entry| entry.place).filter(|place| *place != VACANT)?;
        self.close(hole);
        self.len = self.len.saturating_sub(1);
        // Far below what would double it again.
        if self.entries.len() > MIN_CAPACITY && self.len < self.entries.len() / 8 {
            self.resize(self.entries.len() / 2);
        }
        Some(place)
    }

    /// Where `id` is, or else the vacancy where its probing ends.
    fn find(&self, id: u64) -> Option<usize> {
        let mut position = self.home(id);
        loop {
            let entry = self.entries.get(position)?;
            if entry.id == id || entry.place == VACANT {
                return Some(position);
            }
            // A vacancy ends this: a quarter of the table is.
            position = self.after(position);
        }
    }

    /// Puts in an entry whose id is not there.
    fn add(&mut self, entry: Entry) {
        if let Some(slot) = self.find(entry.id).and_then(|position| self.entries.get_mut(position)) {
            *slot = entry;
        }
    }

    /// Makes `hole` vacant: each entry behind it, up to the next vacancy, moves into the hole if its probing passes there.
    fn close(&mut self, mut hole: usize) {
        let mut position = hole;
        loop {
            position = self.after(position);
            let Some(entry) = self.entries.get(position).copied().filter(|entry| entry.place != VACANT) else { break };
            if self.distance(self.home(entry.id), position) >= self.distance(hole, position) {
                self.put(hole, entry);
                hole = position;
            }
        }
        self.put(hole, NOTHING);
    }

    fn put(&mut self, position: usize, entry: Entry) {
        if let Some(slot) = self.entries.get_mut(position) {
            *slot = entry;
        }
    }

    fn resize(&mut self, capacity: usize) {
        let old = core::mem::replace(&mut self.entries, vec![NOTHING; capacity]);
        for entry in old.into_iter().filter(|entry| entry.place != VACANT) {
            self.add(entry);
        }
    }

    /// Where the probing for `id` begins.
    const fn home(&self, id: u64) -> usize {
        self.mixer.mix(id) as usize & self.mask()
    }

    const fn after(&self, position: usize) -> usize {
        position.wrapping_add(1) & self.mask()
    }

    /// Steps of probing from one position to another.
    const fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.mask()
    }

    const fn mask(&self) -> usize {
        self.entries.len().saturating_sub(1)
    }
}

/// How many entries a table takes before it has to double.
const fn most(capacity: usize) -> usize {
    capacity.saturating_sub(capacity / 4)
}

impl fmt::Debug for IdMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdMap").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Spreads ids over the table, by a secret key.
///
/// Two rounds of multiply and xor-shift between key additions. That is no cipher, and needs not be: ids are random numbers of ours or
/// prefixes of SHA-256, and what this decides is seen only as time.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Mixer {
    add: u64,
    multiply: u64,
}

impl Mixer {
    fn new(generator: &mut Generator) -> Self {
        let mut draw = || {
            let mut bytes = [0; 8];
            generator.secret(&mut bytes);
            u64::from_le_bytes(bytes)
        };
        // Odd, or else multiplying would lose bits.
        Self { add: draw(), multiply: draw() | 1 }
    }

    const fn mix(&self, id: u64) -> u64 {
        let mut mixed = (id ^ self.add).wrapping_mul(self.multiply);
        mixed ^= mixed >> 32;
        mixed = mixed.wrapping_mul(self.multiply);
        mixed ^ (mixed >> 32)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::seed::Seed;

    fn map() -> IdMap {
        IdMap::new(&mut Generator::new(Seed::new([7; 32]).unwrap()))
    }

    #[test]
    fn an_id_is_there_once_and_until_it_is_removed() {
        let mut map = map();
        assert_eq!((map.get(0), map.remove(0)), (None, None));
        assert!(map.insert(0, 5) && map.insert(u64::MAX, 6));
        assert!(!map.insert(0, 7), "taken");
        assert!(!map.insert(1, u32::MAX), "no place");
        assert_eq!((map.get(0), map.get(u64::MAX), map.get(1), map.len()), (Some(5), Some(6), None, 2));
        assert_eq!((map.remove(0), map.remove(0), map.get(u64::MAX)), (Some(5), None, Some(6)));
    }

    #[test]
    fn memory_follows_the_number_of_ids() {
        let mut map = map();
        for id in 0..100_000 {
            map.insert(id, 0);
            assert!(map.len() * 4 <= map.entries.len() * 3);
        }
        for id in 0..100_000 {
            map.remove(id);
            assert!(map.entries.len() <= (map.len() * 8).max(MIN_CAPACITY));
        }
        assert_eq!(map.entries.capacity(), MIN_CAPACITY);
    }

    #[test]
    fn a_map_that_stays_at_its_bounds_does_not_resize_to_and_fro() {
        let mut map = map();
        for id in 0..13 {
            map.insert(id, 0);
        }
        let capacity = map.entries.len();
        for id in 13..1_000 {
            map.insert(id, 0);
            map.remove(id);
            assert_eq!(map.entries.len(), capacity);
        }
    }

    /// Counters, ids with a server's number on top, multiples of a power of two: as short probes as for random ids.
    #[test]
    fn ids_with_a_pattern_spread_like_random_ones() {
        let patterns: [fn(u64) -> u64; 4] = [|n| n, |n| n << 32, |n| n << 48 | 0xABCD, |n| n.reverse_bits()];
        for pattern in patterns {
            let mut map = map();
            for n in 0..49_000 {
                map.insert(pattern(n), n as u32);
            }
            let steps = map.entries.iter().enumerate().filter(|(_, entry)| entry.place != VACANT);
            let steps: usize = steps.map(|(position, entry)| map.distance(map.home(entry.id), position)).sum();
            // Knuth: 1.5 steps beyond the first at three quarters.
            assert!(steps < 49_000 * 2, "{steps}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let text = std::format!("{:?}", map());
        assert_eq!(text, "IdMap { len: 0, .. }");
    }

    proptest! {
        /// With a multiplier of 1 the ids lie together, in long runs.
        #[test]
        fn it_does_what_an_ordered_map_does(
            multiply in prop_oneof![Just(1_u64), any::<u64>().prop_map(|key| key | 1)],
            operations in proptest::collection::vec((any::<bool>(), 0..80_u64, 0..10_u32), 0..500),
        ) {
            let mut map = map();
            map.mixer.multiply = multiply;
            let mut reference = BTreeMap::new();
            for (insert, id, place) in operations {
                if insert {
                    prop_assert_eq!(map.insert(id, place), !reference.contains_key(&id));
                    reference.entry(id).or_insert(place);
                } else {
                    prop_assert_eq!(map.remove(id), reference.remove(&id));
                }
                prop_assert_eq!(map.len(), reference.len());
                prop_assert!((0..80).all(|id| map.get(id) == reference.get(&id).copied()));
            }
        }
    }
}
