//! What becomes of fragments on a carrier that loses packets: acknowledged and given up, or lost and sent again by offset.

#![forbid(unsafe_code)]

use alloc::collections::VecDeque;

use super::{BlockPool, SendHalf, Sent, State};

/// Offsets that were lost and are to be sent again: disjoint ranges in their order. Their number is that of lost packets at most,
/// which the number of packets on their way bounds.
#[derive(Default)]
pub(super) struct LostRanges(VecDeque<LostRange>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LostRange {
    pub(super) from: u64,
    pub(super) to: u64,
    /// A packed message begins at `from`.
    pub(super) packed: bool,
}

impl LostRanges {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn first(&self) -> Option<LostRange> {
        self.0.front().copied()
    }

    /// The first `amount` offsets are on their way again.
    fn take(&mut self, amount: u64) {
        let Some(first) = self.0.front_mut() else { return };
        first.from = first.from.saturating_add(amount);
        first.packed = false;
        if first.from >= first.to {
            self.0.pop_front();
        }
    }

    /// Adds what of a range is not there yet.
    fn insert(&mut self, mut new: LostRange) {
        self.remove(new.from, new.to);
        if new.from >= new.to {
            return;
        }
        let mut at = self.0.partition_point(|range| range.from < new.from);
        // A range behind this one is part of it, unless a packed message begins there, which its fragment has to say.
        if let Some(behind) = self.0.get(at).copied()
            && behind.from == new.to
            && !behind.packed
        {
            new.to = behind.to;
            self.0.remove(at);
        }
        if let Some(before) = at.checked_sub(1)
            && let Some(range) = self.0.get_mut(before)
            && range.to == new.from
            && !new.packed
        {
            range.to = new.to;
            return;
        }
        at = at.min(self.0.len());
        self.0.insert(at, new);
    }

    /// Takes out everything below `offset`.
    pub(super) fn remove_below(&mut self, offset: u64) {
        if !self.is_empty() {
            self.remove(0, offset);
        }
    }

    /// Takes out the offsets `from..to`.
    fn remove(&mut self, from: u64, to: u64) {
        let mut at = self.0.partition_point(|range| range.to <= from);
        while let Some(range) = self.0.get_mut(at)
            && range.from < to
        {
            let (before, behind) = (range.from < from, range.to > to);
            let rest = LostRange { from: to, to: range.to, packed: false };
            match (before, behind) {
                (true, true) => {
                    range.to = from;
                    self.0.insert(at.saturating_add(1), rest);
                    return;
                }
                (true, false) => range.to = from,
                (false, true) => *range = rest,
                (false, false) => {
                    self.0.remove(at);
                    continue;
                }
            }
            at = at.saturating_add(1);
        }
    }
}

impl SendHalf {
    /// Copies the bytes of what is to be sent again, as much as `out` takes of one message. Its credit was spent the first time.
    pub(super) fn send_again(&mut self, pool: &BlockPool, out: &mut [u8]) -> Option<Sent> {
        let lost = self.lost.first()?;
        let piece = self.ring.copy_from(pool, lost.from, lost.to.saturating_sub(lost.from), out);
        if piece.offsets() == 0 {
            return None;
        }
        self.lost.take(piece.offsets());
        let end = lost.from.saturating_add(piece.offsets());
        let end_of_stream = self.state == State::Finished { sent: false } && end == self.ring.end();
        if end_of_stream {
            self.tell_end();
        }
        let compressed = lost.packed && piece.len > 0;
        Some(Sent { offset: lost.from, piece, end_of_stream, compressed, paid: 0, is_again: true })
    }

    /// The peer's session holds these offsets and, if so, the end of the stream. Returns how many offsets left the ring.
    pub(in crate::session::streams) fn on_acknowledged(
        &mut self,
        pool: &mut BlockPool,
        offset: u64,
        offsets: u64,
        end_of_stream: bool,
    ) -> u64 {
        if !self.can_reset() {
            return 0;
        }
        let to = offset.saturating_add(offsets);
        self.lost.remove(offset, to);
        let freed = self.ring.release(pool, offset, to);
        self.end_acknowledged |= end_of_stream;
        self.settle_end();
        freed
    }

    /// Everything and the end has been acknowledged, be it by the packets' numbers or by the peer's credit: nothing is left to do.
    pub(super) fn settle_end(&mut self) {
        if self.end_acknowledged && self.ring.is_empty() && self.is_finished() {
            self.state = State::Done;
        }
    }

    /// These offsets were lost, as far as the peer has not got them otherwise.
    pub(in crate::session::streams) fn on_lost(
        &mut self,
        pool: &BlockPool,
        lost: (u64, u64),
        end_of_stream: bool,
        compressed: bool,
    ) {
        if !self.can_reset() {
            return;
        }
        let (offset, offsets) = lost;
        let to = offset.saturating_add(offsets).min(self.credit.spent());
        let mut from = offset.max(self.ring.base());
        while let Some((start, end)) = self.ring.missing(pool, from, to) {
            self.lost.insert(LostRange { from: start, to: end, packed: compressed && start == offset });
            from = end;
        }
        if end_of_stream && !self.end_acknowledged && self.is_finished() {
            self.state = State::Finished { sent: false };
        }
    }

    /// The peer knows of the reset.
    pub(in crate::session::streams) fn on_reset_acknowledged(&mut self) {
        if matches!(self.state, State::Reset(_)) {
            self.state = State::Done;
        }
    }

    /// The peer has not heard of the reset; whether it is to be told again.
    pub(in crate::session::streams) fn on_reset_lost(&self) -> bool {
        matches!(self.state, State::Reset(_))
    }
}

#[cfg(test)]
mod tests;
