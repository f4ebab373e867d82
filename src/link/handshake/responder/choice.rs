//! What a Hello asks for, against what is served here (specification, section 6.3).
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use crate::config::{Carrier, ServerConfig, Suite};
use crate::crypto::hash::{HASH_LEN, check_equal, hmac};
use crate::crypto::key_schedule::EarlySecret;
use crate::event::{PeerIncompatible, RefuseCode};
use crate::link::handshake::Packet;
use crate::link::handshake::transcript::Transcript;
use crate::link::ticket::OpenedTicket;
use crate::packet::validator::MAX_HANDSHAKE_PACKET;
use crate::wire::VERSION;
use crate::wire::packet_builder::Refuse;
use crate::wire::packet_parser::HelloView;

/// Why a well-formed Hello gets no Accept, and whether the initiator is told.
pub(super) enum Refusal {
    Silent(PeerIncompatible),
    Told(PeerIncompatible, RefuseCode),
}

impl Refusal {
    /// What is missing.
    pub(super) fn what(&self) -> PeerIncompatible {
        match self {
            Self::Silent(what) | Self::Told(what, _) => *what,
        }
    }

    /// The Refuse that answers this Hello, if the initiator is told.
    pub(super) fn packet(
        &self,
        config: &ServerConfig,
        carrier: Carrier,
        packet: &Packet<'_>,
        hello: &HelloView<'_>,
    ) -> Option<Vec<u8>> {
        let Self::Told(_, code) = *self else { return None };
        let mut seen = Transcript::new();
        seen.absorb(&packet.raw_header());
        seen.absorb(packet.body());
        Some(refuse(config, carrier, &seen.hash(), code, hello))
    }
}

/// The Refuse that answers the Hello with this hash.
pub(super) fn refuse(
    config: &ServerConfig,
    carrier: Carrier,
    hello_hash: &[u8; HASH_LEN],
    code: RefuseCode,
    hello: &HelloView<'_>,
) -> Vec<u8> {
    let suites: Vec<u8> = config.shared.suites_on(carrier).into_iter().map(Suite::id).collect();
    let refuse = Refuse { hello_hash, code, versions: &[u16::from(VERSION)], suites: &suites };
    refuse.build(hello.connection_id)
}

/// Whether a ticket of this responder's is for such a session as the Hello asks for, and the sender of the Hello has its PSK (R-10.3-3).
pub(super) fn fits(
    config: &ServerConfig,
    packet: &Packet<'_>,
    hello: &HelloView<'_>,
    suite: Suite,
    ticket: &OpenedTicket,
) -> bool {
    let facts = &ticket.facts;
    let is_for_this = facts.responder == config.shared.signer.peer_id()
        && facts.app_protocol == hello.app_protocol
        && facts.realm == hello.realm
        && facts.suite == suite
        && Some(ticket.policy_epoch) == config.tickets;
    let is_bound = || {
        let mut bound = Transcript::new();
        bound.absorb(&packet.raw_header());
        bound.absorb(hello.bound);
        let early = EarlySecret::with_psk(&ticket.psk);
        hello.binder.is_some_and(|binder| early.verify_binder(&bound.hash(), binder).is_ok())
    };
    is_for_this && is_bound()
}

/// Checks what the Hello asks for, in the order of R-6.3-1, and chooses the suite.
pub(super) fn choose(
    config: &ServerConfig,
    carrier: Carrier,
    packet: &Packet<'_>,
    hello: &HelloView<'_>,
) -> Result<Suite, Refusal> {
    let names_this_identity = names(config, packet, hello);
    if config.require_tag && names_this_identity != Some(true) {
        return Err(Refusal::Silent(PeerIncompatible::Identity)); // R-6.3-2
    }
    if names_this_identity == Some(false) {
        return Err(Refusal::Told(PeerIncompatible::Identity, RefuseCode::UnknownIdentity));
    }
    choose_service(config, carrier, hello)
}

/// Whether the Hello names the identity that is served with this configuration; `None` if it names nobody.
pub(super) fn names(config: &ServerConfig, packet: &Packet<'_>, hello: &HelloView<'_>) -> Option<bool> {
    let tag = hello.peer_tag?;
    let identity = config.shared.signer.peer_id();
    let expected = hmac(identity.as_bytes(), &[&packet.raw_header(), hello.tagged]);
    Some(check_equal(&expected, tag).is_ok())
}

/// The checks that follow those of the identity.
pub(super) fn choose_service(config: &ServerConfig, carrier: Carrier, hello: &HelloView<'_>) -> Result<Suite, Refusal> {
    // R-11.2-1: the first that is spoken here is the only one that is.
    if !hello.versions.iter().any(|version| version == u16::from(VERSION)) {
        return Err(Refusal::Told(PeerIncompatible::Version, RefuseCode::NoCommonVersion));
    }
    let served = servable(config, carrier, hello);
    let Some(suite) = choose_suite(&served, hello.suites, config.shared.provider.has_fast_aes()) else {
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

/// The suites that the carrier takes. A datagram that is shorter than a KemOffer may have come over a path that takes no longer ones,
/// and does not pay for one: three times a Hello of 1,232 bytes is more than any flight (R-5.1-4).
fn servable(config: &ServerConfig, carrier: Carrier, hello: &HelloView<'_>) -> Vec<Suite> {
    let pays_for_hybrid = !carrier.is_datagram() || hello.packet_len >= usize::from(MAX_HANDSHAKE_PACKET);
    let mut suites = config.shared.suites_on(carrier);
    suites.retain(|suite| pays_for_hybrid || !suite.is_hybrid());
    suites
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
