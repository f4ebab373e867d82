//! One bit of a packet altered on its way.

use super::*;

/// Every packet that differs from this one in a bit, but for those of the version and the kind, which the validator looks at.
fn flips(packet: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (16..packet.len() * 8).map(|bit| {
        let mut flipped = packet.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

/// Takes none of the altered packets, then the genuine one.
fn assert_only_the_genuine_is_taken(end: &mut End, genuine: &[u8]) -> Vec<Vec<u8>> {
    let digest = end.handshake.digest();
    for flipped in flips(genuine) {
        assert_eq!(end.take(&flipped).err(), Some(Discarded::DoesNotOpen));
        assert_eq!(end.handshake.digest(), digest);
    }
    let (_, sent) = end.take(genuine).unwrap();
    assert_ne!(end.handshake.digest(), digest);
    sent
}

/// R-5.3-2, R-5.3-8, R-5.3-9, R-6.10-1.
#[test]
fn an_altered_sealed_packet_changes_nothing() {
    for suite in SUITES {
        let (mut initiator, mut responder, flight) = answered(suite);
        initiator.take(&find(&flight, PacketKind::Accept)).unwrap();
        if suite.is_hybrid() {
            assert_only_the_genuine_is_taken(&mut initiator, &find(&flight, PacketKind::KemOffer));
        }
        let last = assert_only_the_genuine_is_taken(&mut initiator, &find(&flight, PacketKind::ResponderAuth));
        for packet in &last {
            assert_only_the_genuine_is_taken(&mut responder, packet);
        }
        assert_linked(&mut initiator, &mut responder);
    }
}

/// Nothing protects an Accept but what follows it: an altered one is refused for its form or is a candidate that leads nowhere.
/// R-6.10-8, R-6.10-9.
#[test]
fn an_altered_accept_does_not_keep_the_genuine_one_out() {
    for suite in SUITES {
        let (_, _, flight) = answered(suite);
        for flipped in flips(&find(&flight, PacketKind::Accept)) {
            let (mut initiator, mut responder, flight) = answered(suite);
            let _ = initiator.take(&flipped);
            let last = initiator.take_all(&flight);
            responder.take_all(&last);
            assert!(initiator.done.is_some() && responder.done.is_some());
        }
    }
}

/// R-4.1-5, R-6.10-4.
#[test]
fn an_altered_hello_is_refused_by_its_tag_and_at_a_half_open_responder_discarded() {
    let suite = Suite::X25519ChaCha20Poly1305;
    let (mut initiator, hello) = End::connect(&[suite]);
    let mut responder = End::accept_as(server(bob(), &[suite]).with_required_tag(true), CARRIER);
    let digest = responder.handshake.digest();
    for flipped in flips(&hello) {
        match responder.take(&flipped) {
            Ok((Progress::Refused(_), sent)) => assert!(sent.is_empty()),
            outcome => assert!(outcome.is_err()),
        }
        assert_eq!(responder.handshake.digest(), digest);
    }
    let (_, flight) = responder.take(&hello).unwrap();
    let digest = responder.handshake.digest();
    for flipped in flips(&hello) {
        assert_eq!(responder.take(&flipped).err(), Some(Discarded::Unexpected));
    }
    assert_eq!(responder.handshake.digest(), digest);
    finish(&mut initiator, &mut responder, &flight);
}
