//! The initiator on a datagram carrier (specification, section 6.10): anybody may have sent any packet, so that none ends the
//! handshake. What fails is remembered, and told at the deadline.
#![forbid(unsafe_code)]

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU64;

use super::AwaitSignature;
use super::candidates::{AcceptHash, Candidates};
use super::greeting::Greeting;
use crate::config::{Carrier, ClientConfig, Expect, Suite};
use crate::crypto::generator::Generator;
use crate::crypto::hash::sha256;
use crate::error::SignatureRejected;
use crate::event::CloseReason;
use crate::link::handshake::auth::{Proof, VerifiedPeer};
use crate::link::handshake::{Epilogue, Packet, Progress};
use crate::link::{Discarded, Ticket};
use crate::wire::PacketKind;

/// How many Retries are followed at once (R-4.2-4). Anybody on the path can make one, so that there is another chance with each
/// repetition of the Hello: no number of forged ones shuts the genuine one out for good.
const MAX_RETRIES: u8 = 3;

/// An initiator's handshake.
pub(crate) struct DatagramInitiator {
    config: Arc<ClientConfig>,
    expect: Expect,
    local_id: NonZeroU64,
    state: State,
    /// The most telling of what has failed so far.
    failure: Option<CloseReason>,
}

enum State {
    /// Looking for the true responder.
    Trying(Box<Trying>),
    /// It is found, and the own signature is wanted.
    Signature(Box<AwaitSignature>),
    /// The handshake is over.
    Over,
}

struct Trying {
    /// Keeps the ephemeral key until somebody has proved to be the true responder.
    greeting: Greeting,
    /// The packet, to be sent again.
    hello: Vec<u8>,
    retries: u8,
    candidates: Candidates,
    /// Whom the owner has been asked about.
    asked: Option<AcceptHash>,
}

