//! The end that answers the first packet (specification, section 6.3).
#![forbid(unsafe_code)]

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU64;

use super::auth::{Expected, PendingAuth, VerifiedPeer};
use super::keyed::{ConnectionIds, KemSecret, Keyed, Mastered};
use super::transcript::Transcript;
use super::{Established, Packet, Progress};
use crate::config::{ServerConfig, Suite};
use crate::crypto::generator::Generator;
#[cfg(feature = "testing")]
use crate::crypto::hash::sha256;
use crate::crypto::hash::{check_equal, hmac};
use crate::crypto::key_exchange::EphemeralSecret;
#[cfg(feature = "hybrid")]
use crate::crypto::key_exchange::KemSeed;
#[cfg(feature = "hybrid")]
use crate::crypto::provider::KEM_KEY_LEN;
use crate::error::SignatureRejected;
use crate::event::{CloseReason, PeerIncompatible, PeerMisbehaved, RefuseCode};
#[cfg(feature = "hybrid")]
use crate::packet::PacketNumber;
use crate::packet::protection;
use crate::role::Role;
#[cfg(feature = "hybrid")]
use crate::wire::packet_builder::kem_offer;
use crate::wire::packet_builder::{Accept, Refuse};
use crate::wire::packet_parser::HelloView;
#[cfg(feature = "hybrid")]
use crate::wire::packet_parser::kem_reply;
use crate::wire::{PacketKind, VERSION};

/// A responder's handshake.
pub(crate) struct Responder {
    config: Arc<ServerConfig>,
    local_id: NonZeroU64,
    state: State,
}

/// What is awaited, with the secrets that it takes.
enum State {
    Hello,
    Signature(Box<AwaitSignature>),
    #[cfg(feature = "hybrid")]
    KemReply(Box<AwaitKemReply>),
    InitiatorAuth(Box<AwaitInitiatorAuth>),
    /// The handshake is over, one way or the other.
    Over,
}

/// What the initiator asked for, found to be served here.
struct Asked {
    app_protocol: String,
    realm: String,
}

struct AwaitSignature {
    keyed: Keyed,
    kem: KemHalf,
    asked: Asked,
    auth: PendingAuth,
    /// Accept and KemOffer, which go out together with ResponderAuth.
    flight: Vec<u8>,
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

impl Responder {
    /// Waits for a Hello.
    pub(crate) fn new(config: Arc<ServerConfig>, generator: &mut Generator) -> Self {
        Self { config, local_id: generator.nonzero_u64(), state: State::Hello }
    }

    pub(super) fn handle_packet(
        &mut self,
        packet: Packet<'_>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, CloseReason> {
        // R-6.3-3: one kind of packet has a place in each state; a KemReply only in hybrid suites (R-4.5-2).
        match (&self.state, packet.header.kind) {
            (State::Hello, PacketKind::Hello) => self.on_hello(&packet, generator, out),
            #[cfg(feature = "hybrid")]
            (State::KemReply(_), PacketKind::KemReply) => self.on_kem_reply(packet),
            (State::InitiatorAuth(_), PacketKind::InitiatorAuth) => self.on_initiator_auth(packet),
            _ => Err(PeerMisbehaved::UnexpectedPacket.into()),
        }
    }

    /// Answers a Hello with the whole flight: Accept, KemOffer (R-4.5-1), ResponderAuth. Or with a Refuse, or not at all: a malformed
    /// one gets no answer (R-6.4-1).
    fn on_hello(
        &mut self,
        packet: &Packet<'_>,
        generator: &mut Generator,
        out: &mut Vec<u8>,
    ) -> Result<Progress, CloseReason> {
        let hello = HelloView::parse(packet.body()).and_then(HelloView::for_stream)?;
        let suite = match choose(&self.config, packet, &hello) {
            Ok(suite) => suite,
            Err(Refusal::Silent(what)) => return Err(CloseReason::Incompatible(what)),
            Err(Refusal::Told(what, code)) => {
                self.refuse(packet, hello.connection_id, code, out);
                return Err(CloseReason::Incompatible(what));
            }
        };
        let shared = &self.config.shared;
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
            connection_id: self.local_id,
        };
        let mut flight = accept.build(hello.connection_id);

