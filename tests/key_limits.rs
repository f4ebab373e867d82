//! Keys that have protected as many packets as they may.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use aitcp::{CloseReason, CloseSource, Direction, ProtocolCode, Role, Suite, testing};
use aitcp_testkit::forge::{Kind, split_packets};
use aitcp_testkit::{Pair, Setup};

/// R-5.3-5, R-5.3-6: the last packet that the keys may protect says that there are no more, and none follows.
#[test]
fn the_last_packet_of_the_keys_is_a_close() {
    // What keys may protect and, in these suites, how many of the numbers below 2^62 are left behind the handshake's.
    for (suite, most) in [(Suite::X25519Aes256Gcm, 1 << 23), (Suite::X25519ChaCha20Poly1305, (1 << 62) - 1)] {
        for sender in [Role::Initiator, Role::Responder] {
            let mut pair = Setup::with_suite(suite).pair();
            pair.connect();
            let skipped = most - data_packets(&mut pair, sender) - 3;
            testing::skip_packets(&mut pair.end(sender).session, skipped, 0);
            testing::skip_packets(&mut pair.end(sender.peer()).session, 0, skipped);

            let stream = pair.end(sender).session.open(Direction::Unidirectional).unwrap();
            for message in [b"one".as_slice(), b"two"] {
                pair.end(sender).send_message(stream, message).unwrap();
                pair.drive();
                assert_eq!(pair.end(sender.peer()).recv_message(stream).as_deref(), Some(message), "{suite}");
            }
            assert_eq!(pair.end(sender).session.close_reason(), None);
            pair.end(sender).send_message(stream, b"too late").unwrap();
            pair.drive();
            assert_eq!(pair.end(sender).session.close_reason(), Some(CloseReason::KeysExhausted));
            let told = CloseReason::Peer { source: CloseSource::Protocol, code: ProtocolCode::KeysExhausted.code() };
            assert_eq!(pair.end(sender.peer()).session.close_reason(), Some(told), "{suite}");
            assert_eq!(data_packets(&mut pair, sender) + skipped, most);
            assert!(pair.end(sender).session.is_drained());
        }
    }
}

/// How many Data packets an end has sent.
fn data_packets(pair: &mut Pair, sender: Role) -> u64 {
    let packets = split_packets(pair.link_to(sender.peer()).written());
    packets.iter().filter(|packet| packet[1] == Kind::Data).count() as u64
}
