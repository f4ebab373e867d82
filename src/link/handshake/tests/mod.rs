//! Handshakes over datagrams: both roles, with every packet in the test's hands.

extern crate std;

mod early;
mod flips;
mod forgery;
mod hostile;
mod order;
mod resumption;
mod retry;
mod signer;
mod sizes;
#[cfg(feature = "keylog")]
mod transcript;

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU64;

use super::auth::Proof;
use super::responder::{Answering, Terms};
use super::*;
use crate::config::Admission;
use crate::crypto::keygen::IdentityKey;
use crate::crypto::provider::TAG_LEN;
use crate::crypto::rustcrypto::RustCrypto;
use crate::identity::PeerId;
use crate::seed::Seed;
use crate::wire::PacketKind;
use crate::wire::packet_parser::HelloView;

const CARRIER: Carrier = Carrier::Datagram { mtu: 1_400 };

#[cfg(feature = "hybrid")]
const SUITES: [Suite; 4] =
    [Suite::HybridChaCha20Poly1305, Suite::X25519ChaCha20Poly1305, Suite::HybridAes256Gcm, Suite::X25519Aes256Gcm];
#[cfg(not(feature = "hybrid"))]
const SUITES: [Suite; 2] = [Suite::X25519ChaCha20Poly1305, Suite::X25519Aes256Gcm];

fn key(seed: u8) -> IdentityKey {
    IdentityKey::from_seed(&RustCrypto, [seed; 32]).unwrap()
}

/// The initiator's identity.
fn alice() -> IdentityKey {
    key(1)
}

/// The identity that the initiator looks for.
fn bob() -> IdentityKey {
    key(2)
}

/// Somebody else's.
fn mallory() -> IdentityKey {
    key(3)
}

fn client(suites: &[Suite]) -> ClientConfig {
    ClientConfig::new(alice(), "test/1").with_suites(suites)
}

fn server(signer: impl Into<crate::config::Signer>, suites: &[Suite]) -> ServerConfig {
    ServerConfig::new(signer, Admission::Any, &["test/1"]).with_suites(suites)
}

fn generator(seed: u8) -> Generator {
    Generator::new(Seed::new([seed; 32]).unwrap())
}

/// One end, what it sends, and what its handshake has come to.
struct End {
    handshake: Handshake,
    generator: Generator,
    done: Option<Established>,
}

impl End {
    /// An initiator that looks for Bob, and its Hello.
    fn connect(suites: &[Suite]) -> (Self, Vec<u8>) {
        Self::connect_as(client(suites), Expect::Pinned(bob().peer_id()), CARRIER)
    }

    fn connect_as(config: ClientConfig, expect: Expect, carrier: Carrier) -> (Self, Vec<u8>) {
        config.validate(carrier).unwrap();
        let (mut generator, mut hello) = (generator(11), Vec::new());
        let handshake = Handshake::connect(Arc::new(config), (expect, None), carrier, None, &mut generator, &mut hello);
        (Self { handshake, generator, done: None }, hello)
    }

    /// Bob.
    fn accept(suites: &[Suite]) -> Self {
        Self::accept_as(server(bob(), suites), CARRIER)
    }

    fn accept_as(config: ServerConfig, carrier: Carrier) -> Self {
        config.validate(carrier).unwrap();
        let mut generator = generator(12);
        let handshake = Handshake::accept(Arc::new(config), carrier, None, &mut generator);
        Self { handshake, generator, done: None }
    }

    /// Hands a packet in, and gives what is sent because of it.
    fn take(&mut self, packet: &[u8]) -> Result<(Progress, Vec<Vec<u8>>), Discarded> {
        let mut bytes = packet.to_vec();
        let header = Header::parse(bytes.first_chunk().unwrap()).unwrap();
        let mut out = Vec::new();
        let packet = Packet { header, bytes: &mut bytes };
        let progress = self.handshake.handle_packet(packet, &mut self.generator, &mut out);
        let progress = progress.map_err(|rejection| match rejection {
            Rejection::Discarded(why) => why,
            Rejection::Ends(reason) => panic!("no packet ends a handshake over datagrams: {reason}"),
        })?;
        Ok((self.note(progress), split(&out)))
    }

    /// Hands in packets that may or may not be taken, and gives all that is sent.
    fn take_all(&mut self, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
        packets.iter().filter_map(|packet| self.take(packet).ok()).flat_map(|(_, sent)| sent).collect()
    }

    fn accept_peer(&mut self) -> (Progress, Vec<Vec<u8>>) {
        let mut out = Vec::new();
        let progress = self.handshake.accept_peer(&mut self.generator, &mut out).unwrap();
        (self.note(progress), split(&out))
    }

