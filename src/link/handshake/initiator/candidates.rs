//! Everybody who has answered an initiator's Hello over a datagram carrier: one at most is who it looks for.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use super::candidate::Candidate;
use super::{Verified, VerifiedPeer};
use crate::config::{ClientConfig, Expect, Suite};
use crate::event::{CloseReason, PeerMisbehaved};
use crate::link::Discarded;
use crate::link::handshake::Packet;
use crate::link::handshake::waiting::WaitingRoom;
use crate::wire::PacketKind;

/// How many Accepts are tried at a time (R-6.10-8).
const MAX_CANDIDATES: usize = 8;

/// SHA-256 of an Accept: what tells candidates apart.
pub(super) type AcceptHash = [u8; 32];

#[derive(Default)]
pub(super) struct Candidates {
    list: Vec<(AcceptHash, Candidate)>,
    waiting: WaitingRoom,
}

impl Candidates {
    /// Whether another Accept can be tried.
    pub(super) fn check(&self, accept: &AcceptHash) -> Result<(), Discarded> {
        if self.list.iter().any(|(known, _)| known == accept) {
            return Err(Discarded::Repeated);
        }
        if self.list.len() >= MAX_CANDIDATES { Err(Discarded::TooMany) } else { Ok(()) }
    }

    /// Takes in who sent this Accept, which has passed [`Self::check`].
    pub(super) fn add(&mut self, accept: AcceptHash, candidate: Candidate) {
        self.list.push((accept, candidate));
    }

    /// Tries a sealed packet on the candidates. If none opens it, but one may still come or come so far that it does, the packet waits
    /// (R-6.10-11).
    pub(super) fn offer(
        &mut self,
        config: &ClientConfig,
        expect: Expect,
        packet: &Packet<'_>,
    ) -> Result<(), Discarded> {
        if self.try_all(config, expect, packet)? {
            return Ok(());
        }
        let kind = packet.header.kind;
        let may_be_early = self.list.is_empty() || self.list.iter().any(|(_, one)| is_before(one.awaits(), kind));
        if may_be_early && self.waiting.keep(packet) { Ok(()) } else { Err(Discarded::DoesNotOpen) }
    }

    /// Tries again what waits, after a candidate has come or gone on: why one had to be dropped, if so.
    pub(super) fn offer_waiting(&mut self, config: &ClientConfig, expect: Expect) -> Option<CloseReason> {
        let mut failure = None;
        for kind in [PacketKind::KemOffer, PacketKind::ResponderAuth] {
            let Some(mut packet) = self.waiting.take(kind) else { continue };
            match self.try_all(config, expect, &packet.as_packet()) {
                Ok(true) => {}
                Ok(false) => self.waiting.put_back(packet), // the right candidate may still come
                Err(reason) => failure = Some(reason),
            }
        }
        failure
    }

    /// Whether the packet opens for one of the candidates that await its kind, which then has gone on with it. One under whose keys it
    /// opens without being right is dropped, alone (R-6.10-9).
    fn try_all(&mut self, config: &ClientConfig, expect: Expect, packet: &Packet<'_>) -> Result<bool, CloseReason> {
        for at in 0..self.list.len() {
            let Some((_, candidate)) = self.list.get_mut(at) else { break };
            if candidate.awaits() != Some(packet.header.kind) {
                continue;
            }
            // It is opened in place, and has to be whole for the next candidate.
            let mut bytes = packet.bytes.to_vec();
            match candidate.take(config, expect, Packet { header: packet.header, bytes: &mut bytes }) {
                Ok(()) => return Ok(true),
                Err(CloseReason::Misbehaved(PeerMisbehaved::DoesNotOpen)) => {}
                Err(reason) => {
                    self.list.remove(at);
                    return Err(reason);
                }
            }
        }
        Ok(false)
    }

    /// The first one that has proved who it is.
    pub(super) fn first_verified(&self) -> Option<AcceptHash> {
        self.list.iter().find(|(_, candidate)| candidate.peer().is_some()).map(|(accept, _)| *accept)
    }

    /// Who sent this Accept, if it has proved who it is.
    pub(super) fn peer(&self, accept: &AcceptHash) -> Option<(&VerifiedPeer, Suite)> {
        self.list.iter().find(|(known, _)| known == accept).and_then(|(_, candidate)| candidate.peer())
    }

    /// Takes out who sent this Accept, if it has proved who it is.
    pub(super) fn take_verified(&mut self, accept: &AcceptHash) -> Option<Verified> {
        let at = self.list.iter().position(|(known, _)| known == accept)?;
        self.list.remove(at).1.into_verified()
    }

    /// Everything that makes a difference, for state digests.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn digest(&self, sink: &mut dyn FnMut(&[u8])) {
        for (accept, candidate) in &self.list {
            let (name, transcript) = candidate.digest();
            sink(accept);
            sink(&[name]);
            sink(&transcript);
        }
        self.waiting.packets().for_each(sink);
    }
}

/// Whether a candidate that awaits one kind of packet has still to get another one before it takes `kind`.
fn is_before(awaits: Option<PacketKind>, kind: PacketKind) -> bool {
    (awaits, kind) == (Some(PacketKind::KemOffer), PacketKind::ResponderAuth)
}
