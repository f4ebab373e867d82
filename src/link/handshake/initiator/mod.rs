//! The end that sends the first packet (specification, section 6.2): its steps, whatever the carrier.
//!
//! ```text
//! Greeting ──Accept──> Candidate ──KemOffer, ResponderAuth──> verified ──reveal──> AwaitSignature ──complete──> Established
//! ```
//!
//! [`stream`] follows this line once; [`datagram`] may have to follow it with several responders, of which one at most is the true
//! one.
#![forbid(unsafe_code)]

mod candidate;
mod candidates;
mod datagram;
mod greeting;
mod stream;

#[cfg(feature = "hybrid")]
use alloc::boxed::Box;
use alloc::vec::Vec;

pub(crate) use datagram::DatagramInitiator;
pub(crate) use stream::Initiator;

use super::Established;
use super::auth::{PendingAuth, Proof, VerifiedPeer};
use super::keyed::{KemSecret, Keyed, Mastered};
use crate::config::{ClientConfig, Signer};
use crate::crypto::generator::Generator;
#[cfg(feature = "hybrid")]
use crate::crypto::key_exchange::KemSharedSecret;
#[cfg(feature = "hybrid")]
use crate::crypto::provider::{KEM_CIPHERTEXT_LEN, KEM_KEY_LEN};
use crate::error::SignatureRejected;
use crate::event::CloseReason;
#[cfg(feature = "hybrid")]
use crate::event::PeerMisbehaved;
#[cfg(feature = "hybrid")]
use crate::packet::PacketNumber;
use crate::packet::protection;
use crate::role::Role;
#[cfg(feature = "hybrid")]
use crate::wire::packet_builder::kem_reply;
use candidate::Candidate;

/// The responder's encapsulation key. Answered only once the responder is verified: nobody else is worth the work.
#[cfg(feature = "hybrid")]
type KemKey = Option<Box<[u8; KEM_KEY_LEN]>>;
#[cfg(not(feature = "hybrid"))]
type KemKey = ();

/// A responder that has proved who it is.
struct Verified {
    keyed: Keyed,
    kem_key: KemKey,
    peer: VerifiedPeer,
}

/// The last flight, complete but for the signature.
struct AwaitSignature {
    mastered: Mastered,
    peer: VerifiedPeer,
    auth: PendingAuth,
    /// KemReply, which goes out together with InitiatorAuth.
    flight: Vec<u8>,
}

impl Verified {
    /// The responder is who it should be (R-6.2-2, R-6.2-3): answers its KEM offer and prepares InitiatorAuth.
    fn reveal(self, config: &ClientConfig, generator: &mut Generator) -> Result<AwaitSignature, CloseReason> {
        let Self { keyed, kem_key, peer } = self;
        let mut flight = Vec::new();
        let (keyed, kem) = answer_kem(config, keyed, kem_key, generator, &mut flight)?;
        let (mastered, transcript) = Mastered::new(&config.shared, keyed, kem);
        let (receiver, place) = (mastered.ids.peer, mastered.auth_place());
        let auth = PendingAuth::new(&config.shared, Role::Initiator, receiver, place, peer.is_resumed(), transcript);
        Ok(AwaitSignature { mastered, peer, auth, flight })
    }
}

impl AwaitSignature {
    /// The proof of who this end is, unless an external signer has to be asked for it.
    fn prove(&self, signer: &Signer) -> Option<Proof> {
        self.auth.prove(signer)
    }

    /// Checks a signature that came from an external signer.
    fn verify(&self, config: &ClientConfig, signature: &[u8; 64]) -> Result<(), SignatureRejected> {
        self.auth.verify(&config.shared, signature)
    }

    /// KemReply and InitiatorAuth; from here on there are Data packets.
    fn complete(self, config: &ClientConfig, proof: &Proof) -> (Established, Vec<u8>) {
        let Self { mastered, peer, auth, mut flight } = self;
        let shared = &config.shared;
        let (mut packet, transcript) = auth.complete(proof, &mastered.initiator);
        protection::seal(&mastered.packet_keys(shared), mastered.auth_number, &mut packet);
        flight.append(&mut packet);
        let suite = mastered.suite;
        let (keys, exporter, resumption) = mastered.into_established(shared, Role::Initiator, &transcript);
        let established = Established {
            peer,
            suite,
            app_protocol: config.app_protocol.clone(),
            realm: config.realm.clone(),
            keys,
            exporter,
            resumption,
            epilogue: None,
        };
        (established, flight)
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
