//! Retry and Refuse: answers that anybody can give.

use super::*;
use crate::crypto::hash::sha256;
use crate::event::RefuseCode;
use crate::wire::packet_builder::{Refuse, Retry};

fn retry(hello: &[u8], cookie: u8) -> Vec<u8> {
    let receiver = HelloView::parse(&hello[HEADER_LEN..]).unwrap().connection_id;
    Retry { hello_hash: &sha256(hello), cookie: &[cookie; 32] }.build(receiver)
}

fn refuse(hello: &[u8], code: RefuseCode) -> Vec<u8> {
    let receiver = HelloView::parse(&hello[HEADER_LEN..]).unwrap().connection_id;
    Refuse { hello_hash: &sha256(hello), code, versions: &[10], suites: &[2] }.build(receiver)
}

/// R-4.2-3, R-4.2-4, R-4.1-5, R-4.1-8, R-6.5-1.
#[test]
fn three_retries_are_followed_each_with_the_same_hello_and_its_cookie() {
    for suite in SUITES {
        let (mut initiator, mut hello) = End::connect(&[suite]);
        for cookie in 1..=3 {
            let (_, sent) = initiator.take(&retry(&hello, cookie)).unwrap();
            let again = sent.concat();
            let (first, second) =
                (HelloView::parse(&hello[HEADER_LEN..]).unwrap(), HelloView::parse(&again[HEADER_LEN..]).unwrap());
            assert_eq!(second.cookie, Some(&[cookie; 32]));
            assert_eq!((first.table, &hello[..HEADER_LEN]), (second.table, &again[..HEADER_LEN]));
            assert_ne!(first.peer_tag, second.peer_tag);
            assert_eq!(initiator.flight().concat(), again);
            hello = again;
        }
        let digest = initiator.handshake.digest();
        assert_eq!(initiator.take(&retry(&hello, 4)).err(), Some(Discarded::TooMany));
        assert_eq!(initiator.handshake.digest(), digest);

        let mut responder = End::accept(&[suite]);
        let (_, flight) = responder.take(&hello).unwrap();
        finish(&mut initiator, &mut responder, &flight);
    }
}

/// R-4.2-2, R-4.2-3.
#[test]
fn a_retry_for_another_hello_is_discarded_and_so_are_answers_to_an_earlier_one() {
    let suite = SUITES[0];
    let (mut initiator, hello) = End::connect(&[suite]);
    let mut early = End::accept(&[suite]);
    let (_, late_flight) = early.take(&hello).unwrap();
    let mut other = hello.clone();
    *other.last_mut().unwrap() ^= 1;
    let mut wrong = retry(&hello, 1);
    let digest = initiator.handshake.digest();
    let at = wrong.windows(32).position(|window| window == sha256(&hello)).unwrap();
    wrong[at] ^= 1;
    assert!(matches!(initiator.take(&wrong), Err(Discarded::Invalid(_))));
    assert_eq!(initiator.handshake.digest(), digest);

    let (_, sent) = initiator.take(&retry(&hello, 1)).unwrap();
    assert!(matches!(initiator.take(&retry(&hello, 2)), Err(Discarded::Invalid(_))), "that Hello is the past");
    initiator.take_all(&late_flight);
    assert!(initiator.done.is_none(), "its transcript is another one");
    let mut responder = End::accept(&[suite]);
    let (_, flight) = responder.take(&sent.concat()).unwrap();
    finish(&mut initiator, &mut responder, &flight);
}

/// R-4.2-4: forged Retries use up what is followed at once, and not the handshake.
#[test]
fn each_repetition_of_the_hello_gives_another_retry_a_chance() {
    let (mut initiator, mut hello) = End::connect(&SUITES);
    for cookie in 1..=3 {
        let (_, sent) = initiator.take(&retry(&hello, cookie)).unwrap();
        hello = sent.concat();
    }
    for cookie in 4..=9 {
        assert_eq!(initiator.take(&retry(&hello, cookie)).err(), Some(Discarded::TooMany));
        initiator.handshake.on_repeat();
        initiator.handshake.on_repeat();
        let (_, sent) = initiator.take(&retry(&hello, cookie)).unwrap();
        hello = sent.concat();
    }
}

/// R-4.2-4.
#[test]
fn no_retry_is_followed_once_somebody_has_proved_an_identity() {
    let (mut initiator, hello) = End::connect_as(client(&SUITES), Expect::Ask, CARRIER);
    let mut responder = End::accept(&SUITES);
    let (_, flight) = responder.take(&hello).unwrap();
    initiator.take_all(&flight);
    assert_eq!(initiator.take(&retry(&hello, 1)).err(), Some(Discarded::TooMany));
    let (_, last) = initiator.accept_peer();
    responder.take_all(&last);
    assert_linked(&mut initiator, &mut responder);
}

/// R-4.3-1, R-6.10-10.
#[test]
fn a_refuse_is_remembered_for_the_deadline_and_an_accept_still_wins() {
    for suite in SUITES {
        let (mut initiator, mut responder, flight) = answered(suite);
        let hello = initiator.flight().concat();
        assert_eq!(initiator.handshake.timeout_reason(), CloseReason::HandshakeTimeout);
        let mut other = hello.clone();
        *other.last_mut().unwrap() ^= 1;
        let mut stale = refuse(&hello, RefuseCode::Busy);
        let at = stale.windows(32).position(|window| window == sha256(&hello)).unwrap();
        stale[at] ^= 1;
        assert!(initiator.take(&stale).is_err());
        assert_eq!(initiator.handshake.timeout_reason(), CloseReason::HandshakeTimeout);

        initiator.take(&refuse(&hello, RefuseCode::Busy)).unwrap();
        initiator.take(&refuse(&hello, RefuseCode::UnknownRealm)).unwrap();
        assert_eq!(initiator.handshake.timeout_reason(), CloseReason::Refused(RefuseCode::Busy), "the first");
        finish(&mut initiator, &mut responder, &flight);
    }
}

/// R-6.3-1, R-6.3-2, R-6.10-7.
#[test]
fn a_responder_that_refuses_waits_for_another_hello() {
    let suites = [Suite::X25519ChaCha20Poly1305];
    let config = ClientConfig::new(alice(), "other/1").with_suites(&suites);
    let (mut other, hello) = End::connect_as(config, Expect::Pinned(bob().peer_id()), CARRIER);
    let mut responder = End::accept_as(server(bob(), &suites).with_required_tag(true), CARRIER);
    let digest = responder.handshake.digest();
    let (progress, refuse) = responder.take(&hello).unwrap();
    assert!(matches!(progress, Progress::Refused(PeerIncompatible::AppProtocol)));
    assert!(refuse.concat().len() < hello.len());
    other.take_all(&refuse);
    assert_eq!(other.handshake.timeout_reason(), CloseReason::Refused(RefuseCode::UnknownAppProtocol));

    let (_, untagged) = End::connect_as(client(&suites), Expect::Ask, CARRIER);
    assert!(matches!(responder.take(&untagged), Ok((Progress::Refused(_), sent)) if sent.is_empty()));
    assert_eq!(responder.handshake.digest(), digest);

    let (mut initiator, hello) = End::connect(&suites);
    let (_, flight) = responder.take(&hello).unwrap();
    finish(&mut initiator, &mut responder, &flight);
}
