//! Every value of the fields of handshake packets and headers, from a peer that does everything else right: enums, flags, numbers,
//! lengths and parameters at and beyond their borders.

use aitcp::{Admission, CloseReason, Expect, PeerIncompatible, PeerMisbehaved, RefuseCode, Role, Suite, Verdict};
use aitcp_testkit::forge::{
    Accept, Auth, Header, Hello, HostilePeer, Kind, PacketKeys, Params, Payload, Refuse, Table, read_u64, sha256,
};
use aitcp_testkit::{End, Setup};

const ROLES: [Role; 2] = [Role::Initiator, Role::Responder];

/// Nobody is pinned and nobody turned away, and every suite will do.
fn trusting() -> Setup {
    let mut setup = Setup { expect: Expect::Ask, admission: Admission::Any, ..Setup::default() };
    setup.initiator.suites = Setup::SUITES.to_vec();
    setup.responder.suites = Setup::SUITES.to_vec();
    setup
}

fn plain() -> Setup {
    Setup { expect: Expect::Ask, admission: Admission::Any, ..Setup::with_suite(Suite::X25519ChaCha20Poly1305) }
}

fn malformed() -> Option<CloseReason> {
    misbehaved(PeerMisbehaved::MalformedPacket)
}

fn misbehaved(what: PeerMisbehaved) -> Option<CloseReason> {
    Some(CloseReason::Misbehaved(what))
}

/// The victim goes on (`None`), or ends without a packet for this reason.
fn assert_outcome(victim: &mut End, expected: Option<CloseReason>, what: &str) {
    assert_eq!(victim.session.close_reason(), expected, "{what}");
    if expected.is_some() {
        assert!(victim.session.is_drained(), "{what}: ends without a packet (section 6.9)");
        assert!(!victim.was_established(), "{what}");
    }
}

// Hello.

/// What a responder makes of a Hello.
fn hello_outcome(hello: &Hello, expected: Option<CloseReason>, what: &str) {
    let mut hostile = HostilePeer::new(&trusting(), Role::Responder);
    hostile.send_clear(&hello.packet());
    assert_outcome(&mut hostile.victim, expected, what);
}

/// What a responder that refuses a Hello says: the code, and nothing after it (R-6.4-2).
fn refused(hello: &Hello, incompatible: PeerIncompatible, code: RefuseCode, what: &str) {
    let mut hostile = HostilePeer::new(&trusting(), Role::Responder);
    hostile.send_clear(&hello.packet());
    assert_eq!(hostile.victim.session.close_reason(), Some(CloseReason::Incompatible(incompatible)), "{what}");
    let said = hostile.receive().to_vec();
    let [(Kind::Refuse, body)] = &said[..] else { panic!("{what}: {said:?}") };
    assert!(body.windows(32).any(|window| window == sha256(&hello.packet())), "{what}: R-4.3-1");
    assert_eq!(read_u64(body, 1).map(|word| word & 0xFFFF), Some(code.code().into()), "{what}");
    hostile.send_clear(&Hello::default().packet());
    assert!(hostile.receive().is_empty(), "{what}: nothing follows");
}

/// R-4.1-1, R-6.3-1, R-11.2-1.
#[test]
fn every_version_and_suite_of_a_hello() {
    for version in (0..=0xFF).chain([0x010A, 0x0A00, u16::MAX]) {
        let hello = Hello { versions: vec![version], ..Hello::default() };
        match version {
            10 => hello_outcome(&hello, None, "version 10"),
            _ => refused(&hello, PeerIncompatible::Version, RefuseCode::NoCommonVersion, &format!("version {version}")),
        }
        let among = Hello { versions: vec![version, 10, version], ..Hello::default() };
        hello_outcome(&among, None, "version 10 among others");
    }
    for suite in 0..=u8::MAX {
        let hello = Hello { suites: vec![suite], ..Hello::default() };
        match suite {
            1..=4 => hello_outcome(&hello, None, "a known suite"),
            _ => refused(&hello, PeerIncompatible::Suite, RefuseCode::NoCommonSuite, &format!("suite {suite}")),
        }
        let among = Hello { suites: vec![suite, 2, suite], ..Hello::default() };
        hello_outcome(&among, None, "suite 2 among others");
    }
}

