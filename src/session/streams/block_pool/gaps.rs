//! What comes out of order: bytes that are received beyond a gap, and bytes that are acknowledged beyond one.
//!
//! Each offset from `end` on (in a ring that receives) or from `base` on (in one that sends) has a bit that says whether it is held,
//! here or by the peer. Memory is that of the offsets between, which credit bounds, whatever the pattern of gaps; work is in
//! proportion to the bytes at hand and, where a look-up misses its hint, to the blocks of the window.

#![forbid(unsafe_code)]

use alloc::vec;

use super::{Block, BlockPool, Index, MARKS_PER_BYTE, PLACES_PER_WORD, Piece, Ring};

/// A piece of a message that has come to stand behind all that was there before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::session::streams) struct Joined {
    /// How many bytes of one message.
    pub(in crate::session::streams) len: u64,
    /// The message ends behind them.
    pub(in crate::session::streams) end_of_message: bool,
    /// The message after that end is packed, as far as is known.
    pub(in crate::session::streams) then_packed: bool,
}

impl Ring {
    /// The offset after the highest that has come.
    pub(in crate::session::streams) const fn high(&self) -> u64 {
        self.high
    }

    /// Whether something has come beyond a gap.
    #[cfg(test)]
    pub(in crate::session::streams) const fn has_gap(&self) -> bool {
        self.end < self.high
    }

    /// Whether what would be [`put`](Self::put) contradicts what was put before: a packed message begins in the middle of another.
    pub(in crate::session::streams) fn contradicts(
        &self,
        pool: &BlockPool,
        offset: u64,
        len: usize,
        packed: bool,
    ) -> bool {
        let (from, to) = (offset.max(self.end), offset.saturating_add(len as u64).min(self.high));
        let mut ahead = self.segments(pool, from, to);
        // Where a packed message was promised to begin, the end of the one before it has to come.
        let breaks_promise = ahead.any(|segment| segment.block.has_unheld_end(segment.from, segment.to));
        let before = offset.wrapping_sub(1);
        let mut behind = self.segments(pool, before, offset);
        let within_message = packed
            && (self.end..self.high).contains(&before)
            && behind.any(|at| at.block.is_held(at.from) && !at.block.is_end(pool.block_size, at.from));
        breaks_promise || within_message
    }

    /// Takes bytes that begin at `offset`, and the end of a message behind them if there is one. What is held already stays as it
    /// is. `packed` says that they begin a packed message, which is noted at the end of the one before it; at `end` itself only if
    /// that is held.
    pub(in crate::session::streams) fn put(
        &mut self,
        pool: &mut BlockPool,
        offset: u64,
        bytes: &[u8],
        end_of_message: bool,
        packed: bool,
    ) {
        let bytes_end = offset.saturating_add(bytes.len() as u64);
        let last = bytes_end.saturating_add(end_of_message.into());
        self.make_places(pool, last);
        if packed && offset > self.base.max(self.end.saturating_sub(1)) {
            self.promise_packed(pool, offset.wrapping_sub(1));
        }
        let mut at = offset.max(self.end);
        let mut next = self.find(pool, at);
        while at < last {
            let size = pool.block_size;
            let place = pool.place(at);
            let Some(index) = next else { return };
            let Some(block) = pool.blocks.get_mut(index.position()) else { return };
            pool.with_held = pool.with_held.saturating_add(block.make_held(size).into());
            let known = usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
            let rest = bytes.get(known..).unwrap_or_default();
            let taken = block.fill(size, place, rest);
            at = at.saturating_add(taken as u64);
            let end_place = place.saturating_add(taken);
            if at == bytes_end && end_of_message && end_place < size {
                block.put_end(size, end_place);
                at = at.saturating_add(1);
            }
            next = block.next;
        }
    }

    /// Moves `end` over one more piece of a message that is held, if it is; call it until it gives nothing.
    pub(in crate::session::streams) fn join(&mut self, pool: &BlockPool) -> Option<Joined> {
        let mut joined = Joined::default();
        let mut next = self.find(pool, self.end);
        while self.end < self.high {
            let Some(block) = next.and_then(|index| pool.block(index)) else { break };
            let place = pool.place(self.end);
            let held = block.held_run(place);
            let (run, end) = block.run(pool.block_size, place, place.saturating_add(held));
            self.end = self.end.saturating_add(run as u64).saturating_add(end.into());
            joined.len = joined.len.saturating_add(run as u64);
            if end {
                joined.end_of_message = true;
                joined.then_packed = block.memory.get(place.saturating_add(run)).is_some_and(|byte| *byte == 1);
                break;
            }
            if held == 0 || place.saturating_add(held) < pool.block_size {
                break;
            }
            next = block.next;
        }
        (joined != Joined::default()).then_some(joined)
    }

