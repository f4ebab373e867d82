//! The end that answers the first packet (specification, section 6.3): its steps, whatever the carrier.
//!
//! ```text
//! Hello ──(ticket)──choose──> Answering ──complete──> Answered ──KemReply, InitiatorAuth──> Established
//! ```
#![forbid(unsafe_code)]

mod choice;
mod datagram;
mod presented;
#[cfg(feature = "endpoint")]
mod screening;
mod stream;

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::num::NonZeroU64;

pub(crate) use datagram::DatagramResponder;
#[cfg(feature = "endpoint")]
pub(crate) use screening::{Screened, Unserved};
pub(crate) use stream::Responder;

use super::auth::{Expected, PendingAuth, Proof, VerifiedPeer};
use super::keyed::{ConnectionIds, KemSecret, Keyed, Mastered, Opened};
use super::transcript::Transcript;
use super::{Established, Packet};
use crate::config::{Carrier, ServerConfig, Signer, Suite};
use crate::crypto::generator::Generator;
use crate::crypto::key_exchange::EphemeralSecret;
#[cfg(feature = "hybrid")]
use crate::crypto::key_exchange::KemSeed;
use crate::crypto::key_schedule::EarlySecret;
#[cfg(feature = "hybrid")]
use crate::crypto::provider::KEM_KEY_LEN;
use crate::error::SignatureRejected;
use crate::event::{CloseReason, PeerMisbehaved};
use crate::identity::PeerId;
use crate::link::ticket::OpenedTicket;
#[cfg(feature = "hybrid")]
use crate::packet::PacketNumber;
use crate::role::Role;
use crate::wire::packet_builder::Accept;
#[cfg(feature = "hybrid")]
use crate::wire::packet_builder::kem_offer;
use crate::wire::packet_parser::HelloView;
#[cfg(feature = "hybrid")]
use crate::wire::packet_parser::kem_reply;
use crate::wire::{PacketKind, VERSION};

/// What the initiator asked for, found to be served here.
struct Asked {
    app_protocol: String,
    realm: String,
    /// Whose ticket was taken.
    resumed: Option<PeerId>,
}

/// What a Hello is answered with.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) suite: Suite,
    /// The ticket of the Hello, if it is taken.
    pub(super) ticket: Option<&'a OpenedTicket>,
}

/// The answer to a Hello, complete but for the signature.
pub(super) struct Answering {
    keyed: Keyed,
    kem: KemHalf,
    asked: Asked,
    auth: PendingAuth,
    accept: Vec<u8>,
    /// Empty if the suite is not a hybrid one.
    kem_offer: Vec<u8>,
}

/// The packets that answer a Hello, ready to be sent.
pub(super) struct Answer {
    pub(super) accept: Vec<u8>,
    /// Empty if the suite is not a hybrid one.
    pub(super) kem_offer: Vec<u8>,
    pub(super) auth: Vec<u8>,
}

/// A Hello that has been answered: the initiator has still to prove who it is.
pub(super) struct Answered(Stage);

/// What is awaited of it.
enum Stage {
    #[cfg(feature = "hybrid")]
    KemReply(Box<AwaitKemReply>),
    InitiatorAuth(Box<AwaitInitiatorAuth>),
    /// Nothing.
    Over,
}

#[cfg(feature = "hybrid")]
struct AwaitKemReply {
    keyed: Keyed,
    seed: KemSeed,
    asked: Asked,
}

struct AwaitInitiatorAuth {
    mastered: Mastered,
    transcript: Transcript,
    asked: Asked,
}

/// The seed of the encapsulation key that was offered, in hybrid suites.
#[cfg(feature = "hybrid")]
type KemHalf = Option<KemSeed>;
#[cfg(not(feature = "hybrid"))]
type KemHalf = ();

