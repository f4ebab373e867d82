//! Two applications that talk over datagrams in simulated time, for tests of what lies between them: streams of both kinds both ways,
//! messages of any length, resets and stops. What arrives is compared with what was sent.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::time::Duration;

use aitcp::{Carrier, Direction, Ending, Event, Instant, OpenError, RecvError, Role, SendError, Session, StreamId};
use aitcp_testkit::simulator::{Application, NodeId, Occurrence, SessionNode, Simulator};
use aitcp_testkit::{Conditions, Rng, Setup};

/// How much one application has to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Streams that it opens, every other one bidirectional.
    pub(crate) streams: usize,
    /// Messages on all of them together; the other end answers with half as many on each that is bidirectional.
    pub(crate) messages: usize,
    /// The longest of them, in bytes.
    pub(crate) longest: usize,
    /// In how many of 1,000 steps a stream is reset or stopped.
    pub(crate) mischief: usize,
}

impl Plan {
    /// Nothing.
    pub(crate) const SILENT: Self = Self { streams: 0, messages: 0, longest: 1, mischief: 0 };
}

/// One application.
#[derive(Debug)]
pub(crate) struct Talker {
    rng: Rng,
    plan: Plan,
    /// Streams that are not open yet, and what is to be said on them.
    planned: Vec<(Direction, Vec<Vec<u8>>)>,
    sending: BTreeMap<StreamId, Sending>,
    receiving: BTreeMap<StreamId, Receiving>,
}

/// A stream's messages, and how far they have gone.
struct Sending {
    messages: Vec<Vec<u8>>,
    next: usize,
    taken: usize,
    is_finished: bool,
    outcome: Option<Outcome>,
}

#[derive(Default)]
struct Receiving {
    /// The last one is not complete.
    messages: Vec<Vec<u8>>,
    outcome: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// To its end.
    Complete,
    /// By the sender.
    Reset,
    /// By the receiver.
    Stopped,
}

impl Talker {
    /// The one that belongs to a seed.
    pub(crate) fn new(seed: u64, plan: Plan) -> Self {
        let mut rng = Rng::new(seed);
        let mut planned: Vec<_> = (0..plan.streams)
            .map(|index| {
                let direction = if index % 2 == 0 { Direction::Unidirectional } else { Direction::Bidirectional };
                (direction, Vec::new())
            })
            .collect();
        for _ in 0..plan.messages {
            let message = message(&mut rng, plan.longest);
            let place = rng.below(plan.streams);
            planned[place].1.push(message);
        }
        Self { rng, plan, planned, sending: BTreeMap::new(), receiving: BTreeMap::new() }
    }

    /// Whether it has said everything, and nothing that it has heard of is missing.
    pub(crate) fn is_done(&self) -> bool {
        let sent = self.sending.values().all(|sending| sending.outcome.is_some());
        let received = self.receiving.values().all(|receiving| receiving.outcome.is_some());
        self.planned.is_empty() && sent && received
    }

    /// What this one has got is what the other one has sent: of each stream the beginning, in order, and all of it if nobody broke off.
    #[track_caller]
    pub(crate) fn has_got_what(&self, peer: &Self) {
        for (stream, Sending { messages, outcome, .. }) in &peer.sending {
            let Some(Receiving { messages: got, outcome: end }) = self.receiving.get(stream) else {
                assert_ne!(*outcome, Some(Outcome::Complete), "{stream} was never heard of");
                continue;
            };
            let (partial, whole) = got.split_last().expect("one at least");
            assert!(messages.starts_with(whole), "{stream}: other messages than were sent");
            let next = messages.get(whole.len()).map_or(&[][..], |next| next);
            assert!(next.starts_with(partial), "{stream}: other bytes than were sent");
            if *end == Some(Outcome::Complete) {
                assert!(whole.len() == messages.len() && partial.is_empty(), "{stream}: not all messages");
            }
            if *outcome == Some(Outcome::Complete) {
                assert_ne!(*end, Some(Outcome::Reset), "{stream} was complete");
            }
        }
        assert!(self.receiving.keys().all(|stream| peer.sending.contains_key(stream)), "nobody sends on it");
    }