        let mut transcript = Transcript::new();
        transcript.absorb(&packet.raw_header());
        transcript.absorb(packet.body());
        transcript.absorb(&flight);
        let ids = ConnectionIds { local: self.local_id, peer: hello.connection_id };
        let keyed = Keyed::new(shared, suite, ids, transcript, agreed, hello.random);
        let (keyed, kem) = offer_kem(&self.config, keyed, generator, &mut flight);

        let auth = PendingAuth::new(shared, Role::Responder, ids.peer, keyed.transcript.clone());
        let signature = auth.sign(&shared.signer);
        let asked = Asked { app_protocol: hello.app_protocol.to_string(), realm: hello.realm.to_string() };
        let waiting = AwaitSignature { keyed, kem, asked, auth, flight };
        match signature {
            Some(signature) => {
                self.answer(waiting, &signature, out);
                Ok(Progress::Waiting)
            }
            None => {
                self.state = State::Signature(Box::new(waiting));
                Ok(Progress::SignatureWanted)
            }
        }
    }

    fn refuse(&self, packet: &Packet<'_>, receiver: NonZeroU64, code: RefuseCode, out: &mut Vec<u8>) {
        let mut hello = Transcript::new();
        hello.absorb(&packet.raw_header());
        hello.absorb(packet.body());
        let suites: Vec<u8> = self.config.shared.suites.iter().map(|suite| suite.id()).collect();
        let refuse = Refuse { hello_hash: &hello.hash(), code, versions: &[u16::from(VERSION)], suites: &suites };
        out.extend_from_slice(&refuse.build(receiver));
    }

    pub(super) fn provide_signature(
        &mut self,
        signature: &[u8; 64],
        out: &mut Vec<u8>,
    ) -> Result<Progress, SignatureRejected> {
        let State::Signature(waiting) = &self.state else { return Err(SignatureRejected::NotWanted) };
        waiting.auth.verify(&self.config.shared, signature)?;
        if let State::Signature(waiting) = self.take_state() {
            self.answer(*waiting, signature, out);
        }
        Ok(Progress::Waiting)
    }

    /// Sends the flight and waits for the initiator's.
    fn answer(&mut self, waiting: AwaitSignature, signature: &[u8; 64], out: &mut Vec<u8>) {
        let AwaitSignature { mut keyed, kem, asked, auth, mut flight } = waiting;
        let shared = &self.config.shared;
        let (mut packet, transcript) = auth.complete(signature, &keyed.responder);
        keyed.transcript = transcript;
        keyed.seal(shared, &keyed.responder, keyed.auth_number(), &mut packet);
        out.append(&mut flight);
        out.append(&mut packet);
        #[cfg(feature = "hybrid")]
        if let Some(seed) = kem {
            self.state = State::KemReply(Box::new(AwaitKemReply { keyed, seed, asked }));
            return;
        }
        #[cfg(not(feature = "hybrid"))]
        let () = kem;
        let (mastered, transcript) = Mastered::new(shared, keyed, KemSecret::None);
        self.state = State::InitiatorAuth(Box::new(AwaitInitiatorAuth { mastered, transcript, asked }));
    }

    #[cfg(feature = "hybrid")]
    fn on_kem_reply(&mut self, packet: Packet<'_>) -> Result<Progress, CloseReason> {
        let State::KemReply(awaiting) = &self.state else { return Err(PeerMisbehaved::UnexpectedPacket.into()) };
        let keyed = &awaiting.keyed;
        let config = Arc::clone(&self.config);
        let raw_header = packet.raw_header();
        let body = keyed.open(&config.shared, &keyed.initiator, PacketNumber::FIRST, packet)?;
        let ciphertext = kem_reply(body)?;
        let (State::KemReply(awaited), Some(kem)) = (self.take_state(), config.shared.provider.ml_kem_768()) else {
            return Err(PeerMisbehaved::UnexpectedPacket.into());
        };
        let AwaitKemReply { mut keyed, seed, asked } = *awaited;
        keyed.transcript.absorb(&raw_header);
        keyed.transcript.absorb(body);
        let secret = KemSecret::Shared(seed.decapsulate(kem, ciphertext));
        let (mastered, transcript) = Mastered::new(&config.shared, keyed, secret);
        self.state = State::InitiatorAuth(Box::new(AwaitInitiatorAuth { mastered, transcript, asked }));
        Ok(Progress::Waiting)
    }