    /// The peer holds the offsets `from..to`. Gives up what that makes the lowest ones, and returns how many those are.
    pub(in crate::session::streams) fn release(&mut self, pool: &mut BlockPool, from: u64, to: u64) -> u64 {
        let (from, to) = (from.max(self.base), to.min(self.end));
        if from >= to {
            return 0;
        }
        let before = self.base;
        if from > self.base {
            self.mark_held(pool, from, to);
            return 0;
        }
        self.advance(pool, to.saturating_sub(before));
        while let Some(block) = self.head.and_then(|head| pool.block(head)) {
            let left = usize::try_from(self.len()).unwrap_or(usize::MAX);
            let run = block.held_run(pool.place(self.base)).min(left);
            if run == 0 {
                break;
            }
            self.advance(pool, run as u64);
        }
        self.base.saturating_sub(before)
    }

    /// The first part of the offsets `from..to` that the peer is not known to hold; they are not below `base`.
    pub(in crate::session::streams) fn missing(&self, pool: &BlockPool, from: u64, to: u64) -> Option<(u64, u64)> {
        let mut at = from;
        let mut start = None;
        for segment in self.segments(pool, from, to.min(self.end)) {
            let len = segment.to.saturating_sub(segment.from);
            let held = if start.is_none() { segment.block.held_run(segment.from).min(len) } else { 0 };
            let missing = segment.block.unheld_run(segment.from.saturating_add(held), segment.to);
            if missing > 0 {
                start = start.or(Some(at.saturating_add(held as u64)));
            }
            let looked_at = held.saturating_add(missing);
            at = at.saturating_add(looked_at as u64);
            if looked_at < len {
                break;
            }
        }
        start.map(|start| (start, at))
    }

    /// Copies from `offset` on, wherever that lies, as [`copy`](Self::copy) does.
    pub(in crate::session::streams) fn copy_from(
        &mut self,
        pool: &BlockPool,
        offset: u64,
        max: u64,
        out: &mut [u8],
    ) -> Piece {
        let mut block = self.find(pool, offset);
        self.copy(pool, &mut block, offset, max, out)
    }

    fn mark_held(&mut self, pool: &mut BlockPool, from: u64, to: u64) {
        let mut at = from;
        let mut next = self.find(pool, at);
        while at < to {
            let size = pool.block_size;
            let place = pool.place(at);
            let Some(block) = next.and_then(|index| pool.blocks.get_mut(index.position())) else { return };
            pool.with_held = pool.with_held.saturating_add(block.make_held(size).into());
            let left = usize::try_from(to.saturating_sub(at)).unwrap_or(usize::MAX);
            let stop = size.min(place.saturating_add(left));
            block.set_held(place, stop);
            at = at.saturating_add(stop.saturating_sub(place) as u64);
            next = block.next;
        }
    }

    /// Sees to it that every offset below `last` has a place.
    fn make_places(&mut self, pool: &mut BlockPool, last: u64) {
        while self.high < last {
            self.writable(pool);
            let block_end = (self.high | pool.mask()).saturating_add(1);
            self.high = block_end.min(last);
        }
    }

    /// Notes that the message behind the end at `offset` is packed, be that end still to come.
    fn promise_packed(&mut self, pool: &mut BlockPool, offset: u64) {
        let (size, place) = (pool.block_size, pool.place(offset));
        if let Some(block) = self.find(pool, offset).and_then(|index| pool.blocks.get_mut(index.position())) {
            if offset >= self.end {
                pool.with_held = pool.with_held.saturating_add(block.make_held(size).into());
                block.set_end(size, place);
            }
            if let Some(byte) = block.memory.get_mut(place) {
                *byte = 1;
            }
        }
    }

    /// The block of an offset in `base..high`.
    fn find(&mut self, pool: &BlockPool, offset: u64) -> Option<Index> {
        let (index, first) = self.locate(pool, offset)?;
        self.hint = Some((first, index));
        Some(index)
    }

    fn locate(&self, pool: &BlockPool, offset: u64) -> Option<(Index, u64)> {
        if offset < self.base || offset >= self.high {
            return None;
        }
        let first_of = |offset: u64| offset & !pool.mask();
        let wanted = first_of(offset);
        if wanted == first_of(self.high.saturating_sub(1)) {
            return Some((self.tail?, wanted));
        }
        let start = self.hint.filter(|(first, _)| *first <= wanted).map(|(first, index)| (index, first));
        let (mut index, mut first) = start.or(Some((self.head?, first_of(self.base))))?;
        while first < wanted {
            index = pool.block(index)?.next?;
            first = first.saturating_add(pool.block_size as u64);
        }
        Some((index, first))
    }

    /// The parts of blocks that the offsets `from..to` lie in.
    fn segments<'a>(&self, pool: &'a BlockPool, from: u64, to: u64) -> impl Iterator<Item = Segment<'a>> + use<'a> {
        let mut at = from;
        let mut next = if from < to { self.locate(pool, from).map(|(index, _)| index) } else { None };
        core::iter::from_fn(move || {
            let block = pool.block(next?)?;
            let left = usize::try_from(to.checked_sub(at)?).unwrap_or(usize::MAX);
            let place = pool.place(at);
            let stop = pool.block_size.min(place.saturating_add(left));
            if place == stop {
                return None;
            }
            at = at.saturating_add(stop.saturating_sub(place) as u64);
            next = block.next;
            Some(Segment { block, from: place, to: stop })
        })
    }
}

