//! Every bit of every handshake packet, flipped on its way: nobody establishes a session over a transcript that the other end does not
//! share.

mod fed;

use aitcp::{Admission, CloseReason, Expect, PeerMisbehaved, Suite};
use aitcp_testkit::forge::Kind;
use aitcp_testkit::{Setup, is_full_campaign};
use fed::{Script, name};

/// Who plays: an initiator that pins, and a responder that admits it alone.
fn pinned(suite: Suite) -> Setup {
    Setup::with_suite(suite)
}

/// An initiator that takes whoever answers, and so sends no tag, and a responder that takes anyone: nothing but the transcript stands
/// in the way of a change.
fn trusting(suite: Suite) -> Setup {
    Setup { expect: Expect::Ask, admission: Admission::Any, ..Setup::with_suite(suite) }
}

/// Flips every `stride`th bit of each handshake packet, or every bit in a full campaign.
fn flip_all(setup: &Setup, stride: usize) {
    let script = Script::record(setup);
    let stride = if is_full_campaign() { 1 } else { stride };
    for (at, packet) in script.handshake() {
        for bit in (0..packet.bytes.len() * 8).step_by(stride) {
            let mut altered = packet.bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let what = format!("{}, bit {bit}", name(packet));
            let reason = script.refuses(setup, at, &altered, &what);
            if packet.is_sealed() {
                assert!(reasons_of_sealed(bit / 8).contains(&reason), "{what}: {reason}");
            }
        }
    }
}

/// What a change of this byte of a sealed packet may end the link with: what its header shows, or that it does not open.
fn reasons_of_sealed(byte: usize) -> &'static [CloseReason] {
    match byte {
        0 => &[CloseReason::Misbehaved(PeerMisbehaved::NotAiTcp)],
        1 | 4..8 => &[CloseReason::Misbehaved(PeerMisbehaved::UnexpectedPacket)],
        // Out of bounds for the kind; or shorter, and cut apart; or longer, and never complete.
        2..4 => &[
            CloseReason::Misbehaved(PeerMisbehaved::PacketLength),
            CloseReason::Misbehaved(PeerMisbehaved::DoesNotOpen),
            CloseReason::LinkLost,
        ],
        8..24 => &[CloseReason::Misbehaved(PeerMisbehaved::BadHeader)],
        _ => &[CloseReason::Misbehaved(PeerMisbehaved::DoesNotOpen)],
    }
}

/// R-3.1-1, R-3.1-2, R-3.1-3, R-3.1-4, R-3.1-5, R-5.3-2, R-5.3-4, R-6.2-2, R-6.2-4, R-6.3-4, R-6.3-6, R-6.5-1.
#[test]
fn no_flipped_bit_is_survived_with_x25519_and_chacha20() {
    flip_all(&pinned(Suite::X25519ChaCha20Poly1305), 1);
}

/// The same without a pin: no tag over the Hello, and nobody who is turned away.
#[test]
fn no_flipped_bit_is_survived_where_everybody_is_welcome() {
    flip_all(&trusting(Suite::X25519ChaCha20Poly1305), 1);
}

#[test]
fn no_flipped_bit_is_survived_with_x25519_and_aes() {
    flip_all(&trusting(Suite::X25519Aes256Gcm), 3);
}

#[test]
fn no_flipped_bit_is_survived_with_ml_kem_and_chacha20() {
    flip_all(&trusting(Suite::HybridChaCha20Poly1305), 7);
}

#[test]
fn no_flipped_bit_is_survived_with_ml_kem_and_aes() {
    flip_all(&trusting(Suite::HybridAes256Gcm), 11);
}

/// The same stage with nothing flipped: both ends establish, so that the tests above can fail.
#[test]
fn without_a_flip_every_suite_establishes() {
    for setup in Setup::SUITES.map(trusting).iter().chain(&Setup::SUITES.map(pinned)) {
        let script = Script::record(setup);
        let kinds: Vec<u8> = script.handshake().map(|(_, packet)| packet.kind()).collect();
        let is_hybrid = setup.initiator.suites[0].is_hybrid();
        assert_eq!(
            kinds,
            if is_hybrid { vec![Kind::Hello, 4, 5, 6, 7, Kind::InitiatorAuth] } else { vec![Kind::Hello, 4, 6, 8] }
        );
        for (at, packet) in script.handshake() {
            let mut receiver = script.receiver_of(setup, at);
            receiver.feed(&packet.bytes);
            script.later_of_sender(at).for_each(|packet| receiver.feed(&packet.bytes));
            assert!(receiver.was_established(), "{}", name(packet));
        }
    }
}
