//! A hash table of one size.

#![forbid(unsafe_code)]

use alloc::vec;
use alloc::vec::Vec;

use super::mixer::Mixer;

/// Open addressing with linear probing, so that a look-up mostly reads one line of memory. Removal shifts back what follows, so that
/// there are no tombstones and a table that churns for years stays as fast as a new one.
///
/// Every probing ends at a vacancy: whoever adds entries sees to it that a quarter stays vacant.
pub(super) struct Table {
    /// None, or a power of two of them.
    entries: Vec<Entry>,
    len: usize,
}

/// An id and one more than its place; 0 where there is no entry. A tuple of numbers, because a vector of these that are zero comes from
/// the allocator as it is, and a large one then costs nothing until it is used.
type Entry = (u64, u32);

const VACANT: Entry = (0, 0);

impl Table {
    /// A table that takes no entries and no memory.
    pub(super) const fn none() -> Self {
        Self { entries: Vec::new(), len: 0 }
    }

    /// A table of `capacity` entries, all vacant: a power of two.
    pub(super) fn vacant(capacity: usize) -> Self {
        Self { entries: vec![VACANT; capacity], len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn capacity(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, mixer: &Mixer, id: u64) -> Option<u32> {
        self.entries.get(self.find(mixer, id)?)?.1.checked_sub(1)
    }

    /// Adds an id that is not there. Does nothing with the place `u32::MAX`, which is none.
    pub(super) fn add(&mut self, mixer: &Mixer, id: u64, place: u32) {
        let Some(place) = place.checked_add(1) else { return };
        if let Some(position) = self.find(mixer, id) {
            self.put(position, (id, place));
            self.len = self.len.saturating_add(1);
        }
    }

    pub(super) fn remove(&mut self, mixer: &Mixer, id: u64) -> Option<u32> {
        let position = self.find(mixer, id)?;
        self.take(mixer, position).map(|(_, place)| place)
    }

    /// Takes out the entry at `position`, if one is there: the id and its place.
    pub(super) fn take(&mut self, mixer: &Mixer, position: usize) -> Option<(u64, u32)> {
        let (id, place) = self.entries.get(position).copied()?;
        let place = place.checked_sub(1)?;
        self.close(mixer, position);
        self.len = self.len.saturating_sub(1);
        Some((id, place))
    }

    /// Where `id` is, or else the vacancy where its probing ends.
    fn find(&self, mixer: &Mixer, id: u64) -> Option<usize> {
        let mut position = self.home(mixer, id);
        loop {
            let entry = self.entries.get(position)?;
            if entry.0 == id || *entry == VACANT {
                return Some(position);
            }
            position = self.after(position);
        }
    }

    /// Makes `hole` vacant: each entry behind it, up to the next vacancy, moves into the hole if its probing passes there.
    fn close(&mut self, mixer: &Mixer, mut hole: usize) {
        let mut position = hole;
        loop {
            position = self.after(position);
            let Some(entry) = self.entries.get(position).copied().filter(|entry| *entry != VACANT) else { break };
            if self.distance(self.home(mixer, entry.0), position) >= self.distance(hole, position) {
                self.put(hole, entry);
                hole = position;
            }
        }
        self.put(hole, VACANT);
    }

    fn put(&mut self, position: usize, entry: Entry) {
        if let Some(slot) = self.entries.get_mut(position) {
            *slot = entry;
        }
    }

    /// Where the probing for `id` begins.
    const fn home(&self, mixer: &Mixer, id: u64) -> usize {
        mixer.mix(id) as usize & self.mask()
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

    /// Steps of probing beyond the first to all entries.
    #[cfg(test)]
    pub(super) fn probing(&self, mixer: &Mixer) -> usize {
        let entries = self.entries.iter().enumerate().filter(|(_, entry)| **entry != VACANT);
        entries.map(|(position, entry)| self.distance(self.home(mixer, entry.0), position)).sum()
    }
}
