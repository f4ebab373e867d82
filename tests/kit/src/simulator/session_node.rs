//! A session as a node, with the application that uses it.

use std::fmt;

use aitcp::{Disposition, EcnCodepoint, Event, Instant, Meta, PathId, Session, Verdict};

use super::{Incoming, Node, Outgoing};
use crate::Address;

/// How much is written at once: several datagrams, as an adapter with segmentation offload does it.
const ROOM: usize = 16 << 10;

/// What uses a session.
pub trait Application {
    /// Acts on an event; or, with `None`, does what is to be done after any change.
    fn act(&mut self, now: Instant, session: &mut Session, event: Option<Event>);
}

/// Says yes to everybody and does nothing else.
impl Application for () {
    fn act(&mut self, now: Instant, session: &mut Session, event: Option<Event>) {
        if let Some(Event::PeerIdentified(_)) = event {
            session.decide(now, Verdict::Accept);
        }
    }
}

/// One end of a session over datagrams, and its application.
pub struct SessionNode<A> {
    /// The session.
    pub session: Session,
    /// The application.
    pub application: A,
    /// Every event so far, in order, and when it was told.
    pub events: Vec<(Instant, Event)>,
    /// What became of datagrams, in order of their coming.
    pub dispositions: Vec<Disposition>,
    /// Peer's and own address of each path.
    paths: Vec<(Address, Option<Address>)>,
    room: Vec<u8>,
}

impl<A: Application> SessionNode<A> {
    /// A node that talks to `peer`: an initiator.
    #[must_use]
    pub fn initiator(session: Session, application: A, peer: Address) -> Self {
        Self { paths: vec![(peer, None)], ..Self::responder(session, application) }
    }

    /// A node that waits for whoever comes.
    #[must_use]
    pub fn responder(session: Session, application: A) -> Self {
        let (events, dispositions) = (Vec::new(), Vec::new());
        Self { session, application, events, dispositions, paths: Vec::new(), room: vec![0; ROOM] }
    }

    /// Whether this event has been told.
    #[must_use]
    pub fn saw(&self, wanted: Event) -> bool {
        self.when(wanted).is_some()
    }

    /// When this event was told.
    #[must_use]
    pub fn when(&self, wanted: Event) -> Option<Instant> {
        self.events.iter().find(|(_, event)| *event == wanted).map(|(at, _)| *at)
    }

    /// Lets the application act, after something was done to the session from outside as well.
    pub fn act(&mut self, now: Instant) {
        while let Some(event) = self.session.poll_event() {
            self.events.push((now, event));
            self.application.act(now, &mut self.session, Some(event));
        }
        self.application.act(now, &mut self.session, None);
    }

    fn path(&mut self, incoming: Incoming) -> PathId {
        let known = self
            .paths
            .iter()
            .position(|(peer, own)| *peer == incoming.from && own.is_none_or(|own| own == incoming.to));
        let index = known.unwrap_or_else(|| {
            self.paths.push((incoming.from, Some(incoming.to)));
            self.paths.len() - 1
        });
        PathId(index as u64)
    }
}

impl<A: fmt::Debug> fmt::Debug for SessionNode<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionNode")
            .field("session", &self.session)
            .field("stats", &self.session.stats())
            .field("events", &self.events)
            .field("application", &self.application)
            .finish_non_exhaustive()
    }
}

impl<A: Application> Node for SessionNode<A> {
    fn handle_datagram(&mut self, now: Instant, incoming: Incoming, bytes: &mut [u8]) {
        let meta = Meta { path: self.path(incoming), ecn: EcnCodepoint::from_bits(incoming.ecn) };
        let disposition = self.session.handle_datagram(now, meta, bytes);
        self.dispositions.push(disposition);
        self.act(now);
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Outgoing> {
        let transmit = self.session.poll_transmit(now, &mut self.room).expect("room enough")?;
        buf.clear();
        buf.extend_from_slice(&self.room[..transmit.len]);
        let (to, from) = self.paths[usize::try_from(transmit.path.0).expect("a path of its own")];
        Some(Outgoing { to, from, ecn: transmit.ecn.bits(), len: transmit.len, segment: transmit.segment })
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
        self.act(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.session.poll_timeout()
    }
}
