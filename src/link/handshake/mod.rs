//! The handshake (specification, section 6): SIGMA-I in the shape of TLS 1.3, with Ed25519 identities.
//!
//! ```text
//!  initiator                                                     responder
//!  Greeting             Hello ------------------------->         awaits Hello
//!                       <------------------------ Accept
//!  Candidate            <---------------------- KemOffer         (hybrid suites)
//!                       <----------------- ResponderAuth         Answering (external signer)
//!  verified             (if the owner is asked)
//!  AwaitSignature       (external signer)
//!                       KemReply ---------------------->         Answered (hybrid suites)
//!                       InitiatorAuth ----------------->
//!  Established                                                   Established
//! ```
//!
//! Each of these steps holds just the secrets that it needs; a packet is checked against a borrowed one, which goes on only when all
//! checks have passed. The steps are the same on all carriers. Around them, each role has a state machine for stream carriers, where
//! the first bad packet ends the link, and one for datagram carriers, where packets get lost, come again and in any order, and can
//! come from anybody.
#![forbid(unsafe_code)]

mod auth;
mod epilogue;
mod initiator;
mod keyed;
mod responder;
#[cfg(all(test, feature = "rustcrypto"))]
mod tests;
mod transcript;
mod waiting;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU64;
use core::time::Duration;

pub(crate) use auth::VerifiedPeer;
pub(crate) use epilogue::Epilogue;
use initiator::{DatagramInitiator, Initiator};
use responder::{DatagramResponder, Responder};
#[cfg(feature = "endpoint")]
pub(crate) use responder::{Screened, Unserved};

use crate::config::{Carrier, ClientConfig, Expect, ServerConfig, Suite};
use crate::crypto::generator::Generator;
use crate::crypto::key_schedule::{Exporter, ResumptionSecret};
use crate::error::SignatureRejected;
use crate::event::{CloseReason, PeerIncompatible};
use crate::link::ticket::{OpenedTicket, Ticket};
use crate::link::{DataKeys, Discarded};
use crate::wire::{HEADER_LEN, Header};

/// How long an initiator on a datagram carrier waits before it sends its last flight again, every time (R-6.10-3).
pub(crate) const RETRANSMIT_AFTER: Duration = Duration::from_secs(1);
/// How many copies of a flight it then sends (R-6.10-3).
pub(crate) const RETRANSMIT_COPIES: usize = 2;

/// A handshake in either role, on either kind of carrier.
#[derive(Debug)]
pub(crate) enum Handshake {
    Initiator(Initiator),
    Responder(Responder),
    DatagramInitiator(DatagramInitiator),
    DatagramResponder(DatagramResponder),
}

/// How far a call has brought the handshake.
#[derive(Debug)]
pub(crate) enum Progress {
    /// The next packet is awaited.
    Waiting,
    /// The peer is verified, and its owner's verdict is wanted before this end reveals itself.
    VerdictWanted,
    /// An external signer's signature is wanted.
    SignatureWanted,
    /// Responder: the Hello has a ticket, and whoever has the keys of tickets is to open it.
    TicketPresented,
    /// Datagram carriers, responder: the Hello was answered with a Refuse, or with nothing; another one is awaited.
    Refused(PeerIncompatible),
    /// Datagram carriers, responder: the initiator has sent its Hello again. [`Handshake::flight`] is to be sent once more, as far as
    /// what has been received from its address allows (R-6.10-6).
    Repeat,
    /// It is over.
    Done(Box<Established>),
}

/// What becomes of a packet that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The link must end, for this reason: on stream carriers.
    Ends(CloseReason),
    /// It is dropped, and nothing else has changed: on datagram carriers (R-6.10-1).
    Discarded(Discarded),
}

/// What a finished handshake leaves.
#[derive(Debug)]
pub(crate) struct Established {
    /// Who the peer is. Having one is what makes the link an authenticated one.
    pub(crate) peer: VerifiedPeer,
    pub(crate) suite: Suite,
    pub(crate) app_protocol: String,
    pub(crate) realm: String,
    pub(crate) keys: DataKeys,
    pub(crate) exporter: Exporter,
    pub(crate) resumption: ResumptionSecret,
    /// On datagram carriers: what may still be needed of the handshake.
    pub(crate) epilogue: Option<Epilogue>,
}

/// One whole packet as it came, with its header also read. Opened in place.
pub(crate) struct Packet<'a> {
    pub(crate) header: Header,
    pub(crate) bytes: &'a mut [u8],
}

