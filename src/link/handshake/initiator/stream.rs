//! The initiator on a stream carrier: one responder, one packet at a time, and the first bad one ends the link.
#![forbid(unsafe_code)]

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU64;

use super::greeting::Greeting;
use super::{AwaitSignature, Candidate, Verified};
use crate::config::{Carrier, ClientConfig, Expect, Suite};
use crate::crypto::generator::Generator;
#[cfg(any(test, feature = "testing"))]
use crate::crypto::hash::sha256;
use crate::error::SignatureRejected;
use crate::event::{CloseReason, PeerMisbehaved};
use crate::link::Ticket;
use crate::link::handshake::auth::{Proof, VerifiedPeer};
use crate::link::handshake::{Packet, Progress};
use crate::wire::PacketKind;

/// An initiator's handshake.
pub(crate) struct Initiator {
    config: Arc<ClientConfig>,
    expect: Expect,
    local_id: NonZeroU64,
    state: State,
}

/// What is awaited, with the secrets that it takes.
enum State {
    Accept(Box<Greeting>),
    /// The responder's proof, or the owner's verdict on it.
    Candidate(Box<Candidate>),
    Signature(Box<AwaitSignature>),
    /// The handshake is over, one way or the other.
    Over,
}

impl Initiator {
    /// Starts a handshake: the Hello is appended to `out`.
    pub(crate) fn start(
        config: Arc<ClientConfig>,
        (expect, ticket): (Expect, Option<Ticket>),
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Self {
        let (greeting, mut hello) = Greeting::new(&config, expect, ticket, Carrier::Stream, None, generator);
        out.append(&mut hello);
        Self { config, expect, local_id: greeting.local_id(), state: State::Accept(Box::new(greeting)) }
    }

    pub(crate) fn handle_packet(
        &mut self,
        packet: Packet<'_>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, CloseReason> {
        // R-6.2-1: one kind of packet has a place in each state; a Refuse only before any Accept (R-6.4-3), a KemOffer only in hybrid
        // suites (R-4.5-2), a Retry nowhere on a stream carrier (R-4.2-1).
        match (&mut self.state, packet.header.kind) {
            (State::Accept(greeting), PacketKind::Refuse) => Err(CloseReason::Refused(greeting.refused(&packet)?)),
            (State::Accept(greeting), PacketKind::Accept) => {
                self.state = State::Candidate(Box::new(greeting.answered(&self.config, &packet)?));
                Ok(Progress::Waiting)
            }
            (State::Candidate(candidate), kind) if candidate.awaits() == Some(kind) => {
                candidate.take(&self.config, self.expect, packet)?;
                self.settle(generator, out)
            }
            _ => Err(PeerMisbehaved::UnexpectedPacket.into()),
        }
    }

    /// Acts on the responder's proof, if it is complete.
    fn settle(&mut self, generator: &mut Generator, out: &mut Vec<u8>) -> Result<Progress, CloseReason> {
        match (self.peer_in_question(), self.expect) {
            (None, _) => Ok(Progress::Waiting),
            (Some(_), Expect::Ask) => Ok(Progress::VerdictWanted),
            (Some(_), Expect::Pinned(_)) => self.accept_peer(generator, out),
        }
    }

    pub(crate) fn accept_peer(
        &mut self,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, CloseReason> {
        if self.peer_in_question().is_none() {
            return Ok(Progress::Waiting);
        }
        let State::Candidate(candidate) = self.take_state() else { return Ok(Progress::Waiting) };
        match candidate.into_verified() {
            Some(verified) => self.reveal(verified, generator, out),
            None => Ok(Progress::Waiting),
        }
    }

    fn reveal(
        &mut self,
        verified: Verified,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, CloseReason> {
        let waiting = verified.reveal(&self.config, generator)?;
        match waiting.prove(&self.config.shared.signer) {
            Some(proof) => Ok(self.complete(waiting, &proof, out)),
            None => {
                self.state = State::Signature(Box::new(waiting));
                Ok(Progress::SignatureWanted)
            }
        }
    }

    pub(crate) fn provide_signature(
        &mut self,
        signature: &[u8; 64],
        out: &mut Vec<u8>,
    ) -> Result<Progress, SignatureRejected> {
        let State::Signature(waiting) = &self.state else { return Err(SignatureRejected::NotWanted) };
        waiting.verify(&self.config, signature)?;
        match self.take_state() {
            State::Signature(waiting) => Ok(self.complete(*waiting, &Proof::Signature(*signature), out)),
            _ => Err(SignatureRejected::NotWanted),
        }
    }

    fn complete(&self, waiting: AwaitSignature, proof: &Proof, out: &mut Vec<u8>) -> Progress {
        let (established, mut flight) = waiting.complete(&self.config, proof);
        out.append(&mut flight);
        Progress::Done(Box::new(established))
    }

    pub(crate) fn peer_in_question(&self) -> Option<(&VerifiedPeer, Suite)> {
        match &self.state {
            State::Candidate(candidate) => candidate.peer(),
            _ => None,
        }
    }

    pub(crate) fn to_sign(&self) -> Option<&[u8]> {
        match &self.state {
            State::Signature(waiting) => Some(waiting.auth.message()),
            _ => None,
        }
    }

    pub(crate) fn local_id(&self) -> u64 {
        self.local_id.get()
    }

    fn take_state(&mut self) -> State {
        core::mem::replace(&mut self.state, State::Over)
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn digest(&self) -> [u8; 33] {
        let (name, seen) = match &self.state {
            State::Accept(greeting) => (0, greeting.hello_hash()),
            State::Candidate(candidate) => candidate.digest(),
            State::Signature(state) => (4, sha256(state.auth.message())),
            State::Over => (5, [0; 32]),
        };
        crate::link::handshake::named_digest(name, &seen)
    }
}

impl fmt::Debug for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let awaits = match &self.state {
            State::Accept(_) => "Accept",
            State::Candidate(candidate) => match candidate.awaits() {
                Some(PacketKind::KemOffer) => "KemOffer",
                Some(_) => "ResponderAuth",
                None => "Verdict",
            },
            State::Signature(_) => "Signature",
            State::Over => "Nothing",
        };
        f.debug_struct("Initiator").field("awaits", &format_args!("{awaits}")).finish_non_exhaustive()
    }
}
