//! Who talks to whom: pins, admission, verdicts, external signers, tags, refusals (specification, sections 6.2 to 6.8).
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use std::time::Duration;

use aitcp::crypto::provider::CryptoProvider;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{
    Admission, CloseReason, CloseSource, Direction, Ending, Event, Expect, Instant, OpenError, PeerIncompatible,
    PeerMisbehaved, ProtocolCode, RecvError, RefuseCode, Role, SendError, SignatureRejected, Suite, Verdict,
};
use aitcp_testkit::forge::{Auth, Header, Hello, HostilePeer, Kind, Payload, Refuse, hmac_sha256, read_u16, sha256};
use aitcp_testkit::{Pair, Setup};

const ROLES: [Role; 2] = [Role::Initiator, Role::Responder];

/// A setup in which the responder knows somebody else alone.
fn stranger() -> Setup {
    let setup = Setup::default();
    Setup { admission: Admission::Only([setup.responder.id()].into()), ..setup }
}

fn told(code: ProtocolCode) -> Option<CloseReason> {
    Some(CloseReason::Peer { source: CloseSource::Protocol, code: code.code() })
}

fn drive(setup: &Setup) -> Pair {
    let mut pair = setup.pair();
    pair.drive();
    pair
}

// ---- the initiator's policy -------------------------------------------------------------------------------------------------------

/// R-6.2-2, R-6.2-4: an authenticated peer that is not the pinned one learns nothing about the initiator.
#[test]
fn another_peer_than_the_pinned_one_is_left_without_a_word() {
    for suite in Setup::SUITES {
        let mut setup = Setup::with_suite(suite);
        setup.expect = Expect::Pinned(setup.initiator.id());
        let mut hostile = HostilePeer::before_auth(&setup, Role::Initiator);
        hostile.send_auth(&Auth::default());
        assert_eq!(hostile.victim.session.close_reason(), Some(CloseReason::WrongPeer(setup.responder.id())));
        assert!(hostile.receive().is_empty() && hostile.victim.session.is_drained());
    }
}

/// R-6.2-3, section 6.6: an initiator that asks reveals itself only when its owner has accepted.
#[test]
fn an_initiator_that_asks_waits_for_the_verdict() {
    for suite in Setup::SUITES {
        let setup = Setup { expect: Expect::Ask, ..Setup::with_suite(suite) };
        let mut pair = drive(&setup);
        let peer = setup.responder.id();
        assert_eq!(pair.initiator.events, [Event::PeerIdentified(peer)]);
        assert_eq!(pair.initiator.session.handshake().map(|info| info.peer), Some(peer));
        assert_eq!(pair.initiator.session.open(Direction::Bidirectional), Err(OpenError::NotEstablished));
        let hello_alone = pair.to_responder.written().len();

        let mut refusing = drive(&setup);
        refusing.initiator.session.decide(Instant::ORIGIN, Verdict::Refuse);
        refusing.drive();
        assert_eq!(refusing.initiator.session.close_reason(), Some(CloseReason::NotAdmitted(peer)));
        assert_eq!(refusing.responder.session.close_reason(), Some(CloseReason::LinkLost));
        assert_eq!(refusing.to_responder.written().len(), hello_alone, "not a word");

        pair.initiator.session.decide(Instant::ORIGIN, Verdict::Accept);
        pair.initiator.session.decide(Instant::ORIGIN, Verdict::Refuse);
        pair.drive();
        assert!(pair.initiator.saw(Event::Confirmed), "a second verdict has no effect");
    }
}

/// R-6.8-1: own waiting counts, to the microsecond, and nothing is said.
#[test]
fn an_initiators_verdict_comes_before_its_deadline_or_never() {
    let mut pair = drive(&Setup { expect: Expect::Ask, ..Setup::default() });
    let deadline = Instant::ORIGIN + Duration::from_secs(10);
    assert_eq!(pair.initiator.session.poll_timeout(), Some(deadline));
    pair.clock.advance_to(deadline);
    pair.initiator.serve_timeouts(deadline);
    assert_eq!(pair.initiator.session.close_reason(), Some(CloseReason::HandshakeTimeout));
    pair.initiator.session.decide(deadline, Verdict::Accept);
    assert!(pair.initiator.transmit(deadline).is_empty() && pair.initiator.session.is_drained());
    assert!(!pair.initiator.was_established());
}

// ---- the responder's policy -------------------------------------------------------------------------------------------------------

