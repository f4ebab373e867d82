//! What takes part.

use aitcp::Instant;

use crate::Address;

/// A node of a [`Simulator`](super::Simulator), by the order in which they were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) usize);

impl NodeId {
    /// Its place in the order, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// What a node learns about a datagram besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Who seems to have sent it.
    pub from: Address,
    /// Which of its own addresses it came to, as the node knows them: a NAT before it stays unseen.
    pub to: Address,
    /// The two ECN bits, as in [`Datagram::ecn`](crate::Datagram::ecn).
    pub ecn: u8,
}

/// What a node wants sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Who is to get it.
    pub to: Address,
    /// Which of its own addresses it goes out from, as the node knows them; `None` for the first one that it has.
    pub from: Option<Address>,
    /// The two ECN bits.
    pub ecn: u8,
    /// How many bytes of the buffer there are to be sent.
    pub len: usize,
    /// Of how many bytes each datagram consists, but for the last, which can be shorter; `None` if all bytes are one datagram.
    pub segment: Option<usize>,
}

/// An application with its sessions, without IO: what a driver would put between a socket and a timer.
///
/// `now` is always the node's own clock, which can jump: see [`Simulator::jump_clock_forward`](super::Simulator::jump_clock_forward).
pub trait Node {
    /// Takes a datagram, whose bytes it may change.
    fn handle_datagram(&mut self, now: Instant, incoming: Incoming, bytes: &mut [u8]);

    /// Writes what it has to send into `buf`, which it makes as long as it needs. It is asked until there is nothing. `buf` comes with
    /// the length and the bytes that an earlier call of any node left in it, so that nothing is cleared for nothing.
    fn poll_transmit(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Outgoing>;

    /// Serves the deadlines that have passed. The next one must lie behind `now` then.
    fn handle_timeout(&mut self, now: Instant);

    /// When it wants [`handle_timeout`](Self::handle_timeout) called.
    fn poll_timeout(&self) -> Option<Instant>;
}

impl<N: Node + ?Sized> Node for Box<N> {
    fn handle_datagram(&mut self, now: Instant, incoming: Incoming, bytes: &mut [u8]) {
        (**self).handle_datagram(now, incoming, bytes);
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Outgoing> {
        (**self).poll_transmit(now, buf)
    }

    fn handle_timeout(&mut self, now: Instant) {
        (**self).handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }
}