/// R-3.3-3, R-3.3-5, R-6.4-1.
#[test]
fn lengths_in_a_hello_at_their_borders() {
    for (count, fits) in [(0, false), (1, true), (8, true), (9, false), (64, false)] {
        let expected = if fits { None } else { malformed() };
        hello_outcome(&Hello { versions: vec![10; count], ..Hello::default() }, expected, &format!("{count} versions"));
        hello_outcome(&Hello { suites: vec![2; count], ..Hello::default() }, expected, &format!("{count} suites"));
    }
    for byte in 0x80..=u8::MAX {
        hello_outcome(&Hello { app_protocol: vec![byte], ..Hello::default() }, malformed(), "not UTF-8");
        hello_outcome(&Hello { realm: Some(vec![byte]), ..Hello::default() }, malformed(), "not UTF-8");
    }
    for length in [0, 65, 300] {
        hello_outcome(
            &Hello { app_protocol: vec![b'a'; length], ..Hello::default() },
            malformed(),
            "protocol's length",
        );
    }
    for length in [1, 64] {
        let hello = Hello { app_protocol: vec![b'a'; length], ..Hello::default() };
        refused(&hello, PeerIncompatible::AppProtocol, RefuseCode::UnknownAppProtocol, "a protocol that is not served");
        let hello = Hello { realm: Some(vec![b'a'; length]), ..Hello::default() };
        refused(&hello, PeerIncompatible::Realm, RefuseCode::UnknownRealm, "a realm that is not served");
    }
    hello_outcome(&Hello { realm: Some(vec![]), ..Hello::default() }, None, "an empty realm is none");
    hello_outcome(&Hello { realm: Some(vec![b'a'; 65]), ..Hello::default() }, malformed(), "realm's length");
    for (connection_id, expected) in [(0, malformed()), (1, None), (u64::MAX, None)] {
        hello_outcome(&Hello { connection_id, ..Hello::default() }, expected, "connection id");
    }
}

/// R-4.1-2, R-4.1-3, R-4.1-4.
#[test]
fn what_has_no_place_in_a_hello_on_a_stream() {
    let ticket = |length: usize| Some(vec![0xEE; length]);
    hello_outcome(&Hello { ticket: ticket(512), ..Hello::default() }, None, "a ticket is ignored");
    hello_outcome(&Hello { ticket: ticket(512), binder: [1; 32], ..Hello::default() }, None, "and its binder");
    hello_outcome(&Hello { ticket: ticket(513), ..Hello::default() }, malformed(), "too long a ticket");
    hello_outcome(&Hello { ticket: ticket(0), binder: [1; 32], ..Hello::default() }, malformed(), "a binder alone");
    hello_outcome(&Hello { padding: Some(vec![]), ..Hello::default() }, None, "padding of no bytes");
    hello_outcome(&Hello { padding: Some(vec![0]), ..Hello::default() }, malformed(), "padding");
    for place in 0..32 {
        let mut value = [0; 32];
        value[place] = 1;
        hello_outcome(&Hello { cookie: value, ..Hello::default() }, malformed(), "a cookie");
        hello_outcome(&Hello { binder: value, ..Hello::default() }, malformed(), "a binder without a ticket");
        let tagged = Hello { peer_tag: value, ..Hello::default() };
        refused(&tagged, PeerIncompatible::Identity, RefuseCode::UnknownIdentity, "a tag that names nobody here");
    }
}

// Accept and Refuse.

fn accept_outcome(setup: &Setup, accept: &Accept, expected: Option<CloseReason>, what: &str) {
    let mut hostile = HostilePeer::new(setup, Role::Initiator);
    let victim_id = read_u64(&hostile.received[0].1, 4).expect("the Hello's id");
    hostile.send_clear(&Header::new(Kind::Accept, victim_id).packet(&accept.table().build()));
    assert_outcome(&mut hostile.victim, expected, what);
}

