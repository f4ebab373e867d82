//! What lies between the nodes.

use std::time::Duration;

use aitcp::Instant;

use super::addresses::{Addresses, Owner};
use super::paths::Paths;
use super::schedule::{Schedule, Wake};
use super::{Adversary, Fate, Injections, NodeId};
use crate::{Address, Datagram};

/// How many buffers are kept to be used again.
const MAX_SPARE: usize = 1024;

/// What the network of a [`Simulator`](super::Simulator) has done so far, in datagrams. What links do is in their own
/// [`LinkStats`](crate::LinkStats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkStats {
    /// Those that nodes have sent.
    pub sent: u64,
    /// Those that nodes have received.
    pub delivered: u64,
    /// Those for an address that nobody has, from an address that their sender has not, or for a node that had crashed.
    pub undeliverable: u64,
    /// Those that the adversary has dropped.
    pub withheld: u64,
    /// Those that no node has sent.
    pub injected: u64,
}

/// Addresses, paths, an adversary on them, and the order of everything that is due.
pub(super) struct Network {
    pub(super) addresses: Addresses,
    pub(super) paths: Paths,
    pub(super) schedule: Schedule,
    pub(super) adversary: Option<Box<dyn Adversary>>,
    pub(super) stats: NetworkStats,
    injections: Injections,
    /// Buffers of datagrams that have been delivered.
    spare: Vec<Vec<u8>>,
}

impl Network {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            addresses: Addresses::new(),
            paths: Paths::new(seed),
            schedule: Schedule::default(),
            adversary: None,
            stats: NetworkStats::default(),
            injections: Injections::default(),
            spare: Vec::new(),
        }
    }

    /// Takes a datagram from `node`, which sends it from the address that it calls `local`.
    pub(super) fn send(
        &mut self,
        now: Instant,
        node: NodeId,
        local: Option<Address>,
        (to, ecn): (Address, u8),
        bytes: &[u8],
    ) {
        self.stats.sent += 1;
        let Some(from) = self.addresses.public(node, local) else {
            self.stats.undeliverable += 1;
            return;
        };
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.extend_from_slice(bytes);
        let mut datagram = Datagram { from, to, ecn, bytes: buffer };
        match self.intercept(now, &mut datagram) {
            Fate::Pass => self.carry(now, node, Duration::ZERO, datagram),
            Fate::Delay(late) => self.carry(now, node, late, datagram),
            Fate::Drop => self.stats.withheld += 1,
        }
    }

    /// Lets a datagram arrive that no node has sent.
    pub(super) fn inject(&mut self, at: Instant, datagram: Datagram) {
        self.stats.injected += 1;
        self.paths.at(Paths::INJECTED).link.place(at, datagram);
        self.arm(Paths::INJECTED);
    }

    /// Takes what has arrived over a path, with the one it is for. The path's entry in the schedule is used up.
    pub(super) fn receive(&mut self, now: Instant, path: usize) -> Option<(Owner, Datagram)> {
        let found = self.paths.at(path);
        found.alarm = None;
        let datagram = found.link.receive(now)?;
        self.arm(path);
        let Some(owner) = self.addresses.owner(datagram.to) else {
            self.stats.undeliverable += 1;
            self.recycle(datagram);
            return None;
        };
        Some((owner, datagram))
    }

    /// Keeps a buffer for the next datagram.
    pub(super) fn recycle(&mut self, datagram: Datagram) {
        if self.spare.len() < MAX_SPARE {
            let mut buffer = datagram.bytes;
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Shows a datagram to the adversary, and sends what that injects.
    fn intercept(&mut self, now: Instant, datagram: &mut Datagram) -> Fate {
        let Some(adversary) = &mut self.adversary else { return Fate::Pass };
        let fate = adversary.intercept(now, datagram, &mut self.injections);
        let mut injections = std::mem::take(&mut self.injections.pending);
        for (after, injected) in injections.drain(..) {
            self.inject(now + after, injected);
        }
        self.injections.pending = injections;
        fate
    }

    /// Puts a datagram on the path to the one that has its address now.
    fn carry(&mut self, now: Instant, sender: NodeId, late: Duration, datagram: Datagram) {
        let Some(owner) = self.addresses.owner(datagram.to) else {
            self.stats.undeliverable += 1;
            return self.recycle(datagram);
        };
        let path = self.paths.place(sender, owner.node);
        self.paths.at(path).link.send_late(now, late, datagram);
        self.arm(path);
    }

    fn arm(&mut self, path: usize) {
        let found = self.paths.at(path);
        if let Some(at) = found.link.next_arrival() {
            self.schedule.arm(&mut found.alarm, at, Wake::Path(path));
        }
    }
}
