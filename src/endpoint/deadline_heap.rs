//! The deadlines of all sessions: which is next, in constant time.

#![forbid(unsafe_code)]

use alloc::vec::Vec;

use crate::time::Instant;

/// One deadline for each key, at most. A binary heap that knows where every key is, so a deadline that moves takes its entry along and
/// one that is dropped leaves none behind.
///
/// Setting and removing take logarithmic time, looking constant time. Deadlines of the same instant come in the order of their keys:
/// the same calls give the same order in every run.
///
/// Keys are places in a [`Slab`](super::slab::Slab): dense from zero, since the table of positions is as long as the greatest key. It
/// keeps these four bytes for each; the heap itself shrinks.
pub(crate) struct DeadlineHeap {
    /// Each no later than those at `2n + 1` and `2n + 2`.
    heap: Vec<Entry>,
    /// By key: where in the heap it is, or `NOWHERE`.
    positions: Vec<u32>,
}

type Entry = (Instant, u32);

const NOWHERE: u32 = u32::MAX;

/// Up to this many entries the heap is not worth shrinking.
const SMALL: usize = 64;

impl DeadlineHeap {
    pub(crate) const fn new() -> Self {
        Self { heap: Vec::new(), positions: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// The earliest deadline and whose it is.
    pub(crate) fn peek(&self) -> Option<(Instant, u32)> {
        self.heap.first().copied()
    }

    /// The deadline of `key`.
    pub(crate) fn get(&self, key: u32) -> Option<Instant> {
        self.entry(self.position(key)?).map(|(deadline, _)| deadline)
    }

    /// Gives `key` this deadline, in place of the one it has.
    pub(crate) fn set(&mut self, key: u32, deadline: Instant) {
        let position = self.position(key).unwrap_or_else(|| {
            self.heap.push((deadline, key));
            self.heap.len().saturating_sub(1)
        });
        self.put(position, (deadline, key));
        self.settle(position);
    }

    /// Drops the deadline of `key`, if it has one.
    pub(crate) fn remove(&mut self, key: u32) -> Option<Instant> {
        let position = self.position(key)?;
        let (deadline, _) = self.heap.get(position).copied()?;
        let last = self.heap.pop()?;
        self.place(key, NOWHERE);
        if position < self.heap.len() {
            self.put(position, last);
            self.settle(position);
        }
        if self.heap.len() < self.heap.capacity() / 4 {
            self.heap.shrink_to(self.heap.len().saturating_mul(2).max(SMALL));
        }
        Some(deadline)
    }

    /// Takes the earliest deadline, if it has come at `now`; it is gone then.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let (_, key) = self.peek().filter(|(deadline, _)| *deadline <= now)?;
        self.remove(key);
        Some(key)
    }

    /// Moves the entry at `position` up or down to where it belongs.
    fn settle(&mut self, position: usize) {
        let position = self.rise(position);
        self.sink(position);
    }

    fn rise(&mut self, mut position: usize) -> usize {
        while let Some(parent) = position.checked_sub(1).map(|before| before / 2) {
            if !self.swap_if_earlier(position, parent) {
                break;
            }
            position = parent;
        }
        position
    }

    fn sink(&mut self, mut position: usize) {
        loop {
            let left = position.saturating_mul(2).saturating_add(1);
            let right = left.saturating_add(1);
            let right_is_earlier = self.entry(right).is_some_and(|entry| Some(entry) < self.entry(left));
            let child = if right_is_earlier { right } else { left };
            if !self.swap_if_earlier(child, position) {
                return;
            }
            position = child;
        }
    }

    /// Swaps a child with its parent, if it is there and its deadline is the earlier one.
    fn swap_if_earlier(&mut self, child: usize, parent: usize) -> bool {
        let (Some(lower), Some(upper)) = (self.entry(child), self.entry(parent)) else { return false };
        if lower >= upper {
            return false;
        }
        self.put(child, upper);
        self.put(parent, lower);
        true
    }

    fn entry(&self, position: usize) -> Option<Entry> {
        self.heap.get(position).copied()
    }

    fn put(&mut self, position: usize, entry: Entry) {
        let (Some(slot), Ok(number)) = (self.heap.get_mut(position), u32::try_from(position)) else { return };
        *slot = entry;
        self.place(entry.1, number);
    }

    fn position(&self, key: u32) -> Option<usize> {
        self.positions
            .get(key as usize)
            .copied()
            .filter(|position| *position != NOWHERE)
            .map(|position| position as usize)
    }

    fn place(&mut self, key: u32, position: u32) {
        let key = key as usize;
        if key >= self.positions.len() {
            self.positions.resize(key.saturating_add(1), NOWHERE);
        }
        if let Some(slot) = self.positions.get_mut(key) {
            *slot = position;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn deadlines_come_in_their_order_and_only_when_they_are_due() {
        let mut heap = DeadlineHeap::new();
        for (key, deadline) in [(0, 30), (1, 10), (2, 20), (3, 10)] {
            heap.set(key, at(deadline));
        }
        assert_eq!(heap.pop_due(at(9)), None);
        assert_eq!(heap.peek(), Some((at(10), 1)));
        heap.set(0, at(5));
        heap.set(1, at(25));
        heap.remove(3);
        assert_eq!(heap.get(1), Some(at(25)));
        let due: Vec<_> = core::iter::from_fn(|| heap.pop_due(at(20))).collect();
        assert_eq!(due, [0, 2]);
        assert_eq!(heap.peek(), Some((at(25), 1)));
        assert_eq!(heap.remove(1), Some(at(25)));
        assert_eq!((heap.len(), heap.peek(), heap.remove(1), heap.remove(99)), (0, None, None, None));
    }

    #[test]
    fn a_key_has_one_entry_however_often_it_moves() {
        let mut heap = DeadlineHeap::new();
        for micros in 0..10_000 {
            heap.set((micros % 7) as u32, at(micros));
        }
        assert_eq!(heap.len(), 7);
    }

    #[test]
    fn an_emptied_heap_gives_its_memory_back() {
        let mut heap = DeadlineHeap::new();
        for key in 0..10_000 {
            heap.set(key, at(0));
        }
        while heap.pop_due(at(0)).is_some() {}
        assert!(heap.heap.capacity() <= 2 * SMALL);
    }

    #[derive(Clone, Debug)]
    enum Operation {
        Set(u32, u64),
        Remove(u32),
        PopDue(u64),
    }

    fn operation() -> impl Strategy<Value = Operation> {
        prop_oneof![
            4 => (0..60_u32, 0..100_u64).prop_map(|(key, deadline)| Operation::Set(key, deadline)),
            1 => (0..60_u32).prop_map(Operation::Remove),
            1 => (0..100_u64).prop_map(Operation::PopDue),
        ]
    }

    proptest! {
        #[test]
        fn it_does_what_an_ordered_set_does(operations in proptest::collection::vec(operation(), 0..300)) {
            let mut heap = DeadlineHeap::new();
            let mut set = BTreeSet::new();
            let mut map = BTreeMap::new();
            for operation in operations {
                match operation {
                    Operation::Set(key, deadline) => {
                        heap.set(key, at(deadline));
                        if let Some(old) = map.insert(key, at(deadline)) {
                            set.remove(&(old, key));
                        }
                        set.insert((at(deadline), key));
                    }
                    Operation::Remove(key) => {
                        let removed = map.remove(&key);
                        prop_assert_eq!(heap.remove(key), removed);
                        set.retain(|(_, other)| *other != key);
                    }
                    Operation::PopDue(now) => {
                        let due = set.first().copied().filter(|(deadline, _)| *deadline <= at(now));
                        prop_assert_eq!(heap.pop_due(at(now)), due.map(|(_, key)| key));
                        if let Some((deadline, key)) = due {
                            set.remove(&(deadline, key));
                            map.remove(&key);
                        }
                    }
                }
                prop_assert_eq!(heap.peek(), set.first().copied());
                prop_assert_eq!(heap.len(), set.len());
                prop_assert!((0..60).all(|key| heap.get(key) == map.get(&key).copied()));
            }
        }
    }
}