/// R-4.4-1, R-4.4-2, R-3.3-5.
#[test]
fn every_choice_of_an_accept() {
    let unoffered = misbehaved(PeerMisbehaved::ChoseUnoffered);
    for value in 0..=u8::MAX {
        let accept = Accept { suite: value, ..Accept::default() };
        let expected = if (1..=4).contains(&value) { None } else { unoffered };
        accept_outcome(&trusting(), &accept, expected, &format!("suite {value} of four"));
        let expected = if value == 2 { None } else { unoffered };
        accept_outcome(&plain(), &accept, expected, &format!("suite {value} of one"));
        let expected = if value == 0 { None } else { unoffered };
        accept_outcome(&plain(), &Accept { resumed: value, ..Accept::default() }, expected, "resumed");
        accept_outcome(&plain(), &Accept { early_accepted: value, ..Accept::default() }, expected, "early_accepted");
    }
    for version in (0..=0xFF).chain([0x010A, 0x0A00, u16::MAX]) {
        let expected = if version == 10 { None } else { unoffered };
        accept_outcome(&plain(), &Accept { version, ..Accept::default() }, expected, &format!("version {version}"));
    }
    for (connection_id, expected) in [(0, malformed()), (1, None), (u64::MAX, None)] {
        accept_outcome(&plain(), &Accept { connection_id, ..Accept::default() }, expected, "connection id");
    }
}

/// R-4.3-1, R-4.3-2, R-3.3-5.
#[test]
fn every_code_of_a_refuse() {
    let outcome = |change: &dyn Fn(&mut Refuse)| {
        let mut hostile = HostilePeer::new(&plain(), Role::Initiator);
        let victim_id = read_u64(&hostile.received[0].1, 4).expect("the Hello's id");
        let mut refuse = Refuse { hello_hash: hostile.transcript.hash(), ..Refuse::default() };
        change(&mut refuse);
        hostile.send_clear(&Header::new(Kind::Refuse, victim_id).packet(&refuse.table().build()));
        assert!(hostile.victim.session.is_drained() && !hostile.victim.was_established());
        hostile.victim.session.close_reason()
    };
    for code in (0..=0x1FF).chain([u16::MAX]) {
        let known = RefuseCode::from_code(code).unwrap_or(RefuseCode::Unspecified);
        assert_eq!(outcome(&|refuse| refuse.code = code), Some(CloseReason::Refused(known)), "code {code}");
    }
    for bit in 0..256 {
        assert_eq!(outcome(&|refuse| refuse.hello_hash[bit / 8] ^= 1 << (bit % 8)), malformed(), "another Hello's");
    }
    for (count, fits) in [(0, true), (8, true), (9, false)] {
        let expected = if fits { Some(CloseReason::Refused(RefuseCode::Unspecified)) } else { malformed() };
        assert_eq!(outcome(&|refuse| refuse.versions = Some(vec![10; count])), expected, "{count} versions");
        assert_eq!(outcome(&|refuse| refuse.suites = Some(vec![2; count])), expected, "{count} suites");
    }
}

// ResponderAuth and InitiatorAuth.

/// What a victim makes of an auth packet with this table.
fn auth_outcome(table: impl Fn(&[u8; 32]) -> Table, expected: Option<CloseReason>, what: &str) {
    for role in ROLES {
        let setup = plain();
        let mut hostile = HostilePeer::before_auth(&setup, role);
        let key = setup.agent(role.peer()).key();
        let table = table(key.peer_id().as_bytes()).build();
        let plaintext = hostile.auth_plaintext(&table, |message| key.sign(message));
        hostile.send_sealed(hostile.auth_kind(), &plaintext);
        hostile.victim.session.decide(hostile.now, Verdict::Accept);
        assert_eq!(hostile.victim.was_established(), expected.is_none(), "{what}, to {role:?}");
        assert_outcome(&mut hostile.victim, expected, what);
    }
}

