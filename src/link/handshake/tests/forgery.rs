//! Answers from others than the one that is looked for.

use super::*;
use crate::config::Signer;
use crate::event::PeerMisbehaved;

fn accept_of(flight: &[Vec<u8>]) -> &Vec<u8> {
    &flight[0]
}

/// R-6.10-8.
#[test]
fn eight_accepts_are_tried_and_the_genuine_one_among_them_wins() {
    for suite in SUITES {
        for before in 0..8 {
            let (mut initiator, mut responder, flight) = answered(suite);
            let hello = initiator.flight().concat();
            let forged = |seed| forged_flight(&server(mallory(), &[suite]), &hello, suite, seed, None);
            for seed in 0..before {
                assert!(initiator.take(accept_of(&forged(100 + seed))).is_ok());
                assert_eq!(initiator.take(accept_of(&forged(100 + seed))).err(), Some(Discarded::Repeated));
            }
            assert!(initiator.take(accept_of(&flight)).is_ok());
            for seed in before..7 {
                assert!(initiator.take(accept_of(&forged(100 + seed))).is_ok());
            }
            let digest = initiator.handshake.digest();
            assert_eq!(initiator.take(accept_of(&forged(120))).err(), Some(Discarded::TooMany));
            assert_eq!(initiator.handshake.digest(), digest);
            finish(&mut initiator, &mut responder, &flight);
        }
    }
}

/// R-6.10-10, R-6.10-9.
#[test]
fn a_whole_flight_of_another_identity_costs_its_sender_only() {
    for suite in SUITES {
        let (mut initiator, mut responder, flight) = answered(suite);
        let hello = initiator.flight().concat();
        let wrong = CloseReason::WrongPeer(mallory().peer_id());
        for seed in 0..20 {
            let forged = forged_flight(&server(mallory(), &[suite]), &hello, suite, 100 + seed, None);
            let outcomes: Vec<_> = forged.iter().map(|packet| initiator.take(packet).err()).collect();
            // In a hybrid suite ResponderAuth has waited for the KemOffer, which is as good as any.
            let told = outcomes.contains(&Some(Discarded::Invalid(wrong)));
            assert_eq!(told, !suite.is_hybrid(), "{outcomes:?}");
            assert_eq!(initiator.handshake.timeout_reason(), wrong);
        }
        finish(&mut initiator, &mut responder, &flight);
    }
}

/// R-5.4-3, R-6.10-9.
#[test]
fn a_flight_that_fails_in_its_signature_drops_its_candidate() {
    for suite in SUITES {
        let (mut initiator, mut responder, flight) = answered(suite);
        let hello = initiator.flight().concat();
        let as_bob = server(Signer::External(bob().peer_id()), &[suite]);
        let forged = forged_flight(&as_bob, &hello, suite, 100, Some([1; 64]));
        initiator.take_all(&forged);
        let bad = CloseReason::Misbehaved(PeerMisbehaved::BadSignature);
        assert_eq!(initiator.handshake.timeout_reason(), bad);
        assert!(initiator.take(accept_of(&forged)).is_ok(), "not a candidate any more");
        finish(&mut initiator, &mut responder, &flight);
    }
}

/// The order in which a hybrid flight is sent, while a candidate that never goes on waits for the same packet. R-6.10-11.
#[cfg(feature = "hybrid")]
#[test]
fn a_forged_accept_of_another_suite_does_not_take_the_place_of_what_is_early() {
    let suites = [Suite::HybridChaCha20Poly1305, Suite::X25519ChaCha20Poly1305];
    let (mut initiator, hello) = End::connect(&suites);
    let mut responder = End::accept(&suites);
    let (_, flight) = responder.take(&hello).unwrap();
    let forged = forged_flight(&server(mallory(), &suites), &hello, suites[1], 100, None);
    initiator.take(accept_of(&forged)).unwrap();
    let kinds: Vec<_> = flight.iter().map(|packet| kind(packet)).collect();
    assert_eq!(kinds, [PacketKind::Accept, PacketKind::ResponderAuth, PacketKind::KemOffer]);
    finish(&mut initiator, &mut responder, &flight);
}

/// R-6.2-3, R-6.10-9.
#[test]
fn an_owner_that_is_asked_can_refuse_one_and_accept_the_next() {
    for suite in SUITES {
        let (mut initiator, hello) = End::connect_as(client(&[suite]), Expect::Ask, CARRIER);
        let mut responder = End::accept(&[suite]);
        let (_, flight) = responder.take(&hello).unwrap();
        let forged = forged_flight(&server(mallory(), &[suite]), &hello, suite, 100, None);
        assert!(initiator.take_all(&forged).is_empty(), "nothing is revealed");
        assert_eq!(initiator.asked_about(), Some(mallory().peer_id()));
        assert!(initiator.flight().is_empty(), "an answer is here");
        for packet in &flight {
            assert!(matches!(initiator.take(packet), Ok((Progress::Waiting, sent)) if sent.is_empty()));
        }
        assert_eq!(initiator.asked_about(), Some(mallory().peer_id()), "one question at a time");

        assert!(matches!(initiator.refuse_peer(), Progress::VerdictWanted));
        assert_eq!(initiator.asked_about(), Some(bob().peer_id()));
        assert_eq!(initiator.handshake.timeout_reason(), CloseReason::NotAdmitted(mallory().peer_id()));
        let (_, last) = initiator.accept_peer();
        responder.take_all(&last);
        assert_linked(&mut initiator, &mut responder);
    }
}

/// R-6.10-9.
#[test]
fn an_owner_that_has_refused_everybody_goes_on_looking() {
    let suite = Suite::X25519ChaCha20Poly1305;
    let (mut initiator, hello) = End::connect_as(client(&[suite]), Expect::Ask, CARRIER);
    let forged = forged_flight(&server(mallory(), &[suite]), &hello, suite, 100, None);
    initiator.take_all(&forged);
    assert!(matches!(initiator.refuse_peer(), Progress::Waiting));
    assert_eq!((initiator.asked_about(), initiator.flight().concat()), (None, hello.clone()));
    let mut responder = End::accept(&[suite]);
    let (_, flight) = responder.take(&hello).unwrap();
    initiator.take_all(&flight);
    let (_, last) = initiator.accept_peer();
    responder.take_all(&last);
    assert_linked(&mut initiator, &mut responder);
}

/// R-6.10-1, R-6.10-4.
#[test]
fn another_hello_at_a_half_open_responder_is_discarded() {
    for suite in SUITES {
        let (mut initiator, mut responder, flight) = answered(suite);
        let digest = responder.handshake.digest();
        let mut ask = End::connect_as(client(&[suite]), Expect::Ask, CARRIER);
        ask.0.generator = generator(44);
        assert_eq!(responder.take(&ask.1).err(), Some(Discarded::Unexpected));
        assert_eq!(responder.handshake.digest(), digest);
        finish(&mut initiator, &mut responder, &flight);
    }
}
