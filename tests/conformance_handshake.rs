//! The rules of the handshake (specification, sections 4 to 6.5), one by one, against peers that break them.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use std::sync::Arc;
use std::time::Duration;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{
    Admission, Carrier, ClientConfig, CloseReason, Event, Expect, Instant, PeerIncompatible, PeerMisbehaved,
    RefuseCode, Role, Seed, ServerConfig, Session, Suite, Verdict,
};
use aitcp_testkit::forge::{
    Accept, Auth, HEADER_LEN, Header, Hello, HostilePeer, Kind, Refuse, hmac_sha256, sha256, split_packets,
};
use aitcp_testkit::{Recording, Setup};

const NOW: Instant = Instant::ORIGIN;

fn kinds(bytes: &[u8]) -> Vec<u8> {
    split_packets(bytes).iter().map(|packet| packet[1]).collect()
}

/// An initiator whose Hello has been taken.
fn initiator(setup: &Setup) -> HostilePeer {
    HostilePeer::new(setup, Role::Initiator)
}

/// A responder that waits for a Hello.
fn responder(setup: &Setup) -> HostilePeer {
    HostilePeer::new(setup, Role::Responder)
}

/// The clear answer to the Hello of a victim.
fn answer(hostile: &mut HostilePeer, kind: u8, body: &[u8]) {
    let id = hostile.header(kind, 0).connection_id;
    hostile.send_clear(&Header::new(kind, id).packet(body));
}

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
        let packet = initiator(&setup).transcript.0;
        let tag_at = packet.len() - 64;
        let expected = hmac_sha256(setup.responder.id().as_bytes(), &packet[..tag_at]);
        assert_eq!(packet[tag_at..tag_at + 32], if pinned { expected } else { [0; 32] });
        assert_eq!(packet[tag_at + 32..], [0; 32], "no ticket, no binder");
    }
}

/// R-4.3-1, R-4.3-2, R-6.4-3: a Refuse counts only as the answer to this very Hello.
#[test]
fn a_refuse_names_the_hello_that_it_answers() {
    for (code, expected) in [(6, RefuseCode::Busy), (0, RefuseCode::Unspecified), (999, RefuseCode::Unspecified)] {
        let mut hostile = initiator(&Setup::default());
        let refuse = Refuse { hello_hash: sha256(&hostile.transcript.0), code, ..Refuse::default() };
        answer(&mut hostile, Kind::Refuse, &refuse.table().build());
        assert_eq!(hostile.victim.session.close_reason(), Some(CloseReason::Refused(expected)));
        assert!(is_silent(&mut hostile.victim.session));
    }
    let mut hostile = initiator(&Setup::default());
    answer(&mut hostile, Kind::Refuse, &Refuse::default().table().build());
    assert_eq!(hostile.victim.misbehaved(), Some(PeerMisbehaved::MalformedPacket));

    let mut hostile = initiator(&Setup::default());
    let refuse = Refuse { hello_hash: sha256(&hostile.transcript.0), ..Refuse::default() };
    hostile.send_first();
    answer(&mut hostile, Kind::Refuse, &refuse.table().build());
    assert_eq!(hostile.victim.misbehaved(), Some(PeerMisbehaved::UnexpectedPacket), "too late");
}

/// R-4.4-1, R-4.4-2.
#[test]
fn a_responder_chooses_only_what_was_offered() {
    let offered = Accept::default();
    let wrong = [
        Accept { version: 9, ..offered.clone() },
        Accept { version: 11, ..offered.clone() },
        Accept { suite: 1, ..offered.clone() },
        Accept { suite: 4, ..offered.clone() },
        Accept { suite: 0, ..offered.clone() },
        Accept { suite: 77, ..offered.clone() },
        Accept { resumed: 1, ..offered.clone() },
        Accept { early_accepted: 1, ..offered.clone() },
    ];
    for accept in wrong {
        let mut hostile = initiator(&Setup::default());
        answer(&mut hostile, Kind::Accept, &accept.table().build());
        assert_eq!(hostile.victim.misbehaved(), Some(PeerMisbehaved::ChoseUnoffered), "{accept:?}");
        assert!(is_silent(&mut hostile.victim.session));
    }
    let mut hostile = initiator(&Setup::default());
    answer(&mut hostile, Kind::Accept, &offered.table().build());
    assert_eq!(hostile.victim.session.close_reason(), None);
}

