//! Nodes, the network between them and virtual time: a discrete event simulator for whatever runs over datagrams.
//!
//! A [`Node`] is an application with its sessions, as a state machine: datagrams and deadlines in, datagrams and deadlines out. A
//! [`Simulator`] holds nodes, moves time from event to event, and carries datagrams under the
//! [`Conditions`] of each path. Around that,
//! tests can
//!
//! - change paths at any time, [partition](Simulator::partition) the network, [rebind](Simulator::rebind) a NAT, give nodes
//!   [more addresses](Simulator::add_address) and take them away;
//! - let [clocks jump](Simulator::jump_clock_forward), and nodes [crash](Simulator::crash) and [restart](Simulator::restart);
//! - put an [`Adversary`] on all paths, such as a [`Meddler`], or [inject](Simulator::inject) datagrams by hand;
//! - [check](Simulator::add_check) after each event what must always hold, [amplification](Simulator::amplification) for instance.
//!
//! The simulator itself panics when a driver would spin: when a deadline does not move after it was served, or events do not end.
//! Everything follows from one seed; [`Simulator::trace_hash`] is the run in one number.
//!
//! ```
//! use aitcp::Instant;
//! use aitcp_testkit::simulator::{Incoming, Node, Outgoing, Simulator};
//! use aitcp_testkit::{Address, Conditions, Loss, Probability};
//! use std::time::Duration;
//!
//! /// Asks once a second until it is answered; answers whoever asks.
//! #[derive(Default)]
//! struct Asker {
//!     peer: Option<Address>,
//!     deadline: Option<Instant>,
//!     to_send: Option<(Address, u8)>,
//!     answers: u32,
//! }
//!
//! impl Node for Asker {
//!     fn handle_datagram(&mut self, _now: Instant, incoming: Incoming, bytes: &mut [u8]) {
//!         match bytes {
//!             [b'?'] => self.to_send = Some((incoming.from, b'!')),
//!             [b'!'] => (self.answers, self.deadline) = (self.answers + 1, None),
//!             _ => {} // noise
//!         }
//!     }
//!
//!     fn poll_transmit(&mut self, _now: Instant, buf: &mut Vec<u8>) -> Option<Outgoing> {
//!         let (to, byte) = self.to_send.take()?;
//!         buf.clear();
//!         buf.push(byte);
//!         Some(Outgoing { to, from: None, ecn: 0, len: 1, segment: None })
//!     }
//!
//!     fn handle_timeout(&mut self, now: Instant) {
//!         self.to_send = self.peer.map(|peer| (peer, b'?'));
//!         self.deadline = Some(now + Duration::from_secs(1));
//!     }
//!
//!     fn poll_timeout(&self) -> Option<Instant> {
//!         self.deadline
//!     }
//! }
//!
//! let mut simulator = Simulator::new(7);
//! simulator.set_all_conditions(Conditions {
//!     latency: Duration::from_millis(50),
//!     loss: Loss::Random(Probability::percent(30)),
//!     ..Conditions::default()
//! });
//! let answering = simulator.add_node(Asker::default());
//! let peer = Some(simulator.address(answering));
//! let asking = simulator.add_node(Asker { peer, deadline: Some(simulator.now()), ..Asker::default() });
//! let deadline = simulator.now() + Duration::from_secs(60);
//! assert!(simulator.run_until(|simulator| simulator.node(asking).answers > 0, deadline));
//! assert!(simulator.now() >= Instant::ORIGIN + Duration::from_millis(100));
//! ```

mod addresses;
mod adversary;
mod endpoint_node;
mod events;
mod faults;
mod meddler;
mod network;
mod node;
mod node_clock;
mod paths;
mod schedule;
mod session_node;
#[cfg(test)]
mod tests;
mod trace_hash;
mod traffic;

use std::fmt;
use std::time::Duration;

use aitcp::Instant;

pub use adversary::{Adversary, Fate, Injections};
pub use endpoint_node::EndpointNode;
pub use events::{Check, Occurrence};
pub use meddler::Meddler;
pub use network::NetworkStats;
pub use node::{Incoming, Node, NodeId, Outgoing};
pub use session_node::{Application, SessionNode};
pub use traffic::Traffic;

use crate::{Address, Conditions, LinkStats};
use network::Network;
use node_clock::NodeClock;
use schedule::{Alarm, Wake};
use trace_hash::TraceHash;
use traffic::TrafficTable;

/// Nodes on a network in virtual time. See the [module](self).
///
/// Methods that take a [`NodeId`] panic for one of another simulator.
pub struct Simulator<N> {
    now: Instant,
    nodes: Vec<Slot<N>>,
    network: Network,
    traffic: TrafficTable,
    trace: TraceHash,
    checks: Vec<Check<N>>,
    /// What nodes write into.
    buf: Vec<u8>,
    /// How much has happened since time moved.
    events_at_now: u32,
}

/// The place of a node.
struct Slot<N> {
    /// `None` while it has crashed.
    node: Option<N>,
    clock: NodeClock,
    alarm: Alarm,
    /// Whether the schedule has an entry that asks it what it has to send.
    is_polled: bool,
}

