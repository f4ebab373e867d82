//! The memory of a session's streams: blocks of equal size, and rings made of them.
//!
//! A ring holds the offsets `base..end` of one direction of a stream: bytes of messages, and the ends of messages, each of which
//! occupies one offset (R-8.3-1) and is told from a byte by a mark, one bit per offset. So memory is proportional to credit
//! whatever is sent, even if it is nothing but empty messages. The byte in the place of an end is free, and says in which form the
//! message after it travels. What comes or is acknowledged out of order is marked by another bit per offset ([`gaps`]), so that no
//! pattern of gaps makes a ring larger. Blocks lie on multiples of their size; a ring that holds nothing has
//! none. Freed blocks are kept for the next ring up to a bound, so that a steady flow allocates nothing.

#![forbid(unsafe_code)]

mod gaps;

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::index::Index;

/// A block's smallest and largest size. A ring straddles up to two blocks more than its length fills, so that small windows want
/// small blocks.
const MIN_BLOCK: usize = 256;
const MAX_BLOCK: usize = 2_048;

/// How many bits of marks a byte holds.
const MARKS_PER_BYTE: usize = 8;
const PLACES_PER_WORD: usize = 64;

pub(super) struct BlockPool {
    blocks: Vec<Block>,
    /// A power of two.
    block_size: usize,
    /// Chains through `Block::next`: free blocks with memory, and entries without.
    warm: Option<Index>,
    bare: Option<Index>,
    warm_len: usize,
    warm_max: usize,
    in_use: usize,
    /// How many blocks have the bits for what lies beyond gaps.
    with_held: usize,
}

#[derive(Default)]
struct Block {
    /// The bytes, then a mark for each of them. Empty while the entry is bare.
    memory: Box<[u8]>,
    /// How many marks are set: most blocks have none and need no search.
    ends: usize,
    /// A bit for each byte that is held beyond a gap. Empty until there is one: most blocks never see any.
    held: Box<[u64]>,
    next: Option<Index>,
}

impl BlockPool {
    /// A pool for rings of up to `window` bytes each and `total` bytes together.
    pub(super) fn new(window: usize, total: usize) -> Self {
        let block_size = Self::block_size_for(window);
        Self {
            blocks: Vec::new(),
            block_size,
            warm: None,
            bare: None,
            warm_len: 0,
            warm_max: (total / 8).checked_div(block_size).unwrap_or(0).max(2),
            in_use: 0,
            with_held: 0,
        }
    }

    /// An eighth of the window, rounded up to a power of two.
    const fn block_size_for(window: usize) -> usize {
        let size = match (window / 8).checked_next_power_of_two() {
            Some(size) => size,
            None => MAX_BLOCK,
        };
        if size < MIN_BLOCK {
            MIN_BLOCK
        } else if size > MAX_BLOCK {
            MAX_BLOCK
        } else {
            size
        }
    }

    /// The most memory that `rings` rings can take which hold `total` bytes together: each may have a first and a last block of
    /// which it uses one byte. The table of blocks grows by doubling and is copied as it grows, hence three times its length.
    pub(super) const fn max_bytes(window: usize, total: usize, rings: usize) -> usize {
        let size = Self::block_size_for(window);
        let full = match total.checked_div(size) {
            Some(full) => full,
            None => 0,
        };
        let rings = if rings < total { rings } else { total };
        let blocks = full.saturating_add(rings.saturating_mul(2)).saturating_add(4);
        let memory = size.saturating_add(size / MARKS_PER_BYTE).saturating_add(size / MARKS_PER_BYTE);
        blocks.saturating_mul(memory.saturating_add(size_of::<Block>().saturating_mul(3)))
    }

    /// Memory that the pool has now.
    pub(super) fn heap_bytes(&self) -> usize {
        let memory = self.block_size.saturating_add(self.block_size / MARKS_PER_BYTE);
        let blocks = self.in_use.saturating_add(self.warm_len).saturating_mul(memory);
        let held = self.with_held.saturating_mul(self.block_size / MARKS_PER_BYTE);
        blocks.saturating_add(held).saturating_add(self.blocks.capacity().saturating_mul(size_of::<Block>()))
    }