/// A part of one block.
struct Segment<'a> {
    block: &'a Block,
    from: usize,
    to: usize,
}

impl Block {
    pub(super) const fn has_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Makes room for the bits; whether there was none.
    fn make_held(&mut self, size: usize) -> bool {
        let is_new = self.held.is_empty();
        if is_new {
            self.held = vec![0; size / PLACES_PER_WORD].into_boxed_slice();
        }
        is_new
    }

    fn is_held(&self, place: usize) -> bool {
        self.held.get(place / PLACES_PER_WORD).is_some_and(|word| word >> (place % PLACES_PER_WORD) & 1 != 0)
    }

    fn is_end(&self, size: usize, place: usize) -> bool {
        let marks = self.memory.get(size.saturating_add(place / MARKS_PER_BYTE));
        marks.is_some_and(|marks| marks >> (place % MARKS_PER_BYTE) & 1 != 0)
    }

    fn set_end(&mut self, size: usize, place: usize) {
        if self.is_end(size, place) {
            return;
        }
        if let Some(marks) = self.memory.get_mut(size.saturating_add(place / MARKS_PER_BYTE)) {
            *marks |= 1 << (place % MARKS_PER_BYTE);
            self.ends = self.ends.saturating_add(1);
        }
    }

    fn set_held(&mut self, from: usize, to: usize) {
        let mut at = from;
        while at < to {
            let (bit, next) = (at % PLACES_PER_WORD, (at | PLACES_PER_WORD.wrapping_sub(1)).saturating_add(1));
            let len = next.min(to).saturating_sub(at);
            if let Some(word) = self.held.get_mut(at / PLACES_PER_WORD) {
                *word |= low_bits(len) << bit;
            }
            at = next;
        }
    }

    /// How many places from `from` on are held, or, with `of` false, are not.
    fn run_of(&self, from: usize, of: bool) -> usize {
        let size = self.held.len().saturating_mul(PLACES_PER_WORD);
        let mut at = from;
        while at < size {
            let Some(word) = self.held.get(at / PLACES_PER_WORD) else { break };
            let word = if of { *word } else { !*word } >> (at % PLACES_PER_WORD);
            let run = word.trailing_ones() as usize;
            at = at.saturating_add(run);
            if run == 0 || !at.is_multiple_of(PLACES_PER_WORD) {
                break;
            }
        }
        at.min(size).saturating_sub(from)
    }

    fn held_run(&self, from: usize) -> usize {
        self.run_of(from, true)
    }

    /// How many places of `from..to` are not held before the first that is.
    fn unheld_run(&self, from: usize, to: usize) -> usize {
        let most = to.saturating_sub(from);
        if self.has_held() { self.run_of(from, false).min(most) } else { most }
    }

    /// Copies what is not held yet of the bytes that begin at `from`; returns how many of them lie in this block.
    fn fill(&mut self, size: usize, from: usize, bytes: &[u8]) -> usize {
        let len = bytes.len().min(size.saturating_sub(from));
        let mut at = 0_usize;
        while at < len {
            at = at.saturating_add(self.run_of(from.saturating_add(at), true));
            let place = from.saturating_add(at);
            let missing = self.run_of(place, false).min(len.saturating_sub(at));
            let part = bytes.get(at..at.saturating_add(missing));
            if let (Some(room), Some(part)) = (self.memory.get_mut(place..place.saturating_add(missing)), part) {
                room.copy_from_slice(part);
                self.set_held(place, place.saturating_add(missing));
            }
            at = at.saturating_add(missing.max(1));
        }
        len
    }

    /// Takes the end of a message; a promise that a packed one follows stays.
    fn put_end(&mut self, size: usize, place: usize) {
        if self.is_held(place) {
            return;
        }
        if !self.is_end(size, place) {
            self.set_end(size, place);
            if let Some(byte) = self.memory.get_mut(place) {
                *byte = 0;
            }
        }
        self.set_held(place, place.saturating_add(1));
    }

    /// Whether an end was promised in `from..to` that has not come.
    fn has_unheld_end(&self, from: usize, to: usize) -> bool {
        let size = self.held.len().saturating_mul(PLACES_PER_WORD);
        let mut at = from;
        while self.has_held()
            && self.ends > 0
            && let Some(end) = self.first_end(size, at, to)
        {
            if !self.is_held(end) {
                return true;
            }
            at = end.saturating_add(1);
        }
        false
    }
}

/// So many ones, at most a word of them.
const fn low_bits(len: usize) -> u64 {
    if len >= PLACES_PER_WORD { u64::MAX } else { (1_u64 << len).wrapping_sub(1) }
}

#[cfg(test)]
mod tests;