/// R-6.3-5, R-6.3-7, R-6.7-2: a stranger is told so, sealed, and nothing that it sent is delivered.
#[test]
fn a_stranger_is_turned_away_with_a_reason() {
    for suite in Setup::SUITES {
        let mut setup = stranger();
        setup.set_suite(suite);
        let mut pair = setup.pair();
        for role in [Role::Initiator, Role::Responder] {
            pair.transmit(role);
            pair.step();
        }
        // 1-RTT data in the flight of InitiatorAuth.
        let stream = pair.initiator.session.open(Direction::Unidirectional).unwrap();
        pair.initiator.send_message(stream, b"let me in").unwrap();
        pair.drive();
        assert_eq!(pair.responder.session.close_reason(), Some(CloseReason::NotAdmitted(setup.initiator.id())));
        assert_eq!(pair.initiator.session.close_reason(), told(ProtocolCode::NotAdmitted));
        assert!(pair.initiator.was_established() && !pair.initiator.saw(Event::Confirmed));
        assert!(!pair.responder.was_established());
        assert_eq!(pair.responder.events.len(), 1, "the end alone is told: {:?}", pair.responder.events);
        assert!(pair.responder.session.recv(stream, &mut [0; 99]).is_err());
    }
}

/// A responder with [`Admission::Any`] takes whoever proves an identity; one that asks is answered.
#[test]
fn any_admits_all_and_ask_whom_the_owner_accepts() {
    let mut pair = Setup { admission: Admission::Any, ..stranger() }.pair();
    pair.connect();
    let mut pair = Setup { admission: Admission::Ask, ..stranger() }.pair();
    pair.connect();
    assert!(pair.responder.events.contains(&Event::PeerIdentified(Setup::default().initiator.id())));
}

/// R-6.3-5, R-6.6-1: data that comes before the verdict is held, and delivered on admission alone.
#[test]
fn data_waits_for_the_responders_verdict() {
    for verdict in [Verdict::Accept, Verdict::Refuse] {
        let mut pair = drive(&Setup { admission: Admission::Ask, ..Setup::default() });
        let stream = pair.initiator.session.open(Direction::Unidirectional).unwrap();
        pair.initiator.send_message(stream, b"early").unwrap();
        pair.drive();
        let written = pair.to_initiator.written().len();
        assert_eq!(pair.responder.events, [Event::PeerIdentified(Setup::default().initiator.id())]);
        assert_eq!(pair.responder.session.recv(stream, &mut [0; 9]), Err(RecvError::UnknownStream));
        assert_eq!(pair.responder.session.open(Direction::Bidirectional), Err(OpenError::NotEstablished));
        assert_eq!(pair.responder.session.send(stream, b"", Ending::End), Err(SendError::UnknownStream));
        assert!(!pair.initiator.saw(Event::Confirmed));
        assert_eq!(pair.responder.session.stats().unread, 6);

        pair.responder.session.decide(pair.clock.now(), verdict);
        pair.drive();
        assert!(pair.to_initiator.written().len() > written, "R-6.7-1, R-6.3-7");
        if verdict == Verdict::Accept {
            assert!(pair.initiator.saw(Event::Confirmed) && pair.responder.saw(Event::Opened(stream)));
            assert_eq!(pair.responder.recv_message(stream).as_deref(), Some(&b"early"[..]));
        } else {
            assert_eq!(pair.initiator.session.close_reason(), told(ProtocolCode::NotAdmitted));
            assert!(!pair.responder.saw(Event::Opened(stream)));
            assert_eq!(pair.responder.session.recv(stream, &mut [0; 9]), Err(RecvError::Closed));
        }
    }
}

/// R-6.6-1: what is held is bounded by the credit of the handshake, and no more is granted.
#[test]
fn data_before_a_verdict_stays_within_the_first_credit() {
    let mut setup = Setup { admission: Admission::Ask, ..Setup::default() };
    (setup.responder.limits.session_window, setup.responder.limits.stream_window) = (50, 50);
    let mut hostile = HostilePeer::before_auth(&setup, Role::Responder);
    hostile.send_auth(&Auth::default());
    hostile.send_data(&Payload::fragment(6, 0, &[1; 50], 0));
    hostile.send_data(&Payload::control(aitcp_testkit::forge::Control::default()));
    assert_eq!((hostile.victim.session.stats().unread, hostile.receive().len()), (50, 0), "nothing is granted");
    hostile.send_data(&Payload::fragment(6, 50, &[1], 0));
    assert!(hostile.victim.ended_for(ProtocolCode::FlowControl));
}