    /// Blocks that rings hold.
    #[cfg(test)]
    pub(super) const fn in_use(&self) -> usize {
        self.in_use
    }

    /// Gives back all memory that no ring holds.
    pub(super) fn trim(&mut self) {
        if self.in_use == 0 {
            self.blocks = Vec::new();
            (self.warm, self.bare, self.warm_len, self.with_held) = (None, None, 0, 0);
            return;
        }
        while let Some(index) = self.warm {
            let Some(block) = self.blocks.get_mut(index.position()) else { return };
            self.warm = block.next;
            self.warm_len = self.warm_len.saturating_sub(1);
            self.with_held = self.with_held.saturating_sub(block.has_held().into());
            *block = Block { next: self.bare, ..Block::default() };
            self.bare = Some(index);
        }
    }

    fn take(&mut self) -> Index {
        self.in_use = self.in_use.saturating_add(1);
        if let Some(index) = self.warm
            && let Some(block) = self.blocks.get_mut(index.position())
        {
            self.warm = block.next.take();
            self.warm_len = self.warm_len.saturating_sub(1);
            return index;
        }
        let memory =
            alloc::vec![0; self.block_size.saturating_add(self.block_size / MARKS_PER_BYTE)].into_boxed_slice();
        if let Some(index) = self.bare
            && let Some(block) = self.blocks.get_mut(index.position())
        {
            self.bare = block.next.take();
            block.memory = memory;
            return index;
        }
        let index = Index::at(self.blocks.len());
        self.blocks.push(Block { memory, ..Block::default() });
        index
    }

    /// Takes a block back and returns the one that followed it.
    fn give_back(&mut self, index: Index) -> Option<Index> {
        let size = self.block_size;
        let block = self.blocks.get_mut(index.position())?;
        let next = block.next.take();
        self.in_use = self.in_use.saturating_sub(1);
        if self.warm_len < self.warm_max {
            block.clear_marks(size);
            block.held.fill(0);
            block.next = self.warm.replace(index);
            self.warm_len = self.warm_len.saturating_add(1);
        } else {
            self.with_held = self.with_held.saturating_sub(block.has_held().into());
            *block = Block { next: self.bare.replace(index), ..Block::default() };
        }
        next
    }

    fn block(&self, index: Index) -> Option<&Block> {
        self.blocks.get(index.position())
    }

    /// Where in its block an offset lies.
    const fn place(&self, offset: u64) -> usize {
        (offset & self.mask()) as usize
    }

    const fn mask(&self) -> u64 {
        (self.block_size as u64).wrapping_sub(1)
    }
}

impl Block {
    fn clear_marks(&mut self, size: usize) {
        if self.ends > 0
            && let Some(marks) = self.memory.get_mut(size..)
        {
            marks.fill(0);
        }
        self.ends = 0;
    }

    /// How many bytes lie between `from` and the next end or `to`, and whether it is an end that stops them.
    fn run(&self, size: usize, from: usize, to: usize) -> (usize, bool) {
        if self.ends > 0
            && let Some(end) = self.first_end(size, from, to)
        {
            return (end.saturating_sub(from), true);
        }
        (to.saturating_sub(from), false)
    }

    /// The first marked place in `from..to`. Looks at 64 places at a time.
    fn first_end(&self, size: usize, from: usize, to: usize) -> Option<usize> {
        let (words, _) = self.memory.get(size..)?.as_chunks();
        let first = from / PLACES_PER_WORD;
        let unseen = u64::MAX << (from % PLACES_PER_WORD);
        let words = words.get(first..to.div_ceil(PLACES_PER_WORD))?.iter().map(|word| u64::from_le_bytes(*word));
        let masks = core::iter::once(unseen).chain(core::iter::repeat(u64::MAX));
        let mut base = first.saturating_mul(PLACES_PER_WORD);
        for (word, mask) in words.zip(masks) {
            if word & mask != 0 {
                let place = base.saturating_add((word & mask).trailing_zeros() as usize);
                return (place < to).then_some(place);
            }
            base = base.saturating_add(PLACES_PER_WORD);
        }
        None
    }
}