    fn open(&mut self, session: &mut Session) {
        while let Some((direction, _)) = self.planned.last() {
            match session.open(*direction) {
                Ok(stream) => {
                    let (_, messages) = self.planned.pop().expect("there is one");
                    self.sending.insert(stream, Sending::new(messages));
                    if stream.direction() == Direction::Bidirectional {
                        self.receiving.insert(stream, Receiving::new());
                    }
                }
                Err(OpenError::Blocked) => break,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn opened(&mut self, stream: StreamId) {
        self.receiving.insert(stream, Receiving::new());
        if stream.direction() == Direction::Bidirectional {
            let count = self.plan.messages / self.plan.streams.max(1) / 2;
            let messages = (0..count).map(|_| message(&mut self.rng, self.plan.longest)).collect();
            self.sending.insert(stream, Sending::new(messages));
        }
    }

    fn receive(&mut self, session: &mut Session, stream: StreamId) {
        let receiving = self.receiving.get_mut(&stream).expect("a stream that was opened");
        let mut buffer = [0; 1_000];
        while receiving.outcome.is_none() {
            match session.recv(stream, &mut buffer) {
                Ok(received) => {
                    receiving.messages.last_mut().expect("one").extend_from_slice(&buffer[..received.len]);
                    if received.end_of_message {
                        receiving.messages.push(Vec::new());
                    }
                    if received.end_of_stream {
                        receiving.outcome = Some(Outcome::Complete);
                    }
                }
                Err(RecvError::Reset(_)) => receiving.outcome = Some(Outcome::Reset),
                Err(RecvError::Blocked | RecvError::Closed) => break,
                Err(error) => panic!("{stream}: {error}"),
            }
        }
    }

    /// Now and then something is given up, at either end.
    fn make_mischief(&mut self, session: &mut Session) {
        if self.plan.mischief == 0 || self.rng.below(1_000) >= self.plan.mischief {
            return;
        }
        let open: Vec<_> = self.sending.iter().filter(|(_, sending)| sending.outcome.is_none()).collect();
        let heard: Vec<_> = self.receiving.iter().filter(|(_, receiving)| receiving.outcome.is_none()).collect();
        if self.rng.below(2) == 0 && !open.is_empty() {
            let stream = *open[self.rng.below(open.len())].0;
            if session.reset(stream, 7).is_ok() {
                self.sending.get_mut(&stream).expect("it is there").outcome = Some(Outcome::Reset);
            }
        } else if !heard.is_empty() {
            let stream = *heard[self.rng.below(heard.len())].0;
            if session.stop(stream, 8).is_ok() {
                self.receiving.get_mut(&stream).expect("it is there").outcome = Some(Outcome::Stopped);
            }
        }
    }
}

impl Sending {
    fn new(messages: Vec<Vec<u8>>) -> Self {
        Self { messages, next: 0, taken: 0, is_finished: false, outcome: None }
    }

    /// Sends as much as is taken.
    fn send(&mut self, session: &mut Session, stream: StreamId) {
        while self.outcome.is_none() && !self.is_finished {
            let Some(message) = self.messages.get(self.next) else {
                self.is_finished = true;
                return session.finish(stream).expect("no message is open");
            };
            let rest = &message[self.taken..];
            match session.send(stream, rest, Ending::End) {
                Ok(taken) if taken == rest.len() => (self.next, self.taken) = (self.next + 1, 0),
                Ok(taken) => self.taken += taken,
                Err(SendError::Blocked | SendError::Closed) => return,
                Err(SendError::Stopped(_)) => self.outcome = Some(Outcome::Stopped),
                Err(error) => panic!("{stream}: {error}"),
            }
        }
    }
}

impl Receiving {
    fn new() -> Self {
        Self { messages: vec![Vec::new()], outcome: None }
    }
}

/// A message: every other one can be compressed.
fn message(rng: &mut Rng, longest: usize) -> Vec<u8> {
    let len = rng.below(longest);
    let mut message = rng.bytes(len);
    if rng.below(2) == 0 {
        message.iter_mut().for_each(|byte| *byte &= 1);
    }
    message
}

impl Application for Talker {
    fn act(&mut self, _now: Instant, session: &mut Session, event: Option<Event>) {
        match event {
            Some(Event::Established | Event::StreamsAvailable(_)) => self.open(session),
            Some(Event::Opened(stream)) => self.opened(stream),
            Some(Event::Readable(stream)) => self.receive(session, stream),
            Some(Event::Finished(stream)) => {
                let sending = self.sending.get_mut(&stream).expect("a stream of its own");
                sending.outcome.get_or_insert(Outcome::Complete);
            }
            Some(Event::Stopped { stream, .. }) => {
                let sending = self.sending.get_mut(&stream).expect("a stream of its own");
                sending.outcome.get_or_insert(Outcome::Stopped);
            }
            Some(_) => {}
            None => {
                if self.sending.len() + self.receiving.len() > 0 {
                    self.make_mischief(session);
                }
                for (stream, sending) in &mut self.sending {
                    sending.send(session, *stream);
                }
            }
        }
    }
}

impl std::fmt::Debug for Sending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} {:?}", self.next, self.messages.len(), self.outcome)
    }
}

