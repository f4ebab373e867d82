//! A session in the simulator whose application keeps nothing but counts, so that after each event everything can be checked: what has
//! arrived, what both ends make of it, and how much heap the session takes.

use std::collections::BTreeSet;

use aitcp::{CloseReason, Direction, Ending, Event, Instant, OpenError, RecvError, Role, SendError, Session, StreamId};
use aitcp_testkit::heap::Meter;
use aitcp_testkit::simulator::{Application, Incoming, Node, NodeId, Occurrence, Outgoing, SessionNode, Simulator};
use aitcp_testkit::{Address, Setup};

/// Streams that each end opens, all of one kind: unidirectional.
const STREAMS: usize = 4;
const LONGEST: usize = 1_500;

/// Byte `at` of a message: like no byte nearby, in any message of any stream.
fn byte(stream: usize, message: u64, at: usize) -> u8 {
    let mixed = (message << 32 | (stream as u64) << 24 | at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 56) as u8
}

fn len(stream: usize, message: u64) -> usize {
    let mixed = (message << 8 | stream as u64).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 32) as usize % LONGEST
}

/// How far a stream has come, at either end of it.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    message: u64,
    at: usize,
    /// Bytes and ends of messages so far, as credit counts them.
    total: u64,
    is_over: bool,
}

impl Place {
    fn advance(&mut self, bytes: usize, ends: bool) {
        self.total += bytes as u64 + u64::from(ends);
        (self.message, self.at) = if ends { (self.message + 1, 0) } else { (self.message, self.at + bytes) };
    }
}

/// Says a number of messages on each of its streams, and compares each byte that it hears with what had to come next.
#[derive(Debug)]
pub(crate) struct Account {
    messages: u64,
    own: [Option<StreamId>; STREAMS],
    said: [Place; STREAMS],
    heard: [Place; STREAMS],
    finished: usize,
    room: [u8; LONGEST],
}

/// The place of a stream among those of its opener.
fn place(stream: StreamId) -> usize {
    usize::try_from(stream.as_u64() >> 2).expect("few streams") - 1
}

impl Account {
    fn new(messages: u64) -> Self {
        let (own, place) = ([None; STREAMS], [Place::default(); STREAMS]);
        Self { messages, own, said: place, heard: place, finished: 0, room: [0; LONGEST] }
    }