/// R-6.8-2: thirty seconds by default, to the microsecond, from the moment that the peer is authenticated.
#[test]
fn a_responders_verdict_comes_in_time_or_the_peer_is_told() {
    let mut pair = drive(&Setup { admission: Admission::Ask, ..Setup::default() });
    let deadline = pair.now() + Duration::from_secs(30);
    assert_eq!(pair.responder.session.poll_timeout(), Some(deadline));
    pair.responder.session.handle_timeout(Instant::from_micros(deadline.as_micros() - 1));
    assert_eq!(pair.responder.session.close_reason(), None);
    pair.clock.advance_to(deadline);
    pair.drive();
    assert_eq!(pair.responder.session.close_reason(), Some(CloseReason::VerdictTimeout));
    assert_eq!(pair.initiator.session.close_reason(), told(ProtocolCode::VerdictTimeout));
    pair.responder.session.decide(deadline, Verdict::Accept);
    assert!(!pair.responder.was_established(), "a verdict that is too late has no effect");
}

/// An initiator that goes away, in either way, while the responder's owner thinks.
#[test]
fn a_peer_may_leave_before_the_verdict() {
    for with_a_close in [true, false] {
        let mut pair = drive(&Setup { admission: Admission::Ask, ..Setup::default() });
        if with_a_close {
            pair.initiator.session.close(Instant::ORIGIN, 3, "too slow");
        } else {
            pair.to_responder.cut();
        }
        pair.drive();
        let expected = CloseReason::Peer { source: CloseSource::Application, code: 3 };
        let expected = if with_a_close { expected } else { CloseReason::LinkLost };
        assert_eq!(pair.responder.session.close_reason(), Some(expected));
        pair.responder.session.decide(Instant::ORIGIN, Verdict::Accept);
        assert!(!pair.responder.was_established() && pair.responder.session.is_drained());
    }
}

// ---- external signers -------------------------------------------------------------------------------------------------------------

/// R-6.6-2: the handshake waits; a wrong signature is refused and changes nothing; the right one goes on.
#[test]
fn an_external_signature_is_awaited_and_checked() {
    for suite in Setup::SUITES {
        for role in ROLES {
            let mut setup = Setup::with_suite(suite);
            setup.agent_mut(role).external_signer = true;
            let mut pair = drive(&setup);
            assert_eq!(pair.end(role).events, [Event::SignatureWanted]);
            let to_sign = pair.end(role).session.to_sign().unwrap().to_vec();
            assert_eq!((to_sign.len(), &to_sign[..64]), (121, &[0x20; 64][..]), "R-5.4-4");

            let digest = pair.end(role).digest();
            let right = setup.agent(role).key().sign(&to_sign);
            let others = setup.agent(role.peer()).key().sign(&to_sign);
            let about_something_else = setup.agent(role).key().sign(&to_sign[1..]);
            let mut flipped = right;
            flipped[40] ^= 1;
            for wrong in [[0; 64], others, about_something_else, flipped] {
                let result = pair.end(role).session.provide_signature(Instant::ORIGIN, &wrong);
                assert_eq!(result, Err(SignatureRejected::Wrong));
                assert_eq!(pair.end(role).digest(), digest, "what is refused changes nothing");
            }
            pair.end(role).session.provide_signature(Instant::ORIGIN, &right).unwrap();
            assert_eq!(pair.end(role).session.to_sign(), None);
            let again = pair.end(role).session.provide_signature(Instant::ORIGIN, &right);
            assert_eq!(again, Err(SignatureRejected::NotWanted));
            pair.drive();
            assert!(pair.initiator.saw(Event::Confirmed));
        }
    }
}

/// Verdicts and external signers at both ends at once.
#[test]
fn questions_of_all_kinds_go_together() {
    for suite in Setup::SUITES {
        let mut setup = Setup { expect: Expect::Ask, admission: Admission::Ask, ..Setup::with_suite(suite) };
        (setup.initiator.external_signer, setup.responder.external_signer) = (true, true);
        setup.pair().connect();
    }
}

/// R-6.8-1: a signature that does not come is waited for no longer than the handshake may take.
#[test]
fn an_external_signature_comes_in_time_or_never() {
    for role in ROLES {
        let mut setup = Setup::default();
        setup.agent_mut(role).external_signer = true;
        let mut pair = drive(&setup);
        let deadline = Instant::ORIGIN + Duration::from_secs(10);
        let end = pair.end(role);
        end.serve_timeouts(deadline);
        assert_eq!(end.session.close_reason(), Some(CloseReason::HandshakeTimeout));
        assert_eq!(end.session.to_sign(), None);
        assert_eq!(end.sign(deadline), Err(SignatureRejected::NotWanted));
        assert!(end.transmit(deadline).is_empty() && end.session.is_drained());
    }
}