    fn on_initiator_auth(&mut self, packet: Packet<'_>) -> Result<Progress, CloseReason> {
        let State::InitiatorAuth(awaiting) = &self.state else { return Err(PeerMisbehaved::UnexpectedPacket.into()) };
        let AwaitInitiatorAuth { mastered, transcript, .. } = &**awaiting;
        let config = Arc::clone(&self.config);
        let shared = &config.shared;
        let keys = mastered.packet_keys(shared);
        let raw_header = packet.raw_header();
        let body = protection::open(&keys, mastered.auth_number, packet.bytes);
        let body = body.map_err(|_| PeerMisbehaved::DoesNotOpen)?;
        let expected = Expected { sender: Role::Initiator, secret: &mastered.initiator, pin: None };
        let verified = VerifiedPeer::verify(shared.provider.as_ref(), &expected, transcript, &raw_header, body);
        let (peer, transcript) = verified?;

        let State::InitiatorAuth(awaited) = self.take_state() else {
            return Err(PeerMisbehaved::UnexpectedPacket.into());
        };
        let AwaitInitiatorAuth { mastered, asked, .. } = *awaited;
        let suite = mastered.suite;
        let (keys, exporter) = mastered.into_established(shared, Role::Responder, &transcript);
        let Asked { app_protocol, realm } = asked;
        Ok(Progress::Done(Box::new(Established { peer, suite, app_protocol, realm, keys, exporter })))
    }

    pub(super) fn to_sign(&self) -> Option<&[u8]> {
        match &self.state {
            State::Signature(waiting) => Some(waiting.auth.message()),
            _ => None,
        }
    }

    /// A Hello comes without an id: the initiator does not know this end's yet.
    pub(super) fn local_id(&self) -> u64 {
        match self.state {
            State::Hello => 0,
            _ => self.local_id.get(),
        }
    }

    fn take_state(&mut self) -> State {
        core::mem::replace(&mut self.state, State::Over)
    }

    #[cfg(feature = "testing")]
    pub(super) fn digest(&self) -> [u8; 33] {
        let (name, transcript) = match &self.state {
            State::Hello => (8, [0; 32]),
            State::Signature(state) => (9, sha256(state.auth.message())),
            #[cfg(feature = "hybrid")]
            State::KemReply(state) => (10, state.keyed.transcript.hash()),
            State::InitiatorAuth(state) => (11, state.transcript.hash()),
            State::Over => (12, [0; 32]),
        };
        super::named_digest(name, &transcript)
    }
}

/// Why a well-formed Hello gets no Accept, and whether the initiator is told.
enum Refusal {
    Silent(PeerIncompatible),
    Told(PeerIncompatible, RefuseCode),
}

