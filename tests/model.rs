//! Random histories of two sessions against the reference model: whatever applications, drivers and carriers do, messages arrive
//! once, in order and whole, and everything comes to its end.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use aitcp::{Admission, Direction, Expect, Limits, Suite};
use aitcp_testkit::{CheckedPair, Op, Setup, is_full_campaign};
use proptest::prelude::*;

fn limits() -> impl Strategy<Value = Limits> {
    let size = || prop_oneof![1..5_u32, 1..40_u32, 1_000..6_000_u32, Just(1 << 20)];
    let streams = || 0..6_u16;
    let packet = prop_oneof![Just(aitcp::MIN_MAX_PACKET), Just(aitcp::MAX_MAX_PACKET)];
    let message = prop_oneof![1..20_u64, Just(u64::MAX)];
    ((size(), size()), (size(), size()), (streams(), streams(), streams()), packet, message).prop_map(
        |((session, stream), (total, one), (bidirectional, unidirectional, own), packet, message)| {
            let mut limits = Limits::default();
            (limits.session_window, limits.stream_window) = (session.max(stream), session.min(stream));
            (limits.send_buffer, limits.stream_send_buffer) = (total.max(one).max(2), total.min(one).max(2));
            limits.peer_bidirectional_streams = bidirectional;
            limits.peer_unidirectional_streams = unidirectional;
            (limits.own_streams, limits.max_packet, limits.max_message) = (own, packet, message);
            limits
        },
    )
}

fn setup() -> impl Strategy<Value = Setup> {
    // Hybrid suites differ in the handshake alone, and take their time.
    let suite = prop_oneof![
        6 => Just(Suite::X25519ChaCha20Poly1305),
        3 => Just(Suite::X25519Aes256Gcm),
        1 => Just(Suite::HybridAes256Gcm)
    ];
    (any::<u64>(), limits(), limits(), suite, any::<[bool; 5]>()).prop_map(
        |(seed, initiator, responder, suite, flags)| {
            let mut setup = Setup { seed, ..Setup::default() };
            (setup.initiator.limits, setup.responder.limits) =
                (bounded(initiator, &responder), bounded(responder, &initiator));
            setup.set_suite(suite);
            let [ask_initiator, ask_responder, sign_initiator, sign_responder, compression] = flags;
            if ask_initiator {
                setup.expect = Expect::Ask;
            }
            if ask_responder {
                setup.admission = Admission::Ask;
            }
            (setup.initiator.external_signer, setup.responder.external_signer) = (sign_initiator, sign_responder);
            (setup.initiator.compression, setup.responder.compression) = (compression, compression);
            setup
        },
    )
}

/// Lets no mebibyte wait for a window of a few bytes: that shows nothing more, and takes its time.
fn bounded(mut own: Limits, peer: &Limits) -> Limits {
    let most = if peer.stream_window < 1_000 { 2_000 } else { u32::MAX };
    (own.send_buffer, own.stream_send_buffer) = (own.send_buffer.min(most), own.stream_send_buffer.min(most));
    own
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(any::<[u8; Op::LEN]>().prop_map(Op::from_bytes), 0..200)
}

/// What leaves streams and sessions alive.
fn is_gentle(op: &Op) -> bool {
    !matches!(op, Op::Shutdown { .. } | Op::Close { .. } | Op::Cut { .. } | Op::Decide { .. } | Op::Advance(_))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if is_full_campaign() { 20_000 } else { 2_000 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// R-8.3-1, R-8.3-7, R-8.4-6, R-8.4-11, R-8.5-1, R-8.5-2, R-8.5-6, R-9.4-2.
    #[test]
    fn messages_arrive_once_in_order_and_whole(setup in setup(), ops in ops()) {
        let mut pair = CheckedPair::new(&setup).connected();
        for op in ops.iter().filter(|op| is_gentle(op)) {
            pair.apply(op);
        }
        pair.wind_down();
    }

    /// The same with everything that can end a session in between, and calls before it is established.
    #[test]
    fn what_arrives_before_an_end_is_right(setup in setup(), ops in ops()) {
        let mut pair = CheckedPair::new(&setup);
        for op in &ops {
            pair.apply(op);
        }
        pair.wind_down();
    }
}

/// Found by the histories above: a compressed message that was unpacked, and not read, before the next compressed one came (R-8.9-1).
#[test]
fn a_compressed_message_that_follows_an_unpacked_one_is_unpacked_too() {
    let mut setup = Setup::default();
    (setup.initiator.compression, setup.responder.compression) = (true, true);
    let mut pair = setup.pair();
    pair.connect();
    let stream = pair.initiator.session.open(Direction::Unidirectional).unwrap();
    let messages = [[1; 512].to_vec(), [2; 504].to_vec(), [3; 600].to_vec()];
    for message in &messages {
        pair.initiator.send_message(stream, message).unwrap();
        pair.drive();
        let nothing = pair.responder.session.recv(stream, &mut []).unwrap();
        assert_eq!((nothing.len, nothing.end_of_message), (0, false));
    }
    pair.initiator.session.finish(stream).unwrap();
    pair.drive();
    assert_eq!(pair.responder.recv_all(stream), (messages.to_vec(), None));
}
