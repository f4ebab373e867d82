//! The packets that were sent and may still be acknowledged, and what each of them carried.
//!
//! ```text
//! packets   |acked|lost |outst|skip |outst|      a ring by number: `first` is the number of the front
//!              |  \  \     \            |
//! records   |r r|r r r|r|   r r r       r|       a ring too: the records of a packet stand side by side
//! ```
//!
//! Both rings keep their room, so that a link which has reached its pace allocates nothing.

use alloc::collections::VecDeque;
use alloc::collections::vec_deque;

use super::ack_ranges::AckRange;
use crate::time::Instant;

/// A sender with so many packets in its table stops, but for probes, unless told otherwise.
pub(crate) const MAX_TRACKED: usize = 1 << 16;

/// How many records there may be for each packet that may be in the table: for many small things in one, there are fewer packets.
const RECORDS_PER_PACKET: usize = 4;

/// Packets that count for nothing in flight are remembered no longer than this, for their like may never be acknowledged.
const MAX_QUIET: usize = 256;

/// How many skipped numbers are remembered, also when their place in the table is gone.
const MAX_SKIPPED: usize = 64;

/// What the sender says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PacketInfo {
    pub(crate) time_sent: Instant,
    /// Bytes on the carrier.
    pub(crate) size: u16,
    /// The peer acknowledges it without delay of its own making.
    pub(crate) ack_eliciting: bool,
    /// It counts against the congestion window: it asks for an acknowledgement, or is padded.
    pub(crate) in_flight: bool,
    /// Marked as ECN-capable.
    pub(crate) ecn: bool,
    /// Sent to learn whether packets of this size pass: its loss says nothing of congestion.
    pub(crate) mtu_probe: bool,
}

/// A packet in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SentPacket {
    pub(crate) info: PacketInfo,
    pub(crate) state: State,
    /// Of an acknowledged packet: so many numbers below are acknowledged as well, and whoever walks down can pass them by.
    run: u32,
    /// Where its records are, counted from the link's first record.
    records_start: u64,
    records_len: u16,
}

/// What became of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Outstanding,
    Acked,
    Lost,
    /// No packet was sent under it.
    Skipped,
}

/// A packet that was acknowledged for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AckedPacket {
    pub(crate) number: u64,
    pub(crate) info: PacketInfo,
    /// It had been declared lost: what it carried may have been sent again.
    pub(crate) was_lost: bool,
}

/// Sent packets by number. `R` is what the owner wants back when a packet is acknowledged or lost.
#[derive(Debug)]
pub(crate) struct SentPackets<R> {
    first: u64,
    packets: VecDeque<SentPacket>,
    first_record: u64,
    records: VecDeque<R>,
    /// Ascending.
    skipped: VecDeque<u64>,
    bytes_in_flight: u64,
    ack_eliciting_in_flight: usize,
    limit: usize,
}

impl<R: Copy> SentPackets<R> {
    /// The next packet sent is number `first`; those before it are none of this table's business.
    pub(crate) const fn new(first: u64) -> Self {
        Self {
            first,
            packets: VecDeque::new(),
            first_record: 0,
            records: VecDeque::new(),
            skipped: VecDeque::new(),
            bytes_in_flight: 0,
            ack_eliciting_in_flight: 0,
            limit: MAX_TRACKED,
        }
    }

    /// Bounds the packets in the table.
    pub(crate) const fn set_limit(&mut self, packets: usize) {
        self.limit = packets;
    }

    /// The most heap that a table with this limit takes: rings grow by doubling.
    pub(crate) const fn max_bytes(packets: usize) -> usize {
        let records = size_of::<R>().saturating_mul(RECORDS_PER_PACKET);
        packets
            .saturating_add(MAX_QUIET)
            .saturating_mul(size_of::<SentPacket>().saturating_add(records))
            .saturating_mul(2)
    }

    const fn max_records(&self) -> usize {
        self.limit.saturating_mul(RECORDS_PER_PACKET)
    }

    /// The number of the next packet.
    pub(crate) fn next_number(&self) -> u64 {
        self.first.saturating_add(self.packets.len() as u64)
    }