/// Checks what the Hello asks for, in the order of R-6.3-1, and chooses the suite.
fn choose(config: &ServerConfig, packet: &Packet<'_>, hello: &HelloView<'_>) -> Result<Suite, Refusal> {
    let names_this_identity = hello.peer_tag.map(|tag| {
        let identity = config.shared.signer.peer_id();
        let expected = hmac(identity.as_bytes(), &[&packet.raw_header(), hello.tagged]);
        check_equal(&expected, tag).is_ok()
    });
    if config.require_tag && names_this_identity != Some(true) {
        return Err(Refusal::Silent(PeerIncompatible::Identity)); // R-6.3-2
    }
    if names_this_identity == Some(false) {
        return Err(Refusal::Told(PeerIncompatible::Identity, RefuseCode::UnknownIdentity));
    }
    // R-11.2-1: the first that is spoken here is the only one that is.
    if !hello.versions.iter().any(|version| version == u16::from(VERSION)) {
        return Err(Refusal::Told(PeerIncompatible::Version, RefuseCode::NoCommonVersion));
    }
    let Some(suite) = choose_suite(&config.shared.suites, hello.suites, config.shared.provider.has_fast_aes()) else {
        return Err(Refusal::Told(PeerIncompatible::Suite, RefuseCode::NoCommonSuite));
    };
    if !config.app_protocols.iter().any(|served| served == hello.app_protocol) {
        return Err(Refusal::Told(PeerIncompatible::AppProtocol, RefuseCode::UnknownAppProtocol));
    }
    if !config.realms.iter().any(|served| served == hello.realm) {
        return Err(Refusal::Told(PeerIncompatible::Realm, RefuseCode::UnknownRealm));
    }
    Ok(suite)
}

/// A hybrid suite before one that is not (R-5.1-2); then AES-256-GCM, if both ends have it in hardware (R-5.1-3); ids that are not
/// known are skipped (R-4.1-1).
fn choose_suite(served: &[Suite], offered: &[u8], has_fast_aes: bool) -> Option<Suite> {
    let rank = |suite: Suite| offered.iter().position(|id| *id == suite.id());
    let common = |suite: &Suite| served.contains(suite) && rank(*suite).is_some();
    let pairs = [
        (Suite::HybridChaCha20Poly1305, Suite::HybridAes256Gcm),
        (Suite::X25519ChaCha20Poly1305, Suite::X25519Aes256Gcm),
    ];
    pairs.into_iter().find_map(|(chacha, aes)| match (common(&chacha), common(&aes)) {
        (true, true) if has_fast_aes && rank(aes) < rank(chacha) => Some(aes),
        (true, _) => Some(chacha),
        (false, true) => Some(aes),
        (false, false) => None,
    })
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

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Hello => "Responder::AwaitHello",
            State::Signature(_) => "Responder::AwaitSignature",
            #[cfg(feature = "hybrid")]
            State::KemReply(_) => "Responder::AwaitKemReply",
            State::InitiatorAuth(_) => "Responder::AwaitInitiatorAuth",
            State::Over => "Responder::Over",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Suite::{
        HybridAes256Gcm as HybridAes, HybridChaCha20Poly1305 as HybridChaCha, X25519Aes256Gcm as PlainAes,
        X25519ChaCha20Poly1305 as PlainChaCha,
    };

    const ALL: [Suite; 4] = [HybridChaCha, PlainChaCha, HybridAes, PlainAes];

    /// R-5.1-2.
    #[test]
    fn a_hybrid_suite_comes_first_whatever_the_order() {
        assert_eq!(choose_suite(&ALL, &[2, 4, 1], true), Some(HybridChaCha));
        assert_eq!(choose_suite(&ALL, &[2, 4, 3], false), Some(HybridAes));
        assert_eq!(choose_suite(&[PlainChaCha], &[1, 3, 2], true), Some(PlainChaCha));
    }

    /// R-5.1-3.
    #[test]
    fn aes_is_taken_only_where_both_ends_prefer_it() {
        assert_eq!(choose_suite(&ALL, &[4, 2], true), Some(PlainAes));
        assert_eq!(choose_suite(&ALL, &[4, 2], false), Some(PlainChaCha));
        assert_eq!(choose_suite(&ALL, &[2, 4], true), Some(PlainChaCha));
        assert_eq!(choose_suite(&ALL, &[4], false), Some(PlainAes));
    }

    /// R-4.1-1.
    #[test]
    fn unknown_ids_are_skipped_and_nothing_in_common_is_none() {
        assert_eq!(choose_suite(&ALL, &[0, 77, 255, 2], true), Some(PlainChaCha));
        assert_eq!(choose_suite(&ALL, &[0, 77, 255], true), None);
        assert_eq!(choose_suite(&[PlainAes], &[2], true), None);
    }
}
