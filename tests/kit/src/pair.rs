//! Two sessions, one clock, a link each way.

use std::time::Duration;

use aitcp::{Event, Instant, Role, Verdict};

use crate::{Arrival, Clock, End, Setup, StreamLink};

/// After so many rounds a driver's loop is taken for one without end.
const MAX_ROUNDS: usize = 1_000_000;

/// Both ends of a session and what lies between them.
///
/// [`step`](Self::step) is one turn of a driver's loop at both ends, as the documentation of [`Session`](aitcp::Session) draws it;
/// [`drive`](Self::drive) and [`run_for`](Self::run_for) are loops of it. All of them panic where a driver would spin.
#[derive(Debug)]
pub struct Pair {
    /// The time at both ends.
    pub clock: Clock,
    /// The end that connects.
    pub initiator: End,
    /// The end that accepts.
    pub responder: End,
    /// What the initiator sends.
    pub to_responder: StreamLink,
    /// What the responder sends.
    pub to_initiator: StreamLink,
}

impl Pair {
    /// Two fresh sessions, connected by links without latency.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        let clock = Clock::default();
        Self {
            initiator: End::new(setup, Role::Initiator, clock.now()),
            responder: End::new(setup, Role::Responder, clock.now()),
            clock,
            to_responder: StreamLink::new(),
            to_initiator: StreamLink::new(),
        }
    }

    /// The same with other links: what the initiator sends, and what the responder sends.
    #[must_use]
    pub fn with_links(mut self, to_responder: StreamLink, to_initiator: StreamLink) -> Self {
        (self.to_responder, self.to_initiator) = (to_responder, to_initiator);
        self
    }

    /// The end with this role.
    pub fn end(&mut self, role: Role) -> &mut End {
        match role {
            Role::Initiator => &mut self.initiator,
            Role::Responder => &mut self.responder,
        }
    }

    /// The link that the end with this role reads from.
    pub fn link_to(&mut self, role: Role) -> &mut StreamLink {
        match role {
            Role::Initiator => &mut self.to_initiator,
            Role::Responder => &mut self.to_responder,
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// One turn of both drivers at the present time; whether anything happened.
    pub fn step(&mut self) -> bool {
        let mut moved = false;
        for role in [Role::Initiator, Role::Responder] {
            moved |= self.step_end(role);
        }
        moved
    }

    fn step_end(&mut self, role: Role) -> bool {
        let now = self.now();
        let arrival = self.link_to(role).read(now);
        let end = self.end(role);
        let mut moved = arrival.is_some();
        match arrival {
            Some(Arrival::Bytes(bytes)) => end.feed(now, &bytes),
            Some(Arrival::End) => end.session.handle_link_lost(now),
            None => {}
        }
        end.serve_timeouts(now);
        moved |= !end.poll_events().is_empty();
        moved |= self.transmit(role);
        moved
    }

    /// Moves what an end has to send onto its link, and ends the link when the session is drained; whether there was anything.
    pub fn transmit(&mut self, role: Role) -> bool {
        let now = self.now();
        let end = self.end(role);
        let bytes = end.transmit(now);
        let drained = end.session.is_drained();
        let link = self.link_to(role.peer());
        link.write(now, &bytes);
        if drained {
            link.close();
        }
        !bytes.is_empty()
    }

    /// Turns both drivers until nothing happens and nothing is on its way. Time moves only as far as bytes need to arrive.
    ///
    /// # Panics
    /// If there is no end to it.
    pub fn drive(&mut self) {
        for _ in 0..MAX_ROUNDS {
            if self.step() {
                continue;
            }
            match self.next_arrival() {
                Some(at) => self.clock.advance_to(at),
                None => return,
            }
        }
        panic!("the drivers' loop does not end");
    }

    /// The same for so much time, in which deadlines fall due as well. Drivers wake only for bytes and at deadlines.
    ///
    /// # Panics
    /// If there is no end to it.
    pub fn run_for(&mut self, duration: Duration) {
        let until = self.now() + duration;
        for _ in 0..MAX_ROUNDS {
            if self.step() {
                continue;
            }
            let next = self.next_arrival().into_iter().chain(self.next_timeout()).min();
            match next.filter(|at| *at <= until) {
                Some(at) => self.clock.advance_to(at),
                None => return self.clock.advance_to(until),
            }
        }
        panic!("the drivers' loop does not end");
    }

    fn next_arrival(&self) -> Option<Instant> {
        self.to_initiator.next_arrival().into_iter().chain(self.to_responder.next_arrival()).min()
    }

    /// The earliest deadline of both ends.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.initiator.session.poll_timeout().into_iter().chain(self.responder.session.poll_timeout()).min()
    }

    /// Completes the handshake: both ends accept whoever it is if they are asked, and sign if they have to.
    ///
    /// # Panics
    /// If the session is not established at both ends then, and confirmed.
    pub fn connect(&mut self) {
        loop {
            self.drive();
            let now = self.now();
            let mut asked = false;
            for role in [Role::Initiator, Role::Responder] {
                let end = self.end(role);
                asked |= match end.events.last() {
                    Some(Event::PeerIdentified(_)) if end.session.close_reason().is_none() => {
                        end.session.decide(now, Verdict::Accept);
                        true
                    }
                    Some(Event::SignatureWanted) if end.session.to_sign().is_some() => {
                        end.sign(now).expect("the right key");
                        true
                    }
                    _ => false,
                };
            }
            if !(asked && self.step()) {
                break;
            }
        }
        assert!(self.initiator.was_established(), "{:?}", self.initiator);
        assert!(self.responder.was_established(), "{:?}", self.responder);
        assert!(self.initiator.saw(Event::Confirmed), "{:?}", self.initiator);
    }

    /// Everything that could be seen from outside: the bytes both ways, their times, and the events. The same for the same seeds and
    /// inputs.
    #[must_use]
    pub fn trace(&mut self) -> Trace {
        self.initiator.poll_events();
        self.responder.poll_events();
        Trace {
            bytes: [&self.to_responder, &self.to_initiator].map(|link| link.written().to_vec()),
            times: [&self.to_responder, &self.to_initiator].map(|link| link.writes().to_vec()),
            events: [&self.initiator, &self.responder].map(|end| end.events.clone()),
        }
    }
}

/// What a [`Pair`] has done so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    bytes: [Vec<u8>; 2],
    times: [Vec<(Instant, usize)>; 2],
    events: [Vec<Event>; 2],
}
