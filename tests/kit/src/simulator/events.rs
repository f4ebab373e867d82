//! What happens at one time.

use aitcp::Instant;

use super::schedule::Wake;
use super::{Incoming, Node, NodeId, Outgoing, Simulator};
use crate::Address;

/// After so many events at one time they are taken for ones without end.
const MAX_EVENTS_AT_ONCE: u32 = 1_000_000;

/// What a [`Simulator`] has just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occurrence {
    /// A node was asked what it has to send, since it is new or was touched from outside.
    Polled {
        /// Which one.
        node: NodeId,
    },
    /// A node has sent a datagram.
    Sent {
        /// Which one.
        node: NodeId,
        /// To whom.
        to: Address,
        /// How many bytes.
        len: usize,
    },
    /// A node has received a datagram, and sent what it had to send then.
    Delivered {
        /// Which one.
        node: NodeId,
        /// From whom, as it seems.
        from: Address,
        /// How many bytes.
        len: usize,
    },
    /// A node has served a deadline, and sent what it had to send then.
    TimedOut {
        /// Which one.
        node: NodeId,
    },
}

/// What looks at all nodes after each event.
pub type Check<N> = Box<dyn FnMut(&Simulator<N>, Occurrence)>;

impl<N: Node> Simulator<N> {
    /// What happens next, and when. Entries of the schedule that have become pointless go.
    pub(super) fn next_event(&mut self) -> Option<(Instant, Wake)> {
        loop {
            let (at, wake) = self.network.schedule.peek()?;
            if self.is_due(at, wake) {
                return Some((at, wake));
            }
            self.network.schedule.pop();
            self.renew(at, wake);
        }
    }

    /// Does what is due.
    pub(super) fn handle(&mut self, wake: Wake) {
        match wake {
            Wake::Poll(index) => self.poll(NodeId(index)),
            Wake::Timer(index) => self.time_out(NodeId(index)),
            Wake::Path(path) => self.deliver(path),
        }
    }

    fn is_due(&mut self, at: Instant, wake: Wake) -> bool {
        match wake {
            Wake::Poll(_) => true,
            Wake::Timer(index) => {
                self.nodes[index].alarm == Some(at) && self.deadline(NodeId(index)).is_some_and(|due| due <= at)
            }
            Wake::Path(path) => self.network.paths.at(path).alarm == Some(at),
        }
    }

    /// Enters the present deadline of a node whose entry came too early.
    fn renew(&mut self, at: Instant, wake: Wake) {
        if let Wake::Timer(index) = wake
            && self.nodes[index].alarm == Some(at)
        {
            self.nodes[index].alarm = None;
            self.arm(NodeId(index));
        }
    }

    fn poll(&mut self, node: NodeId) {
        let slot = &mut self.nodes[node.0];
        slot.is_polled = false;
        if slot.node.is_none() {
            return;
        }
        self.transmit(node);
        self.occurred(Occurrence::Polled { node });
    }

    fn time_out(&mut self, id: NodeId) {
        let slot = &mut self.nodes[id.0];
        slot.alarm = None;
        let now = slot.clock.show(self.now);
        let Some(node) = &mut slot.node else { return };
        node.handle_timeout(now);
        let next = node.poll_timeout();
        assert!(next.is_none_or(|at| at > now), "{id:?} served its deadline at {now:?}, and the next is {next:?}");
        self.transmit(id);
        self.occurred(Occurrence::TimedOut { node: id });
    }

    fn deliver(&mut self, path: usize) {
        let Some((owner, mut datagram)) = self.network.receive(self.now, path) else { return };
        let (id, from, len) = (owner.node, datagram.from, datagram.bytes.len());
        let slot = &mut self.nodes[id.0];
        if let Some(node) = &mut slot.node {
            self.trace.absorb(self.now, &datagram);
            self.traffic.count_received(id, from, len);
            self.network.stats.delivered += 1;
            let incoming = Incoming { from, to: owner.local, ecn: datagram.ecn };
            node.handle_datagram(slot.clock.show(self.now), incoming, &mut datagram.bytes);
            self.network.recycle(datagram);
            self.transmit(id);
            self.occurred(Occurrence::Delivered { node: id, from, len });
        } else {
            self.network.stats.undeliverable += 1;
            self.network.recycle(datagram);
        }
    }

    /// Sends all that a node has to send, and enters its deadline.
    fn transmit(&mut self, id: NodeId) {
        let mut buf = std::mem::take(&mut self.buf);
        while let Some(outgoing) = self.poll_transmit(id, &mut buf) {
            let bytes = buf.get(..outgoing.len).expect("no more bytes than there are in the buffer");
            self.send(id, outgoing, bytes);
        }
        self.buf = buf;
        self.arm(id);
    }

    fn poll_transmit(&mut self, id: NodeId, buf: &mut Vec<u8>) -> Option<Outgoing> {
        let slot = &mut self.nodes[id.0];
        slot.node.as_mut()?.poll_transmit(slot.clock.show(self.now), buf)
    }

    fn send(&mut self, node: NodeId, outgoing: Outgoing, bytes: &[u8]) {
        let Outgoing { to, from, ecn, segment, .. } = outgoing;
        assert_ne!(segment, Some(0), "{node:?} wants nothing sent, without end");
        let segment = segment.unwrap_or(usize::MAX).min(bytes.len().max(1));
        let mut rest = bytes;
        loop {
            let (datagram, behind) = rest.split_at(segment.min(rest.len()));
            self.traffic.count_sent(node, to, datagram.len());
            self.network.send(self.now, node, from, (to, ecn), datagram);
            self.occurred(Occurrence::Sent { node, to, len: datagram.len() });
            rest = behind;
            if rest.is_empty() {
                return;
            }
        }
    }

    /// When a node's deadline falls due.
    fn deadline(&self, id: NodeId) -> Option<Instant> {
        let slot = &self.nodes[id.0];
        Some(slot.clock.when_it_shows(slot.node.as_ref()?.poll_timeout()?, self.now))
    }

    fn arm(&mut self, id: NodeId) {
        if let Some(at) = self.deadline(id) {
            self.network.schedule.arm(&mut self.nodes[id.0].alarm, at, Wake::Timer(id.0));
        }
    }

    /// Counts an event, and has it checked.
    fn occurred(&mut self, occurrence: Occurrence) {
        self.events_at_now += 1;
        assert!(self.events_at_now < MAX_EVENTS_AT_ONCE, "events at {:?} do not end: {occurrence:?}", self.now);
        if !self.checks.is_empty() {
            let mut checks = std::mem::take(&mut self.checks);
            checks.iter_mut().for_each(|check| check(self, occurrence));
            self.checks = checks;
        }
    }
}
