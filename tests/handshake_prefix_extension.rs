//! Handshakes that stop short, and packets that are longer than they were: neither establishes anything.

mod fed;

use aitcp::{Admission, CloseReason, Expect, PeerMisbehaved, Role};
use aitcp_testkit::Setup;
use aitcp_testkit::forge::{HEADER_LEN, Kind};
use fed::{Fed, Script, fix_length, name};

/// The largest handshake packet (R-3.2-2).
const LARGEST: usize = 1_232;

/// Pinned and admitted by name, and the same without any policy in the way.
fn setups() -> impl Iterator<Item = Setup> {
    Setup::SUITES.into_iter().map(Setup::with_suite).flat_map(|pinned| {
        let trusting = Setup { expect: Expect::Ask, admission: Admission::Any, ..pinned.clone() };
        [pinned, trusting]
    })
}

/// R-3.2-4, R-9.5-1: wherever the carrier ends, the handshake is lost. It never looks like an orderly end, and never like a session.
#[test]
fn every_prefix_of_a_handshake_is_a_lost_link() {
    for setup in setups() {
        let script = Script::record(&setup);
        for role in [Role::Initiator, Role::Responder] {
            let all: Vec<u8> = script
                .handshake()
                .filter(|(_, sent)| sent.from != role)
                .flat_map(|(_, sent)| sent.bytes.clone())
                .collect();
            for cut in 0..all.len() {
                let mut end = Fed::new(&setup, role);
                end.feed(&all[..cut]);
                assert_eq!(end.closed(), None, "{role:?}: {cut} of {} bytes are no reason to end", all.len());
                assert_eq!(end.finish(), CloseReason::LinkLost, "{role:?} after {cut} bytes");
                assert!(!end.was_established(), "{role:?} after {cut} bytes");
            }
            let mut end = Fed::new(&setup, role);
            end.feed(&all);
            assert!(end.was_established(), "{role:?}: with its last byte the handshake is complete");
            assert_eq!(end.finish(), CloseReason::LinkLost, "and a lost link all the same");
        }
    }
}

/// R-3.2-1, R-3.2-2, R-5.3-2, R-5.3-4, R-6.5-1: what stands behind the end of a packet changes the packet, even where no field refers
/// to it.
#[test]
fn no_packet_can_be_extended() {
    for setup in setups() {
        let script = Script::record(&setup);
        for (at, sent) in script.handshake() {
            for (more, filler) in (1..=64).flat_map(|more| [(more, 0), (more, 0xFF)]) {
                let mut extended = sent.bytes.clone();
                extended.resize(sent.bytes.len() + more, filler);
                fix_length(&mut extended);
                let what = format!("{} with {more} bytes {filler:#x} more", name(sent));
                let reason = script.refuses(&setup, at, &extended, &what);
                if sent.is_sealed() {
                    let is_too_long =
                        matches!(sent.kind(), Kind::KemOffer | Kind::KemReply) || extended.len() > LARGEST;
                    let expected = if is_too_long { PeerMisbehaved::PacketLength } else { PeerMisbehaved::DoesNotOpen };
                    assert_eq!(reason, CloseReason::Misbehaved(expected), "{what}");
                }
            }
        }
    }
}

/// R-3.2-1: a packet that is too long is refused as soon as its header is there; too short a one as well.
#[test]
fn lengths_out_of_bounds_are_refused_before_the_body() {
    for setup in setups() {
        let script = Script::record(&setup);
        for (at, sent) in script.handshake() {
            for length in [0, 11, 1_209, 0x7FFF, 0xFFFF_u16] {
                let mut header = sent.bytes[..HEADER_LEN].to_vec();
                header[2..4].copy_from_slice(&length.to_le_bytes());
                let mut receiver = script.receiver_of(&setup, at);
                receiver.feed(&header);
                let expected = CloseReason::Misbehaved(PeerMisbehaved::PacketLength);
                assert_eq!(receiver.closed(), Some(expected), "{} of length {length}", name(sent));
                assert!(receiver.end.session.is_drained(), "and there is nothing to say");
            }
        }
    }
}