impl std::fmt::Debug for Receiving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.messages.len() - 1, self.outcome)
    }
}

/// Two ends and what lies between.
pub(crate) struct Talk {
    pub(crate) network: Simulator<SessionNode<Talker>>,
    pub(crate) initiator: NodeId,
    pub(crate) responder: NodeId,
}

impl Talk {
    /// Both ends, with a plan each. Until the initiator has shown itself, the responder stays within three times what has come (R-9.7-1).
    pub(crate) fn new(setup: &Setup, conditions: Conditions, plans: [Plan; 2]) -> Self {
        let mut network = Simulator::new(setup.seed);
        network.set_all_conditions(conditions);
        let now = network.now();
        let [initiator, responder] = plans.map(|plan| Talker::new(setup.seed, plan));
        let responder = network.add_node(SessionNode::responder(setup.session(Role::Responder, now), responder));
        let peer = network.address(responder);
        let initiator = network.add_node(SessionNode::initiator(setup.session(Role::Initiator, now), initiator, peer));
        network.add_check(move |network: &Simulator<SessionNode<Talker>>, _: Occurrence| {
            let is_up = network.nodes().any(|(id, node)| id == responder && !node.saw(Event::Established));
            assert!(!is_up || network.amplification(responder, network.address(initiator)) <= 3.0);
        });
        Self { network, initiator, responder }
    }

    /// An end's session and application.
    pub(crate) fn end(&self, role: Role) -> &SessionNode<Talker> {
        self.network.node(self.id(role))
    }

    pub(crate) fn id(&self, role: Role) -> NodeId {
        match role {
            Role::Initiator => self.initiator,
            Role::Responder => self.responder,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        Self::are_done(&self.network, self.initiator, self.responder)
    }

    fn are_done(network: &Simulator<SessionNode<Talker>>, initiator: NodeId, responder: NodeId) -> bool {
        let [i, r] = [initiator, responder].map(|node| network.node(node));
        let all_heard = |a: &Talker, b: &Talker| {
            a.sending.iter().all(|(stream, sending)| {
                b.receiving.contains_key(stream) || sending.outcome.is_some_and(|outcome| outcome != Outcome::Complete)
            })
        };
        i.saw(Event::Confirmed)
            && i.application.is_done()
            && r.application.is_done()
            && all_heard(&i.application, &r.application)
            && all_heard(&r.application, &i.application)
    }

    /// Lets them talk until all is said, for an hour at most, and compares.
    #[track_caller]
    pub(crate) fn finish(&mut self) {
        let (initiator, responder) = (self.initiator, self.responder);
        let deadline = self.network.now() + Duration::from_secs(3_600);
        let is_done = self.network.run_until(|network| Self::are_done(network, initiator, responder), deadline);
        assert!(is_done, "{self:?}");
        self.compare();
    }

    /// How many whole messages an end has got.
    pub(crate) fn delivered(&self, role: Role) -> usize {
        // The last one of each stream is not complete.
        self.end(role).application.receiving.values().map(|receiving| receiving.messages.len() - 1).sum()
    }

    /// Lets them talk for a while.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        self.network.run_for(duration);
    }

    #[track_caller]
    pub(crate) fn compare(&self) {
        let [i, r] = [Role::Initiator, Role::Responder].map(|role| self.end(role));
        for node in [i, r] {
            assert_eq!(node.session.close_reason(), None, "{self:?}");
        }
        i.application.has_got_what(&r.application);
        r.application.has_got_what(&i.application);
    }
}

impl std::fmt::Debug for Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "at {:?}", self.network.now())?;
        for (_, node) in self.network.nodes() {
            writeln!(f, "{node:?}")?;
        }
        Ok(())
    }
}

/// Two agents on a datagram carrier.
pub(crate) fn setup(seed: u64, mtu: u16) -> Setup {
    Setup { carrier: Carrier::Datagram { mtu }, seed, ..Setup::default() }
}
