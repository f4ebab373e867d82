//! What has become of packets, in the plainest way: what [`Sender`](aitcp::testing::recovery::Sender) is compared with.

use std::collections::BTreeMap;

use aitcp::Instant;
use aitcp::testing::recovery::{Fate, Outgoing};

/// How many skipped numbers a sender remembers for sure.
const SKIPS_REMEMBERED: usize = 64;

/// The most ranges of an acknowledgement.
const MAX_RANGES: usize = 32;

/// A packet is lost when one sent so many later was acknowledged.
const PACKET_THRESHOLD: u64 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Outstanding,
    Lost,
}

#[derive(Debug)]
struct Packet {
    what: Outgoing,
    is_marked: bool,
    sent: Instant,
    path: u32,
    records: Vec<u32>,
    state: State,
}

impl Packet {
    fn is_in_flight(&self) -> bool {
        self.state == State::Outstanding && (self.what.ack_eliciting || self.what.is_padded)
    }
}

/// Why records come back as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Later ones were acknowledged.
    Overtaken,
    /// They had to give way.
    NoRoom,
}

/// Every packet that was sent and not acknowledged.
#[derive(Debug, Default)]
pub(super) struct Sent {
    packets: BTreeMap<u64, Packet>,
    skipped: Vec<u64>,
    /// The packet of each record.
    carriers: Vec<u64>,
    pub(super) next: u64,
    path: u32,
    largest_acked: Option<u64>,
    /// Marked packets that were acknowledged.
    pub(super) marks_acked: u64,
    /// The longest time between a packet and its acknowledgement.
    pub(super) slowest: std::time::Duration,
}

impl Sent {
    pub(super) fn new(first: u64) -> Self {
        Self { next: first, ..Self::default() }
    }

    /// The sender has named the number of its next packet: those before it are left out.
    pub(super) fn name(&mut self, number: u64) {
        assert!(number >= self.next, "number {number} comes again");
        self.skipped.extend(self.next..number);
        self.next = number;
    }

    /// Records for a packet that is about to leave.
    pub(super) fn draw_records(&mut self, count: usize) -> Vec<u32> {
        let first = self.carriers.len();
        self.carriers.resize(first + count, self.next);
        (first..first + count).map(|record| u32::try_from(record).expect("a short input")).collect()
    }

    pub(super) fn send(&mut self, what: Outgoing, is_marked: bool, records: Vec<u32>, now: Instant) {
        let packet = Packet { what, is_marked, sent: now, path: self.path, records, state: State::Outstanding };
        self.packets.insert(self.next, packet);
        self.next += 1;
    }

    pub(super) fn change_path(&mut self) {
        self.path += 1;
    }

    pub(super) fn bytes_in_flight(&self) -> u64 {
        self.in_flight().map(|packet| u64::from(packet.what.size)).sum()
    }

    /// Whether an acknowledgement has to be waited for.
    pub(super) fn waits(&self) -> bool {
        self.in_flight().any(|packet| packet.what.ack_eliciting)
    }

    /// Whether only padding is in flight that nobody has to acknowledge. The owner of such packets has to see to it that something else
    /// follows.
    pub(super) fn is_stuck(&self) -> bool {
        self.bytes_in_flight() > 0 && !self.waits()
    }

    /// Whether a probe of the present path's MTU has not been heard of.
    pub(super) fn is_probing(&self) -> bool {
        self.in_flight().any(|packet| packet.what.is_mtu_probe && packet.path == self.path)
    }

    fn in_flight(&self) -> impl Iterator<Item = &Packet> {
        self.packets.values().filter(|packet| packet.is_in_flight())
    }

    /// The ranges of `numbers` without those that were left out: what an honest receiver can have.
    pub(super) fn without_skipped(&self, ranges: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let mut honest = Vec::new();
        for &(first, last) in ranges {
            let mut top = last;
            for &hole in self.skipped.iter().rev().filter(|hole| (first..=last).contains(*hole)) {
                if hole < top {
                    honest.push((hole + 1, top));
                }
                let Some(below) = hole.checked_sub(1) else { return honest };
                top = below;
            }
            if first <= top {
                honest.push((first, top));
            }
        }
        honest.truncate(MAX_RANGES);
        honest
    }

