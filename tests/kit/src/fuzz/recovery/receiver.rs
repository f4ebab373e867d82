//! The receiver's half.

use std::collections::BTreeSet;
use std::time::Duration;

use aitcp::Instant;
use aitcp::testing::recovery::Receiver;

use crate::fuzz::input::Input;

/// How many ranges are remembered.
const MAX_RANGES: usize = 32;

/// So many packets that ask for an acknowledgement get one at once.
const ACK_FREQUENCY: u32 = 2;

/// The choice: how long a packet may wait (bits 0 to 3), and whether numbers begin high (bit 4).
pub(super) fn run(choice: u8, input: &mut Input<'_>) {
    let delay = Duration::from_micros(1_000 << (choice & 0xF));
    let next = if choice & 16 == 0 { 0 } else { u64::MAX - 1_000 };
    let mut driver = Driver {
        receiver: Receiver::new(delay),
        reference: Reference::default(),
        expected: Expected::default(),
        delay,
        now: Instant::ORIGIN,
        next,
    };
    while !input.is_empty() {
        driver.step(input);
        driver.check();
    }
}

struct Driver {
    receiver: Receiver,
    reference: Reference,
    expected: Expected,
    delay: Duration,
    now: Instant,
    next: u64,
}

impl Driver {
    /// One operation: a run of packets in order (below 0x40), packets that leave gaps or are late (below 0xB0), time, acknowledgements
    /// that leave, and those of them that the peer has got.
    fn step(&mut self, input: &mut Input<'_>) {
        let op = input.byte();
        let asks = op & 1 == 0;
        let count = op >> 1 & 0xF;
        match op {
            0..=0x1F => (0..=count).for_each(|_| self.receive(self.next, asks, false)),
            // Every second one.
            0x20..=0x3F => (0..=count).for_each(|_| self.receive(self.next.saturating_add(1), asks, false)),
            0x40..=0x5F => {
                let gap = input.byte();
                self.receive(self.next.saturating_add(gap.into()), asks, count & 1 != 0);
            }
            0x60..=0x9F => {
                let back = input.byte();
                self.receive(self.next.saturating_sub(back.into()), asks, count & 1 != 0);
            }
            0xA0..=0xAF => self.receive(input.number(), asks, false),
            0xB0..=0xCF => self.now = self.now + Duration::from_micros(250 << count),
            0xD0..=0xDF => {
                let at = self.receiver.deadline().unwrap_or(self.now);
                self.now = self.now.max(at);
                assert_eq!(self.receiver.is_due(self.now), self.receiver.is_wanted());
            }
            0xE0..=0xEF => {
                self.receiver.on_ack_sent();
                self.expected.acknowledged();
            }
            _ => {
                let number = self.next.saturating_sub(input.byte().into());
                self.receiver.forget_below(number);
                self.reference.forget_below(number);
            }
        }
    }

    fn receive(&mut self, number: u64, asks: bool, is_marked: bool) {
        let is_news = self.receiver.on_received(number, asks, is_marked, self.now);
        assert_eq!(is_news, self.reference.insert(number), "whether {number} was news");
        self.expected.arrived(number, asks, is_marked, &self.reference, self.now, self.delay);
        self.next = self.next.max(number.saturating_add(1));
    }

    fn check(&self) {
        let ranges = self.receiver.ranges();
        assert!(ranges.len() <= MAX_RANGES && ranges.iter().all(|(first, last)| first <= last), "{ranges:?}");
        let is_apart = |pair: &[(u64, u64)]| pair[1].1.checked_add(1).is_some_and(|next| next < pair[0].0);
        assert!(ranges.windows(2).all(is_apart), "not in order and apart: {ranges:?}");
        assert_eq!(ranges, self.reference.ranges());
        assert_eq!(self.receiver.largest(), self.reference.0.last().copied());
        assert_eq!(self.receiver.deadline(), self.expected.deadline, "when an acknowledgement is due");
        assert_eq!(self.receiver.is_wanted(), self.expected.waiting > 0);
        assert_eq!(self.receiver.is_due(self.now), self.expected.deadline.is_some_and(|at| at <= self.now));
        let newest = self.expected.newest.map_or(Duration::ZERO, |(_, at)| self.now - at);
        assert_eq!(self.receiver.ack_delay(self.now), newest, "how long the newest packet has waited");
    }
}

/// Every number that has come and may be remembered.
#[derive(Default)]
struct Reference(BTreeSet<u64>);

impl Reference {
    fn insert(&mut self, number: u64) -> bool {
        let is_news = self.0.insert(number);
        if let Some(&(_, last)) = self.ranges().get(MAX_RANGES) {
            self.0.retain(|kept| *kept > last);
        }
        is_news && self.0.contains(&number)
    }

    fn forget_below(&mut self, number: u64) {
        let largest = self.0.last().copied().unwrap_or(0);
        self.0.retain(|kept| *kept >= number.min(largest));
    }

    fn ranges(&self) -> Vec<(u64, u64)> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for &number in self.0.iter().rev() {
            match ranges.last_mut() {
                Some((first, _)) if *first - 1 == number => *first = number,
                _ => ranges.push((number, number)),
            }
        }
        ranges
    }

    /// The lowest number from which on all are there up to `number`.
    fn run(&self, number: u64) -> u64 {
        let range = self.ranges().into_iter().find(|(first, last)| (*first..=*last).contains(&number));
        range.map_or(number, |(first, _)| first)
    }
}

/// When an acknowledgement is due, by the words of the specification (R-8.10-1, R-8.10-2).
#[derive(Default)]
struct Expected {
    newest: Option<(u64, Instant)>,
    newest_asking: Option<u64>,
    waiting: u32,
    deadline: Option<Instant>,
}

impl Expected {
    fn arrived(&mut self, number: u64, asks: bool, marked: bool, all: &Reference, now: Instant, delay: Duration) {
        if self.newest.is_none_or(|(newest, _)| newest < number) {
            self.newest = Some((number, now));
        }
        if !asks {
            return;
        }
        self.waiting += 1;
        let is_late = self.newest_asking.is_some_and(|newest| number < newest);
        let is_gap = self.newest_asking.is_some_and(|newest| all.run(number) > newest.saturating_add(1));
        let at_once = self.waiting >= ACK_FREQUENCY || marked || is_late || is_gap;
        let due = if at_once { now } else { now + delay };
        self.deadline = Some(self.deadline.map_or(due, |earlier| earlier.min(due)));
        self.newest_asking = self.newest_asking.max(Some(number));
    }

    fn acknowledged(&mut self) {
        self.waiting = 0;
        self.deadline = None;
    }
}