/// R-6.8-1, for a peer that says nothing at all, at both ends.
#[test]
fn a_silent_peer_is_given_up_at_the_deadline() {
    for role in ROLES {
        let mut pair = Setup::default().pair();
        let deadline = Instant::ORIGIN + Duration::from_secs(10);
        drop(pair.end(role).transmit(Instant::ORIGIN));
        pair.end(role).session.handle_timeout(Instant::from_micros(deadline.as_micros() - 1));
        assert_eq!(pair.end(role).session.close_reason(), None);
        pair.end(role).session.handle_timeout(deadline);
        assert_eq!(pair.end(role).session.close_reason(), Some(CloseReason::HandshakeTimeout));
        assert!(pair.end(role).transmit(deadline).is_empty());
    }
}

// ---- refusals ---------------------------------------------------------------------------------------------------------------------

/// R-6.3-1, R-6.4-2: of several things that are wrong the first in the specification's table is named; then nothing more is taken.
#[test]
fn a_hello_is_refused_with_the_code_of_the_first_check() {
    let expected = [
        (RefuseCode::UnknownIdentity, PeerIncompatible::Identity),
        (RefuseCode::NoCommonVersion, PeerIncompatible::Version),
        (RefuseCode::NoCommonSuite, PeerIncompatible::Suite),
        (RefuseCode::UnknownAppProtocol, PeerIncompatible::AppProtocol),
        (RefuseCode::UnknownRealm, PeerIncompatible::Realm),
    ];
    for (first, (code, reason)) in expected.into_iter().enumerate() {
        for wrong in (0..32_u8).filter(|wrong| wrong.trailing_zeros() as usize == first) {
            let mut hello = Hello::default();
            let is_wrong = |check: u8| wrong & 1 << check != 0;
            hello.peer_tag = [u8::from(is_wrong(0)); 32];
            hello.versions = if is_wrong(1) { vec![9, 11] } else { hello.versions };
            hello.suites = if is_wrong(2) { vec![0, 5, 255] } else { hello.suites };
            hello.app_protocol = if is_wrong(3) { b"test/2".to_vec() } else { hello.app_protocol };
            hello.realm = is_wrong(4).then(|| b"nowhere".to_vec());
            let mut hostile = HostilePeer::new(&Setup::default(), Role::Responder);
            let packet = hello.packet();
            hostile.send_clear(&packet);
            assert_eq!(hostile.victim.session.close_reason(), Some(CloseReason::Incompatible(reason)));
            let [(kind, refuse)] = hostile.receive() else { panic!("one packet") };
            assert_eq!((*kind, read_u16(refuse, 1).unwrap_or(0)), (Kind::Refuse, code.code()));
            assert!(refuse.len() + 24 < packet.len(), "smaller than the Hello");
            assert!(hostile.victim.session.is_drained());
            hostile.send_clear(&Hello::default().packet());
            assert!(hostile.receive().is_empty());
        }
    }
}

/// R-4.3-2, R-6.4-3: what an initiator makes of a Refuse, and that there is none after an Accept.
#[test]
fn a_refuse_is_reported_with_its_code() {
    for code in [0, 1, 2, 3, 4, 5, 6, 7, 255, 256, u16::MAX] {
        let mut hostile = HostilePeer::new(&Setup::default(), Role::Initiator);
        let hello_hash = sha256(&hostile.transcript.0);
        let refuse = Refuse { hello_hash, code, ..Refuse::default() };
        let header = Header::new(Kind::Refuse, read_own_id(&hostile));
        hostile.send_clear(&header.packet(&refuse.table().build()));
        let known = RefuseCode::from_code(code).unwrap_or(RefuseCode::Unspecified);
        assert_eq!(hostile.victim.session.close_reason(), Some(CloseReason::Refused(known)));
        assert!(hostile.receive().is_empty());
    }
    let mut hostile = HostilePeer::new(&Setup::default(), Role::Initiator);
    let hello_hash = sha256(&hostile.transcript.0);
    hostile.send_first();
    let header = Header::new(Kind::Refuse, read_own_id(&hostile));
    hostile.send_clear(&header.packet(&Refuse { hello_hash, ..Refuse::default() }.table().build()));
    assert_eq!(hostile.victim.misbehaved(), Some(PeerMisbehaved::UnexpectedPacket));
}

/// R-4.3-1: a Refuse of another Hello is none.
#[test]
fn a_refuse_must_name_the_hello() {
    for flip in 0..256 {
        let mut hostile = HostilePeer::new(&Setup::default(), Role::Initiator);
        let mut hello_hash = sha256(&hostile.transcript.0);
        hello_hash[flip / 8] ^= 1 << (flip % 8);
        let header = Header::new(Kind::Refuse, read_own_id(&hostile));
        hostile.send_clear(&header.packet(&Refuse { hello_hash, ..Refuse::default() }.table().build()));
        assert_eq!(hostile.victim.misbehaved(), Some(PeerMisbehaved::MalformedPacket));
    }
}

