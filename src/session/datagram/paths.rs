//! Where the peer is (specification, section 9.7; RFC 9000, sections 8 and 9).
#![forbid(unsafe_code)]

use core::time::Duration;

use heapless::Deque;

use super::PathId;
use crate::crypto::generator::Generator;
use crate::session::recovery::{AmplificationLimit, PathValidation};
use crate::time::Instant;
use crate::wire::payload::{Control, PayloadWriter};

/// Answers to challenges that may wait to be sent. More of them is somebody else's flood (MODELS: quic-go).
const MAX_RESPONSES: usize = 4;

/// The path that packets go to, what is known about it, and the questions of the peer about this end.
#[derive(Debug)]
pub(super) struct Paths {
    active: PathId,
    /// How much may go there before the peer has shown that it is there.
    limit: AmplificationLimit,
    /// Asking it.
    validation: Option<PathValidation>,
    /// The path before, on which the peer has shown itself: back to it, if the present one proves to be none.
    proven: Option<PathId>,
    /// Nothing has come yet: the first datagram says where the initiator is.
    is_unknown: bool,
    responses: Deque<(PathId, u64), MAX_RESPONSES>,
}

impl Paths {
    /// An initiator knows where the responder is, and a responder learns it.
    pub(super) fn new(is_responder: bool) -> Self {
        let mut limit = AmplificationLimit::default();
        if !is_responder {
            limit.validate();
        }
        Self {
            active: PathId::default(),
            limit,
            validation: None,
            proven: None,
            is_unknown: is_responder,
            responses: Deque::new(),
        }
    }

    pub(super) const fn active(&self) -> PathId {
        self.active
    }

    /// Whether something may still be sent to a path.
    #[cfg(feature = "endpoint")]
    pub(super) fn uses(&self, path: PathId) -> bool {
        self.active == path || self.proven == Some(path) || self.responses.iter().any(|(to, _)| *to == path)
    }

    /// A datagram of so many bytes has come, from anybody.
    pub(super) fn on_received(&mut self, path: PathId, bytes: usize) {
        if core::mem::take(&mut self.is_unknown) {
            self.active = path;
        }
        if path == self.active {
            self.limit.on_received(bytes as u64);
        }
    }

    /// The newest authentic packet so far came over this path, in a datagram of so many bytes: the peer has moved there (R-9.7-3).
    pub(super) fn on_newest(&mut self, path: PathId, bytes: usize, pto: Duration, now: Instant) {
        if path == self.active {
            return;
        }
        let is_return = self.proven == Some(path);
        if self.validation.is_none() {
            self.proven = Some(self.active);
        }
        self.active = path;
        self.limit = AmplificationLimit::default();
        self.limit.on_received(bytes as u64);
        self.validation = None;
        if is_return {
            self.limit.validate();
        } else {
            self.validation = Some(PathValidation::new(pto, now));
        }
    }

    /// The handshake has shown that the peer is at the present path (R-9.7-2).
    pub(super) fn validate_active(&mut self) {
        self.limit.validate();
        self.validation = None;
    }

    /// Bytes that may go to the present path.
    pub(super) const fn available(&self) -> u64 {
        self.limit.available()
    }

    pub(super) fn on_sent(&mut self, path: PathId, bytes: usize) {
        if path == self.active {
            self.limit.on_sent(bytes as u64);
        }
    }

    /// The peer asks whether this end is at a path. The oldest questions give way.
    pub(super) fn on_challenge(&mut self, path: PathId, data: u64) {
        if self.responses.is_full() {
            self.responses.pop_front();
        }
        let _ = self.responses.push_back((path, data));
    }

    /// An answer that waits to be sent.
    pub(super) fn response(&self) -> Option<(PathId, u64)> {
        self.responses.front().copied()
    }

    /// Adds the answer that waits longest, if there is one and it fits.
    pub(super) fn write_response(&mut self, payload: &mut PayloadWriter<'_>) {
        if let Some((_, data)) = self.response()
            && payload.control(&Control::PathResponse { data })
        {
            self.responses.pop_front();
        }
    }