impl Answering {
    /// Prepares the whole flight: Accept, KemOffer (R-4.5-1), ResponderAuth.
    pub(super) fn new(
        config: &ServerConfig,
        carrier: Carrier,
        local_id: NonZeroU64,
        packet: &Packet<'_>,
        hello: &HelloView<'_>,
        Terms { suite, ticket }: Terms<'_>,
        generator: &mut Generator,
    ) -> Result<Self, CloseReason> {
        let shared = &config.shared;
        let ephemeral = EphemeralSecret::generate(generator);
        let agreed = ephemeral.agree(shared.provider.as_ref(), hello.key_share);
        let agreed = agreed.map_err(|_| PeerMisbehaved::WeakKeyShare)?;
        let mut random = [0; 32];
        generator.public(&mut random);
        let accept = Accept {
            version: u16::from(VERSION),
            suite: suite.id(),
            random: &random,
            key_share: &ephemeral.public(shared.provider.as_ref()),
            connection_id: local_id,
            resumed: ticket.is_some(),
        };
        let accept = accept.build(hello.connection_id);

        let mut transcript = Transcript::new();
        transcript.absorb(&packet.raw_header());
        transcript.absorb(packet.body());
        transcript.absorb(&accept);
        let ids = ConnectionIds { local: local_id, peer: hello.connection_id };
        let early = ticket.map_or_else(EarlySecret::without_psk, |ticket| EarlySecret::with_psk(&ticket.psk));
        let keyed = Keyed::new(shared, suite, ids, transcript, (early, agreed), hello.random, carrier);
        let mut kem_offer = Vec::new();
        let (keyed, kem) = offer_kem(config, keyed, generator, &mut kem_offer);

        let transcript = keyed.transcript.clone();
        let place = keyed.auth_place();
        let auth = PendingAuth::new(shared, Role::Responder, ids.peer, place, ticket.is_some(), transcript);
        let asked = Asked {
            app_protocol: hello.app_protocol.to_string(),
            realm: hello.realm.to_string(),
            resumed: ticket.map(|ticket| ticket.facts.initiator),
        };
        Ok(Self { keyed, kem, asked, auth, accept, kem_offer })
    }

    /// The proof of who this end is, unless an external signer has to be asked for it.
    pub(super) fn prove(&self, signer: &Signer) -> Option<Proof> {
        self.auth.prove(signer)
    }

    /// Checks a signature that came from an external signer.
    fn verify(&self, config: &ServerConfig, signature: &[u8; 64]) -> Result<(), SignatureRejected> {
        self.auth.verify(&config.shared, signature)
    }

    /// The flight, and what waits for the initiator's.
    pub(super) fn complete(self, config: &ServerConfig, proof: &Proof) -> (Answered, Answer) {
        let Self { mut keyed, kem, asked, auth, accept, kem_offer } = self;
        let shared = &config.shared;
        let (mut packet, transcript) = auth.complete(proof, &keyed.responder);
        keyed.transcript = transcript;
        keyed.seal(shared, &keyed.responder, keyed.auth_number(), &mut packet);
        let answer = Answer { accept, kem_offer, auth: packet };
        #[cfg(feature = "hybrid")]
        if let Some(seed) = kem {
            return (Answered(Stage::KemReply(Box::new(AwaitKemReply { keyed, seed, asked }))), answer);
        }
        #[cfg(not(feature = "hybrid"))]
        let () = kem;
        let (mastered, transcript) = Mastered::new(shared, keyed, KemSecret::None);
        let awaiting = AwaitInitiatorAuth { mastered, transcript, asked };
        (Answered(Stage::InitiatorAuth(Box::new(awaiting))), answer)
    }
}

impl Answered {
    /// The kind of packet that comes next, if any does. A KemReply only in hybrid suites (R-4.5-2).
    fn awaits(&self) -> Option<PacketKind> {
        match self.0 {
            #[cfg(feature = "hybrid")]
            Stage::KemReply(_) => Some(PacketKind::KemReply),
            Stage::InitiatorAuth(_) => Some(PacketKind::InitiatorAuth),
            Stage::Over => None,
        }
    }

    /// Takes the packet that comes next; the last one gives an established link. After an error everything is as it was.
    fn take(&mut self, config: &ServerConfig, packet: Packet<'_>) -> Result<Option<Established>, CloseReason> {
        match (&self.0, packet.header.kind) {
            #[cfg(feature = "hybrid")]
            (Stage::KemReply(_), PacketKind::KemReply) => self.on_kem_reply(config, packet).map(|()| None),
            (Stage::InitiatorAuth(_), PacketKind::InitiatorAuth) => self.on_initiator_auth(config, packet).map(Some),
            _ => Err(PeerMisbehaved::UnexpectedPacket.into()),
        }
    }