impl<N: Node> Simulator<N> {
    /// A network without nodes and with perfect paths. The time is [`Instant::ORIGIN`].
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            now: Instant::ORIGIN,
            nodes: Vec::new(),
            network: Network::new(seed),
            traffic: TrafficTable::default(),
            trace: TraceHash::default(),
            checks: Vec::new(),
            buf: Vec::new(),
            events_at_now: 0,
        }
    }

    /// Adds a node, with one address. What it has to send goes out in the next [step](Self::step).
    pub fn add_node(&mut self, node: N) -> NodeId {
        let id = NodeId(self.nodes.len());
        self.nodes.push(Slot { node: Some(node), clock: NodeClock::default(), alarm: None, is_polled: false });
        self.network.addresses.add_node();
        self.poll_soon(id);
        id
    }

    /// The time of the simulator. Clocks of nodes may differ: see [`Self::now_at`].
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The time by a node's own clock.
    #[must_use]
    pub fn now_at(&self, node: NodeId) -> Instant {
        self.nodes[node.0].clock.show(self.now)
    }

    /// A node.
    ///
    /// # Panics
    /// If it has crashed.
    #[must_use]
    pub fn node(&self, node: NodeId) -> &N {
        self.nodes[node.0].node.as_ref().expect("a node that has not crashed")
    }

    /// A node, to do anything with it. What it has to send then goes out in the next [step](Self::step).
    ///
    /// # Panics
    /// If it has crashed.
    pub fn node_mut(&mut self, node: NodeId) -> &mut N {
        self.poll_soon(node);
        self.nodes[node.0].node.as_mut().expect("a node that has not crashed")
    }

    /// All nodes that have not crashed.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &N)> {
        self.nodes.iter().enumerate().filter_map(|(index, slot)| Some((NodeId(index), slot.node.as_ref()?)))
    }

    /// The first of a node's addresses, as all others see it.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    pub fn address(&self, node: NodeId) -> Address {
        self.network.addresses.public(node, None).expect("a node with an address")
    }

    /// All addresses of a node, as all others see them.
    pub fn addresses(&self, node: NodeId) -> impl Iterator<Item = Address> {
        self.network.addresses.of(node).iter().map(|interface| interface.public)
    }

    /// What the path from one node to another does.
    #[must_use]
    pub fn conditions(&self, from: NodeId, to: NodeId) -> Conditions {
        self.network.paths.conditions(from, to)
    }

    /// What the link from one node to another has done so far.
    #[must_use]
    pub fn link_stats(&self, from: NodeId, to: NodeId) -> LinkStats {
        self.network.paths.stats(from, to)
    }

    /// What the network has done so far.
    #[must_use]
    pub fn stats(&self) -> NetworkStats {
        self.network.stats
    }

    /// How many bytes a node has exchanged with an address.
    #[must_use]
    pub fn traffic(&self, node: NodeId, address: Address) -> Traffic {
        self.traffic.get(node, address)
    }

    /// How many times more bytes a node has sent to an address than it has received from there.
    #[must_use]
    pub fn amplification(&self, node: NodeId, address: Address) -> f64 {
        self.traffic(node, address).amplification()
    }

    /// Starts all counts of [`Self::traffic`] from 0, which frees their table.
    pub fn forget_traffic(&mut self) {
        self.traffic.forget();
    }

    /// A hash of all datagrams delivered so far: times, addresses, ECN bits and bytes. The same for the same seed and inputs.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.trace.get()
    }

    /// Has something checked after each event. Checks panic if they find anything wrong.
    pub fn add_check(&mut self, check: impl FnMut(&Self, Occurrence) + 'static) {
        self.checks.push(Box::new(check));
    }

    /// Handles one event, at its time; `false` if there are none.
    ///
    /// # Panics
    /// If a node's deadline does not move when it is served, or a million events happen without time moving. The same holds for
    /// everything that runs.
    pub fn step(&mut self) -> bool {
        self.step_until(Instant::from_micros(u64::MAX))
    }

    /// Handles all events of the next `duration`, at the end of which it is then.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step_until(end) {}
        self.advance_to(end);
    }

    /// Handles events until `condition` holds, or there are none before `deadline`; whether it holds. Otherwise it is `deadline` then.
    pub fn run_until(&mut self, mut condition: impl FnMut(&Self) -> bool, deadline: Instant) -> bool {
        loop {
            if condition(self) {
                return true;
            }
            if !self.step_until(deadline) {
                self.advance_to(deadline);
                return condition(self);
            }
        }
    }

    fn step_until(&mut self, end: Instant) -> bool {
        match self.next_event().filter(|(at, _)| *at <= end) {
            Some((at, wake)) => {
                self.network.schedule.pop();
                self.advance_to(at);
                self.handle(wake);
                true
            }
            None => false,
        }
    }

    fn advance_to(&mut self, instant: Instant) {
        if instant > self.now {
            (self.now, self.events_at_now) = (instant, 0);
        }
    }

    /// Sees to it that a node is asked what it has to send, and when it wants to be woken.
    fn poll_soon(&mut self, node: NodeId) {
        let slot = &mut self.nodes[node.0];
        if !slot.is_polled {
            slot.is_polled = true;
            self.network.schedule.push(self.now, Wake::Poll(node.0));
        }
    }
}

impl<N> fmt::Debug for Simulator<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { now, nodes, trace, .. } = self;
        let (nodes, stats) = (nodes.len(), &self.network.stats);
        f.debug_struct("Simulator")
            .field("now", now)
            .field("nodes", &nodes)
            .field("stats", stats)
            .field("trace_hash", &trace.get())
            .finish_non_exhaustive()
    }
}
