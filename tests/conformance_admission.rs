//! The rules of verdicts, admission and deadlines (specification, sections 6.3 and 6.6 to 6.8), one by one.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use std::time::Duration;

use aitcp::{
    Admission, CloseReason, CloseSource, Direction, Ending, Event, ProtocolCode, RecvError, Role, SignatureRejected,
    Verdict,
};
use aitcp_testkit::Setup;
use aitcp_testkit::forge::{Close, HostilePeer, Kind, Payload, split_packets};

fn kinds(bytes: &[u8]) -> Vec<u8> {
    split_packets(bytes).iter().map(|packet| packet[1]).collect()
}

/// R-6.3-5, R-6.6-1, R-6.7-1: what comes before the verdict is held, unseen and without new credit; with the verdict it is there.
#[test]
fn nothing_reaches_the_application_before_the_verdict() {
    let mut setup = Setup { admission: Admission::Ask, ..Setup::default() };
    setup.responder.limits.stream_window = 100;
    setup.responder.limits.session_window = 100;
    let mut pair = setup.pair();
    pair.drive();
    let stream = pair.initiator.session.open(Direction::Bidirectional).unwrap();
    assert_eq!(pair.initiator.session.send(stream, &[7; 200], Ending::More), Ok(200));
    pair.drive();
    let sent = pair.to_initiator.written().len();
    assert_eq!(pair.responder.events, [Event::PeerIdentified(setup.initiator.id())]);
    assert_eq!(pair.responder.session.recv(stream, &mut [0; 9]), Err(RecvError::UnknownStream));
    assert!(pair.responder.session.open(Direction::Bidirectional).is_err());
    assert!(pair.responder.session.send(stream, b"x", Ending::End).is_err());
    assert!(!pair.initiator.saw(Event::Confirmed), "R-6.7-2");
    assert_eq!(kinds(pair.to_initiator.written()), [Kind::Accept, Kind::ResponderAuth], "not a word, not even credit");

    let now = pair.now();
    pair.responder.session.decide(now, Verdict::Accept);
    let first = pair.responder.transmit(now);
    assert_eq!(kinds(&first), [Kind::Data]);
    pair.to_initiator.write(now, &first);
    pair.drive();
    assert!(pair.to_initiator.written().len() > sent && pair.initiator.saw(Event::Confirmed));
    assert_eq!(pair.responder.session.recv(stream, &mut [0; 200]).unwrap().len, 100, "what the first credit allowed");
}

/// R-6.3-7, R-6.8-2: who is not let in is told so, under keys that only it has.
#[test]
fn a_peer_that_is_not_admitted_is_told() {
    let not_admitted = |setup: &Setup| CloseReason::NotAdmitted(setup.initiator.id());
    let told = |code: ProtocolCode| Some(CloseReason::Peer { source: CloseSource::Protocol, code: code.code() });

    let setup = Setup { admission: Admission::Only([].into()), ..Setup::default() };
    let mut pair = setup.pair();
    pair.drive();
    assert_eq!(pair.responder.session.close_reason(), Some(not_admitted(&setup)));
    assert_eq!(pair.initiator.session.close_reason(), told(ProtocolCode::NotAdmitted));
    assert!(!pair.initiator.saw(Event::Confirmed) && !pair.responder.was_established());

    let setup = Setup { admission: Admission::Ask, ..Setup::default() };
    let mut pair = setup.pair();
    pair.drive();
    let now = pair.now();
    pair.responder.session.decide(now, Verdict::Refuse);
    pair.drive();
    assert_eq!(pair.responder.session.close_reason(), Some(not_admitted(&setup)));
    assert_eq!(pair.initiator.session.close_reason(), told(ProtocolCode::NotAdmitted));

    let mut pair = setup.pair();
    pair.drive();
    pair.run_for(Duration::from_secs(30) - Duration::from_micros(1));
    assert_eq!(pair.responder.session.close_reason(), None);
    pair.run_for(Duration::from_micros(1));
    pair.drive();
    assert_eq!(pair.responder.session.close_reason(), Some(CloseReason::VerdictTimeout));
    assert_eq!(pair.initiator.session.close_reason(), told(ProtocolCode::VerdictTimeout));
}

/// R-6.7-2: a Close is no admission.
#[test]
fn a_session_is_confirmed_by_a_packet_that_is_not_a_close() {
    let mut hostile = HostilePeer::established(&Setup::default(), Role::Initiator);
    assert!(!hostile.victim.saw(Event::Confirmed));
    hostile.send_data(&Payload { close: Some(Close::default()), ..Payload::default() });
    assert!(!hostile.victim.saw(Event::Confirmed));

    let mut hostile = HostilePeer::established(&Setup::default(), Role::Initiator);
    hostile.send_data(&Payload::default());
    assert!(hostile.victim.saw(Event::Confirmed));
}

/// R-6.6-2: another key's signature, or one of something else, does not go out.
#[test]
fn an_external_signature_is_verified_before_it_is_sent() {
    for role in [Role::Initiator, Role::Responder] {
        let mut setup = Setup::default();
        setup.agent_mut(role).external_signer = true;
        let mut pair = setup.pair();
        pair.drive();
        let now = pair.now();
        let other = setup.agent(role.peer()).key();
        let written = (pair.to_responder.written().len(), pair.to_initiator.written().len());
        let end = pair.end(role);
        assert!(end.saw(Event::SignatureWanted));
        let message = end.session.to_sign().unwrap().to_vec();
        for wrong in [other.sign(&message), setup.agent(role).key().sign(&message[1..]), [0; 64]] {
            assert_eq!(end.session.provide_signature(now, &wrong), Err(SignatureRejected::Wrong));
        }
        pair.drive();
        assert_eq!((pair.to_responder.written().len(), pair.to_initiator.written().len()), written);
        pair.connect();
    }
}

/// R-6.8-1: ten seconds by default, to the microsecond, and without a word.
#[test]
fn a_handshake_that_is_not_complete_in_time_is_given_up() {
    for silent in [Role::Initiator, Role::Responder] {
        let mut pair = Setup::default().pair();
        pair.link_to(silent.peer()).stall();
        pair.run_for(Duration::from_secs(10) - Duration::from_micros(1));
        let written = (pair.to_responder.written().len(), pair.to_initiator.written().len());
        assert_eq!(pair.end(silent.peer()).session.close_reason(), None);
        pair.run_for(Duration::from_micros(1));
        assert_eq!(pair.end(silent.peer()).session.close_reason(), Some(CloseReason::HandshakeTimeout));
        assert_eq!((pair.to_responder.written().len(), pair.to_initiator.written().len()), written);
        assert!(pair.end(silent.peer()).session.is_drained());
    }
}
