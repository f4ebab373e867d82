//! A map from 64-bit ids to places, made for one look-up per packet.

#![forbid(unsafe_code)]

mod mixer;
mod table;

use core::fmt;

use mixer::Mixer;
use table::Table;

use crate::crypto::generator::Generator;

/// A hash table that grows and shrinks a little at a time.
///
/// Where an id lies depends on a secret key, so nobody outside can choose ids that lie together. Every call takes constant time, apart
/// from the allocator's: a table that has become too small or too large is emptied into its successor by the insertions and removals
/// that follow, a few entries each, so that no packet waits until a million of them have moved.
pub(crate) struct IdMap {
    /// Three quarters full at most, with what is still in `old`.
    table: Table,
    /// The table before it, while there is anything in it.
    old: Table,
    /// So much of `old` is vacant for good.
    moved: usize,
    mixer: Mixer,
}

/// The shortest table with anything in it.
const MIN_CAPACITY: usize = 16;

/// How many entries or vacancies of the old table each insertion and removal deals with. So an old table of n is empty after less than
/// n/16 of them, and its successor, of 2n or n/2, is neither full nor nearly empty before n/16.
const MOVES: usize = 32;

impl IdMap {
    /// An empty map, keyed from the generator's secret domain.
    pub(crate) fn new(generator: &mut Generator) -> Self {
        Self { table: Table::none(), old: Table::none(), moved: 0, mixer: Mixer::new(generator) }
    }

    pub(crate) const fn len(&self) -> usize {
        self.table.len().saturating_add(self.old.len())
    }

    pub(crate) fn get(&self, id: u64) -> Option<u32> {
        self.table.get(&self.mixer, id).or_else(|| self.old.get(&self.mixer, id))
    }

    /// Adds an id. False, and nothing changes, if the map has it already, or if `place` is `u32::MAX`, which is none.
    pub(crate) fn insert(&mut self, id: u64, place: u32) -> bool {
        if place == u32::MAX || self.get(id).is_some() {
            return false;
        }
        self.go_on_moving();
        if self.len() >= most(self.table.capacity()) {
            self.resize(self.table.capacity().saturating_mul(2).max(MIN_CAPACITY));
        }
        self.table.add(&self.mixer, id, place);
        true
    }

    /// Takes an id out.
    pub(crate) fn remove(&mut self, id: u64) -> Option<u32> {
        let place = self.table.remove(&self.mixer, id).or_else(|| self.old.remove(&self.mixer, id))?;
        self.go_on_moving();
        // Far below what would double it again.
        let capacity = self.table.capacity();
        if capacity > MIN_CAPACITY && self.len() < capacity / 8 {
            self.resize(capacity / 2);
        }
        Some(place)
    }

    /// Begins to move into a table of another size.
    fn resize(&mut self, capacity: usize) {
        while self.old.len() > 0 {
            // Does not come to pass: see `MOVES`.
            self.go_on_moving();
        }
        self.old = core::mem::replace(&mut self.table, Table::vacant(capacity));
        self.moved = 0;
    }

    /// Moves a few entries of the old table, and drops it after the last one.
    fn go_on_moving(&mut self) {
        if self.old.capacity() == 0 {
            return;
        }
        for _ in 0..MOVES {
            match self.old.take(&self.mixer, self.moved) {
                Some((id, place)) => self.table.add(&self.mixer, id, place),
                None => self.moved = self.moved.saturating_add(1),
            }
        }
        if self.old.len() == 0 {
            self.old = Table::none();
        }
    }
}

/// How many entries a table takes before it has to double.
const fn most(capacity: usize) -> usize {
    capacity.saturating_sub(capacity / 4)
}

impl fmt::Debug for IdMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdMap").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