/// The offsets `base..end` of one direction of a stream, and, beyond a gap, some of `end..high`.
#[derive(Default)]
pub(super) struct Ring {
    base: u64,
    end: u64,
    /// The offset after the highest that there is a place for: `end`, unless something has come out of order.
    high: u64,
    head: Option<Index>,
    tail: Option<Index>,
    /// A block that was looked up, and the first offset of its range: the next look-up is mostly for the same one or one behind it.
    hint: Option<(u64, Index)>,
}

/// What was copied out of a ring: bytes, then perhaps the end of their message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) len: usize,
    pub(super) end_of_message: bool,
    /// The message after that end is packed, as far as is known.
    pub(super) then_packed: bool,
}

impl Piece {
    /// How many offsets it takes.
    pub(super) const fn offsets(self) -> u64 {
        (self.len as u64).saturating_add(self.end_of_message as u64)
    }
}

impl Ring {
    /// The lowest offset that is held.
    pub(super) const fn base(&self) -> u64 {
        self.base
    }

    /// The offset after the highest that is held.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    pub(super) const fn len(&self) -> u64 {
        self.end.saturating_sub(self.base)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.base == self.end
    }

    /// The block of `base`.
    pub(super) const fn head(&self) -> Option<Index> {
        self.head
    }

    /// Appends bytes, if there is no gap; returns the block in which the first of them lies.
    pub(super) fn push_bytes(&mut self, pool: &mut BlockPool, mut bytes: &[u8]) -> Option<Index> {
        debug_assert_eq!(self.end, self.high, "nothing is appended behind a gap");
        let mut landed = None;
        while !bytes.is_empty() {
            let index = self.writable(pool);
            landed = landed.or(Some(index));
            let place = pool.place(self.end);
            let size = pool.block_size;
            let Some(room) = pool.blocks.get_mut(index.position()).and_then(|block| block.memory.get_mut(place..size))
            else {
                break;
            };
            let len = room.len().min(bytes.len());
            let (Some(room), Some((now, later))) = (room.get_mut(..len), bytes.split_at_checked(len)) else { break };
            room.copy_from_slice(now);
            bytes = later;
            self.end = self.end.saturating_add(len as u64);
            self.high = self.end;
        }
        landed
    }

    /// Appends the end of a message, if there is no gap; returns its block.
    pub(super) fn push_end(&mut self, pool: &mut BlockPool) -> Index {
        debug_assert_eq!(self.end, self.high, "nothing is appended behind a gap");
        let index = self.writable(pool);
        let place = pool.place(self.end);
        let marks = pool.block_size.saturating_add(place / MARKS_PER_BYTE);
        if let Some(block) = pool.blocks.get_mut(index.position()) {
            if let Some(mark) = block.memory.get_mut(marks) {
                *mark |= 1 << (place % MARKS_PER_BYTE);
            }
            if let Some(byte) = block.memory.get_mut(place) {
                *byte = u8::from(false);
            }
            block.ends = block.ends.saturating_add(1);
        }
        self.end = self.end.saturating_add(1);
        self.high = self.end;
        index
    }

    /// Notes at the end of a message, which was pushed last, that the next one is packed.
    pub(super) fn then_packed(&mut self, pool: &mut BlockPool) {
        debug_assert!(!self.is_empty());
        let place = pool.place(self.end.wrapping_sub(1));
        if let Some(block) = self.tail.and_then(|tail| pool.blocks.get_mut(tail.position()))
            && let Some(byte) = block.memory.get_mut(place)
        {
            *byte = u8::from(true);
        }
    }

    /// The block in which the offset `high` lies.
    fn writable(&mut self, pool: &mut BlockPool) -> Index {
        if let Some(tail) = self.tail
            && pool.place(self.high) != 0
        {
            return tail;
        }
        let index = pool.take();
        match self.tail.replace(index) {
            None => self.head = Some(index),
            Some(last) => {
                if let Some(block) = pool.blocks.get_mut(last.position()) {
                    block.next = Some(index);
                }
            }
        }
        index
    }

    /// Copies from `offset`, which lies in `block`, into `out`: up to the end of a message, to the end of `out`, or for `max`
    /// offsets, whichever comes first. Moves `block` to the one in which the offset after the piece lies (`None` if that is a
    /// block yet to be taken).
    pub(super) fn copy(
        &self,
        pool: &BlockPool,
        block: &mut Option<Index>,
        offset: u64,
        max: u64,
        out: &mut [u8],
    ) -> Piece {
        let limit = self.end.min(offset.saturating_add(max));
        let mut piece = Piece::default();
        while let Some(current) = block.and_then(|index| pool.block(index)) {
            let at = offset.saturating_add(piece.len as u64);
            let ahead = usize::try_from(limit.saturating_sub(at)).unwrap_or(usize::MAX);
            let room = out.get_mut(piece.len..).unwrap_or_default();
            let from = pool.place(at);
            // One more than there is room for: an end may follow the last byte.
            let to = pool.block_size.min(from.saturating_add(ahead.min(room.len().saturating_add(1))));
            let (run, end) = current.run(pool.block_size, from, to);
            let len = run.min(room.len());
            if let (Some(room), Some(bytes)) = (room.get_mut(..len), current.memory.get(from..from.saturating_add(len)))
            {
                room.copy_from_slice(bytes);
            }
            piece.len = piece.len.saturating_add(len);
            piece.end_of_message = end && len == run;
            if piece.end_of_message {
                let place = from.saturating_add(len);
                piece.then_packed = current.memory.get(place).is_some_and(|byte| *byte == u8::from(true));
            }
            let taken = len.saturating_add(usize::from(piece.end_of_message));
            if from.saturating_add(taken) == pool.block_size {
                *block = current.next;
            }
            if taken == 0 || piece.end_of_message {
                break;
            }
        }
        piece
    }

    /// Gives up the lowest `amount` offsets.
    pub(super) fn advance(&mut self, pool: &mut BlockPool, amount: u64) {
        debug_assert!(amount <= self.len());
        let base = self.base.saturating_add(amount).min(self.end);
        let mask = pool.mask();
        while let Some(head) = self.head
            && (base == self.high || self.base & !mask != base & !mask)
        {
            self.head = pool.give_back(head);
            self.base = (self.base & !mask).saturating_add(mask).saturating_add(1);
        }
        if self.head.is_none() {
            self.tail = None;
        }
        self.base = base;
        self.hint = self.hint.filter(|(first, _)| *first >= base & !mask && self.head.is_some());
    }

    /// Gives up everything, and what lies beyond gaps as well: the ring goes on behind it.
    pub(super) fn clear(&mut self, pool: &mut BlockPool) {
        self.end = self.high;
        self.advance(pool, self.len());
    }

    /// Shows what is held, for a digest of the state: bytes as they are, and where messages end.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn digest(&self, pool: &BlockPool, sink: &mut impl FnMut(&[u8])) {
        let (mut block, mut offset) = (self.head, self.base);
        let mut bytes = [0; 256];
        while offset < self.end {
            let piece = self.copy(pool, &mut block, offset, u64::MAX, &mut bytes);
            sink(bytes.get(..piece.len).unwrap_or_default());
            sink(&[u8::from(piece.end_of_message)]);
            if piece.offsets() == 0 {
                return;
            }
            offset = offset.saturating_add(piece.offsets());
        }
    }
}

#[cfg(test)]
mod tests;
