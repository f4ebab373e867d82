//! The end that sends the first packet (specification, section 6.2).
#![forbid(unsafe_code)]

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU64;

use super::auth::{Expected, PendingAuth, VerifiedPeer};
use super::keyed::{ConnectionIds, KemSecret, Keyed, Mastered};
use super::transcript::Transcript;
use super::{Established, Packet, Progress};
use crate::config::{ClientConfig, Expect, Suite};
use crate::crypto::generator::Generator;
use crate::crypto::hash::{hmac, sha256};
use crate::crypto::key_exchange::EphemeralSecret;
#[cfg(feature = "hybrid")]
use crate::crypto::key_exchange::KemSharedSecret;
#[cfg(feature = "hybrid")]
use crate::crypto::provider::{KEM_CIPHERTEXT_LEN, KEM_KEY_LEN};
use crate::error::SignatureRejected;
use crate::event::{CloseReason, PeerMisbehaved};
#[cfg(feature = "hybrid")]
use crate::packet::PacketNumber;
use crate::packet::protection;
use crate::role::Role;
use crate::wire::packet_builder::Hello;
#[cfg(feature = "hybrid")]
use crate::wire::packet_builder::kem_reply;
#[cfg(feature = "hybrid")]
use crate::wire::packet_parser::kem_offer;
use crate::wire::packet_parser::{AcceptView, Malformed, RefuseView};
use crate::wire::{PacketKind, VERSION};

/// An initiator's handshake.
pub(crate) struct Initiator {
    config: Arc<ClientConfig>,
    expect: Expect,
    local_id: NonZeroU64,
    random: [u8; 32],
    state: State,
}

/// What is awaited, with the secrets that it takes.
enum State {
    Accept(AwaitAccept),
    #[cfg(feature = "hybrid")]
    KemOffer(Keyed),
    ResponderAuth(AwaitResponderAuth),
    Verdict(AwaitVerdict),
    Signature(Box<AwaitSignature>),
    /// The handshake is over, one way or the other.
    Over,
}

struct AwaitAccept {
    ephemeral: EphemeralSecret,
    transcript: Transcript,
    hello_hash: [u8; 32],
}

struct AwaitResponderAuth {
    keyed: Keyed,
    kem_key: KemKey,
}

struct AwaitVerdict {
    keyed: Keyed,
    kem_key: KemKey,
    peer: VerifiedPeer,
}

struct AwaitSignature {
    mastered: Mastered,
    peer: VerifiedPeer,
    auth: PendingAuth,
    /// KemReply, which goes out together with InitiatorAuth.
    flight: Vec<u8>,
}

/// The responder's encapsulation key. Answered only once the responder is verified: nobody else is worth the work.
#[cfg(feature = "hybrid")]
type KemKey = Option<Box<[u8; KEM_KEY_LEN]>>;
#[cfg(not(feature = "hybrid"))]
type KemKey = ();

