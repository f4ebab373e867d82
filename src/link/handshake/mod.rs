//! The handshake (specification, section 6): SIGMA-I in the shape of TLS 1.3, with Ed25519 identities.
//!
//! ```text
//!  initiator                                                     responder
//!  AwaitAccept          Hello ------------------------->         AwaitHello
//!                       <------------------------ Accept
//!  AwaitKemOffer        <---------------------- KemOffer         (hybrid suites)
//!  AwaitResponderAuth   <----------------- ResponderAuth         AwaitSignature (external signer)
//!  AwaitVerdict         (if the owner is asked)
//!  AwaitSignature       (external signer)
//!                       KemReply ---------------------->         AwaitKemReply (hybrid suites)
//!                       InitiatorAuth ----------------->         AwaitInitiatorAuth
//!  Established                                                   Established
//! ```
//!
//! Each state holds just the secrets that it needs; a packet is checked against a borrowed state, which is replaced only when all
//! checks have passed.
#![forbid(unsafe_code)]

mod auth;
mod initiator;
mod keyed;
mod responder;
mod transcript;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

pub(crate) use auth::VerifiedPeer;
pub(crate) use initiator::Initiator;
pub(crate) use responder::Responder;

use crate::config::Suite;
use crate::crypto::generator::Generator;
use crate::crypto::key_schedule::Exporter;
use crate::error::SignatureRejected;
use crate::event::CloseReason;
use crate::link::DataKeys;
use crate::wire::{HEADER_LEN, Header};

/// A handshake in either role.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a session has one, behind a box, and only until it is established")]
pub(crate) enum Handshake {
    Initiator(Initiator),
    Responder(Responder),
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
    /// It is over.
    Done(Box<Established>),
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
    /// Takes a packet that fits the validator's table. What is to be sent is appended to `out`.
    ///
    /// # Errors
    /// Why the link must end. A packet that does not verify leaves the state as it was.
    pub(crate) fn handle_packet(
        &mut self,
        packet: Packet<'_>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, CloseReason> {
        match self {
            Self::Initiator(initiator) => initiator.handle_packet(packet, generator, out),
            Self::Responder(responder) => responder.handle_packet(packet, generator, out),
        }
    }

    /// Goes on after [`Progress::VerdictWanted`]: the owner accepts the peer. Without effect at any other time.
    pub(crate) fn accept_peer(
        &mut self,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, CloseReason> {
        match self {
            Self::Initiator(initiator) => initiator.accept_peer(generator, out),
            Self::Responder(_) => Ok(Progress::Waiting),
        }
    }

    /// The peer that a verdict is wanted on.
    pub(crate) fn peer_in_question(&self) -> Option<(&VerifiedPeer, Suite)> {
        match self {
            Self::Initiator(initiator) => initiator.peer_in_question(),
            Self::Responder(_) => None,
        }
    }

    /// What an external signer is to sign, while its signature is wanted.
    pub(crate) fn to_sign(&self) -> Option<&[u8]> {
        match self {
            Self::Initiator(initiator) => initiator.to_sign(),
            Self::Responder(responder) => responder.to_sign(),
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
        }
    }

    /// The id that the peer must write into its packets: 0 for a Hello.
    pub(crate) fn local_id(&self) -> u64 {
        match self {
            Self::Initiator(initiator) => initiator.local_id(),
            Self::Responder(responder) => responder.local_id(),
        }
    }

    /// The state's name and transcript, for state digests.
    #[cfg(feature = "testing")]
    pub(crate) fn digest(&self) -> [u8; 33] {
        match self {
            Self::Initiator(initiator) => initiator.digest(),
            Self::Responder(responder) => responder.digest(),
        }
    }
}

/// A state's name in front of a hash of what it has seen.
#[cfg(feature = "testing")]
fn named_digest(name: u8, seen: &[u8; 32]) -> [u8; 33] {
    let mut digest = [name; 33];
    if let Some(hash) = digest.last_chunk_mut() {
        *hash = *seen;
    }
    digest
}
