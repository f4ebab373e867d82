//! The packets of a real handshake, to be shown again to fresh sessions.

use aitcp::{Instant, Role};

use crate::forge::split_packets;
use crate::{End, Setup};

/// A packet that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Who sent it.
    pub from: Role,
    /// Header and body, as on the wire.
    pub bytes: Vec<u8>,
}

impl Recorded {
    /// The kind in its header.
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.bytes[1]
    }

    /// Whether its body is encrypted.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.kind() > 4
    }
}

/// A handshake from the Hello to the packet that confirms it, in the order in which the packets were sent.
///
/// Sessions are pure, so a fresh one from the same [`Setup`] that is shown the same packets is in the state that the recorded one was
/// in; then it can be shown something else.
#[derive(Clone, Debug)]
pub struct Recording {
    /// What was recorded.
    pub setup: Setup,
    /// The packets: Hello, Accept, (KemOffer,) ResponderAuth, (KemReply,) InitiatorAuth, and the responder's first Data.
    pub packets: Vec<Recorded>,
}

impl Recording {
    /// Records the handshake of two sessions. The setup must need no verdict and no external signer.
    ///
    /// # Panics
    /// If the handshake fails.
    #[must_use]
    pub fn handshake(setup: &Setup) -> Self {
        let now = Instant::ORIGIN;
        let mut ends = [End::new(setup, Role::Initiator, now), End::new(setup, Role::Responder, now)];
        let mut packets = Vec::new();
        for sender in [0, 1, 0, 1] {
            let bytes = ends[sender].transmit(now);
            ends[1 - sender].feed(now, &bytes);
            let from = [Role::Initiator, Role::Responder][sender];
            packets.extend(split_packets(&bytes).into_iter().map(|bytes| Recorded { from, bytes }));
        }
        assert!(ends.iter_mut().all(End::was_established), "{ends:?}");
        Self { setup: setup.clone(), packets }
    }

    /// A fresh session in `role` that has been shown the packets for it among the first `count`, and has sent what it had to send.
    #[must_use]
    pub fn end_after(&self, role: Role, count: usize) -> End {
        let now = Instant::ORIGIN;
        let mut end = End::new(&self.setup, role, now);
        drop(end.transmit(now));
        for packet in self.packets[..count].iter().filter(|packet| packet.from != role) {
            end.feed(now, &packet.bytes);
            drop(end.transmit(now));
        }
        end
    }

    /// A fresh session that waits for the packet at `index`.
    #[must_use]
    pub fn receiver_of(&self, index: usize) -> End {
        self.end_after(self.packets[index].from.peer(), index)
    }

    /// A fresh session that has been shown everything for it: an established one.
    #[must_use]
    pub fn established(&self, role: Role) -> End {
        self.end_after(role, self.packets.len())
    }

    /// Where the first packet of this kind is.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn index_of(&self, kind: u8) -> usize {
        self.packets.iter().position(|packet| packet.kind() == kind).expect("a packet of that kind")
    }
}
