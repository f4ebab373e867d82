//! The receiver's half: what to acknowledge, and when.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::time::Duration;

use crate::session::recovery::{AckRanges, AckTiming, Arrival};
use crate::time::Instant;

/// A receiver: which numbers have come, and when that has to be said.
#[derive(Debug)]
pub struct Receiver {
    received: AckRanges,
    timing: AckTiming,
}

impl Receiver {
    /// A receiver that lets a single packet wait for so long.
    #[must_use]
    pub fn new(max_ack_delay: Duration) -> Self {
        Self { received: AckRanges::default(), timing: AckTiming::new(max_ack_delay) }
    }

    /// A packet has come. Whether its number was news.
    pub fn on_received(&mut self, number: u64, ack_eliciting: bool, congestion_marked: bool, now: Instant) -> bool {
        let is_news = self.received.insert(number);
        self.timing.on_received(Arrival { number, ack_eliciting, congestion_marked }, &self.received, now);
        is_news
    }

    /// First and last number of each range to be acknowledged, from the highest down.
    #[must_use]
    pub fn ranges(&self) -> Vec<(u64, u64)> {
        self.received.iter().map(|range| (range.first, range.last)).collect()
    }

    /// The highest number that has come.
    #[must_use]
    pub fn largest(&self) -> Option<u64> {
        self.received.largest()
    }

    /// The peer knows of all numbers below this one.
    pub fn forget_below(&mut self, number: u64) {
        self.received.forget_below(number);
    }

    /// When an acknowledgement has to go out.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.timing.deadline()
    }

    /// Whether one has to go out now.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.timing.is_due(now)
    }

    /// Whether one is worth taking along.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.timing.is_wanted()
    }

    /// How long the packet with the highest number has waited.
    #[must_use]
    pub fn ack_delay(&self, now: Instant) -> Duration {
        self.timing.ack_delay(now)
    }

    /// An acknowledgement was sent.
    pub fn on_ack_sent(&mut self) {
        self.timing.sent();
    }
}
