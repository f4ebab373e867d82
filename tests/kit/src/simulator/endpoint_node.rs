//! An endpoint as a node, with one application for each of its sessions.

use std::collections::BTreeMap;
use std::fmt;

use aitcp::{Disposition, EcnCodepoint, Endpoint, Event, Handle, Instant, Route};

use super::{Application, Incoming, Node, Outgoing};
use crate::Address;

/// How much is written at once: several datagrams, as an adapter with segmentation offload does it.
const ROOM: usize = 16 << 10;

impl aitcp::Address for Address {
    fn stable_bytes(&self) -> aitcp::StableBytes {
        aitcp::StableBytes::new(self.0.to_be_bytes())
    }
}

/// Many sessions over datagrams, and their applications.
pub struct EndpointNode<A> {
    /// The endpoint.
    pub endpoint: Endpoint<Address>,
    /// The applications of sessions that were heard of. They stay when their sessions have gone.
    pub applications: BTreeMap<Handle, A>,
    /// Every event so far, in order, when it was told, and of which session.
    pub events: Vec<(Instant, Handle, Event)>,
    /// What became of the last datagram.
    pub disposition: Option<Disposition>,
    /// Makes the application of a session that a peer has begun.
    make: fn() -> A,
    room: Vec<u8>,
}

impl<A: Application> EndpointNode<A> {
    /// A node that drives this endpoint. `make` makes the application of a session that a peer begins.
    #[must_use]
    pub fn new(endpoint: Endpoint<Address>, make: fn() -> A) -> Self {
        Self {
            endpoint,
            applications: BTreeMap::new(),
            events: Vec::new(),
            disposition: None,
            make,
            room: vec![0; ROOM],
        }
    }

    /// How often an event was told that this closure picks.
    #[must_use]
    pub fn count(&self, picks: impl Fn(Event) -> bool) -> usize {
        self.events.iter().filter(|(_, _, event)| picks(*event)).count()
    }

    /// How many sessions have been established so far.
    #[must_use]
    pub fn established(&self) -> usize {
        self.count(|event| event == Event::Established)
    }

    /// Lets applications act, after something was done to the endpoint from outside as well.
    pub fn act(&mut self, now: Instant) {
        while let Some((handle, event)) = self.endpoint.poll_event() {
            self.events.push((now, handle, event));
            let application = self.applications.entry(handle).or_insert_with(self.make);
            if let Some(mut session) = self.endpoint.session_mut(now, handle) {
                application.act(now, &mut session, Some(event));
                application.act(now, &mut session, None);
            }
        }
    }
}

impl<A> fmt::Debug for EndpointNode<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointNode")
            .field("endpoint", &self.endpoint)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

impl<A: Application> Node for EndpointNode<A> {
    fn handle_datagram(&mut self, now: Instant, incoming: Incoming, bytes: &mut [u8]) {
        let route = Route { remote: incoming.from, local: Some(incoming.to) };
        let ecn = EcnCodepoint::from_bits(incoming.ecn);
        self.disposition = Some(self.endpoint.handle_datagram(now, route, ecn, bytes));
        self.act(now);
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Outgoing> {
        let (to, transmit) = self.endpoint.poll_transmit(now, &mut self.room).expect("room enough")?;
        buf.clear();
        buf.extend_from_slice(&self.room[..transmit.len]);
        let Route { remote, local } = to;
        let (ecn, segment) = (transmit.ecn.bits(), transmit.segment);
        Some(Outgoing { to: remote, from: local, ecn, len: transmit.len, segment })
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        self.act(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }
}