/// R-7.1-1, R-7.1-2, R-7.1-3 (quinn RUSTSEC-2026-0037).
#[test]
fn every_parameter_at_its_borders() {
    let outcome = |change: &dyn Fn(&mut Params), fits: bool, what: String| {
        let mut params = Params::default();
        change(&mut params);
        let expected = if fits { None } else { misbehaved(PeerMisbehaved::BadParams) };
        auth_outcome(|identity| Auth { params, ..Auth::default() }.table(identity), expected, &what);
    };
    for (value, fits) in [
        (Some(0), false),
        (Some(2_087), false),
        (Some(2_088), true),
        (Some(16_424), true),
        (Some(16_425), false),
        (Some(u16::MAX), false),
        (None, true),
    ] {
        outcome(&|params| params.max_packet = value, fits, format!("max_packet {value:?}"));
    }
    let credits = [0, 1, (1 << 62) - 1, 1 << 62, (1 << 62) + 1, 1 << 63, u64::MAX].map(Some);
    for value in credits.into_iter().chain([None]) {
        let fits = value.is_none_or(|value| value <= 1 << 62);
        outcome(&|params| params.session_credit = value, fits, format!("session_credit {value:?}"));
        outcome(&|params| params.stream_credit = value, fits, format!("stream_credit {value:?}"));
    }
    for value in [0, 1, (1 << 60) - 1, 1 << 60, (1 << 60) + 1, u64::MAX].map(Some).into_iter().chain([None]) {
        let fits = value.is_none_or(|value| value <= 1 << 60);
        outcome(&|params| params.bidirectional_streams = value, fits, format!("bidirectional_streams {value:?}"));
        outcome(&|params| params.unidirectional_streams = value, fits, format!("unidirectional_streams {value:?}"));
    }
    for (value, fits) in [(None, false), (Some(0), false), (Some(1), true), (Some(u64::MAX), true)] {
        outcome(&|params| params.max_message = value, fits, format!("max_message {value:?}"));
    }
    for value in [None, Some(0), Some(1), Some(u32::MAX)] {
        outcome(&|params| params.idle_timeout_ms = value, true, format!("idle_timeout_ms {value:?}"));
    }
    for value in 0..=u8::MAX {
        outcome(&|params| params.compression = Some(value), true, format!("compression {value}"));
        outcome(&|params| params.receipts = Some(value), true, format!("receipts {value}"));
    }
    for value in [None, Some(0), Some(1), Some(u16::MAX)] {
        outcome(&|params| params.max_datagram = value, true, format!("max_datagram {value:?}"));
    }
    for (value, fits) in
        [(None, true), (Some(0), true), (Some((1 << 14) - 1), true), (Some(1 << 14), false), (Some(u16::MAX), false)]
    {
        outcome(&|params| params.max_ack_delay_ms = value, fits, format!("max_ack_delay_ms {value:?}"));
    }
}

/// R-3.3-3, R-3.3-5, R-4.6-2, R-11.1-1.
#[test]
fn the_rest_of_an_auth_packet() {
    let auth = |length: usize| {
        move |identity: &[u8; 32]| Auth { credentials: Some(vec![1; length]), ..Auth::default() }.table(identity)
    };
    auth_outcome(auth(0), None, "empty credentials");
    auth_outcome(auth(512), None, "the longest credentials");
    auth_outcome(auth(513), malformed(), "one byte too many");
    let claim = |identity: &[u8; 32]| Auth { claim: Some([0xA5; 72]), ..Auth::default() }.table(identity);
    auth_outcome(claim, None, "a claim, or an unknown field");
    auth_outcome(|identity| Auth::default().table(identity).u64(40, u64::MAX), None, "an unknown field");
    auth_outcome(|identity| Auth::default().table(identity).without(0), malformed(), "no parameters");
}

// Headers of Data packets, sealed with the real keys under whatever they say.

