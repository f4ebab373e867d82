//! The responder on a datagram carrier (specification, section 6.10): it has no timers, holds its answer and repeats it, and no packet
//! ends the handshake.
#![forbid(unsafe_code)]

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU64;

use super::choice::{choose, fits};
use super::presented::PresentedTicket;
use super::{Answered, Answering, Terms};
use crate::config::{Carrier, ServerConfig};
use crate::crypto::generator::Generator;
use crate::crypto::hash::sha256;
use crate::error::SignatureRejected;
use crate::link::Discarded;
use crate::link::handshake::auth::Proof;
use crate::link::handshake::waiting::WaitingRoom;
use crate::link::handshake::{Epilogue, Packet, Progress};
use crate::link::ticket::OpenedTicket;
use crate::wire::PacketKind;
use crate::wire::packet_parser::HelloView;

/// A responder's handshake.
pub(crate) struct DatagramResponder {
    config: Arc<ServerConfig>,
    carrier: Carrier,
    local_id: NonZeroU64,
    state: State,
}

enum State {
    Hello,
    /// A Hello with a ticket, which the owner of the ticket keys has to open.
    Ticket(PresentedTicket),
    /// The own signature is wanted. The hash is the Hello's.
    Signature([u8; 32], Box<Answering>),
    HalfOpen(Box<HalfOpen>),
    /// The handshake is over.
    Over,
}

/// A Hello that was answered.
struct HalfOpen {
    hello_hash: [u8; 32],
    /// The answer, to be sent again whenever the Hello comes again.
    flight: Vec<u8>,
    answered: Answered,
    /// SHA-256 of the KemReply that was taken.
    kem_reply: Option<[u8; 32]>,
    waiting: WaitingRoom,
}

impl DatagramResponder {
    /// Waits for a Hello.
    pub(crate) fn new(config: Arc<ServerConfig>, carrier: Carrier, local_id: NonZeroU64) -> Self {
        Self { config, carrier, local_id, state: State::Hello }
    }

    pub(crate) fn handle_packet(
        &mut self,
        packet: Packet<'_>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Discarded> {
        match (&mut self.state, packet.header.kind) {
            (State::Hello, PacketKind::Hello) => match PresentedTicket::find(&self.config, &packet) {
                Some(presented) => {
                    self.state = State::Ticket(presented);
                    Ok(Progress::TicketPresented)
                }
                None => self.on_hello(&packet, None, generator, out),
            },
            // R-6.10-4: one Hello is answered, always with the same bytes.
            (State::HalfOpen(half), PacketKind::Hello) if half.hello_hash == sha256(packet.bytes) => {
                Ok(Progress::Repeat)
            }
            (State::HalfOpen(half), PacketKind::KemReply | PacketKind::InitiatorAuth | PacketKind::Data) => {
                let progress = half.on_sealed(&self.config, packet)?;
                if matches!(progress, Progress::Done(_)) {
                    self.state = State::Over;
                }
                Ok(progress)
            }
            _ => Err(Discarded::Unexpected),
        }
    }