    fn refuse_peer(&mut self) -> Progress {
        let progress = self.handshake.refuse_peer(&mut self.generator, &mut Vec::new()).unwrap();
        self.note(progress)
    }

    fn provide_signature(&mut self, signature: &[u8; 64]) -> Result<Vec<Vec<u8>>, SignatureRejected> {
        let mut out = Vec::new();
        let progress = self.handshake.provide_signature(signature, &mut out)?;
        self.note(progress);
        Ok(split(&out))
    }

    fn note(&mut self, progress: Progress) -> Progress {
        match progress {
            Progress::Done(established) => {
                assert!(self.done.is_none(), "a handshake is done once");
                self.done = Some(*established);
                Progress::Waiting
            }
            progress => progress,
        }
    }

    /// What is to be sent again.
    fn flight(&self) -> Vec<Vec<u8>> {
        match &self.done {
            Some(Established { epilogue, .. }) => split(epilogue.as_ref().unwrap().flight()),
            None => split(self.handshake.flight()),
        }
    }

    fn keys(&mut self) -> &mut DataKeys {
        &mut self.done.as_mut().expect("the handshake is done").keys
    }

    fn asked_about(&self) -> Option<PeerId> {
        self.handshake.peer_in_question().map(|(peer, _)| peer.id())
    }
}

/// Packets that stand one behind the other.
fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    while let Some(header) = bytes.first_chunk() {
        let (packet, rest) = bytes.split_at(Header::parse(header).unwrap().packet_len());
        packets.push(packet.to_vec());
        bytes = rest;
    }
    packets
}

fn kind(packet: &[u8]) -> PacketKind {
    Header::parse(packet.first_chunk().unwrap()).unwrap().kind
}

fn find(packets: &[Vec<u8>], wanted: PacketKind) -> Vec<u8> {
    packets.iter().find(|packet| kind(packet) == wanted).unwrap().clone()
}

/// An initiator and Bob, who has answered its Hello: with this flight.
fn answered(suite: Suite) -> (End, End, Vec<Vec<u8>>) {
    let (initiator, hello) = End::connect(&[suite]);
    let mut responder = End::accept(&[suite]);
    let (_, flight) = responder.take(&hello).unwrap();
    (initiator, responder, flight)
}

/// Both ends have established the same link: what one seals opens at the other.
fn assert_linked(initiator: &mut End, responder: &mut End) {
    for turn in 0..2 {
        let (from, to) =
            if turn == 0 { (&mut *initiator, &mut *responder) } else { (&mut *responder, &mut *initiator) };
        let mut packet = [&[0; HEADER_LEN][..], b"a payload", &[0; TAG_LEN]].concat();
        let number = from.keys().seal_datagram(&mut packet).unwrap();
        assert_eq!(to.keys().open_datagram(&mut packet).unwrap(), (number, &mut b"a payload".to_vec()[..]));
    }
    let peers = [&*initiator, &*responder].map(|end| end.done.as_ref().unwrap().peer.id());
    assert_eq!(peers, [bob().peer_id(), alice().peer_id()]);
    let exported = [&*initiator, &*responder].map(|end| {
        let mut bytes = [0; 32];
        end.done.as_ref().unwrap().exporter.export(b"label", b"", &mut bytes).unwrap();
        bytes
    });
    assert_eq!(exported[0], exported[1]);
}

/// The handshake comes to its end with this flight, whatever was before.
fn finish(initiator: &mut End, responder: &mut End, flight: &[Vec<u8>]) {
    let last = initiator.take_all(flight);
    responder.take_all(&last);
    assert_linked(initiator, responder);
}

/// What somebody sends who has seen the Hello and answers it whatever it says: Accept, ResponderAuth and, in a hybrid suite, KemOffer.
/// `signature`, if given, stands in the place of a right one.
fn forged_flight(
    config: &ServerConfig,
    hello: &[u8],
    suite: Suite,
    seed: u8,
    signature: Option<[u8; 64]>,
) -> Vec<Vec<u8>> {
    let mut bytes = hello.to_vec();
    let header = Header::parse(bytes.first_chunk().unwrap()).unwrap();
    let packet = Packet { header, bytes: &mut bytes };
    let view = HelloView::parse(&hello[HEADER_LEN..]).unwrap();
    let id = NonZeroU64::new(u64::from(seed)).unwrap();
    let mut generator = generator(seed);
    let terms = Terms { suite, ticket: None };
    let answering = Answering::new(config, CARRIER, id, &packet, &view, terms, &mut generator).unwrap();
    let proof = signature.map(Proof::Signature).or_else(|| answering.prove(&config.shared.signer)).unwrap();
    let (_, answer) = answering.complete(config, &proof);
    split(&[answer.accept, answer.auth, answer.kem_offer].concat())
}