    /// Whether no more packets may be sent, but for a few probes: acknowledgements have to come first.
    pub(crate) fn is_full(&self) -> bool {
        self.packets.len() >= self.limit || self.records.len() >= self.max_records()
    }

    /// Bytes in flight: sent, counted against the congestion window, and neither acknowledged nor lost.
    pub(crate) const fn bytes_in_flight(&self) -> u64 {
        self.bytes_in_flight
    }

    /// Whether an acknowledgement is to be expected.
    pub(crate) const fn is_ack_eliciting_in_flight(&self) -> bool {
        self.ack_eliciting_in_flight > 0
    }

    /// Takes note of the packet [`next_number`](Self::next_number) and what it carries: at most 65,535 records.
    pub(crate) fn push(&mut self, info: PacketInfo, records: impl IntoIterator<Item = R>) {
        self.forget_quiet();
        let before = self.records.len();
        self.records.extend(records.into_iter().take(usize::from(u16::MAX)));
        let records_len = u16::try_from(self.records.len().saturating_sub(before)).unwrap_or(u16::MAX);
        let records_start = self.first_record.saturating_add(before as u64);
        self.packets.push_back(SentPacket { info, state: State::Outstanding, run: 0, records_start, records_len });
        self.count(info);
    }

    /// Leaves out the next number: whoever acknowledges it has not seen what he acknowledges.
    pub(crate) fn skip(&mut self, now: Instant) {
        if self.skipped.len() >= MAX_SKIPPED {
            self.skipped.pop_front();
        }
        self.skipped.reserve_exact(MAX_SKIPPED.saturating_sub(self.skipped.len()));
        self.skipped.push_back(self.next_number());
        let info = PacketInfo {
            time_sent: now,
            size: 0,
            ack_eliciting: false,
            in_flight: false,
            ecn: false,
            mtu_probe: false,
        };
        let records_start = self.first_record.saturating_add(self.records.len() as u64);
        self.packets.push_back(SentPacket { info, state: State::Skipped, run: 0, records_start, records_len: 0 });
    }

    /// Whether a number in `range` was skipped.
    pub(crate) fn skipped_in(&self, range: AckRange) -> bool {
        let index = self.skipped.partition_point(|&number| number < range.first);
        self.skipped.get(index).is_some_and(|&number| number <= range.last)
    }

