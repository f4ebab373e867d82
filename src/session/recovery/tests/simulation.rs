//! A sender and a receiver over a link that has one bottleneck, in virtual time.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::super::*;
use crate::session::recovery::ack_ranges::AckRanges;
use crate::session::recovery::ack_timing::{AckTiming, Arrival, MAX_ACK_DELAY};

/// The bottleneck: so many bits in a second, a delay each way, and a queue that drops what does not fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bottleneck {
    pub(super) bits_per_second: u64,
    pub(super) round_trip: Duration,
    pub(super) queue_bytes: u64,
    /// The link carries no larger datagrams.
    pub(super) mtu: u16,
    /// It marks what waits in more than half of the queue.
    pub(super) marks: bool,
    /// So many packets in a hundred get lost by chance, each way.
    pub(super) loss_percent: u64,
}

impl Bottleneck {
    /// With a queue of one bandwidth-delay product, and of room for 20 packets at least.
    pub(super) fn new(megabits: u64, round_trip_millis: u64) -> Self {
        let bits_per_second = megabits * 1_000_000;
        let queue_bytes = (bits_per_second / 8 * round_trip_millis / 1_000).max(20 * 1_500);
        let round_trip = Duration::from_millis(round_trip_millis);
        Self { bits_per_second, round_trip, queue_bytes, mtu: 1_472, marks: false, loss_percent: 0 }
    }
}

struct InTransit {
    arrives: Instant,
    number: u64,
    size: u16,
    ecn: EcnCodepoint,
}

struct Ack {
    arrives: Instant,
    ranges: Vec<AckRange>,
    delay: Duration,
    counts: Option<EcnCounts>,
}

/// Both ends and the link. The sender always has more to send; records are numbers of packets of data.
pub(super) struct Simulation {
    pub(super) link: Bottleneck,
    pub(super) now: Instant,
    pub(super) sender: Recovery<u64>,
    owner: Owner,
    received: AckRanges,
    timing: AckTiming,
    counts: EcnCounts,
    /// When the bottleneck has sent all that it has taken, in nanoseconds: packets take less than a microsecond on fast links.
    busy_until: u64,
    to_receiver: VecDeque<InTransit>,
    to_sender: VecDeque<Ack>,
    next_record: u64,
    /// The sender has no more than this to send.
    last_record: u64,
    pub(super) random: u64,
    pub(super) dropped: u64,
    /// Bytes that have arrived.
    pub(super) delivered: u64,
}

/// Data that was lost and has to be sent again, and what has arrived.
#[derive(Default)]
struct Owner {
    lost: VecDeque<u64>,
    acked: Vec<bool>,
}

impl Visitor<u64> for Owner {
    fn acked(&mut self, record: u64) {
        let index = record as usize;
        self.acked.resize(self.acked.len().max(index + 1), false);
        self.acked[index] = true;
    }

    fn lost(&mut self, record: u64) {
        if !self.acked.get(record as usize).is_some_and(|&acked| acked) {
            self.lost.push_back(record);
        }
    }
}

impl Simulation {
    pub(super) fn new(rate_control: RateControl, link: Bottleneck) -> Self {
        let start = Start {
            first_number: 0,
            peer_max_ack_delay: MAX_ACK_DELAY,
            rate_control,
            max_mtu: 1_472,
            max_packets: 1 << 16,
            random: 0x9E37_79B9_7F4A_7C15,
        };
        let mut sender = Recovery::new(&start);
        sender.on_handshake_confirmed(Instant::ORIGIN);
        Self {
            link,
            now: Instant::from_micros(1_000_000),
            sender,
            owner: Owner::default(),
            received: AckRanges::default(),
            timing: AckTiming::new(MAX_ACK_DELAY),
            counts: EcnCounts::default(),
            busy_until: 0,
            to_receiver: VecDeque::new(),
            to_sender: VecDeque::new(),
            next_record: 0,
            last_record: u64::MAX,
            random: 1,
            dropped: 0,
            delivered: 0,
        }
    }

    /// Lets time pass; returns the part of the link's capacity that was used.
    pub(super) fn run(&mut self, time: Duration) -> f64 {
        let end = self.now + time;
        let before = self.delivered;
        while let Some(next) = self.step().filter(|&next| next < end) {
            self.now = next;
        }
        self.now = end;
        (self.delivered - before) as f64 * 8.0 / time.as_secs_f64() / self.link.bits_per_second as f64
    }

    /// Sends so many packets of data; returns how long it took until nothing was awaited any more.
    pub(super) fn send_all(&mut self, packets: u64) -> Duration {
        let start = self.now;
        self.last_record = packets;
        while let Some(next) = self.step() {
            self.now = next;
        }
        assert_eq!(self.owner.acked.iter().filter(|&&acked| acked).count() as u64, packets, "{:?}", self.sender);
        self.now - start
    }

