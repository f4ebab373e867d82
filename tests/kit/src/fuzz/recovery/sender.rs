//! The sender's half.

use std::time::Duration;

use aitcp::testing::recovery::{Fate, MaySend, Outgoing, Sender, SenderStart};
use aitcp::{EcnCodepoint, Instant, RateControl};

use super::sent::{Cause, Sent};
use crate::fuzz::input::Input;

const MTUS: [u16; 4] = [1_472, 1_232, 600, 9_000];
const TABLES: [usize; 4] = [1 << 16, 300, 32, 8];

/// No path carries less.
const BASE_MTU: u16 = 1_232;

/// What probe timeouts back off to, where the probe timeout itself is no longer.
const MAX_BACKED_OFF: Duration = Duration::from_secs(2);

/// Deadlines are served in microseconds up to here: the end of time is none.
const LAST: u64 = u64::MAX / 4;

/// The choice: which rate controller (bit 0), the MTU of the carrier (bits 1 and 2), the size of the table (bits 3 and 4), whether
/// numbers begin high (bit 5), and whether the peer waits for the handshake's end (bit 6). Then a byte that decides on skipped numbers:
/// with 0 it is every second one.
pub(super) fn run(choice: u8, input: &mut Input<'_>) {
    let mut driver = Driver::new(choice, input.byte());
    while !input.is_empty() {
        driver.step(input);
        driver.check();
    }
    driver.wind_up();
}

struct Driver {
    sender: Sender,
    sent: Sent,
    now: Instant,
    random: u8,
    rate_control: RateControl,
    max_mtu: u16,
    /// Congestion marks that the peer tells of.
    congestion_marks: u64,
    /// Marks were told of since the path changed.
    is_vouched_for: bool,
}

impl Driver {
    fn new(choice: u8, random: u8) -> Self {
        let pick = |shift: u8| usize::from(choice >> shift & 3);
        let start = SenderStart {
            first_number: if choice & 32 == 0 { 0 } else { 1 << 40 },
            peer_max_ack_delay: Duration::from_millis(25),
            rate_control: if choice & 1 == 0 { RateControl::Cubic } else { RateControl::NewReno },
            max_mtu: MTUS[pick(1)],
            max_packets: TABLES[pick(3)],
            random: random.into(),
        };
        let mut sender = Sender::new(&start);
        if choice & 64 != 0 {
            sender.wait_for_confirmation();
        }
        Self {
            sender,
            sent: Sent::new(start.first_number),
            now: Instant::from_micros(1_000_000),
            random,
            rate_control: start.rate_control,
            max_mtu: start.max_mtu,
            congestion_marks: 0,
            is_vouched_for: false,
        }
    }

    /// One operation: what leaves (below 0x50), acknowledgements (below 0x90), time (below 0xC0), and everything else.
    fn step(&mut self, input: &mut Input<'_>) {
        let op = input.byte();
        let low = op & 0xF;
        match op {
            // As much as may leave.
            0..=0x0F => self.send_many(low, 1 + usize::from(input.byte() & 7)),
            // Acknowledgements, padding, and packets that need no leave.
            0x10..=0x1F => self.send_some(low, quiet(input.byte()), usize::from(low & 3)),
            0x20..=0x2F => self.send_some(low, Outgoing { is_padded: true, ..quiet(input.byte()) }, 1),
            0x30..=0x3F => {
                let size = input.u16().clamp(1, self.max_mtu);
                self.send_some(low, Outgoing { size, ack_eliciting: true, ..quiet(0) }, 1);
            }
            0x40..=0x4F => self.send_mtu_probe(),
            // An honest peer has everything but a few.
            0x50..=0x5F => {
                let (back, gap) = (u64::from(input.byte()), u64::from(input.byte()));
                let last = self.sent.next.saturating_sub(1 + back);
                let below = last.saturating_sub(u64::from(low)).saturating_sub(1 + gap);
                self.ack_honestly(&[(last.saturating_sub(low.into()), last), (0, below)], input);
            }
            0x60..=0x6F => {
                let ranges = self.ranges_near_the_end(low, input);
                self.ack_honestly(&ranges, input);
            }
            0x70..=0x7F => {
                let ranges = self.ranges_near_the_end(low, input);
                self.ack_anyhow(&ranges, input);
            }
            0x80..=0x8F => {
                let ranges: Vec<_> = (0..low * 3).map(|_| (input.number(), input.number())).collect();
                self.ack_anyhow(&ranges, input);
            }
            0x90..=0x9F => self.wait(Duration::from_micros(64 << low), true),
            // A driver that sleeps too long.
            0xA0..=0xAF => self.wait(Duration::from_micros(64 << (2 * low)), false),
            0xB0..=0xB7 => self.wait_for_next(),
            0xB8..=0xBF => self.wait_for_leave(),
            0xC0..=0xC7 => self.change_path(input.u16()),
            0xC8..=0xCB => self.sender.on_handshake_confirmed(self.now),
            0xCC..=0xCF => self.sender.wait_for_confirmation(),
            0xD0..=0xD7 => self.sent.repeat(&self.sender.repeat_oldest()),
            0xD8..=0xE7 if self.sender.probes_due() > 0 => self.make_room(),
            0xD8..=0xE7 => {}
            // Nothing was lost.
            _ => self.ack_honestly(&[(0, self.sent.next.saturating_sub(1))], input),
        }
    }