    /// Acknowledges the packets in `range`. Each that was not acknowledged before is told to `newly_acked`, from the highest number
    /// down, with whether it had been declared lost and with what it carried.
    ///
    /// Whoever calls has made sure that no number in the range was skipped or is still to come. The work is in proportion to the
    /// packets newly acknowledged, however often the same range comes: runs that are acknowledged already are passed by.
    pub(crate) fn ack(&mut self, range: AckRange, mut newly_acked: impl FnMut(AckedPacket, vec_deque::Iter<'_, R>)) {
        let first = range.first.max(self.first);
        let Some(last) = self.next_number().checked_sub(1) else {
            return;
        };
        let mut number = range.last.min(last);
        while number >= first {
            let Some(passed) = self.ack_one(number, first, &mut newly_acked) else {
                return;
            };
            let Some(below) = number.checked_sub(passed) else {
                return;
            };
            number = below;
        }
    }

    /// Acknowledges the packet `number` as one of a range from `first` on. How many numbers that settles, itself included.
    fn ack_one(
        &mut self,
        number: u64,
        first: u64,
        newly_acked: &mut impl FnMut(AckedPacket, vec_deque::Iter<'_, R>),
    ) -> Option<u64> {
        let packet = self.get_mut(number)?;
        let (state, passed) = (packet.state, packet.run);
        if state != State::Skipped {
            packet.state = State::Acked;
            packet.run = u32::try_from(number.saturating_sub(first)).unwrap_or(u32::MAX).max(passed);
        }
        let packet = *packet;
        if state == State::Outstanding {
            self.uncount(packet.info);
        }
        if state == State::Outstanding || state == State::Lost {
            let acked = AckedPacket { number, info: packet.info, was_lost: state == State::Lost };
            newly_acked(acked, self.records_of(packet));
        }
        Some(u64::from(passed).saturating_add(1))
    }

    /// Declares an outstanding packet lost; what it carried is told to `lost`.
    pub(crate) fn lose(&mut self, number: u64, lost: impl FnOnce(PacketInfo, vec_deque::Iter<'_, R>)) {
        let Some(packet) = self.get_mut(number).filter(|packet| packet.state == State::Outstanding) else {
            return;
        };
        packet.state = State::Lost;
        let packet = *packet;
        self.uncount(packet.info);
        lost(packet.info, self.records_of(packet));
    }

    /// What the oldest packet from number `from` on carries that carries anything and is neither acknowledged nor lost.
    pub(crate) fn oldest_outstanding(&self, from: u64) -> impl Iterator<Item = &R> {
        let skip = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let waits = |packet: &&SentPacket| packet.state == State::Outstanding && packet.records_len > 0;
        let oldest = self.packets.iter().skip(skip).find(waits);
        oldest.into_iter().flat_map(|packet| self.records_of(*packet))
    }

    /// The packet `number`; `None` if it is no longer in the table, or not yet.
    pub(crate) fn get(&self, number: u64) -> Option<&SentPacket> {
        let index = number.checked_sub(self.first)?;
        self.packets.get(usize::try_from(index).ok()?)
    }

    /// The lowest number in the table.
    pub(crate) const fn first_number(&self) -> u64 {
        self.first
    }

    /// Lets go of packets whose story is over. Lost ones are kept a while, up to those sent before `lost_before`, because their
    /// acknowledgement may be on its way; but not when the table is half full.
    pub(crate) fn retire(&mut self, lost_before: Instant) {
        self.forget_over(lost_before);
        // Behind what was waited for there may be nothing that anything is waited for: a table full of that would stay full.
        self.forget_quiet();
    }

    fn forget_over(&mut self, lost_before: Instant) {
        while let Some(front) = self.packets.front() {
            let is_crowded = self.packets.len() > self.limit / 2 || self.records.len() > self.max_records() / 2;
            let is_over = match front.state {
                State::Outstanding => false,
                State::Acked | State::Skipped => true,
                State::Lost => front.info.time_sent < lost_before || is_crowded,
            };
            if !is_over {
                return;
            }
            self.pop_front();
        }
    }

    /// Forgets packets at the front that are of no more use, when there are many: a peer that sends and is never sent anything acknowledges
    /// no acknowledgements. They never fill the table, or there would be no more of them, and nothing that asks for an answer either.
    fn forget_quiet(&mut self) {
        while self.packets.len() >= MAX_QUIET.min(self.limit / 2)
            && let Some(front) = self.packets.front()
        {
            let is_of_use = match front.state {
                State::Outstanding => front.info.in_flight,
                State::Lost => self.packets.len() <= self.limit / 2,
                State::Acked | State::Skipped => false,
            };
            if is_of_use {
                return;
            }
            self.pop_front();
        }
    }

    fn pop_front(&mut self) {
        if let Some(front) = self.packets.pop_front() {
            self.first = self.first.saturating_add(1);
            self.records.drain(..usize::from(front.records_len).min(self.records.len()));
            self.first_record = self.first_record.saturating_add(u64::from(front.records_len));
        }
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut SentPacket> {
        let index = number.checked_sub(self.first)?;
        self.packets.get_mut(usize::try_from(index).ok()?)
    }

    fn records_of(&self, packet: SentPacket) -> vec_deque::Iter<'_, R> {
        let start = usize::try_from(packet.records_start.saturating_sub(self.first_record)).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::from(packet.records_len));
        self.records.range(start.min(self.records.len())..end.min(self.records.len()))
    }

    fn count(&mut self, info: PacketInfo) {
        if info.in_flight {
            self.bytes_in_flight = self.bytes_in_flight.saturating_add(u64::from(info.size));
            self.ack_eliciting_in_flight = self.ack_eliciting_in_flight.saturating_add(usize::from(info.ack_eliciting));
        }
    }

    fn uncount(&mut self, info: PacketInfo) {
        if info.in_flight {
            self.bytes_in_flight = self.bytes_in_flight.saturating_sub(u64::from(info.size));
            self.ack_eliciting_in_flight = self.ack_eliciting_in_flight.saturating_sub(usize::from(info.ack_eliciting));
        }
    }
}

#[cfg(test)]
mod tests;
