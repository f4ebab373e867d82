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
    /// Another path: back to it, if the peer does not show itself on the present one.
    fallback: Option<Fallback>,
    /// The Hello has come over several: the end of the handshake does not tell which of them is the initiator's.
    is_ambiguous: bool,
    responses: Deque<(PathId, u64), MAX_RESPONSES>,
}

/// A path that packets went to, and what may still go there.
#[derive(Clone, Debug)]
struct Fallback {
    path: PathId,
    limit: AmplificationLimit,
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
            fallback: None,
            is_ambiguous: false,
            responses: Deque::new(),
        }
    }

    pub(super) const fn active(&self) -> PathId {
        self.active
    }

    /// Whether something may still be sent to a path.
    #[cfg(feature = "endpoint")]
    pub(super) fn uses(&self, path: PathId) -> bool {
        self.active == path
            || self.fallback.as_ref().is_some_and(|fallback| fallback.path == path)
            || self.responses.iter().any(|(to, _)| *to == path)
    }

    /// A datagram of so many bytes has come, from anybody.
    pub(super) fn on_received(&mut self, path: PathId, bytes: usize) {
        if path == self.active {
            self.limit.on_received(bytes as u64);
        }
    }

    /// A Hello has come over this path, in a datagram of so many bytes: the answer goes there, and not to whoever was the first to send
    /// anything (R-9.7-8).
    pub(super) fn on_hello(&mut self, path: PathId, bytes: usize) {
        if path != self.active {
            self.go(path, bytes);
        }
    }

    /// The Hello that was taken has come again.
    pub(super) fn on_hello_again(&mut self, path: PathId, bytes: usize) {
        self.is_ambiguous |= path != self.active;
        self.on_hello(path, bytes);
    }

    /// The initiator has proved who it is, by a packet over this path. It has got the answer to its Hello: so it is where that went, if
    /// that is one place, and the packet came from there (R-9.7-2); otherwise it has to be asked (R-9.7-8).
    pub(super) fn on_authenticated(&mut self, path: PathId, bytes: usize, pto: Duration, now: Instant) {
        if path == self.active && !self.is_ambiguous {
            self.validate_active();
            return;
        }
        self.on_hello(path, bytes);
        self.validation = Some(PathValidation::new(pto, now));
    }

    fn go(&mut self, path: PathId, bytes: usize) {
        self.active = path;
        self.limit = AmplificationLimit::default();
        self.limit.on_received(bytes as u64);
        self.validation = None;
    }

    /// The newest authentic packet so far came over this path, in a datagram of so many bytes: the peer has moved there (R-9.7-3).
    pub(super) fn on_newest(&mut self, path: PathId, bytes: usize, pto: Duration, now: Instant) {
        if path == self.active {
            return;
        }
        if self.fallback.as_ref().is_some_and(|fallback| fallback.path == path) {
            self.fall_back(pto, now);
            self.limit.on_received(bytes as u64);
            return;
        }
        // Back to where the peer has shown itself, whatever lies in between.
        if self.is_proven() || !self.fallback.as_ref().is_some_and(|fallback| fallback.limit.is_validated()) {
            self.fallback = Some(Fallback { path: self.active, limit: self.limit.clone() });
        }
        self.go(path, bytes);
        self.validation = Some(PathValidation::new(pto, now));
    }

    /// Goes back. A path on which the peer has not shown itself either is asked again, and this one stays in reserve.
    fn fall_back(&mut self, pto: Duration, now: Instant) {
        self.validation = None;
        if let Some(Fallback { path, limit }) = self.fallback.take() {
            let left = Fallback { path: self.active, limit: core::mem::replace(&mut self.limit, limit) };
            self.active = path;
            self.fallback = Some(left).filter(|_| !self.is_proven());
        }
        if !self.is_proven() {
            self.validation = Some(PathValidation::new(pto, now));
        }
    }

    /// Whether the peer has shown that it is at the present path.
    pub(super) const fn is_proven(&self) -> bool {
        self.limit.is_validated()
    }

    fn validate_active(&mut self) {
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

    /// Where an answer is to be sent.
    pub(super) fn answers_to(&self) -> Option<PathId> {
        self.responses.front().map(|(path, _)| *path)
    }

    /// Takes the answers that go over this path, the oldest first, as long as `write` can write them.
    pub(super) fn take_responses(&mut self, path: PathId, mut write: impl FnMut(u64) -> bool) {
        self.responses.retain(|(to, data)| *to != path || !write(*data));
    }

    /// Adds a challenge to the path that packets go to.
    pub(super) fn write_challenge(&mut self, payload: &mut PayloadWriter<'_>, generator: &mut Generator, now: Instant) {
        let mut challenge = [0; 8];
        generator.public(&mut challenge);
        let data = u64::from_le_bytes(challenge);
        if payload.control(&Control::PathChallenge { data }) {
            self.on_challenge_sent(data, now);
        }
    }

    fn on_challenge_sent(&mut self, data: u64, now: Instant) {
        if let Some(validation) = &mut self.validation {
            validation.on_challenge_sent(data.to_le_bytes(), now);
        }
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
            self.fallback = None;
        }
        is_shown
    }

    pub(super) fn deadlines(&self) -> impl Iterator<Item = Instant> {
        self.validation.iter().flat_map(PathValidation::deadlines)
    }

    /// Gives up a path that did not answer, if there is one to go back to (R-9.7-4); otherwise it is asked again.
    pub(super) fn on_timeout(&mut self, pto: Duration, now: Instant) {
        if !self.validation.as_ref().is_some_and(|validation| validation.has_failed(now)) {
            return;
        }
        self.fall_back(pto, now);
    }

    /// How much may be sent is not part of it: that grows with whatever comes from an address (R-9.7-1).
    #[cfg(feature = "testing")]
    pub(super) fn digest(&self, sink: &mut dyn FnMut(&[u8])) {
        let Self { active, limit, validation, fallback, is_ambiguous, responses } = self;
        let limits = (limit.is_validated(), fallback.as_ref().map(|fallback| fallback.path));
        sink(alloc::format!("{active:?} {limits:?} {validation:?} {is_ambiguous} {responses:?}").as_bytes());
    }

    /// The session is over: nobody is asked any more.
    pub(super) fn end(&mut self) {
        self.validation = None;
        self.responses.clear();
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
        paths.on_hello(HOME, 1_232);
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

    /// R-9.7-1, R-9.7-8: what goes to an address is never more than three times what came from there, however often the initiator seems
    /// to move.
    #[test]
    fn a_hello_is_answered_to_where_it_came_from() {
        let mut paths = Paths::new(true);
        paths.on_received(AWAY, 5_000);
        paths.on_hello(HOME, 1_000);
        assert_eq!((paths.active(), paths.available()), (HOME, 3_000));
        paths.on_sent(HOME, 2_500);
        paths.on_hello_again(AWAY, 1_000);
        assert_eq!((paths.active(), paths.available()), (AWAY, 3_000));
        paths.on_hello_again(HOME, 10);
        assert_eq!((paths.active(), paths.available()), (HOME, 30));
    }

    /// R-9.7-2, R-9.7-8.
    #[test]
    fn the_end_of_the_handshake_shows_where_the_initiator_is_if_that_can_be_one_place_only() {
        let mut paths = at_home();
        paths.on_hello_again(HOME, 1_232);
        paths.on_authenticated(HOME, 300, PTO, at(0));
        assert!(paths.is_proven() && paths.deadlines().next().is_none());

        let mut moved = at_home();
        moved.on_authenticated(AWAY, 300, PTO, at(0));
        assert_eq!((moved.active(), moved.available()), (AWAY, 900));
        let mut ambiguous = at_home();
        ambiguous.on_hello_again(AWAY, 1_232);
        ambiguous.on_hello_again(HOME, 1_232);
        ambiguous.on_authenticated(HOME, 300, PTO, at(0));
        for mut paths in [moved, ambiguous] {
            assert!(!paths.is_proven() && paths.is_challenge_due(at(0)));
            paths.on_timeout(PTO, at(300));
            assert!(paths.is_challenge_due(at(300)), "there is nowhere to go back to");
            paths.on_challenge_sent(7, at(300));
            assert!(paths.on_response(7, at(301)) && paths.is_proven());
        }
    }

    /// R-9.7-4: somebody else's copy of a packet does not take the initiator away that has not shown itself yet.
    #[test]
    fn of_two_paths_that_are_not_proven_each_is_asked_in_turn() {
        let mut paths = at_home();
        paths.on_hello_again(AWAY, 1_232);
        paths.on_hello_again(HOME, 1_232);
        paths.on_authenticated(HOME, 300, PTO, at(0));
        let available = paths.available();
        paths.on_newest(AWAY, 100, PTO, at(0));
        paths.on_timeout(PTO, at(300));
        assert_eq!((paths.active(), paths.available()), (HOME, available));
        assert!(paths.is_challenge_due(at(300)));
        paths.on_timeout(PTO, at(600));
        assert_eq!((paths.active(), paths.available()), (AWAY, 300));
        paths.on_newest(HOME, 100, PTO, at(700));
        assert_eq!((paths.active(), paths.available()), (HOME, available + 300));
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
        paths.on_timeout(PTO, at(299));
        assert_eq!(paths.active(), AWAY);
        paths.on_timeout(PTO, at(300));
        assert_eq!((paths.active(), paths.available(), paths.deadlines().next()), (HOME, u64::MAX, None));
    }

    #[test]
    fn back_to_a_path_that_was_proven_needs_no_answer_and_one_that_was_not_is_no_way_back() {
        let mut paths = at_home();
        paths.validate_active();
        paths.on_newest(AWAY, 100, PTO, at(0));
        paths.on_newest(PathId(3), 100, PTO, at(1));
        paths.on_timeout(PTO, at(301));
        assert_eq!(paths.active(), HOME);
        paths.on_newest(AWAY, 100, PTO, at(400));
        paths.on_newest(HOME, 100, PTO, at(401));
        assert_eq!((paths.available(), paths.deadlines().next()), (u64::MAX, None));
    }

    #[test]
    fn of_many_challenges_the_last_four_are_answered() {
        let mut paths = at_home();
        for data in 0..9 {
            paths.on_challenge(AWAY, data);
        }
        assert_eq!(paths.answers_to(), Some(AWAY));
        let mut answered = alloc::vec::Vec::new();
        paths.take_responses(HOME, |_| unreachable!("nobody asks there"));
        paths.take_responses(AWAY, |data| {
            answered.push(data);
            data < 8
        });
        assert_eq!(answered, [5, 6, 7, 8]);
        paths.take_responses(AWAY, |data| data == 8);
        assert_eq!(paths.answers_to(), None);
    }
}