    fn send_many(&mut self, most: u8, records: usize) {
        for _ in 0..=most {
            let size = self.sender.packet_size();
            if self.sender.may_send(size, self.now) != MaySend::Now {
                return;
            }
            self.send(Outgoing { size, ack_eliciting: true, ..quiet(0) }, records);
        }
    }

    fn send_some(&mut self, most: u8, what: Outgoing, records: usize) {
        for _ in 0..=most {
            self.send(what, records);
        }
    }

    fn send_mtu_probe(&mut self) {
        let Some(size) = self.sender.mtu_probe_due(self.now) else { return };
        let mtu = self.sender.stats().mtu;
        assert!(mtu < size && size <= self.max_mtu, "a probe of {size} bytes between {mtu} and {}", self.max_mtu);
        self.send(Outgoing { size, ack_eliciting: true, is_padded: true, is_mtu_probe: true }, 1);
        assert_eq!(self.sender.mtu_probe_due(self.now), None, "one probe at a time");
    }

    /// A packet leaves, if there is room for it.
    fn send(&mut self, what: Outgoing, records: usize) {
        if !self.sender.has_room() && self.sender.probes_due() > 0 {
            self.make_room();
        }
        if !self.sender.has_room() {
            return;
        }
        self.name_next();
        let is_marked = self.sender.ecn() == EcnCodepoint::Ect0;
        let records = self.sent.draw_records(records);
        let probes = self.sender.probes_due();
        self.sender.on_sent(what, &records, self.now);
        assert_eq!(self.sender.probes_due(), probes.saturating_sub(u8::from(what.ack_eliciting)));
        self.sent.send(what, is_marked, records, self.now);
    }

    fn name_next(&mut self) {
        if self.random != 0 {
            self.random = self.random.wrapping_mul(5).wrapping_add(1);
        }
        let number = self.sender.next_number(self.now, self.random.into());
        self.sent.name(number);
    }

    fn ranges_near_the_end(&self, count: u8, input: &mut Input<'_>) -> Vec<(u64, u64)> {
        let mut top = self.sent.next.saturating_add(2);
        let mut ranges = Vec::new();
        for _ in 0..=count {
            let last = top.saturating_sub(u64::from(input.byte() & 0x3F));
            let first = last.saturating_sub(u64::from(input.byte() & 0x1F));
            ranges.push((first, last));
            top = first;
        }
        ranges
    }