    #[cfg(feature = "hybrid")]
    fn on_kem_reply(&mut self, config: &ServerConfig, packet: Packet<'_>) -> Result<(), CloseReason> {
        let (Stage::KemReply(awaiting), Some(kem)) = (&self.0, config.shared.provider.ml_kem_768()) else {
            return Err(PeerMisbehaved::UnexpectedPacket.into());
        };
        let keyed = &awaiting.keyed;
        let opened = keyed.open(&config.shared, &keyed.initiator, PacketNumber::FIRST, packet)?;
        let ciphertext = kem_reply(opened.body)?;
        let Stage::KemReply(awaited) = self.take_stage() else {
            return Err(PeerMisbehaved::UnexpectedPacket.into());
        };
        let AwaitKemReply { mut keyed, seed, asked } = *awaited;
        keyed.transcript.absorb(&opened.header);
        keyed.transcript.absorb(opened.body);
        let secret = KemSecret::Shared(seed.decapsulate(kem, ciphertext));
        let (mastered, transcript) = Mastered::new(&config.shared, keyed, secret);
        self.0 = Stage::InitiatorAuth(Box::new(AwaitInitiatorAuth { mastered, transcript, asked }));
        Ok(())
    }

    fn on_initiator_auth(&mut self, config: &ServerConfig, packet: Packet<'_>) -> Result<Established, CloseReason> {
        let Stage::InitiatorAuth(awaiting) = &self.0 else { return Err(PeerMisbehaved::UnexpectedPacket.into()) };
        let AwaitInitiatorAuth { mastered, transcript, asked } = &**awaiting;
        let shared = &config.shared;
        let opened = Opened::open(&mastered.packet_keys(shared), mastered.auth_number, packet)?;
        let expected = Expected { sender: Role::Initiator, secret: &mastered.initiator, pin: None };
        let (peer, transcript) = match asked.resumed {
            Some(peer) => VerifiedPeer::verify_resumed(peer, &expected, transcript, &opened)?,
            None => VerifiedPeer::verify(shared.provider.as_ref(), &expected, transcript, &opened)?,
        };

        let Stage::InitiatorAuth(awaited) = self.take_stage() else {
            return Err(PeerMisbehaved::UnexpectedPacket.into());
        };
        let AwaitInitiatorAuth { mastered, asked, .. } = *awaited;
        let suite = mastered.suite;
        let (keys, exporter, resumption) = mastered.into_established(shared, Role::Responder, &transcript);
        let Asked { app_protocol, realm, .. } = asked;
        Ok(Established { peer, suite, app_protocol, realm, keys, exporter, resumption, epilogue: None })
    }

    fn take_stage(&mut self) -> Stage {
        core::mem::replace(&mut self.0, Stage::Over)
    }

    /// The stage's name and the transcript, for state digests.
    #[cfg(any(test, feature = "testing"))]
    fn digest(&self) -> (u8, [u8; 32]) {
        match &self.0 {
            #[cfg(feature = "hybrid")]
            Stage::KemReply(awaiting) => (10, awaiting.keyed.transcript.hash()),
            Stage::InitiatorAuth(awaiting) => (11, awaiting.transcript.hash()),
            Stage::Over => (12, [0; 32]),
        }
    }
}

#[cfg(feature = "hybrid")]
fn offer_kem(
    config: &ServerConfig,
    mut keyed: Keyed,
    generator: &mut Generator,
    flight: &mut Vec<u8>,
) -> (Keyed, KemHalf) {
    let kem = config.shared.provider.ml_kem_768().filter(|_| keyed.suite.is_hybrid());
    let Some(kem) = kem else { return (keyed, None) };
    let seed = KemSeed::generate(generator);
    let mut key = [0; KEM_KEY_LEN];
    seed.encapsulation_key(kem, &mut key);
    let packet = kem_offer(keyed.ids.peer, &key);
    keyed.send(&config.shared, Role::Responder, PacketNumber::FIRST, packet, flight);
    (keyed, Some(seed))
}

#[cfg(not(feature = "hybrid"))]
fn offer_kem(
    _config: &ServerConfig,
    keyed: Keyed,
    _generator: &mut Generator,
    _flight: &mut Vec<u8>,
) -> (Keyed, KemHalf) {
    (keyed, ())
}
