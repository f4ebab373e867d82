//! Rules of the handshake that need a stage of their own: the tag, the suite that everybody has, key logs, what still waits to be sent.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use std::sync::Arc;
use std::time::Duration;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{
    Admission, Carrier, ClientConfig, Event, Expect, Instant, PeerMisbehaved, Role, Seed, ServerConfig, Session, Suite,
};
use aitcp_testkit::forge::{Hello, HostilePeer, hmac_sha256};
use aitcp_testkit::{Recording, Setup};

const NOW: Instant = Instant::ORIGIN;

/// Whether a session that has ended has nothing to say.
fn is_silent(session: &mut Session) -> bool {
    session.poll_transmit(NOW, &mut vec![0; 64 << 10]).unwrap().is_none() && session.is_drained()
}

/// R-4.1-5: the tag is there exactly when the responder is pinned, over everything before it.
#[test]
fn a_pinned_responder_is_addressed_by_its_tag() {
    for pinned in [true, false] {
        let mut setup = Setup::default();
        if !pinned {
            setup.expect = Expect::Ask;
        }
        let packet = HostilePeer::new(&setup, Role::Initiator).transcript.0;
        let tag_at = packet.len() - 64;
        let expected = hmac_sha256(setup.responder.id().as_bytes(), &packet[..tag_at]);
        assert_eq!(packet[tag_at..tag_at + 32], if pinned { expected } else { [0; 32] });
        assert_eq!(packet[tag_at + 32..], [0; 32], "no ticket, no binder");
    }
}

/// R-5.1-1: whoever has nothing but suite 2 can talk to everybody.
#[test]
fn every_agent_has_the_suite_that_all_have() {
    let key = |seed| IdentityKey::from_seed(&RustCrypto, [seed; 32]).unwrap();
    let only = [Suite::X25519ChaCha20Poly1305];
    for restricted in [Role::Initiator, Role::Responder] {
        let mut client = ClientConfig::new(key(1), "test/1");
        let mut server = ServerConfig::new(key(2), Admission::Any, &["test/1"]);
        match restricted {
            Role::Initiator => client = client.with_suites(&only),
            Role::Responder => server = server.with_suites(&only),
        }
        let seed = |seed| Seed::new([seed; 32]).unwrap();
        let expect = Expect::Pinned(key(2).peer_id());
        let mut ends = [
            Session::connect(NOW, Arc::new(client), expect, Carrier::Stream, seed(1)).unwrap(),
            Session::accept(NOW, Arc::new(server), Carrier::Stream, seed(2)).unwrap(),
        ];
        let mut buf = vec![0; 64 << 10];
        for sender in [0, 1, 0] {
            let sent = ends[sender].poll_transmit(NOW, &mut buf).unwrap().unwrap();
            let _ = ends[1 - sender].handle_stream(NOW, &mut buf[..sent.len]);
        }
        for end in &mut ends {
            assert_eq!(end.poll_event(), Some(Event::Established));
            assert_eq!(end.handshake().unwrap().suite, only[0]);
        }
    }
}

/// R-5.7-1: the end that has no key log hands nothing out.
#[test]
fn secrets_go_to_the_key_log_of_the_end_that_has_one() {
    let setup = Setup::default();
    let server = ServerConfig::new(setup.responder.key(), setup.admission.clone(), &["test/1"])
        .with_suites(&setup.responder.suites);
    let mut responder = Session::accept(NOW, Arc::new(server), Carrier::Stream, Seed::new([1; 32]).unwrap()).unwrap();
    let mut initiator = setup.session(Role::Initiator, NOW);
    let mut buf = vec![0; 64 << 10];
    for _ in 0..2 {
        let sent = initiator.poll_transmit(NOW, &mut buf).unwrap().unwrap();
        let _ = responder.handle_stream(NOW, &mut buf[..sent.len]);
        let sent = responder.poll_transmit(NOW, &mut buf).unwrap().unwrap();
        let _ = initiator.handle_stream(NOW, &mut buf[..sent.len]);
    }
    assert!(responder.handshake().is_some() && initiator.handshake().is_some());
    for label in ["I_HS", "R_HS", "I_AUTH", "I_AP_3", "R_AP_3", "EXPORTER"] {
        assert!(setup.initiator.secrets.find(label).is_some(), "{label}");
        assert_eq!(setup.responder.secrets.find(label), None, "{label}");
    }
}

/// R-6.2-4, R-6.8-1: what waits to be sent does not go out once the handshake is given up.
#[test]
fn a_handshake_that_is_given_up_sends_nothing_more() {
    for give_up in [
        |session: &mut Session| session.close(NOW, 1, "changed my mind"),
        |session: &mut Session| session.shutdown(NOW),
        |session: &mut Session| session.handle_timeout(NOW + Duration::from_secs(10)),
        |session: &mut Session| {
            let _ = session.handle_stream(NOW, &mut [0]);
        },
    ] {
        let mut session = Setup::default().session(Role::Initiator, NOW);
        give_up(&mut session);
        assert!(session.close_reason().is_some());
        assert!(is_silent(&mut session), "the Hello waits and must not go");

        // The responder's flight waits, and then something comes that has no place there.
        let mut session = Setup::default().session(Role::Responder, NOW);
        let mut hello = Hello::default().packet();
        let _ = session.handle_stream(NOW, &mut hello);
        assert_eq!(session.close_reason(), None);
        give_up(&mut session);
        assert!(session.close_reason().is_some());
        assert!(is_silent(&mut session));
    }
    // The initiator's last flight waits, and the responder goes on with rubbish.
    let recording = Recording::handshake(&Setup::default());
    let mut initiator = recording.end_after(Role::Initiator, 1);
    let flight: Vec<u8> = recording.packets[1..3].iter().flat_map(|packet| packet.bytes.clone()).collect();
    initiator.feed(NOW, &[&flight[..], &[0]].concat());
    assert_eq!(initiator.misbehaved(), Some(PeerMisbehaved::NotAiTcp));
    assert!(is_silent(&mut initiator.session));
}