    /// As a receiver would, that has some of what was sent: no range names what was not.
    fn ack_honestly(&mut self, ranges: &[(u64, u64)], input: &mut Input<'_>) {
        let Some(newest) = self.sent.next.checked_sub(1) else { return };
        let mut below = u64::MAX;
        let mut in_order = Vec::new();
        for &(first, last) in ranges {
            let last = last.min(newest).min(below.saturating_sub(1));
            if first <= last && below > 0 {
                in_order.push((first, last));
                below = first;
            }
        }
        let ranges = self.sent.without_skipped(&in_order);
        let extra = input.byte();
        if extra & 1 != 0 {
            self.congestion_marks += 1;
        }
        let marks = [self.sent.marks_acked.saturating_add(u64::from(extra >> 4)), 0, self.congestion_marks];
        let delay = Duration::from_micros(u64::from(extra & 0xE) << 11);
        if !ranges.is_empty() {
            self.ack(&ranges, delay, (extra & 2 == 0).then_some(marks));
        }
    }

    fn ack_anyhow(&mut self, ranges: &[(u64, u64)], input: &mut Input<'_>) {
        let marks = match input.byte() {
            0..=0x7F => None,
            _ => Some([input.number(), input.number() & 1, input.number()]),
        };
        self.ack(ranges, Duration::from_micros(input.number()), marks);
    }

    fn ack(&mut self, ranges: &[(u64, u64)], delay: Duration, marks: Option<[u64; 3]>) {
        let is_forged = self.sent.is_forged(ranges);
        let before = (is_forged != Some(false)).then(|| format!("{:?}", self.sender));
        match self.sender.on_ack(ranges, delay, marks, self.now) {
            Ok(fates) => {
                assert_ne!(is_forged, Some(true), "taken, but nobody sends it: {ranges:?}");
                self.is_vouched_for |= marks.is_some();
                if self.sent.acknowledge(ranges, &fates, self.now) {
                    assert_eq!((self.sender.probes_due(), self.sender.stats().unanswered_probes), (0, 0));
                }
            }
            Err(error) => {
                assert_ne!(is_forged, Some(false), "refused: {error}, {ranges:?}");
                assert_eq!(before, Some(format!("{:?}", self.sender)), "refused, but something has changed: {error}");
            }
        }
    }

    fn wait(&mut self, duration: Duration, is_punctual: bool) {
        let end = (self.now + duration).min(Instant::from_micros(LAST));
        for _ in 0..64 {
            let next = self.sender.deadlines().into_iter().filter(|at| self.now < *at && *at <= end).min();
            let Some(at) = next.filter(|_| is_punctual) else { break };
            self.serve(at);
        }
        self.serve(end);
    }

    fn wait_for_next(&mut self) {
        let next = self.sender.deadlines().into_iter().filter(|at| *at > self.now).min();
        if let Some(at) = next.filter(|at| *at < Instant::from_micros(LAST)) {
            self.serve(at);
        }
    }

    /// Serves what is due. Afterwards nothing is, but for a probe of the MTU.
    fn serve(&mut self, now: Instant) {
        self.now = now;
        for _ in 0..3 {
            let unanswered = self.sender.stats().unanswered_probes;
            let lost = lost(&self.sender.on_timeout(now));
            self.sent.lose(&lost, Cause::Overtaken, now);
            let risen = self.sender.stats().unanswered_probes - unanswered;
            assert!(risen <= 1 && (risen == 0 || self.sender.probes_due() == 2), "{risen} timeouts at once");
        }
        let due = self.sender.deadlines().into_iter().filter(|at| *at <= now).count();
        let is_probe = self.sender.mtu_probe_due(now).is_some() || !self.sender.has_room();
        assert!(due == 0 || (due == 1 && is_probe), "{due} deadlines stand still: {:?}", self.sender);
    }

    /// Whatever the pace, a packet may leave at the time that was told.
    fn wait_for_leave(&mut self) {
        let pace = |sender: &Sender| (sender.stats().window, sender.stats().smoothed_rtt, sender.packet_size());
        for _ in 0..64 {
            let (size, before) = (self.sender.packet_size(), pace(&self.sender));
            let at = match self.sender.may_send(size, self.now) {
                MaySend::At(at) => at,
                leave => return self.check_leave(leave, size),
            };
            let longest = before.1 * 5 + Duration::from_millis(1);
            assert!(self.now < at && at <= self.now + longest, "told to wait from {:?} to {at:?}", self.now);
            assert!(self.sender.deadlines().contains(&at), "nothing wakes the sender at {at:?}");
            self.wait(at - self.now, true);
            let again = self.sender.may_send(size, self.now);
            let is_paced = matches!(again, MaySend::At(_)) && self.sender.probes_due() == 0;
            assert!(!is_paced || pace(&self.sender) != before, "told to wait once more: {again:?}");
        }
        panic!("there is no end to waiting: {:?}", self.sender);
    }

