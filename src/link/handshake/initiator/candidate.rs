//! A responder that has answered, and has still to prove who it is.
#![forbid(unsafe_code)]

#[cfg(feature = "hybrid")]
use alloc::boxed::Box;

use super::{KemKey, Verified};
use crate::config::{ClientConfig, Expect, Suite};
use crate::event::{CloseReason, PeerMisbehaved};
use crate::identity::PeerId;
use crate::link::handshake::Packet;
use crate::link::handshake::auth::{Expected, VerifiedPeer};
use crate::link::handshake::keyed::Keyed;
#[cfg(feature = "hybrid")]
use crate::packet::PacketNumber;
use crate::role::Role;
use crate::wire::PacketKind;
#[cfg(feature = "hybrid")]
use crate::wire::packet_parser::kem_offer;

/// Whoever sent one particular Accept.
pub(super) struct Candidate {
    keyed: Keyed,
    /// Whom the ticket is of that it has taken.
    resumed: Option<PeerId>,
    stage: Stage,
}

/// What is awaited of it.
enum Stage {
    #[cfg(feature = "hybrid")]
    KemOffer,
    ResponderAuth {
        kem_key: KemKey,
    },
    /// Nothing: it has proved its identity.
    Verified {
        kem_key: KemKey,
        peer: VerifiedPeer,
    },
}

impl Candidate {
    /// A responder whose keys are those of this Accept. In hybrid suites its KemOffer comes first (R-4.5-1).
    pub(super) fn new(keyed: Keyed, resumed: Option<PeerId>) -> Self {
        #[cfg(feature = "hybrid")]
        if keyed.suite.is_hybrid() {
            return Self { keyed, resumed, stage: Stage::KemOffer };
        }
        Self { keyed, resumed, stage: Stage::ResponderAuth { kem_key: KemKey::default() } }
    }

    /// The kind of packet that comes next, if any does.
    pub(super) fn awaits(&self) -> Option<PacketKind> {
        match self.stage {
            #[cfg(feature = "hybrid")]
            Stage::KemOffer => Some(PacketKind::KemOffer),
            Stage::ResponderAuth { .. } => Some(PacketKind::ResponderAuth),
            Stage::Verified { .. } => None,
        }
    }

    /// Takes the packet that comes next. After an error the candidate is as it was; one other than
    /// [`PeerMisbehaved::DoesNotOpen`] comes only from a packet that has opened, so that the candidate itself is at fault.
    pub(super) fn take(
        &mut self,
        config: &ClientConfig,
        expect: Expect,
        packet: Packet<'_>,
    ) -> Result<(), CloseReason> {
        let (shared, keyed) = (&config.shared, &mut self.keyed);
        match (&mut self.stage, packet.header.kind) {
            #[cfg(feature = "hybrid")]
            (Stage::KemOffer, PacketKind::KemOffer) => {
                let opened = keyed.open(shared, &keyed.responder, PacketNumber::FIRST, packet)?;
                let key = Box::new(*kem_offer(opened.body)?);
                keyed.transcript.absorb(&opened.header);
                keyed.transcript.absorb(opened.body);
                self.stage = Stage::ResponderAuth { kem_key: Some(key) };
            }
            (Stage::ResponderAuth { kem_key }, PacketKind::ResponderAuth) => {
                let opened = keyed.open(shared, &keyed.responder, keyed.auth_number(), packet)?;
                let pin = match expect {
                    Expect::Pinned(peer) => Some(peer),
                    Expect::Ask => None,
                };
                let expected = Expected { sender: Role::Responder, secret: &keyed.responder, pin };
                let provider = shared.provider.as_ref();
                let (peer, transcript) = match self.resumed {
                    Some(peer) => VerifiedPeer::verify_resumed(peer, &expected, &keyed.transcript, &opened)?,
                    None => VerifiedPeer::verify(provider, &expected, &keyed.transcript, &opened)?,
                };
                keyed.transcript = transcript;
                self.stage = Stage::Verified { kem_key: core::mem::take(kem_key), peer };
            }
            _ => return Err(PeerMisbehaved::UnexpectedPacket.into()),
        }
        Ok(())
    }

    /// Who it is, once it has proved it.
    pub(super) fn peer(&self) -> Option<(&VerifiedPeer, Suite)> {
        match &self.stage {
            Stage::Verified { peer, .. } => Some((peer, self.keyed.suite)),
            _ => None,
        }
    }

    /// Goes on with it, if it has proved who it is.
    pub(super) fn into_verified(self) -> Option<Verified> {
        match self.stage {
            Stage::Verified { kem_key, peer } => Some(Verified { keyed: self.keyed, kem_key, peer }),
            _ => None,
        }
    }

    /// The stage's name and the transcript, for state digests.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn digest(&self) -> (u8, [u8; 32]) {
        let name = match self.stage {
            #[cfg(feature = "hybrid")]
            Stage::KemOffer => 1,
            Stage::ResponderAuth { .. } => 2,
            Stage::Verified { .. } => 3,
        };
        (name, self.keyed.transcript.hash())
    }
}