    /// Whether an acknowledgement is one that no honest peer sends; `None` if it names a skipped number so old that it may be forgotten.
    pub(super) fn is_forged(&self, ranges: &[(u64, u64)]) -> Option<bool> {
        let is_in_order = ranges.iter().all(|(first, last)| first <= last)
            && ranges.windows(2).all(|pair| pair[1].1 < pair[0].0)
            && (1..=MAX_RANGES).contains(&ranges.len());
        if !is_in_order || ranges.iter().any(|(_, last)| *last >= self.next) {
            return Some(true);
        }
        let names = |skipped: &[u64]| skipped.iter().any(|number| covers(ranges, *number));
        let (old, new) = self.skipped.split_at(self.skipped.len().saturating_sub(SKIPS_REMEMBERED));
        match (names(new), names(old)) {
            (true, _) => Some(true),
            (false, true) => None,
            (false, false) => Some(false),
        }
    }

    /// An acknowledgement was taken. Whether it was the first for any packet, as far as that is known.
    pub(super) fn acknowledge(&mut self, ranges: &[(u64, u64)], fates: &[Fate], now: Instant) -> bool {
        let (mut acked, mut lost) = (Vec::new(), Vec::new());
        for fate in fates {
            match fate {
                Fate::Acked(record) => acked.push(*record),
                Fate::Lost(record) => lost.push(*record),
            }
        }
        let mut is_first = false;
        let mut told = acked.as_slice();
        for &(first, last) in ranges {
            let numbers: Vec<_> = self.packets.range(first..=last).rev().map(|(number, _)| *number).collect();
            for number in numbers {
                let Some(packet) = self.packets.remove(&number) else { continue };
                let Some(rest) = told.strip_prefix(packet.records.as_slice()) else {
                    // What was lost before, or counts for nothing, may have been forgotten.
                    assert!(!packet.is_in_flight(), "not told as acknowledged: {packet:?}");
                    continue;
                };
                told = rest;
                is_first |= packet.is_in_flight();
                self.slowest = self.slowest.max(now - packet.sent);
                self.marks_acked += u64::from(packet.is_marked);
            }
        }
        assert!(told.is_empty(), "told as acknowledged, and should not have been: {told:?}");
        self.largest_acked = self.largest_acked.max(ranges.first().map(|(_, last)| *last));
        self.lose(&lost, Cause::Overtaken, now);
        if is_first {
            let largest = self.largest_acked.unwrap_or(0);
            let overtaken = self.packets.range(..=largest.saturating_sub(PACKET_THRESHOLD));
            let left = overtaken.filter(|(number, _)| largest - **number >= PACKET_THRESHOLD);
            let left: Vec<_> = left.filter(|(_, packet)| packet.is_in_flight()).collect();
            assert!(left.is_empty(), "overtaken and not lost: {left:?}");
        }
        is_first
    }

    /// Records have come back as lost: those of whole packets, which were in flight, once.
    pub(super) fn lose(&mut self, records: &[u32], cause: Cause, now: Instant) {
        let mut rest = records;
        while let Some(record) = rest.first() {
            let number = self.carriers[*record as usize];
            let packet = self.packets.get_mut(&number).expect("a packet");
            assert_eq!(packet.state, State::Outstanding, "lost, but not in flight: {packet:?}");
            assert!(rest.starts_with(&packet.records), "lost in part: {packet:?}");
            if cause == Cause::Overtaken {
                let largest = self.largest_acked.expect("nothing was acknowledged");
                let is_late = now - packet.sent >= std::time::Duration::from_millis(1);
                assert!(number < largest && (largest - number >= PACKET_THRESHOLD || is_late), "too early: {packet:?}");
            }
            packet.state = State::Lost;
            rest = &rest[packet.records.len()..];
        }
    }

    /// Records were handed back for another try: those of the oldest packet that waits. One that counts for nothing may be forgotten.
    pub(super) fn repeat(&self, fates: &[Fate]) {
        let is_repeated = |packet: &Packet| fates.iter().copied().eq(packet.records.iter().copied().map(Fate::Lost));
        let mut waiting =
            self.packets.values().filter(|packet| packet.state == State::Outstanding && !packet.records.is_empty());
        let oldest = waiting.find(|packet| packet.is_in_flight() || is_repeated(packet));
        assert!(oldest.map_or(fates.is_empty(), is_repeated), "repeated: {fates:?}, the oldest: {oldest:?}");
    }
}

fn covers(ranges: &[(u64, u64)], number: u64) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&number))
}