    /// Nothing is held back without a reason that goes away.
    fn check_leave(&self, leave: MaySend, size: u16) {
        let stats = self.sender.stats();
        let is_full = stats.bytes_in_flight + u64::from(size) > stats.window;
        let may_leave = self.sender.probes_due() > 0 || (!is_full && self.sender.has_room());
        assert_eq!(leave == MaySend::Now, may_leave, "{leave:?} of {size} bytes: {stats:?}");
    }

    fn change_path(&mut self, max_mtu: u16) {
        self.max_mtu = max_mtu.clamp(256, 9_000);
        self.sender.on_new_path(self.rate_control, self.max_mtu, self.now);
        self.sent.change_path();
        self.is_vouched_for = false;
        let stats = self.sender.stats();
        assert_eq!((stats.mtu, stats.unanswered_probes), (self.max_mtu.min(BASE_MTU), 0));
    }

    fn make_room(&mut self) {
        let lost = lost(&self.sender.make_room(self.now));
        self.sent.lose(&lost, Cause::NoRoom, self.now);
        assert!(self.sender.has_room(), "no room was made");
    }

    fn check(&self) {
        let stats = self.sender.stats();
        assert_eq!(stats.bytes_in_flight, self.sent.bytes_in_flight(), "bytes in flight");
        let (base, size) = (self.max_mtu.min(BASE_MTU), self.sender.packet_size());
        assert!(base <= stats.mtu && stats.mtu <= self.max_mtu, "the MTU is {}", stats.mtu);
        assert!(base <= size && size <= stats.mtu, "packets have {size} bytes");
        assert!(stats.window >= 2 * u64::from(stats.mtu), "the window is {}", stats.window);
        assert!(!stats.is_ecn_capable || self.is_vouched_for, "nobody has seen a mark");
        if self.sent.waits() {
            let patience = MAX_BACKED_OFF.max(self.sender.pto()).max(self.sent.slowest * 2);
            let is_bounded = self.sender.deadlines().into_iter().any(|at| at <= self.now + patience);
            assert!(is_bounded, "nothing is asked within {patience:?}: {:?}", self.sender.deadlines());
        }
        assert!(
            self.sender.has_room() || self.sent.waits() || self.sent.is_stuck(),
            "no room, and nothing that would make any: {:?}",
            self.sender
        );
        let later = self.now + Duration::from_secs(3_600);
        let is_searching = self.sender.mtu_probe_due(later).is_some() || !self.sender.has_room();
        assert!(stats.mtu == self.max_mtu || self.sent.is_probing() || is_searching, "the MTU's search has stopped");
    }

    /// The peer has everything: nothing is in flight any more, and nothing is due but what the path may bring.
    fn wind_up(mut self) {
        let all = [(0, self.sent.next.saturating_sub(1))];
        let all: Vec<_> = all.into_iter().filter(|_| self.sent.next > 0).collect();
        let mut honest = self.sent.without_skipped(&all);
        // More skipped numbers than an acknowledgement can go around: the oldest ones stay unacknowledged, and are lost.
        honest.truncate(32);
        if !honest.is_empty() {
            self.ack(&honest, Duration::ZERO, None);
        }
        self.check();
        self.wait(Duration::from_secs(600), true);
        self.check();
        self.wait_for_leave();
    }
}

/// A packet that asks for nothing.
fn quiet(size: u8) -> Outgoing {
    Outgoing { size: u16::from(size) + 40, ack_eliciting: false, is_padded: false, is_mtu_probe: false }
}

fn lost(fates: &[Fate]) -> Vec<u32> {
    let lost = fates.iter().map(|fate| match fate {
        Fate::Lost(record) => *record,
        Fate::Acked(record) => panic!("{record} was acknowledged by nobody"),
    });
    lost.collect()
}
