//! Whether the peer is at an address, and how much may go there until that is known.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::time::Duration;

use crate::session::recovery::{AmplificationLimit, PathValidation};
use crate::time::Instant;

/// One path that is being validated.
#[derive(Debug)]
pub struct PathCheck {
    limit: AmplificationLimit,
    validation: PathValidation,
}

impl PathCheck {
    /// Begins.
    #[must_use]
    pub fn new(pto: Duration, now: Instant) -> Self {
        Self { limit: AmplificationLimit::default(), validation: PathValidation::new(pto, now) }
    }

    /// So many bytes have come from the address.
    pub fn on_received(&mut self, bytes: u64) {
        self.limit.on_received(bytes);
    }

    /// So many bytes were sent to it.
    pub fn on_sent(&mut self, bytes: u64) {
        self.limit.on_sent(bytes);
    }

    /// How many bytes may be sent.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.limit.available()
    }

    /// Whether another challenge should be sent.
    #[must_use]
    pub fn is_challenge_due(&self, now: Instant) -> bool {
        self.validation.is_challenge_due(now)
    }

    /// A challenge was sent.
    pub fn on_challenge_sent(&mut self, challenge: [u8; 8], now: Instant) {
        self.validation.on_challenge_sent(challenge, now);
    }

    /// A response has come. Whether it validates the path: the limit is off then.
    pub fn on_response(&mut self, response: [u8; 8], now: Instant) -> bool {
        let is_shown = self.validation.on_response(response, now);
        if is_shown {
            self.limit.validate();
        }
        is_shown
    }

    /// Whether no answer came in time.
    #[must_use]
    pub fn has_failed(&self, now: Instant) -> bool {
        self.validation.has_failed(now)
    }

    /// When something is due.
    #[must_use]
    pub fn deadlines(&self) -> Vec<Instant> {
        self.validation.deadlines().collect()
    }
}