    /// Everything that is due; returns the time of the next event.
    fn step(&mut self) -> Option<Instant> {
        while self.to_receiver.front().is_some_and(|packet| packet.arrives <= self.now) {
            self.receive();
        }
        if self.timing.is_due(self.now) {
            self.acknowledge();
        }
        while self.to_sender.front().is_some_and(|ack| ack.arrives <= self.now) {
            let ack = self.to_sender.pop_front().expect("one is there");
            let ranges = ack.ranges.into_iter();
            self.sender.on_ack(ranges, ack.delay, ack.counts, self.now, &mut self.owner).expect("an honest peer");
        }
        self.sender.on_timeout(self.now, &mut self.owner);
        self.send();
        let arrival = self.to_receiver.front().map(|packet| packet.arrives);
        let ack = self.to_sender.front().map(|ack| ack.arrives);
        let events = [self.sender.deadline(), arrival, ack, self.timing.deadline()];
        let next = events.into_iter().flatten().min();
        assert!(next.is_none_or(|next| next > self.now), "a deadline that was served is gone: {:?}", self.sender);
        next
    }

    fn send(&mut self) {
        while let Some(size) = self.sender.mtu_probe_due(self.now) {
            self.transmit(size, true, None);
        }
        while self.sender.probes_due() > 0 || !self.owner.lost.is_empty() || self.next_record < self.last_record {
            let size = self.sender.packet_size();
            if self.sender.may_send(size, self.now) != Leave::Now {
                return;
            }
            let record = self.next_record();
            self.transmit(size, false, record);
        }
    }

    /// What is sent next: what was lost, what is new, or nothing.
    fn next_record(&mut self) -> Option<u64> {
        let lost = self.owner.lost.pop_front();
        let is_new = lost.is_none() && self.next_record < self.last_record;
        self.next_record += u64::from(is_new);
        lost.or(is_new.then_some(self.next_record - u64::from(is_new)))
    }

    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.random >> 20
    }

    fn is_lost_by_chance(&mut self) -> bool {
        self.random() % 100 < self.link.loss_percent
    }

    fn transmit(&mut self, size: u16, is_mtu_probe: bool, record: Option<u64>) {
        let random = self.random();
        let number = self.sender.next_number(self.now, || random);
        let ecn = self.sender.ecn();
        let packet = Departure { size, ack_eliciting: true, is_padded: is_mtu_probe, is_mtu_probe };
        self.sender.on_sent(packet, record, self.now);
        self.forward(number, size, ecn);
    }

    /// The bottleneck takes a packet or drops it.
    fn forward(&mut self, number: u64, size: u16, mut ecn: EcnCodepoint) {
        let nanos = self.now.as_micros() * 1_000;
        let queued =
            u128::from(self.busy_until.saturating_sub(nanos)) * u128::from(self.link.bits_per_second) / 8_000_000_000;
        let is_lost = self.is_lost_by_chance();
        if is_lost || queued + u128::from(size) > u128::from(self.link.queue_bytes) || size > self.link.mtu {
            self.dropped += 1;
            return;
        }
        if self.link.marks && ecn == EcnCodepoint::Ect0 && queued * 2 > u128::from(self.link.queue_bytes) {
            ecn = EcnCodepoint::Ce;
        }
        self.busy_until = self.busy_until.max(nanos) + u64::from(size) * 8_000_000_000 / self.link.bits_per_second;
        let arrives = Instant::from_micros(self.busy_until.div_ceil(1_000)) + self.link.round_trip / 2;
        self.to_receiver.push_back(InTransit { arrives, number, size, ecn });
    }

    fn receive(&mut self) {
        let packet = self.to_receiver.pop_front().expect("one is there");
        self.received.insert(packet.number);
        self.delivered += u64::from(packet.size);
        self.counts.count(packet.ecn);
        let congestion_marked = packet.ecn == EcnCodepoint::Ce;
        let arrival = Arrival { number: packet.number, ack_eliciting: true, congestion_marked };
        self.timing.on_received(arrival, &self.received, self.now);
        if self.timing.is_due(self.now) {
            self.acknowledge();
        }
    }

    fn acknowledge(&mut self) {
        let ranges = self.received.iter().collect();
        let counts = (!self.counts.is_zero()).then_some(self.counts);
        let arrives = self.now + self.link.round_trip / 2;
        if !self.is_lost_by_chance() {
            self.to_sender.push_back(Ack { arrives, ranges, delay: self.timing.ack_delay(self.now), counts });
        }
        self.timing.sent();
    }
}
