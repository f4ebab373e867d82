//! Whether the peer is at the address that it seems to be at (RFC 9000, section 8).

use core::time::Duration;

use heapless::Vec;

use crate::time::Instant;

/// Bytes sent to an address that has not proved itself, per byte received from it.
const AMPLIFICATION: u64 = 3;

/// Challenges to one path that may be unanswered, and so how often one is sent.
const MAX_CHALLENGES: usize = 3;

/// A path has failed after so many probe timeouts.
const PATIENCE: u32 = 3;

/// What may be sent to an address before it is known that the peer is there: three times what came from it, so that nobody can use
/// this end to flood somebody else (RFC 9000, section 8.1).
#[derive(Clone, Debug, Default)]
pub(crate) struct AmplificationLimit {
    received: u64,
    sent: u64,
    is_validated: bool,
}

impl AmplificationLimit {
    /// Takes note of bytes received from the address, in datagrams that are the peer's.
    pub(crate) const fn on_received(&mut self, bytes: u64) {
        if !self.is_validated {
            self.received = self.received.saturating_add(bytes);
        }
    }

    /// Takes note of bytes sent to it.
    pub(crate) const fn on_sent(&mut self, bytes: u64) {
        self.sent = self.sent.saturating_add(bytes);
    }

    /// The peer is there: the limit is off for good.
    pub(crate) const fn validate(&mut self) {
        self.is_validated = true;
    }

    /// Whether the limit is off.
    pub(crate) const fn is_validated(&self) -> bool {
        self.is_validated
    }

    /// Bytes that may still be sent.
    pub(crate) const fn available(&self) -> u64 {
        if self.is_validated { u64::MAX } else { self.received.saturating_mul(AMPLIFICATION).saturating_sub(self.sent) }
    }
}

/// A question to a path: eight random bytes, which only somebody who gets packets there can send back.
pub(crate) type Challenge = [u8; 8];

/// The validation of one path (RFC 9000, section 8.2). Its owner drops it when it has failed.
#[derive(Clone, Debug)]
pub(crate) struct PathValidation {
    unanswered: Vec<Challenge, MAX_CHALLENGES>,
    is_validated: bool,
    pto: Duration,
    next_challenge: Instant,
    fails_at: Instant,
}

impl PathValidation {
    /// Begins. `pto` is the probe timeout of the old path, or of one that nothing is known of, whichever is longer.
    pub(crate) fn new(pto: Duration, now: Instant) -> Self {
        let fails_at = now + pto.saturating_mul(PATIENCE);
        Self { unanswered: Vec::new(), is_validated: false, pto, next_challenge: now, fails_at }
    }

    /// Whether another challenge should be sent.
    pub(crate) fn is_challenge_due(&self, now: Instant) -> bool {
        !self.is_over(now) && !self.unanswered.is_full() && self.next_challenge <= now
    }

    /// Takes note that a challenge was sent.
    pub(crate) fn on_challenge_sent(&mut self, challenge: Challenge, now: Instant) {
        // One that finds no room is one that no answer counts for: it was not due.
        let _ = self.unanswered.push(challenge);
        self.next_challenge = now + self.pto;
    }

    /// Takes a response, from whatever path. Whether it validates this one.
    pub(crate) fn on_response(&mut self, response: Challenge, now: Instant) -> bool {
        if !self.is_over(now) && self.unanswered.contains(&response) {
            self.is_validated = true;
            self.unanswered.clear();
            return true;
        }
        false
    }

    /// Whether the peer has answered.
    #[cfg(test)]
    pub(crate) const fn is_validated(&self) -> bool {
        self.is_validated
    }

    /// Whether no answer came in time.
    pub(crate) fn has_failed(&self, now: Instant) -> bool {
        !self.is_validated && self.fails_at <= now
    }

    /// When the next challenge is due, and when the path has failed: the one may be due and find no leave to be sent.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = Instant> {
        let next_challenge = Some(self.next_challenge).filter(|_| !self.unanswered.is_full());
        next_challenge.into_iter().chain([self.fails_at]).filter(|_| !self.is_validated)
    }

    fn is_over(&self, now: Instant) -> bool {
        self.is_validated || self.has_failed(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PTO: Duration = Duration::from_millis(100);

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    #[test]
    fn three_times_what_was_received_may_be_sent() {
        let mut limit = AmplificationLimit::default();
        assert_eq!(limit.available(), 0);
        limit.on_received(1_200);
        assert_eq!(limit.available(), 3_600);
        limit.on_sent(3_599);
        assert_eq!(limit.available(), 1);
        limit.on_sent(10);
        assert_eq!(limit.available(), 0);
        limit.on_received(10);
        assert_eq!(limit.available(), 21);
        limit.validate();
        assert_eq!(limit.available(), u64::MAX);
    }

    #[test]
    fn counts_saturate_to_the_side_of_caution() {
        let mut limit = AmplificationLimit::default();
        limit.on_received(u64::MAX);
        limit.on_received(u64::MAX);
        assert_eq!(limit.available(), u64::MAX);
        limit.on_sent(u64::MAX);
        limit.on_sent(1);
        assert_eq!(limit.available(), 0);
    }

    #[test]
    fn the_right_answer_validates_whichever_challenge_it_is_to() {
        let mut path = PathValidation::new(PTO, at(0));
        for (index, millis) in [(1, 0), (2, 100), (3, 200)] {
            assert_eq!(path.deadlines().min(), Some(at(millis)));
            assert!(path.is_challenge_due(at(millis)));
            path.on_challenge_sent([index; 8], at(millis));
            assert!(!path.is_challenge_due(at(millis + 99)));
        }
        assert!(!path.is_challenge_due(at(299)), "three are enough");
        assert_eq!(path.deadlines().min(), Some(at(300)));
        assert!(!path.on_response([4; 8], at(250)) && !path.is_validated());
        assert!(path.on_response([2; 8], at(250)));
        assert!(path.is_validated() && !path.has_failed(at(10_000)));
        assert!(!path.on_response([1; 8], at(260)), "once");
        assert_eq!(path.deadlines().min(), None);
    }

    #[test]
    fn an_answer_to_nothing_is_none() {
        let mut path = PathValidation::new(PTO, at(0));
        assert!(!path.on_response([0; 8], at(0)));
    }

    #[test]
    fn no_answer_in_three_timeouts_is_a_failure() {
        let mut path = PathValidation::new(PTO, at(0));
        path.on_challenge_sent([1; 8], at(0));
        assert!(!path.has_failed(at(299)) && path.has_failed(at(300)));
        assert!(!path.is_challenge_due(at(300)));
        assert!(!path.on_response([1; 8], at(300)), "too late");
    }

    /// MODELS: path-probe queues (quic-go).
    #[test]
    fn challenges_do_not_pile_up() {
        let mut path = PathValidation::new(PTO, at(0));
        (0..100).for_each(|index| path.on_challenge_sent([index; 8], at(0)));
        assert_eq!(path.unanswered.len(), MAX_CHALLENGES);
        assert!(!path.on_response([99; 8], at(0)) && path.on_response([2; 8], at(0)));
    }
}