impl DatagramInitiator {
    /// Starts a handshake: the Hello is appended to `out`.
    pub(crate) fn start(
        config: Arc<ClientConfig>,
        (expect, ticket): (Expect, Option<Ticket>),
        carrier: Carrier,
        local_id: Option<NonZeroU64>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Self {
        let (greeting, hello) = Greeting::new(&config, expect, ticket, carrier, local_id, generator);
        out.extend_from_slice(&hello);
        let local_id = greeting.local_id();
        let trying = Trying { greeting, hello, retries: 0, candidates: Candidates::default(), asked: None };
        Self { config, expect, local_id, state: State::Trying(Box::new(trying)), failure: None }
    }

    pub(crate) fn handle_packet(
        &mut self,
        packet: &Packet<'_>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Discarded> {
        let State::Trying(trying) = &mut self.state else { return Err(Discarded::Unexpected) };
        let taken = match packet.header.kind {
            PacketKind::Refuse => return self.on_refuse(packet),
            PacketKind::Retry => return trying.on_retry(&self.config, self.expect, packet, out),
            PacketKind::Accept => trying.on_accept(&self.config, packet),
            PacketKind::KemOffer | PacketKind::ResponderAuth => {
                trying.candidates.offer(&self.config, self.expect, packet)
            }
            _ => Err(Discarded::Unexpected),
        };
        if let Err(Discarded::Invalid(reason)) = &taken {
            self.remember(*reason);
        }
        taken?;
        if let State::Trying(trying) = &mut self.state
            && let Some(reason) = trying.candidates.offer_waiting(&self.config, self.expect)
        {
            self.remember(reason);
        }
        self.settle(generator, out)
    }

    /// A Refuse can come from anybody: it is a hint, and acted on only if nothing better comes (R-6.10-10).
    fn on_refuse(&mut self, packet: &Packet<'_>) -> Result<Progress, Discarded> {
        let State::Trying(trying) = &self.state else { return Err(Discarded::Unexpected) };
        let code = trying.greeting.refused(packet)?;
        self.remember(CloseReason::Refused(code));
        Ok(Progress::Waiting)
    }

    /// Goes on with the first candidate that has proved who it is, or asks the owner about it.
    fn settle(&mut self, generator: &mut Generator, out: &mut Vec<u8>) -> Result<Progress, Discarded> {
        let State::Trying(trying) = &mut self.state else { return Ok(Progress::Waiting) };
        let Some(accept) = trying.candidates.first_verified().filter(|_| trying.asked.is_none()) else {
            return Ok(Progress::Waiting);
        };
        match self.expect {
            Expect::Ask => {
                trying.asked = Some(accept);
                Ok(Progress::VerdictWanted)
            }
            Expect::Pinned(_) => self.reveal(&accept, generator, out),
        }
    }

    pub(crate) fn accept_peer(&mut self, generator: &mut Generator, out: &mut Vec<u8>) -> Result<Progress, Discarded> {
        let State::Trying(trying) = &mut self.state else { return Ok(Progress::Waiting) };
        let Some(accept) = trying.asked.take() else { return Ok(Progress::Waiting) };
        // It may still have offered a bad encapsulation key; then there may be another to ask about.
        self.reveal(&accept, generator, out).or_else(|_| self.settle(generator, out))
    }

    /// The owner does not want this one. The true responder may still come.
    pub(crate) fn refuse_peer(&mut self, generator: &mut Generator, out: &mut Vec<u8>) -> Result<Progress, Discarded> {
        let State::Trying(trying) = &mut self.state else { return Ok(Progress::Waiting) };
        let refused = trying.asked.take().and_then(|accept| trying.candidates.take_verified(&accept));
        if let Some(refused) = refused {
            self.remember(CloseReason::NotAdmitted(refused.peer.id()));
        }
        self.settle(generator, out)
    }

    /// Everybody else, and the ephemeral key, are dropped once one candidate has turned out to be the true one.
    fn reveal(
        &mut self,
        accept: &AcceptHash,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Discarded> {
        let State::Trying(trying) = &mut self.state else { return Ok(Progress::Waiting) };
        let Some(verified) = trying.candidates.take_verified(accept) else { return Ok(Progress::Waiting) };
        let waiting = match verified.reveal(&self.config, generator) {
            Ok(waiting) => waiting,
            Err(reason) => {
                self.remember(reason);
                return Err(Discarded::Invalid(reason));
            }
        };
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
        match core::mem::replace(&mut self.state, State::Over) {
            State::Signature(waiting) => Ok(self.complete(*waiting, &Proof::Signature(*signature), out)),
            _ => Err(SignatureRejected::NotWanted),
        }
    }

    fn complete(&mut self, waiting: AwaitSignature, proof: &Proof, out: &mut Vec<u8>) -> Progress {
        self.state = State::Over;
        let (mut established, flight) = waiting.complete(&self.config, proof);
        out.extend_from_slice(&flight);
        established.epilogue = Some(Epilogue::Unconfirmed(flight));
        Progress::Done(Box::new(established))
    }

    /// What is to be sent again: the Hello, unless the answer to it is here already.
    pub(crate) fn flight(&self) -> &[u8] {
        match &self.state {
            State::Trying(trying) if trying.asked.is_none() => &trying.hello,
            _ => &[],
        }
    }

    /// The Hello is sent once more: one more Retry may be the genuine one.
    pub(crate) fn on_repeat(&mut self) {
        if let State::Trying(trying) = &mut self.state {
            trying.retries = trying.retries.min(MAX_RETRIES.saturating_sub(1));
        }
    }

    /// Why the handshake has failed, at its deadline (R-6.10-10).
    pub(crate) fn timeout_reason(&self) -> CloseReason {
        self.failure.unwrap_or(CloseReason::HandshakeTimeout)
    }

    /// Keeps a failure for the deadline, if it says more than the one before.
    fn remember(&mut self, reason: CloseReason) {
        if self.failure.is_none_or(|known| weight(&known) < weight(&reason)) {
            self.failure = Some(reason);
        }
    }

    pub(crate) fn peer_in_question(&self) -> Option<(&VerifiedPeer, Suite)> {
        match &self.state {
            State::Trying(trying) => trying.candidates.peer(&trying.asked?),
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

    /// What it remembers for its deadline is not part of it: that may change with a packet that is discarded.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn digest(&self) -> [u8; 33] {
        let mut seen = Vec::new();
        let name = match &self.state {
            State::Trying(trying) => {
                seen.extend_from_slice(&trying.hello);
                seen.push(trying.retries);
                seen.extend_from_slice(trying.asked.as_ref().map_or(&[], |accept| &accept[..]));
                trying.candidates.digest(&mut |bytes| seen.extend_from_slice(bytes));
                16
            }
            State::Signature(waiting) => {
                seen.extend_from_slice(waiting.auth.message());
                17
            }
            State::Over => 18,
        };
        crate::link::handshake::named_digest(name, &sha256(&seen))
    }
}

impl Trying {
    fn on_accept(&mut self, config: &ClientConfig, packet: &Packet<'_>) -> Result<(), Discarded> {
        let accept = sha256(packet.bytes);
        self.candidates.check(&accept)?;
        let candidate = self.greeting.answered(config, packet)?;
        self.candidates.add(accept, candidate);
        Ok(())
    }

    /// Says Hello again, with the cookie that is asked for (R-4.2-3). Whoever has answered the Hello before is no candidate any more;
    /// once somebody has proved to be one, no Retry is followed.
    fn on_retry(
        &mut self,
        config: &ClientConfig,
        expect: Expect,
        packet: &Packet<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Discarded> {
        if self.retries >= MAX_RETRIES || self.candidates.first_verified().is_some() {
            return Err(Discarded::TooMany);
        }
        let cookie = self.greeting.retry(packet)?;
        self.retries = self.retries.saturating_add(1);
        self.hello = self.greeting.hello(config, expect, Some(&cookie));
        self.candidates = Candidates::default();
        out.extend_from_slice(&self.hello);
        Ok(Progress::Waiting)
    }
}

/// How much a failure says: an identity that was proved, a refusal for this very Hello, or just something that is not right.
fn weight(reason: &CloseReason) -> u8 {
    match reason {
        CloseReason::WrongPeer(_) | CloseReason::NotAdmitted(_) => 2,
        CloseReason::Refused(_) => 1,
        _ => 0,
    }
}

impl fmt::Debug for DatagramInitiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Trying(_) => "DatagramInitiator::Trying",
            State::Signature(_) => "DatagramInitiator::Signature",
            State::Over => "DatagramInitiator::Over",
        })
    }
}
