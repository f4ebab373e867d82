//! The living sessions whose peers have proved who they are: which those are, and how much they may take.
#![forbid(unsafe_code)]

use alloc::collections::{BTreeMap, BTreeSet};

use crate::identity::PeerId;

/// Sessions by peer and place, with what is counted of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Peers {
    places: BTreeSet<(PeerId, u32)>,
    uses: BTreeMap<PeerId, Use>,
    /// Bytes of all of them together.
    bytes: u64,
}

/// What the sessions with one peer come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) sessions: u32,
    /// How much heap they may take at the most.
    pub(super) bytes: u64,
}

impl Peers {
    pub(super) fn insert(&mut self, peer: PeerId, place: u32, bytes: u64) {
        if self.places.insert((peer, place)) {
            let of_peer = self.uses.entry(peer).or_default();
            of_peer.sessions = of_peer.sessions.saturating_add(1);
            of_peer.bytes = of_peer.bytes.saturating_add(bytes);
            self.bytes = self.bytes.saturating_add(bytes);
        }
    }

    /// Takes out what was put in, with as many bytes.
    pub(super) fn remove(&mut self, peer: PeerId, place: u32, bytes: u64) {
        if !self.places.remove(&(peer, place)) {
            return;
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(of_peer) = self.uses.get_mut(&peer) {
            of_peer.sessions = of_peer.sessions.saturating_sub(1);
            of_peer.bytes = of_peer.bytes.saturating_sub(bytes);
            if of_peer.sessions == 0 {
                self.uses.remove(&peer);
            }
        }
    }

    pub(super) fn of(&self, peer: PeerId) -> impl Iterator<Item = u32> {
        self.places.range((peer, 0)..=(peer, u32::MAX)).map(|(_, place)| *place)
    }

    pub(super) fn use_of(&self, peer: PeerId) -> Use {
        self.uses.get(&peer).copied().unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