impl Packet<'_> {
    /// The body of a clear packet.
    fn body(&self) -> &[u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }

    /// The header as it travelled, for the transcript.
    fn raw_header(&self) -> [u8; HEADER_LEN] {
        self.header.to_bytes()
    }
}

impl Handshake {
    /// Starts a handshake with whoever is expected: the Hello is appended to `out`. The configuration fits the carrier; a ticket that does
    /// not fit is left out. On a datagram carrier `local_id` is the
    /// connection id, if somebody else routes by it; else it is drawn.
    pub(crate) fn connect(
        config: Arc<ClientConfig>,
        target: (Expect, Option<Ticket>),
        carrier: Carrier,
        local_id: Option<NonZeroU64>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Self {
        if carrier.is_datagram() {
            Self::DatagramInitiator(DatagramInitiator::start(config, target, carrier, local_id, generator, out))
        } else {
            Self::Initiator(Initiator::start(config, target, generator, out))
        }
    }

    /// Waits for a Hello. The configuration fits the carrier. `local_id` as for [`connect`](Self::connect).
    pub(crate) fn accept(
        config: Arc<ServerConfig>,
        carrier: Carrier,
        local_id: Option<NonZeroU64>,
        generator: &mut Generator,
    ) -> Self {
        if carrier.is_datagram() {
            let local_id = local_id.unwrap_or_else(|| generator.nonzero_u64());
            Self::DatagramResponder(DatagramResponder::new(config, carrier, local_id))
        } else {
            Self::Responder(Responder::new(config, generator))
        }
    }

    /// Takes a packet that fits the validator's table. What is to be sent, whole packets, is appended to `out`; on datagram carriers
    /// several may share a datagram.
    ///
    /// # Errors
    /// What is wrong with the packet. It has left the state as it was.
    pub(crate) fn handle_packet(
        &mut self,
        packet: Packet<'_>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Rejection> {
        match self {
            Self::Initiator(initiator) => initiator.handle_packet(packet, generator, out).map_err(Rejection::Ends),
            Self::Responder(responder) => responder.handle_packet(packet, generator, out).map_err(Rejection::Ends),
            Self::DatagramInitiator(initiator) => Ok(initiator.handle_packet(&packet, generator, out)?),
            Self::DatagramResponder(responder) => Ok(responder.handle_packet(packet, generator, out)?),
        }
    }

    /// Goes on after [`Progress::VerdictWanted`]: the owner accepts the peer. Without effect at any other time.
    ///
    /// # Errors
    /// What the peer had done that shows only now.
    pub(crate) fn accept_peer(&mut self, generator: &mut Generator, out: &mut Vec<u8>) -> Result<Progress, Rejection> {
        match self {
            Self::Initiator(initiator) => initiator.accept_peer(generator, out).map_err(Rejection::Ends),
            Self::DatagramInitiator(initiator) => Ok(initiator.accept_peer(generator, out)?),
            Self::Responder(_) | Self::DatagramResponder(_) => Ok(Progress::Waiting),
        }
    }

    /// The other answer to [`Progress::VerdictWanted`]: on a stream carrier it ends the link; on a datagram carrier somebody else may
    /// still answer, or has. Without effect at any other time.
    ///
    /// # Errors
    /// [`CloseReason::NotAdmitted`] on a stream carrier.
    pub(crate) fn refuse_peer(&mut self, generator: &mut Generator, out: &mut Vec<u8>) -> Result<Progress, Rejection> {
        match self {
            Self::DatagramInitiator(initiator) => Ok(initiator.refuse_peer(generator, out)?),
            Self::Initiator(_) | Self::Responder(_) | Self::DatagramResponder(_) => match self.peer_in_question() {
                Some((peer, _)) => Err(Rejection::Ends(CloseReason::NotAdmitted(peer.id()))),
                None => Ok(Progress::Waiting),
            },
        }
    }

    /// The peer that a verdict is wanted on.
    pub(crate) fn peer_in_question(&self) -> Option<(&VerifiedPeer, Suite)> {
        match self {
            Self::Initiator(initiator) => initiator.peer_in_question(),
            Self::DatagramInitiator(initiator) => initiator.peer_in_question(),
            Self::Responder(_) | Self::DatagramResponder(_) => None,
        }
    }

    /// The ticket that is to be opened, after [`Progress::TicketPresented`].
    pub(crate) fn presented_ticket(&self) -> Option<&[u8]> {
        match self {
            Self::Responder(responder) => responder.presented_ticket(),
            Self::DatagramResponder(responder) => responder.presented_ticket(),
            Self::Initiator(_) | Self::DatagramInitiator(_) => None,
        }
    }

    /// Goes on after [`Progress::TicketPresented`] with what was in the ticket, or without. One that does not fit the Hello is as none.
    /// Without effect at any other time.
    ///
    /// # Errors
    /// What is wrong with the Hello.
    pub(crate) fn answer_ticket(
        &mut self,
        ticket: Option<&OpenedTicket>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Rejection> {
        match self {
            Self::Responder(responder) => responder.answer_ticket(ticket, generator, out).map_err(Rejection::Ends),
            Self::DatagramResponder(responder) => Ok(responder.answer_ticket(ticket, generator, out)?),
            Self::Initiator(_) | Self::DatagramInitiator(_) => Ok(Progress::Waiting),
        }
    }

    /// What an external signer is to sign, while its signature is wanted.
    pub(crate) fn to_sign(&self) -> Option<&[u8]> {
        match self {
            Self::Initiator(initiator) => initiator.to_sign(),
            Self::Responder(responder) => responder.to_sign(),
            Self::DatagramInitiator(initiator) => initiator.to_sign(),
            Self::DatagramResponder(responder) => responder.to_sign(),
        }
    }

    /// Goes on after [`Progress::SignatureWanted`].
    ///
    /// # Errors
    /// [`SignatureRejected`] if none is wanted or it does not verify. The state is as it was.
    pub(crate) fn provide_signature(
        &mut self,
        signature: &[u8; 64],
        out: &mut Vec<u8>,
    ) -> Result<Progress, SignatureRejected> {
        match self {
            Self::Initiator(initiator) => initiator.provide_signature(signature, out),
            Self::Responder(responder) => responder.provide_signature(signature, out),
            Self::DatagramInitiator(initiator) => initiator.provide_signature(signature, out),
            Self::DatagramResponder(responder) => responder.provide_signature(signature, out),
        }
    }

    /// On datagram carriers, the packets that this end may have to send again, one behind the other: an initiator every
    /// [`RETRANSMIT_AFTER`], a responder after [`Progress::Repeat`]. Empty if there is nothing that would help.
    pub(crate) fn flight(&self) -> &[u8] {
        match self {
            Self::Initiator(_) | Self::Responder(_) => &[],
            Self::DatagramInitiator(initiator) => initiator.flight(),
            Self::DatagramResponder(responder) => responder.flight(),
        }
    }

    /// The [`flight`](Self::flight) is sent again, because [`RETRANSMIT_AFTER`] has passed.
    pub(crate) fn on_repeat(&mut self) {
        if let Self::DatagramInitiator(initiator) = self {
            initiator.on_repeat();
        }
    }

    /// Why the handshake has failed, when its deadline has come.
    pub(crate) fn timeout_reason(&self) -> CloseReason {
        match self {
            Self::DatagramInitiator(initiator) => initiator.timeout_reason(),
            Self::Initiator(_) | Self::Responder(_) | Self::DatagramResponder(_) => CloseReason::HandshakeTimeout,
        }
    }

    /// The id that the peer must write into its packets: 0 for a Hello.
    pub(crate) fn local_id(&self) -> u64 {
        match self {
            Self::Initiator(initiator) => initiator.local_id(),
            Self::Responder(responder) => responder.local_id(),
            Self::DatagramInitiator(initiator) => initiator.local_id(),
            Self::DatagramResponder(responder) => responder.local_id(),
        }
    }

    /// The state's name and a hash of what it has seen, for state digests.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn digest(&self) -> [u8; 33] {
        match self {
            Self::Initiator(initiator) => initiator.digest(),
            Self::Responder(responder) => responder.digest(),
            Self::DatagramInitiator(initiator) => initiator.digest(),
            Self::DatagramResponder(responder) => responder.digest(),
        }
    }
}

impl From<Discarded> for Rejection {
    fn from(why: Discarded) -> Self {
        Self::Discarded(why)
    }
}

/// A state's name in front of a hash of what it has seen.
#[cfg(any(test, feature = "testing"))]
fn named_digest(name: u8, seen: &[u8; 32]) -> [u8; 33] {
    let mut digest = [name; 33];
    if let Some(hash) = digest.last_chunk_mut() {
        *hash = *seen;
    }
    digest
}