/// R-4.5-1, R-4.5-2: the packets of each suite, in their order.
#[test]
fn kem_packets_come_in_hybrid_suites_and_only_there() {
    for suite in Setup::SUITES {
        let mut pair = Setup::with_suite(suite).pair();
        pair.connect();
        let (to_responder, to_initiator): (&[u8], &[u8]) = if suite.is_hybrid() {
            (&[Kind::Hello, Kind::KemReply, Kind::InitiatorAuth], &[Kind::Accept, Kind::KemOffer, Kind::ResponderAuth])
        } else {
            (&[Kind::Hello, Kind::InitiatorAuth], &[Kind::Accept, Kind::ResponderAuth])
        };
        assert_eq!(kinds(pair.to_responder.written()), to_responder, "{suite}");
        assert_eq!(kinds(pair.to_initiator.written()), [to_initiator, &[Kind::Data]].concat(), "{suite}");
    }
    for (victim, kind, len) in [(Role::Initiator, Kind::KemOffer, 1184), (Role::Responder, Kind::KemReply, 1088)] {
        let mut hostile = HostilePeer::before_auth(&Setup::default(), victim);
        hostile.send_sealed(kind, &vec![0; len]);
        assert_eq!(hostile.victim.misbehaved(), Some(PeerMisbehaved::UnexpectedPacket));
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

/// R-6.2-2, R-6.2-4: whatever is wrong with the responder's proof, the initiator says nothing.
#[test]
fn an_initiator_reveals_nothing_to_a_responder_that_does_not_prove_itself() {
    let honest = Setup::default();
    let other = Setup { expect: Expect::Pinned(honest.initiator.id()), ..Setup::default() };
    let table = Auth::default().table(honest.responder.id().as_bytes()).build();
    let proof = |hostile: &HostilePeer| hostile.auth_plaintext(&table, |message| honest.responder.key().sign(message));
    type Spoil = fn(&mut Vec<u8>);
    let cases: [(&Setup, Spoil, CloseReason); 3] = [
        (&honest, |plain| *plain.last_mut().unwrap() ^= 1, CloseReason::Misbehaved(PeerMisbehaved::BadFinished)),
        (&honest, |plain| plain.truncate(110), CloseReason::Misbehaved(PeerMisbehaved::MalformedPacket)),
        (&other, |_| {}, CloseReason::WrongPeer(honest.responder.id())),
    ];
    for (setup, spoil, reason) in cases {
        let mut hostile = HostilePeer::before_auth(setup, Role::Initiator);
        let mut plaintext = proof(&hostile);
        spoil(&mut plaintext);
        hostile.send_sealed(Kind::ResponderAuth, &plaintext);
        assert_eq!(hostile.victim.session.close_reason(), Some(reason));
        assert!(is_silent(&mut hostile.victim.session) && !hostile.victim.was_established());
    }
}

/// R-5.4-4, R-6.3-4, R-6.3-6, R-6.5-2, R-6.5-3: signature and MAC are over the whole transcript, and both are needed, at both ends.
#[test]
fn proofs_over_another_transcript_are_refused_without_a_word() {
    for victim in [Role::Initiator, Role::Responder] {
        for suite in [Suite::X25519ChaCha20Poly1305, Suite::HybridChaCha20Poly1305] {
            let setup = Setup::with_suite(suite);
            let key = setup.agent(victim.peer()).key();
            let table = Auth::default().table(key.peer_id().as_bytes()).build();
            let attempt = |make: &dyn Fn(&mut HostilePeer) -> Vec<u8>| {
                let mut hostile = HostilePeer::before_auth(&setup, victim);
                let plaintext = make(&mut hostile);
                hostile.send_sealed(hostile.auth_kind(), &plaintext);
                (
                    hostile.victim.misbehaved(),
                    is_silent(&mut hostile.victim.session) || hostile.victim.was_established(),
                )
            };
            let honest = attempt(&|hostile| hostile.auth_plaintext(&table, |message| key.sign(message)));
            assert_eq!(honest, (None, true), "{victim:?}");

            let other_signature = attempt(&|hostile| {
                hostile.auth_plaintext(&table, |message| {
                    let mut altered = message.to_vec();
                    *altered.last_mut().unwrap() ^= 1;
                    key.sign(&altered)
                })
            });
            assert_eq!(other_signature, (Some(PeerMisbehaved::BadSignature), true));

            let other_role = attempt(&|hostile| {
                hostile.auth_plaintext(&table, |message| {
                    let mut altered = message.to_vec();
                    altered[64..88].copy_from_slice(match victim {
                        Role::Initiator => b"AI-TCP v1 initiator auth",
                        Role::Responder => b"AI-TCP v1 responder auth",
                    });
                    key.sign(&altered)
                })
            });
            assert_eq!(other_role, (Some(PeerMisbehaved::BadSignature), true));

            // The finished value is right for the transcript without the signature.
            let other_finished = attempt(&|hostile| {
                let mut plaintext = hostile.auth_plaintext(&table, |message| key.sign(message));
                let signature = plaintext[table.len()..][..64].to_vec();
                let zeros = hostile.auth_plaintext(&table, |_| [0; 64]);
                plaintext = [&table[..], &signature, &zeros[table.len() + 64..]].concat();
                plaintext
            });
            assert_eq!(other_finished, (Some(PeerMisbehaved::BadFinished), true));

            // A transcript that lacks the last byte of what came before.
            let shorter = attempt(&|hostile| {
                let whole = hostile.transcript.clone();
                hostile.transcript.0.pop();
                let plaintext = hostile.auth_plaintext(&table, |message| key.sign(message));
                hostile.transcript = whole;
                plaintext
            });
            assert_eq!(shorter, (Some(PeerMisbehaved::BadFinished), true));
        }
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

/// R-6.2-3, R-6.2-4: an initiator that has pinned nobody shows itself only to whom its owner accepts.
#[test]
fn an_initiator_asks_before_it_reveals_itself() {
    for suite in [Suite::X25519ChaCha20Poly1305, Suite::HybridAes256Gcm] {
        for verdict in [Some(Verdict::Accept), Some(Verdict::Refuse), None] {
            let mut setup = Setup::with_suite(suite);
            setup.expect = Expect::Ask;
            let mut pair = setup.pair();
            pair.drive();
            assert!(pair.initiator.saw(Event::PeerIdentified(setup.responder.id())));
            assert_eq!(kinds(pair.to_responder.written()), [Kind::Hello]);
            match verdict {
                Some(verdict) => {
                    let now = pair.now();
                    pair.initiator.session.decide(now, verdict);
                }
                None => pair.run_for(Duration::from_secs(10)),
            }
            pair.drive();
            let (reason, sent) = match verdict {
                Some(Verdict::Accept) => (None, true),
                Some(Verdict::Refuse) => (Some(CloseReason::NotAdmitted(setup.responder.id())), false),
                None => (Some(CloseReason::HandshakeTimeout), false),
            };
            assert_eq!(pair.initiator.session.close_reason(), reason);
            assert_eq!(kinds(pair.to_responder.written()).len() > 1, sent);
        }
    }
}

/// R-4.1-1, R-6.3-1, R-6.4-2: of several things that are wrong with a Hello, the first in the table is told; what is unknown beside
/// what is known does no harm.
#[test]
fn a_hello_is_judged_in_order() {
    let setup = Setup::default();
    let good = Hello { versions: vec![9, 10, 11], suites: vec![0, 77, 2, 200], ..Hello::default() };
    let mut hello = Hello {
        versions: vec![9],
        suites: vec![77],
        app_protocol: b"other/1".to_vec(),
        realm: Some(b"elsewhere".to_vec()),
        peer_tag: [1; 32],
        ..good.clone()
    };
    type Mend = fn(&mut Hello, &Hello);
    let steps: [(RefuseCode, PeerIncompatible, Mend); 5] = [
        (RefuseCode::UnknownIdentity, PeerIncompatible::Identity, |hello, _| hello.peer_tag = [0; 32]),
        (RefuseCode::NoCommonVersion, PeerIncompatible::Version, |hello, good| {
            hello.versions.clone_from(&good.versions);
        }),
        (RefuseCode::NoCommonSuite, PeerIncompatible::Suite, |hello, good| hello.suites.clone_from(&good.suites)),
        (RefuseCode::UnknownAppProtocol, PeerIncompatible::AppProtocol, |hello, good| {
            hello.app_protocol.clone_from(&good.app_protocol);
        }),
        (RefuseCode::UnknownRealm, PeerIncompatible::Realm, |hello, _| hello.realm = None),
    ];
    for (code, reason, mend) in steps {
        let mut hostile = responder(&setup);
        // Nothing behind a Refuse is looked at, not even a Hello that would do.
        hostile.send_clear(&[hello.packet(), good.packet()].concat());
        assert_eq!(hostile.victim.session.close_reason(), Some(CloseReason::Incompatible(reason)));
        let sent = hostile.victim.transmit(NOW);
        assert_eq!(kinds(&sent), [Kind::Refuse]);
        let header = Header::read(&sent);
        assert_eq!(header.connection_id, hello.connection_id);
        let body = &sent[HEADER_LEN..];
        let hash = sha256(&hello.packet());
        assert!(body.windows(32).any(|window| window == hash), "the Refuse has the hash of the Hello");
        assert_eq!(u16_field(body, 1), code.code());
        assert!(hostile.victim.session.is_drained());
        mend(&mut hello, &good);
    }
    let mut hostile = responder(&setup);
    hostile.send_clear(&hello.packet());
    assert_eq!(hostile.victim.session.close_reason(), None);
    assert_eq!(kinds(&hostile.victim.transmit(NOW)), [Kind::Accept, Kind::ResponderAuth]);
}

/// R-6.3-2: who does not know the identity hears nothing; who knows it is served.
#[test]
fn a_responder_that_requires_the_tag_is_silent_to_others() {
    let setup = Setup { require_tag: true, ..Setup::default() };
    for peer_tag in [[0; 32], [1; 32]] {
        let mut hostile = responder(&setup);
        hostile.send_clear(&Hello { peer_tag, ..Hello::default() }.packet());
        let reason = CloseReason::Incompatible(PeerIncompatible::Identity);
        assert_eq!(hostile.victim.session.close_reason(), Some(reason));
        assert!(is_silent(&mut hostile.victim.session));
    }
    setup.pair().connect();
}

/// R-6.4-1: a Hello that is not well formed gets no answer.
#[test]
fn a_malformed_hello_is_met_with_silence() {
    let good = Hello::default();
    let malformed = [
        Hello { versions: vec![], ..good.clone() },
        Hello { suites: vec![], ..good.clone() },
        Hello { suites: vec![2; 9], ..good.clone() },
        Hello { app_protocol: vec![], ..good.clone() },
        Hello { app_protocol: vec![0xFF], ..good.clone() },
        Hello { connection_id: 0, ..good.clone() },
        Hello { padding: Some(vec![0]), ..good.clone() },
        Hello { cookie: [1; 32], ..good.clone() },
        Hello { binder: [1; 32], ..good.clone() },
    ];
    for hello in malformed {
        let mut hostile = responder(&Setup::default());
        hostile.send_clear(&hello.packet());
        assert_eq!(hostile.victim.misbehaved(), Some(PeerMisbehaved::MalformedPacket), "{hello:?}");
        assert!(is_silent(&mut hostile.victim.session));
    }
}

/// R-11.2-1: the one version that is spoken is chosen wherever it stands.
#[test]
fn the_version_is_the_first_that_the_responder_speaks() {
    for versions in [vec![10], vec![11, 10], vec![10, 11], vec![1, 2, 3, 4, 5, 6, 7, 10]] {
        let mut hostile = responder(&Setup::default());
        hostile.send_clear(&Hello { versions, ..Hello::default() }.packet());
        let flight = hostile.victim.transmit(NOW);
        let body = &split_packets(&flight)[0][HEADER_LEN..];
        assert!(hostile.victim.session.close_reason().is_none());
        assert_eq!(u16_field(body, 0), 10);
    }
}

/// A 16-bit field of a well-formed root table.
fn u16_field(body: &[u8], id: usize) -> u16 {
    let u16_at = |at: usize| u16::from_le_bytes(body[at..at + 2].try_into().unwrap());
    let u32_at = |at: usize| u32::from_le_bytes(body[at..at + 4].try_into().unwrap()) as usize;
    let table = u32_at(0);
    let vtable = table - u32_at(table);
    u16_at(table + usize::from(u16_at(vtable + 4 + 2 * id)))
}
