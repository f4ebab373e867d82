//! Packets that wait for the one that they follow.

use super::*;

/// R-6.10-11.
#[test]
fn of_each_kind_the_newest_waits_and_a_wrong_one_gives_way() {
    for suite in SUITES {
        let (mut initiator, mut responder, flight) = answered(suite);
        let auth = find(&flight, PacketKind::ResponderAuth);
        let mut garbage = auth.clone();
        *garbage.last_mut().unwrap() ^= 1;
        assert!(initiator.take(&garbage).is_ok(), "nobody can tell yet");
        assert!(initiator.take(&auth).is_ok());
        let rest: Vec<_> = flight.into_iter().filter(|packet| *packet != auth).collect();
        finish(&mut initiator, &mut responder, &rest);
    }
}

/// R-6.10-11.
#[test]
fn a_wrong_one_that_waits_does_no_harm() {
    for suite in SUITES {
        let (mut initiator, mut responder, flight) = answered(suite);
        for packet in &flight[1..] {
            let mut garbage = packet.clone();
            *garbage.last_mut().unwrap() ^= 1;
            assert!(initiator.take(&garbage).is_ok());
        }
        finish(&mut initiator, &mut responder, &flight);
    }
}

/// R-6.10-11.
#[test]
fn what_is_longer_than_a_handshake_packet_does_not_wait() {
    let (mut initiator, mut responder, flight) = answered(Suite::X25519ChaCha20Poly1305);
    let last = initiator.take_all(&flight);
    for (len, waits) in [(1_232, true), (1_233, false)] {
        let mut data = vec![0; len];
        initiator.keys().seal_datagram(&mut data).unwrap();
        assert_eq!(responder.take(&data).is_ok(), waits);
    }
    responder.take_all(&last);
    assert!(responder.done.as_mut().unwrap().epilogue.as_mut().unwrap().take_data().is_some());
}

/// Only hybrid suites have a packet before InitiatorAuth. R-4.5-2, R-6.10-11.
#[test]
fn an_initiator_auth_that_waited_in_vain_does_not_spoil_the_kem_reply() {
    for suite in SUITES.into_iter().filter(|suite| suite.is_hybrid()) {
        let (mut initiator, mut responder, flight) = answered(suite);
        let last = initiator.take_all(&flight);
        let mut garbage = find(&last, PacketKind::InitiatorAuth);
        *garbage.last_mut().unwrap() ^= 1;
        assert!(responder.take(&garbage).is_ok());
        assert!(responder.take(&find(&last, PacketKind::KemReply)).is_ok());
        assert!(responder.done.is_none());
        assert_eq!(responder.take(&find(&last, PacketKind::KemReply)).err(), Some(Discarded::Unexpected));
        responder.take(&find(&last, PacketKind::InitiatorAuth)).unwrap();
        assert_linked(&mut initiator, &mut responder);
    }
}