impl Initiator {
    /// Starts a handshake: the Hello is appended to `out`.
    pub(crate) fn start(
        config: Arc<ClientConfig>,
        expect: Expect,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Self {
        let ephemeral = EphemeralSecret::generate(generator);
        let local_id = generator.nonzero_u64();
        let mut random = [0; 32];
        generator.public(&mut random);

        let suites: Vec<u8> = config.shared.suites.iter().map(|suite| suite.id()).collect();
        let hello = Hello {
            versions: &[u16::from(VERSION)],
            suites: &suites,
            random: &random,
            key_share: &ephemeral.public(config.shared.provider.as_ref()),
            connection_id: local_id,
            app_protocol: &config.app_protocol,
            realm: &config.realm,
        }
        .build();
        let peer_tag = match expect {
            Expect::Pinned(peer) => Some(hmac(peer.as_bytes(), &[hello.tagged()])), // R-4.1-5
            Expect::Ask => None,
        };
        let packet = hello.tag(peer_tag.as_ref());
        let mut transcript = Transcript::new();
        transcript.absorb(&packet);
        let state = State::Accept(AwaitAccept { ephemeral, transcript, hello_hash: sha256(&packet) });
        out.extend_from_slice(&packet);
        Self { config, expect, local_id, random, state }
    }

    pub(super) fn handle_packet(
        &mut self,
        packet: Packet<'_>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, CloseReason> {
        // R-6.2-1: one kind of packet has a place in each state; a Refuse only before any Accept (R-6.4-3), a KemOffer only in hybrid
        // suites (R-4.5-2), a Retry nowhere on a stream carrier (R-4.2-1).
        match (&self.state, packet.header.kind) {
            (State::Accept(state), PacketKind::Refuse) => Err(state.refused(&packet)),
            (State::Accept(state), PacketKind::Accept) => {
                self.state = self.on_accept(state, &packet)?;
                Ok(Progress::Waiting)
            }
            #[cfg(feature = "hybrid")]
            (State::KemOffer(_), PacketKind::KemOffer) => self.on_kem_offer(packet),
            (State::ResponderAuth(_), PacketKind::ResponderAuth) => self.on_responder_auth(packet, generator, out),
            _ => Err(PeerMisbehaved::UnexpectedPacket.into()),
        }
    }

    /// Checks the choice against the offer (R-4.4-1, R-4.4-2) and derives epoch 1.
    fn on_accept(&self, state: &AwaitAccept, packet: &Packet<'_>) -> Result<State, CloseReason> {
        let shared = &self.config.shared;
        let accept = AcceptView::parse(packet.body())?;
        let suite = Suite::from_id(accept.suite).filter(|suite| shared.suites.contains(suite));
        let (Some(suite), true) = (suite, accept.version == u16::from(VERSION)) else {
            return Err(PeerMisbehaved::ChoseUnoffered.into());
        };
        if accept.resumed || accept.early_accepted {
            return Err(PeerMisbehaved::ChoseUnoffered.into());
        }
        let agreed = state.ephemeral.agree(shared.provider.as_ref(), accept.key_share);
        let agreed = agreed.map_err(|_| PeerMisbehaved::WeakKeyShare)?;
        let mut transcript = state.transcript.clone();
        transcript.absorb(&packet.raw_header());
        transcript.absorb(packet.body());
        let ids = ConnectionIds { local: self.local_id, peer: accept.connection_id };
        let keyed = Keyed::new(shared, suite, ids, transcript, agreed, &self.random);
        #[cfg(feature = "hybrid")]
        if suite.is_hybrid() {
            return Ok(State::KemOffer(keyed)); // R-4.5-1
        }
        Ok(State::ResponderAuth(AwaitResponderAuth { keyed, kem_key: KemKey::default() }))
    }

    #[cfg(feature = "hybrid")]
    fn on_kem_offer(&mut self, packet: Packet<'_>) -> Result<Progress, CloseReason> {
        let State::KemOffer(keyed) = &self.state else { return Err(PeerMisbehaved::UnexpectedPacket.into()) };
        let raw_header = packet.raw_header();
        let body = keyed.open(&self.config.shared, &keyed.responder, PacketNumber::FIRST, packet)?;
        let key = Box::new(*kem_offer(body)?);
        let mut transcript = keyed.transcript.clone();
        transcript.absorb(&raw_header);
        transcript.absorb(body);
        if let State::KemOffer(mut keyed) = self.take_state() {
            keyed.transcript = transcript;
            self.state = State::ResponderAuth(AwaitResponderAuth { keyed, kem_key: Some(key) });
        }
        Ok(Progress::Waiting)
    }

    fn on_responder_auth(
        &mut self,
        packet: Packet<'_>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, CloseReason> {
        let State::ResponderAuth(AwaitResponderAuth { keyed, .. }) = &self.state else {
            return Err(PeerMisbehaved::UnexpectedPacket.into());
        };
        let shared = &self.config.shared;
        let raw_header = packet.raw_header();
        let body = keyed.open(shared, &keyed.responder, keyed.auth_number(), packet)?;
        let pin = match self.expect {
            Expect::Pinned(peer) => Some(peer),
            Expect::Ask => None,
        };
        let expected = Expected { sender: Role::Responder, secret: &keyed.responder, pin };
        let verified = VerifiedPeer::verify(shared.provider.as_ref(), &expected, &keyed.transcript, &raw_header, body);
        let (peer, transcript) = verified?;

        let State::ResponderAuth(AwaitResponderAuth { mut keyed, kem_key }) = self.take_state() else {
            return Err(PeerMisbehaved::UnexpectedPacket.into());
        };
        keyed.transcript = transcript;
        match self.expect {
            Expect::Ask => {
                self.state = State::Verdict(AwaitVerdict { keyed, kem_key, peer });
                Ok(Progress::VerdictWanted)
            }
            Expect::Pinned(_) => self.reveal(AwaitVerdict { keyed, kem_key, peer }, generator, out),
        }
    }

    pub(super) fn accept_peer(
        &mut self,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, CloseReason> {
        match self.take_state() {
            State::Verdict(verified) => self.reveal(verified, generator, out),
            other => {
                self.state = other;
                Ok(Progress::Waiting)
            }
        }
    }

    /// The responder is who it should be (R-6.2-2, R-6.2-3): answers its KEM offer and prepares InitiatorAuth.
    fn reveal(
        &mut self,
        AwaitVerdict { keyed, kem_key, peer }: AwaitVerdict,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, CloseReason> {
        let mut flight = Vec::new();
        let config = Arc::clone(&self.config);
        let (keyed, kem) = answer_kem(&config, keyed, kem_key, generator, &mut flight)?;
        let (mastered, transcript) = Mastered::new(&config.shared, keyed, kem);
        let auth = PendingAuth::new(&config.shared, Role::Initiator, mastered.ids.peer, transcript);
        let signature = auth.sign(&config.shared.signer);
        let waiting = AwaitSignature { mastered, peer, auth, flight };
        match signature {
            Some(signature) => Ok(Progress::Done(Box::new(self.complete(waiting, &signature, out)))),
            None => {
                self.state = State::Signature(Box::new(waiting));
                Ok(Progress::SignatureWanted)
            }
        }
    }

    pub(super) fn provide_signature(
        &mut self,
        signature: &[u8; 64],
        out: &mut Vec<u8>,
    ) -> Result<Progress, SignatureRejected> {
        let State::Signature(waiting) = &self.state else { return Err(SignatureRejected::NotWanted) };
        waiting.auth.verify(&self.config.shared, signature)?;
        match self.take_state() {
            State::Signature(waiting) => Ok(Progress::Done(Box::new(self.complete(*waiting, signature, out)))),
            _ => Err(SignatureRejected::NotWanted),
        }
    }

    /// Sends KemReply and InitiatorAuth; from here on there are Data packets.
    fn complete(&mut self, waiting: AwaitSignature, signature: &[u8; 64], out: &mut Vec<u8>) -> Established {
        let AwaitSignature { mastered, peer, auth, mut flight } = waiting;
        let shared = &self.config.shared;
        let (mut packet, transcript) = auth.complete(signature, &mastered.initiator);
        protection::seal(&mastered.packet_keys(shared), mastered.auth_number, &mut packet);
        out.append(&mut flight);
        out.append(&mut packet);
        let suite = mastered.suite;
        let (keys, exporter) = mastered.into_established(shared, Role::Initiator, &transcript);
        Established {
            peer,
            suite,
            app_protocol: self.config.app_protocol.clone(),
            realm: self.config.realm.clone(),
            keys,
            exporter,
        }
    }

    pub(super) fn peer_in_question(&self) -> Option<(&VerifiedPeer, Suite)> {
        match &self.state {
            State::Verdict(AwaitVerdict { peer, keyed, .. }) => Some((peer, keyed.suite)),
            _ => None,
        }
    }

    pub(super) fn to_sign(&self) -> Option<&[u8]> {
        match &self.state {
            State::Signature(waiting) => Some(waiting.auth.message()),
            _ => None,
        }
    }

    pub(super) fn local_id(&self) -> u64 {
        self.local_id.get()
    }

    fn take_state(&mut self) -> State {
        core::mem::replace(&mut self.state, State::Over)
    }

    #[cfg(feature = "testing")]
    pub(super) fn digest(&self) -> [u8; 33] {
        let (name, transcript) = match &self.state {
            State::Accept(state) => (0, state.transcript.hash()),
            #[cfg(feature = "hybrid")]
            State::KemOffer(keyed) => (1, keyed.transcript.hash()),
            State::ResponderAuth(state) => (2, state.keyed.transcript.hash()),
            State::Verdict(state) => (3, state.keyed.transcript.hash()),
            State::Signature(state) => (4, sha256(state.auth.message())),
            State::Over => (5, [0; 32]),
        };
        super::named_digest(name, &transcript)
    }
}

impl AwaitAccept {
    /// Why the responder did not accept: a hint, if it is an answer to this Hello at all (R-4.3-1, R-4.3-2).
    fn refused(&self, packet: &Packet<'_>) -> CloseReason {
        match RefuseView::parse(packet.body()) {
            Ok(refuse) if *refuse.hello_hash == self.hello_hash => CloseReason::Refused(refuse.code),
            _ => PeerMisbehaved::MalformedPacket.into(),
        }
    }
}

#[cfg(feature = "hybrid")]
fn answer_kem(
    config: &ClientConfig,
    mut keyed: Keyed,
    kem_key: KemKey,
    generator: &mut Generator,
    flight: &mut Vec<u8>,
) -> Result<(Keyed, KemSecret), CloseReason> {
    let (Some(key), Some(kem)) = (kem_key, config.shared.provider.ml_kem_768()) else {
        return Ok((keyed, KemSecret::None));
    };
    let mut ciphertext = [0; KEM_CIPHERTEXT_LEN];
    let secret = KemSharedSecret::encapsulate(kem, &key, generator, &mut ciphertext);
    let secret = secret.map_err(|_| PeerMisbehaved::WeakKeyShare)?;
    let packet = kem_reply(keyed.ids.peer, &ciphertext);
    keyed.send(&config.shared, Role::Initiator, PacketNumber::FIRST, packet, flight);
    Ok((keyed, KemSecret::Shared(secret)))
}

#[cfg(not(feature = "hybrid"))]
fn answer_kem(
    _config: &ClientConfig,
    keyed: Keyed,
    (): KemKey,
    _generator: &mut Generator,
    _flight: &mut Vec<u8>,
) -> Result<(Keyed, KemSecret), CloseReason> {
    Ok((keyed, KemSecret::None))
}

impl From<Malformed> for CloseReason {
    fn from(Malformed: Malformed) -> Self {
        Self::Misbehaved(PeerMisbehaved::MalformedPacket)
    }
}

impl fmt::Debug for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Accept(_) => "Initiator::AwaitAccept",
            #[cfg(feature = "hybrid")]
            State::KemOffer(_) => "Initiator::AwaitKemOffer",
            State::ResponderAuth(_) => "Initiator::AwaitResponderAuth",
            State::Verdict(_) => "Initiator::AwaitVerdict",
            State::Signature(_) => "Initiator::AwaitSignature",
            State::Over => "Initiator::Over",
        })
    }
}