    pub(crate) fn answer_ticket(
        &mut self,
        ticket: Option<&OpenedTicket>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Discarded> {
        match core::mem::replace(&mut self.state, State::Hello) {
            State::Ticket(mut presented) => self.on_hello(&presented.packet(), ticket, generator, out),
            state => {
                self.state = state;
                Ok(Progress::Waiting)
            }
        }
    }

    /// Answers a Hello with the whole flight, or with a Refuse, or not at all. Only in the first case anything has changed (R-6.10-7).
    fn on_hello(
        &mut self,
        packet: &Packet<'_>,
        ticket: Option<&OpenedTicket>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Discarded> {
        let hello = HelloView::parse(packet.body()).and_then(HelloView::for_datagram)?;
        let (config, carrier) = (&self.config, self.carrier);
        let suite = match choose(config, carrier, packet, &hello) {
            Ok(suite) => suite,
            Err(refusal) => {
                out.extend(refusal.packet(config, carrier, packet, &hello).into_iter().flatten());
                return Ok(Progress::Refused(refusal.what()));
            }
        };
        let ticket = ticket.filter(|ticket| fits(config, packet, &hello, suite, ticket));
        let terms = Terms { suite, ticket };
        let answering = Answering::new(config, carrier, self.local_id, packet, &hello, terms, generator)?;
        let hello_hash = sha256(packet.bytes);
        match answering.prove(&config.shared.signer) {
            Some(proof) => {
                self.answer(hello_hash, answering, &proof, out);
                Ok(Progress::Waiting)
            }
            None => {
                self.state = State::Signature(hello_hash, Box::new(answering));
                Ok(Progress::SignatureWanted)
            }
        }
    }

    pub(crate) fn provide_signature(
        &mut self,
        signature: &[u8; 64],
        out: &mut Vec<u8>,
    ) -> Result<Progress, SignatureRejected> {
        let State::Signature(_, answering) = &self.state else { return Err(SignatureRejected::NotWanted) };
        answering.verify(&self.config, signature)?;
        if let State::Signature(hello_hash, answering) = core::mem::replace(&mut self.state, State::Over) {
            self.answer(hello_hash, *answering, &Proof::Signature(*signature), out);
        }
        Ok(Progress::Waiting)
    }

    /// Sends the flight and waits for the initiator's. Accept and ResponderAuth come first: they share a datagram.
    fn answer(&mut self, hello_hash: [u8; 32], answering: Answering, proof: &Proof, out: &mut Vec<u8>) {
        let (answered, answer) = answering.complete(&self.config, proof);
        let flight = [answer.accept, answer.auth, answer.kem_offer].concat();
        out.extend_from_slice(&flight);
        let waiting = WaitingRoom::default();
        self.state = State::HalfOpen(Box::new(HalfOpen { hello_hash, flight, answered, kem_reply: None, waiting }));
    }

    /// What is to be sent again when the initiator repeats its Hello.
    pub(crate) fn flight(&self) -> &[u8] {
        match &self.state {
            State::HalfOpen(half) => &half.flight,
            _ => &[],
        }
    }

    pub(crate) fn presented_ticket(&self) -> Option<&[u8]> {
        match &self.state {
            State::Ticket(presented) => Some(presented.ticket()),
            _ => None,
        }
    }

    pub(crate) fn to_sign(&self) -> Option<&[u8]> {
        match &self.state {
            State::Signature(_, answering) => Some(answering.auth.message()),
            _ => None,
        }
    }

    /// What the initiator writes into its packets, but for its Hello.
    pub(crate) fn local_id(&self) -> u64 {
        self.local_id.get()
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn digest(&self) -> [u8; 33] {
        let mut seen = Vec::new();
        let name = match &self.state {
            State::Hello => 24,
            State::Ticket(presented) => {
                seen.extend_from_slice(&presented.hash());
                28
            }
            State::Signature(hello_hash, answering) => {
                seen.extend_from_slice(hello_hash);
                seen.extend_from_slice(answering.auth.message());
                25
            }
            State::HalfOpen(half) => {
                let (name, transcript) = half.answered.digest();
                seen.push(name);
                for bytes in [&transcript, &half.hello_hash, &half.flight[..], &half.kem_reply.unwrap_or_default()] {
                    seen.extend_from_slice(bytes);
                }
                half.waiting.packets().for_each(|packet| seen.extend_from_slice(packet));
                26
            }
            State::Over => 27,
        };
        crate::link::handshake::named_digest(name, &sha256(&seen))
    }
}

impl HalfOpen {
    /// Takes the packet that comes next and those that have waited for it; keeps one that comes early (R-6.10-11).
    fn on_sealed(&mut self, config: &ServerConfig, packet: Packet<'_>) -> Result<Progress, Discarded> {
        let kind = packet.header.kind;
        if self.answered.awaits() == Some(kind) {
            return self.take(config, packet);
        }
        let is_early = kind != PacketKind::KemReply;
        if is_early && self.waiting.keep(&packet) { Ok(Progress::Waiting) } else { Err(Discarded::Unexpected) }
    }

    fn take(&mut self, config: &ServerConfig, packet: Packet<'_>) -> Result<Progress, Discarded> {
        let hash = sha256(packet.bytes);
        let taken = self.answered.take(config, packet)?;
        if let Some(mut established) = taken {
            let data = self.waiting.take(PacketKind::Data).map(|packet| packet.into_bytes());
            established.epilogue = Some(Epilogue::Answered { flight: [self.kem_reply, Some(hash)], data });
            return Ok(Progress::Done(Box::new(established)));
        }
        self.kem_reply = Some(hash);
        match self.waiting.take(PacketKind::InitiatorAuth) {
            // If it is not the right one after all, the KemReply that came now is none the worse.
            Some(mut early) => self.take(config, early.as_packet()).or(Ok(Progress::Waiting)),
            None => Ok(Progress::Waiting),
        }
    }
}

impl fmt::Debug for DatagramResponder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Hello => "DatagramResponder::Hello",
            State::Ticket(_) => "DatagramResponder::Ticket",
            State::Signature(..) => "DatagramResponder::Signature",
            State::HalfOpen(_) => "DatagramResponder::HalfOpen",
            State::Over => "DatagramResponder::Over",
        })
    }
}