    /// Adds a challenge to the active path, if one is due and it fits; whether it was added.
    pub(super) fn write_challenge(
        &mut self,
        payload: &mut PayloadWriter<'_>,
        generator: &mut Generator,
        now: Instant,
    ) -> bool {
        let Some(validation) = self.validation.as_mut().filter(|validation| validation.is_challenge_due(now)) else {
            return false;
        };
        let mut challenge = [0; 8];
        generator.public(&mut challenge);
        let is_written = payload.control(&Control::PathChallenge { data: u64::from_le_bytes(challenge) });
        if is_written {
            validation.on_challenge_sent(challenge, now);
        }
        is_written
    }

    pub(super) fn is_challenge_due(&self, now: Instant) -> bool {
        self.validation.as_ref().is_some_and(|validation| validation.is_challenge_due(now))
    }

    /// The peer's answer; whether it shows that the peer is at the present path, and is a new one.
    pub(super) fn on_response(&mut self, data: u64, now: Instant) -> bool {
        let answers = |validation: &mut PathValidation| validation.on_response(data.to_le_bytes(), now);
        let is_shown = self.validation.as_mut().is_some_and(answers);
        if is_shown {
            self.validate_active();
            self.proven = None;
        }
        is_shown
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.validation.as_ref()?.deadline()
    }

    /// Gives up a path that did not answer, if there is one to go back to (R-9.7-4).
    pub(super) fn on_timeout(&mut self, now: Instant) {
        if !self.validation.as_ref().is_some_and(|validation| validation.has_failed(now)) {
            return;
        }
        self.validation = None;
        if let Some(proven) = self.proven.take() {
            self.active = proven;
            self.limit.validate();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PTO: Duration = Duration::from_millis(100);
    const HOME: PathId = PathId(1);
    const AWAY: PathId = PathId(2);

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    fn at_home() -> Paths {
        let mut paths = Paths::new(true);
        paths.on_received(HOME, 1_232);
        paths
    }

    /// R-9.7-1, R-9.7-2.
    #[test]
    fn a_responder_sends_three_times_what_came_until_the_initiator_has_shown_itself() {
        let mut paths = at_home();
        assert_eq!((paths.active(), paths.available()), (HOME, 3_696));
        paths.on_received(AWAY, 1_000);
        paths.on_sent(HOME, 3_000);
        assert_eq!(paths.available(), 696);
        paths.validate_active();
        assert_eq!(paths.available(), u64::MAX);
        assert_eq!(Paths::new(false).available(), u64::MAX);
    }

    /// R-9.7-3, R-9.7-4.
    #[test]
    fn a_new_path_is_asked_and_given_up_when_nobody_answers() {
        let mut paths = at_home();
        paths.validate_active();
        paths.on_newest(AWAY, 100, PTO, at(0));
        assert_eq!((paths.active(), paths.available()), (AWAY, 300));
        assert!(paths.is_challenge_due(at(0)));
        paths.validation.as_mut().unwrap().on_challenge_sent(7_u64.to_le_bytes(), at(0));
        assert!(!paths.on_response(8, at(1)) && !paths.is_challenge_due(at(1)));
        let mut answered = Paths { validation: paths.validation.clone(), ..at_home() };
        assert!(answered.on_response(7, at(1)));
        assert_eq!(answered.available(), u64::MAX);
        paths.on_timeout(at(299));
        assert_eq!(paths.active(), AWAY);
        paths.on_timeout(at(300));
        assert_eq!((paths.active(), paths.available(), paths.deadline()), (HOME, u64::MAX, None));
    }

    #[test]
    fn back_to_a_path_that_was_proven_needs_no_answer_and_one_that_was_not_is_no_way_back() {
        let mut paths = at_home();
        paths.validate_active();
        paths.on_newest(AWAY, 100, PTO, at(0));
        paths.on_newest(PathId(3), 100, PTO, at(1));
        paths.on_timeout(at(301));
        assert_eq!(paths.active(), HOME);
        paths.on_newest(AWAY, 100, PTO, at(400));
        paths.on_newest(HOME, 100, PTO, at(401));
        assert_eq!((paths.available(), paths.deadline()), (u64::MAX, None));
    }

    #[test]
    fn of_many_challenges_the_last_four_are_answered() {
        let mut paths = at_home();
        for data in 0..9 {
            paths.on_challenge(AWAY, data);
        }
        let mut answered = alloc::vec::Vec::new();
        while let Some((_, data)) = paths.response() {
            answered.push(data);
            paths.write_response(&mut PayloadWriter::new(&mut [0; 200]).unwrap());
        }
        assert_eq!(answered, [5, 6, 7, 8]);
    }
}
