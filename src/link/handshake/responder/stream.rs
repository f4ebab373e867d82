//! The responder on a stream carrier: one packet at a time, and the first bad one ends the link.
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
#[cfg(any(test, feature = "testing"))]
use crate::crypto::hash::sha256;
use crate::error::SignatureRejected;
use crate::event::{CloseReason, PeerMisbehaved};
use crate::link::handshake::auth::Proof;
use crate::link::handshake::{Packet, Progress};
use crate::link::ticket::OpenedTicket;
use crate::wire::PacketKind;
use crate::wire::packet_parser::HelloView;

/// A responder's handshake.
pub(crate) struct Responder {
    config: Arc<ServerConfig>,
    local_id: NonZeroU64,
    state: State,
}

/// What is awaited, with the secrets that it takes.
enum State {
    Hello,
    /// A Hello with a ticket, which the owner of the ticket keys has to open.
    Ticket(PresentedTicket),
    Signature(Box<Answering>),
    Answered(Answered),
    /// The handshake is over.
    Over,
}

impl Responder {
    /// Waits for a Hello.
    pub(crate) fn new(config: Arc<ServerConfig>, generator: &mut Generator) -> Self {
        Self { config, local_id: generator.nonzero_u64(), state: State::Hello }
    }

    pub(crate) fn handle_packet(
        &mut self,
        packet: Packet<'_>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, CloseReason> {
        // R-6.3-3: one kind of packet has a place in each state.
        match (&mut self.state, packet.header.kind) {
            (State::Hello, PacketKind::Hello) => match PresentedTicket::find(&self.config, &packet) {
                Some(presented) => {
                    self.state = State::Ticket(presented);
                    Ok(Progress::TicketPresented)
                }
                None => self.on_hello(&packet, None, generator, out),
            },
            (State::Answered(answered), kind) if answered.awaits() == Some(kind) => {
                match answered.take(&self.config, packet)? {
                    Some(established) => Ok(Progress::Done(Box::new(established))),
                    None => Ok(Progress::Waiting),
                }
            }
            _ => Err(PeerMisbehaved::UnexpectedPacket.into()),
        }
    }

    pub(crate) fn answer_ticket(
        &mut self,
        ticket: Option<&OpenedTicket>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, CloseReason> {
        match core::mem::replace(&mut self.state, State::Hello) {
            State::Ticket(mut presented) => self.on_hello(&presented.packet(), ticket, generator, out),
            state => {
                self.state = state;
                Ok(Progress::Waiting)
            }
        }
    }

    /// Answers a Hello with the whole flight. Or with a Refuse, or not at all: a malformed one gets no answer (R-6.4-1).
    fn on_hello(
        &mut self,
        packet: &Packet<'_>,
        ticket: Option<&OpenedTicket>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, CloseReason> {
        let hello = HelloView::parse(packet.body()).and_then(HelloView::for_stream)?;
        let suite = choose(&self.config, Carrier::Stream, packet, &hello).map_err(|refusal| {
            out.extend(refusal.packet(&self.config, Carrier::Stream, packet, &hello).into_iter().flatten());
            CloseReason::Incompatible(refusal.what())
        })?;
        let config = &self.config;
        let ticket = ticket.filter(|ticket| fits(config, packet, &hello, suite, ticket));
        let terms = Terms { suite, ticket };
        let answering = Answering::new(config, Carrier::Stream, self.local_id, packet, &hello, terms, generator)?;
        match answering.prove(&config.shared.signer) {
            Some(proof) => {
                self.answer(answering, &proof, out);
                Ok(Progress::Waiting)
            }
            None => {
                self.state = State::Signature(Box::new(answering));
                Ok(Progress::SignatureWanted)
            }
        }
    }

    pub(crate) fn provide_signature(
        &mut self,
        signature: &[u8; 64],
        out: &mut Vec<u8>,
    ) -> Result<Progress, SignatureRejected> {
        let State::Signature(answering) = &self.state else { return Err(SignatureRejected::NotWanted) };
        answering.verify(&self.config, signature)?;
        if let State::Signature(answering) = core::mem::replace(&mut self.state, State::Over) {
            self.answer(*answering, &Proof::Signature(*signature), out);
        }
        Ok(Progress::Waiting)
    }

    /// Sends the flight and waits for the initiator's.
    fn answer(&mut self, answering: Answering, proof: &Proof, out: &mut Vec<u8>) {
        let (answered, answer) = answering.complete(&self.config, proof);
        for mut packet in [answer.accept, answer.kem_offer, answer.auth] {
            out.append(&mut packet);
        }
        self.state = State::Answered(answered);
    }

    pub(crate) fn presented_ticket(&self) -> Option<&[u8]> {
        match &self.state {
            State::Ticket(presented) => Some(presented.ticket()),
            _ => None,
        }
    }

    pub(crate) fn to_sign(&self) -> Option<&[u8]> {
        match &self.state {
            State::Signature(answering) => Some(answering.auth.message()),
            _ => None,
        }
    }

    /// A Hello comes without an id: the initiator does not know this end's yet.
    pub(crate) fn local_id(&self) -> u64 {
        match self.state {
            State::Hello => 0,
            _ => self.local_id.get(),
        }
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn digest(&self) -> [u8; 33] {
        let (name, seen) = match &self.state {
            State::Hello => (8, [0; 32]),
            State::Ticket(presented) => (13, presented.hash()),
            State::Signature(answering) => (9, sha256(answering.auth.message())),
            State::Answered(answered) => answered.digest(),
            State::Over => (12, [0; 32]),
        };
        crate::link::handshake::named_digest(name, &seen)
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let awaits = match &self.state {
            State::Hello => Some(PacketKind::Hello),
            State::Answered(answered) => answered.awaits(),
            State::Ticket(_) | State::Signature(_) | State::Over => None,
        };
        f.debug_struct("Responder").field("awaits", &awaits).finish_non_exhaustive()
    }
}