fn read_own_id(hostile: &HostilePeer) -> u64 {
    aitcp_testkit::forge::read_u64(&hostile.received[0].1, 4).unwrap()
}

/// R-4.1-5, R-6.3-2: a responder that requires the tag answers those alone who know its identity, and an initiator that has pinned it
/// does.
#[test]
fn a_required_tag_keeps_the_responder_silent() {
    let setup = Setup { require_tag: true, ..Setup::default() };
    setup.pair().connect();
    let mut pair = drive(&Setup { expect: Expect::Ask, ..setup.clone() });
    assert_eq!(pair.responder.session.close_reason(), Some(CloseReason::Incompatible(PeerIncompatible::Identity)));
    assert_eq!((pair.to_initiator.written(), pair.responder.session.is_drained()), (&[][..], true));
    assert!(!pair.initiator.was_established());

    let tag_for = |id: aitcp::PeerId| {
        let packet = Hello::default().packet();
        hmac_sha256(id.as_bytes(), &packet[..packet.len() - 64])
    };
    for (peer_tag, answers) in [(tag_for(setup.responder.id()), true), (tag_for(setup.initiator.id()), false)] {
        let mut hostile = HostilePeer::new(&setup, Role::Responder);
        hostile.send_clear(&Hello { peer_tag, ..Hello::default() }.packet());
        assert_eq!(!hostile.receive().is_empty(), answers);
    }
}

// ---- what is agreed ---------------------------------------------------------------------------------------------------------------

/// Both ends hear of the application protocol, the realm and each other's credentials; R-11.2-1, R-4.1-1: among what is not known.
#[test]
fn both_ends_hear_what_was_agreed() {
    for suite in Setup::SUITES {
        let mut setup = Setup { app_protocol: "b/2".into(), realm: "staging".into(), ..Setup::with_suite(suite) };
        setup.served_protocols = vec!["a/1".into(), "b/2".into()];
        setup.served_realms = vec![String::new(), "staging".into()];
        setup.initiator.credentials = b"initiator's".to_vec();
        setup.responder.credentials = vec![7; aitcp::MAX_CREDENTIALS];
        let mut pair = setup.pair();
        pair.connect();
        for role in ROLES {
            let info = pair.end(role).session.handshake().unwrap();
            assert_eq!((info.peer, info.suite), (setup.agent(role.peer()).id(), suite));
            assert_eq!((info.app_protocol.as_str(), info.realm.as_str()), ("b/2", "staging"));
            assert_eq!((&info.credentials, info.resumed), (&setup.agent(role.peer()).credentials, false));
        }
    }
    let mut hostile = HostilePeer::new(&Setup::default(), Role::Responder);
    hostile.send_clear(&Hello { versions: vec![9, 0, 10], suites: vec![77, 2, 0], ..Hello::default() }.packet());
    assert_eq!(hostile.receive()[0].0, Kind::Accept);
}

/// R-5.1-2, R-5.1-3: hybrid first, then AES where the responder has it in hardware and the initiator prefers it.
#[test]
fn the_responder_chooses_the_suite_by_the_rules() {
    use Suite::{
        HybridAes256Gcm as HA, HybridChaCha20Poly1305 as HC, X25519Aes256Gcm as A, X25519ChaCha20Poly1305 as C,
    };
    let fast = |aes, otherwise| if RustCrypto.has_fast_aes() { aes } else { otherwise };
    let cases: [(&[Suite], &[Suite], Suite); 8] = [
        (&[C, A, HC, HA], &[C, A, HC, HA], HC),
        (&[A, C, HA, HC], &[C, A, HC, HA], fast(HA, HC)),
        (&[A, C, HA], &[C, A, HC], fast(A, C)),
        (&[C, A], &[C, A], C),
        (&[A, C], &[C, A], fast(A, C)),
        (&[A, C], &[A], A),
        (&[A, HC], &[A, HC], HC),
        (&[HA, C], &[HA, C, HC], HA),
    ];
    for (offered, accepted, expected) in cases {
        let mut setup = Setup::default();
        setup.initiator.suites = offered.to_vec();
        setup.responder.suites = accepted.to_vec();
        let mut pair = setup.pair();
        pair.connect();
        let chosen = pair.initiator.session.handshake().unwrap().suite;
        assert_eq!(chosen, expected, "{offered:?} {accepted:?}");
    }
}
