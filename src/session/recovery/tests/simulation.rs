//! A sender and a receiver over a link that has one bottleneck, in virtual time.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::super::*;
use crate::session::recovery::ack_ranges::AckRanges;
use crate::session::recovery::ack_timing::{AckTiming, Arrival, MAX_ACK_DELAY};
use crate::session::recovery::path_mtu::BASE_MTU;

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
}

impl Bottleneck {
    /// With a queue of one bandwidth-delay product, and of room for 20 packets at least.
    pub(super) fn new(megabits: u64, round_trip_millis: u64) -> Self {
        let bits_per_second = megabits * 1_000_000;
        let queue_bytes = (bits_per_second / 8 * round_trip_millis / 1_000).max(20 * 1_500);
        let round_trip = Duration::from_millis(round_trip_millis);
        Self { bits_per_second, round_trip, queue_bytes, mtu: 1_472, marks: false }
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
    link: Bottleneck,
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
    random: u64,
    pub(super) dropped: u64,
    /// Bytes that have arrived.
    pub(super) delivered: u64,
}

/// Data that was lost and has to be sent again.
#[derive(Default)]
struct Owner {
    lost: VecDeque<u64>,
    acked: u64,
}

impl Visitor<u64> for Owner {
    fn acked(&mut self, _record: u64) {
        self.acked += 1;
    }

    fn lost(&mut self, record: u64) {
        self.lost.push_back(record);
    }
}

impl Simulation {
    pub(super) fn new(rate_control: RateControl, link: Bottleneck) -> Self {
        let start = Start {
            first_number: 0,
            peer_max_ack_delay: MAX_ACK_DELAY,
            rate_control,
            max_mtu: 1_472,
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
            random: 1,
            dropped: 0,
            delivered: 0,
        }
    }

    /// Lets time pass; returns the part of the link's capacity that was used.
    pub(super) fn run(&mut self, time: Duration) -> f64 {
        let end = self.now + time;
        let before = self.delivered;
        while self.now < end {
            self.step();
        }
        (self.delivered - before) as f64 * 8.0 / time.as_secs_f64() / self.link.bits_per_second as f64
    }

    /// Everything that is due, and on to the next event.
    fn step(&mut self) {
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
        let next = events.into_iter().flatten().min().expect("the sender has more to send");
        assert!(next > self.now, "a deadline that was served is gone: {:?}", self.sender);
        self.now = next;
    }

    fn send(&mut self) {
        while let Some(size) = self.sender.mtu_probe_due(self.now) {
            self.transmit(size, true, None);
        }
        loop {
            let size = self.sender.packet_size();
            if self.sender.may_send(size, self.now) != Leave::Now {
                return;
            }
            let record = self.owner.lost.pop_front().unwrap_or_else(|| {
                self.next_record += 1;
                self.next_record
            });
            self.transmit(size, false, Some(record));
        }
    }

    fn transmit(&mut self, size: u16, is_mtu_probe: bool, record: Option<u64>) {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let random = self.random >> 20;
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
        if queued + u128::from(size) > u128::from(self.link.queue_bytes) || size > self.link.mtu {
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
        self.to_sender.push_back(Ack { arrives, ranges, delay: self.timing.ack_delay(self.now), counts });
        self.timing.sent();
    }
}

/// How long until a sender has found its pace, and how long is measured: in round trips, and a second at least.
fn used(rate_control: RateControl, link: Bottleneck) -> f64 {
    let mut simulation = Simulation::new(rate_control, link);
    simulation.run((link.round_trip * 30).max(Duration::from_secs(1)));
    let used = simulation.run((link.round_trip * 50).max(Duration::from_secs(1)));
    let stats = simulation.sender.stats();
    assert_eq!(stats.packets_lost_in_error, 0, "{link:?}");
    assert_eq!(stats.mtu, 1_472, "{link:?}");
    used
}

#[test]
fn slow_and_middling_links_are_filled() {
    for rate_control in [RateControl::NewReno, RateControl::Cubic] {
        for megabits in [1, 3, 10, 30, 100] {
            for round_trip in [10, 30, 100, 200] {
                let used = used(rate_control, Bottleneck::new(megabits, round_trip));
                assert!(used >= 0.9, "{rate_control:?} {megabits} Mbit/s {round_trip} ms: {used:.3}");
            }
        }
    }
}

#[test]
fn fast_links_are_filled() {
    for rate_control in [RateControl::NewReno, RateControl::Cubic] {
        for round_trip in [10, 50, 200] {
            let used = used(rate_control, Bottleneck::new(1_000, round_trip));
            assert!(used >= 0.9, "{rate_control:?} 1000 Mbit/s {round_trip} ms: {used:.3}");
        }
    }
}

#[test]
fn a_link_that_marks_is_filled_without_loss() {
    for rate_control in [RateControl::NewReno, RateControl::Cubic] {
        let mut link = Bottleneck::new(20, 50);
        link.queue_bytes *= 2;
        link.marks = true;
        let mut simulation = Simulation::new(rate_control, link);
        simulation.run(Duration::from_secs(5));
        let dropped = simulation.dropped;
        let used = simulation.run(Duration::from_secs(10));
        assert!(used >= 0.9, "{rate_control:?}: {used:.3}");
        assert_eq!(simulation.dropped, dropped, "{rate_control:?}: marks come before drops");
        let stats = simulation.sender.stats();
        assert!(stats.is_ecn_capable && stats.congestion_events >= 2, "{stats:?}");
    }
}

#[test]
fn a_path_that_carries_less_is_found_out() {
    let mut link = Bottleneck::new(10, 40);
    link.mtu = 1_400;
    let mut simulation = Simulation::new(RateControl::Cubic, link);
    simulation.run(Duration::from_secs(5));
    assert_eq!(simulation.sender.stats().mtu, 1_392);
    let used = simulation.run(Duration::from_secs(5));
    assert!(used >= 0.9, "{used:.3}");
}

/// Large packets pass at first and then no more.
#[test]
fn a_path_that_swallows_large_packets_is_survived() {
    let mut simulation = Simulation::new(RateControl::Cubic, Bottleneck::new(10, 40));
    simulation.run(Duration::from_secs(2));
    assert_eq!(simulation.sender.stats().mtu, 1_472);
    simulation.link.mtu = 1_300;
    simulation.run(Duration::from_secs(10));
    assert_eq!(simulation.sender.stats().mtu, BASE_MTU);
    let used = simulation.run(Duration::from_secs(5));
    assert!(used >= 0.9, "{used:.3}");
}

#[test]
fn the_same_run_twice_is_the_same() {
    let run = || {
        let mut simulation = Simulation::new(RateControl::Cubic, Bottleneck::new(10, 30));
        simulation.run(Duration::from_secs(3));
        (simulation.delivered, simulation.dropped, simulation.now, simulation.sender.stats())
    };
    assert_eq!(run(), run());
}