    fn open(&mut self, session: &mut Session) {
        for own in self.own.iter_mut().filter(|own| own.is_none()) {
            match session.open(Direction::Unidirectional) {
                Ok(stream) => *own = Some(stream),
                Err(OpenError::Blocked) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn say(&mut self, session: &mut Session) {
        for stream in self.own.into_iter().flatten() {
            let index = place(stream);
            let said = &mut self.said[index];
            while !said.is_over {
                if said.message == self.messages {
                    session.finish(stream).expect("no message is open");
                    said.is_over = true;
                    break;
                }
                let (from, to) = (said.at, len(index, said.message));
                let rest = &mut self.room[..to - from];
                rest.iter_mut().zip(from..).for_each(|(room, at)| *room = byte(index, said.message, at));
                match session.send(stream, rest, Ending::End) {
                    Ok(taken) => said.advance(taken, taken == rest.len()),
                    Err(SendError::Blocked | SendError::Closed) => break,
                    Err(error) => panic!("{stream}: {error}"),
                }
            }
        }
    }

    /// A byte that comes twice, too early or too late is not the one that has to come next.
    fn hear(&mut self, session: &mut Session, stream: StreamId) {
        let index = place(stream);
        let heard = &mut self.heard[index];
        while !heard.is_over {
            match session.recv(stream, &mut self.room) {
                Ok(received) => {
                    let (bytes, end) = (&self.room[..received.len], heard.at + received.len);
                    let is_next = |(at, got): (usize, &u8)| *got == byte(index, heard.message, at);
                    assert!((heard.at..).zip(bytes).all(is_next), "{stream}: not what comes next");
                    let is_end = received.end_of_message;
                    assert!(end <= len(index, heard.message), "{stream}: too long");
                    assert!(!is_end || end == len(index, heard.message), "{stream}: too short");
                    heard.advance(received.len, is_end);
                    heard.is_over |= received.end_of_stream;
                    assert!(!heard.is_over || heard.message == self.messages, "{stream}: not all messages");
                }
                Err(RecvError::Blocked | RecvError::Closed) => return,
                Err(error) => panic!("{stream}: {error}"),
            }
        }
    }
}

impl Application for Account {
    fn act(&mut self, _now: Instant, session: &mut Session, event: Option<Event>) {
        match event {
            Some(Event::Established | Event::StreamsAvailable(_)) => self.open(session),
            Some(Event::Readable(stream)) => self.hear(session, stream),
            Some(Event::Finished(_)) => self.finished += 1,
            Some(_) => {}
            None => self.say(session),
        }
    }
}

/// A session with its application, whose heap is watched in everything that it does.
pub(crate) struct Watched {
    node: SessionNode<Account>,
    /// Which of its place's lives this is.
    pub(crate) life: u32,
    pub(crate) is_established: bool,
    pub(crate) closed: Option<CloseReason>,
    held: isize,
    peak: isize,
    most: isize,
}

impl Watched {
    /// `peer`: an initiator's.
    pub(crate) fn new(
        setup: &Setup,
        role: Role,
        now: Instant,
        peer: Option<Address>,
        messages: u64,
        life: u32,
    ) -> Self {
        let meter = Meter::start();
        let session = setup.session(role, now);
        let (held, peak) = (meter.held(), meter.peak());
        let account = Account::new(messages);
        let node = match peer {
            Some(peer) => SessionNode::initiator(session, account, peer),
            None => SessionNode::responder(session, account),
        };
        let most = isize::try_from(setup.agent(role).limits.max_bytes()).expect("fits");
        Self { node, life, is_established: false, closed: None, held, peak, most }
    }

    fn watch<T>(&mut self, act: impl FnOnce(&mut SessionNode<Account>) -> T) -> T {
        let meter = Meter::start();
        let result = act(&mut self.node);
        self.node.dispositions.clear();
        for (_, event) in self.node.events.drain(..) {
            match event {
                Event::Established => self.is_established = true,
                Event::Closed(reason) => self.closed = Some(reason),
                _ => {}
            }
        }
        self.peak = self.peak.max(self.held + meter.peak());
        self.held += meter.held();
        result
    }

    pub(crate) fn session(&self) -> &Session {
        &self.node.session
    }

    /// Whether it has said everything, knows that it has arrived, and has heard everything.
    pub(crate) fn is_done(&self) -> bool {
        let account = &self.node.application;
        account.finished == STREAMS && account.heard.iter().all(|heard| heard.is_over)
    }

    fn said(&self) -> u64 {
        self.node.application.said.iter().map(|said| said.total).sum()
    }

    fn heard(&self) -> u64 {
        self.node.application.heard.iter().map(|heard| heard.total).sum()
    }

    /// What it has said and knows to have arrived has; and no more has arrived than it has said.
    fn agrees_with(&self, peer: &Self) {
        let (known, arrived) =
            (self.said() - self.session().stats().unacknowledged, peer.heard() + peer.session().stats().unread);
        assert!(known <= arrived && arrived <= self.said(), "{known} known of {arrived} of {}", self.said());
    }
}

impl Node for Watched {
    fn handle_datagram(&mut self, now: Instant, incoming: Incoming, bytes: &mut [u8]) {
        self.watch(|node| node.handle_datagram(now, incoming, bytes));
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Outgoing> {
        buf.reserve(1 << 16);
        self.watch(|node| node.poll_transmit(now, buf))
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.watch(|node| node.handle_timeout(now));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.node.poll_timeout()
    }
}

/// What must hold after each event, whatever happens to datagrams and nodes:
/// - the heap of each session is within its limits;
/// - until the initiator has shown itself, and for ever where it never was, the responder sends no more than three times what came from
///   there (R-6.10-6, R-9.7-1);
/// - both ends agree on what has arrived; nothing arrives twice or out of order, which [`Account`] sees at once.
///
/// That deadlines move on when they are served is checked by the simulator.
pub(crate) fn check_always(network: &mut Simulator<Watched>, initiator: NodeId, responder: NodeId) {
    let mut homes = BTreeSet::new();
    network.add_check(move |network, what| {
        homes.insert(network.address(initiator));
        for (_, Watched { peak, most, .. }) in network.nodes() {
            assert!(peak <= most, "{peak} bytes of {most}");
        }
        let find = |id| network.nodes().find(|(node, _)| *node == id).map(|(_, node)| node);
        let (i, r) = (find(initiator), find(responder));
        if let (Occurrence::Sent { node, to, .. }, Some(r)) = (what, r)
            && node == responder
            && !(r.is_established && homes.contains(&to))
        {
            let amplification = network.amplification(node, to);
            assert!(amplification <= 3.0, "{amplification} times to {to:?}");
        }
        if let (Some(i), Some(r)) = (i, r)
            && i.life == r.life
        {
            i.agrees_with(r);
            r.agrees_with(i);
        }
    });
}