/// R-3.1-1, R-3.1-2, R-3.1-3, R-3.1-4, R-3.1-5, R-9.1-3: what breaks a rule of section 3 is not answered, authentic or not.
#[test]
fn every_field_of_a_header() {
    let header_outcome = |change: &dyn Fn(&mut Header), expected: PeerMisbehaved, what: String| {
        for (role, admission) in
            [(ROLES[0], Admission::Any), (ROLES[1], Admission::Any), (Role::Responder, Admission::Ask)]
        {
            let setup = Setup { admission, ..Setup::with_suite(Suite::X25519ChaCha20Poly1305) };
            let mut hostile = HostilePeer::before_auth(&setup, role);
            hostile.send_auth(&Auth::default());
            hostile.receive();
            let plaintext = Payload { padding: vec![0; 100], ..Payload::default() }.table().build();
            let mut header = hostile.header(Kind::Data, plaintext.len());
            change(&mut header);
            let label = if role == Role::Initiator { "R_AP_3" } else { "I_AP_3" };
            let keys = PacketKeys::new(Suite::X25519ChaCha20Poly1305, &setup.agent(role).secrets.get(label));
            let body = keys.seal(hostile.next_sealed, &header.to_bytes(), &plaintext);
            let before = hostile.victim.streams_digest();
            hostile.victim.feed(hostile.now, &[&header.to_bytes()[..], &body].concat());
            assert_eq!(hostile.victim.session.close_reason(), misbehaved(expected), "{what}, {role:?}");
            assert!(hostile.victim.session.is_drained(), "{what}, {role:?}: not answered");
            assert_eq!(hostile.victim.streams_digest(), before);
        }
    };
    for value in 0..=u8::MAX {
        if value != Kind::Data {
            let what = format!("kind {value}");
            header_outcome(&|header| header.kind = value, PeerMisbehaved::UnexpectedPacket, what);
        }
        if value != 10 {
            header_outcome(&|header| header.version = value, PeerMisbehaved::NotAiTcp, format!("version {value}"));
        }
    }
    for epoch in (0..32).map(|bit| 3 ^ (1 << bit)).chain([0, 4, u32::MAX]) {
        header_outcome(&|header| header.epoch = epoch, PeerMisbehaved::UnexpectedPacket, format!("epoch {epoch}"));
    }
    for bit in 0..64 {
        header_outcome(&|header| header.connection_id ^= 1 << bit, PeerMisbehaved::BadHeader, format!("id, bit {bit}"));
        let what = format!("number, bit {bit}");
        header_outcome(&|header| header.encrypted_sequence_id = 1 << bit, PeerMisbehaved::BadHeader, what);
    }
    header_outcome(&|header| header.connection_id = 0, PeerMisbehaved::BadHeader, "no id".into());
    for length in [0, 1, 27, 16_401, u16::MAX] {
        header_outcome(&|header| header.length = length, PeerMisbehaved::PacketLength, format!("length {length}"));
    }
}

/// R-3.2-3: a Data packet of the agreed length is taken, one that is a byte longer is not.
#[test]
fn a_data_packet_is_as_long_as_was_agreed() {
    for (role, max_packet) in ROLES.into_iter().flat_map(|role| [(role, 2_088), (role, 16_424)]) {
        for (more, expected) in [(0, None), (1, misbehaved(PeerMisbehaved::PacketLength))] {
            let mut setup = plain();
            setup.agent_mut(role).limits.max_packet = max_packet;
            let mut hostile = HostilePeer::before_auth(&setup, role);
            hostile.send_auth(&Auth::default());
            hostile.victim.session.decide(hostile.now, Verdict::Accept);
            hostile.receive();
            let empty = Payload { padding: vec![0], ..Payload::default() }.table().build();
            let room = usize::from(max_packet) - 24 - 16;
            let padding = vec![0; room + more - empty.len() + 1];
            let plaintext = Payload { padding, ..Payload::default() }.table().build();
            assert_eq!(plaintext.len(), room + more);
            hostile.send_sealed(Kind::Data, &plaintext);
            assert_eq!(hostile.victim.session.close_reason(), expected, "{max_packet} and {more}, to {role:?}");
        }
    }
}
