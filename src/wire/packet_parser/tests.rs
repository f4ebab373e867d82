//! The rules of each body, and the largest of each.

mod datagram;
mod hostile;
mod round_trip;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use flatbuffers::FlatBufferBuilder;
use proptest::collection::vec as vec_of;
use proptest::prelude::*;

use super::*;
use crate::crypto::provider::TAG_LEN;
use crate::event::RefuseCode;
use crate::role::Role;
use crate::wire::packet_builder::{self, Accept, Auth, Hello, Identity, Refuse};
use crate::wire::{HEADER_LEN, Header, PacketKind, Params, tables};

/// Every handshake packet fits the smallest datagram that the protocol counts on.
const MAX_HANDSHAKE_PACKET: usize = 1232;
const SAMPLE: [u8; 32] = [0xA5; 32];

/// A Hello field by field, without regard to any rule.
#[derive(Clone)]
struct RawHello {
    versions: Vec<u16>,
    suites: Vec<u8>,
    connection_id: u64,
    app_protocol: String,
    realm: Option<String>,
    ticket: Option<Vec<u8>>,
    padding: Option<Vec<u8>>,
    cookie: [u8; 32],
    peer_tag: [u8; 32],
    binder: [u8; 32],
}

impl RawHello {
    fn smallest() -> Self {
        Self {
            versions: vec![10],
            suites: vec![2],
            connection_id: 1,
            app_protocol: String::from("a"),
            realm: None,
            ticket: None,
            padding: None,
            cookie: [0; 32],
            peer_tag: [0; 32],
            binder: [0; 32],
        }
    }

    fn largest() -> Self {
        Self {
            versions: vec![10; 8],
            suites: vec![2; 8],
            connection_id: u64::MAX,
            app_protocol: "a".repeat(64),
            realm: Some("r".repeat(64)),
            ticket: Some(vec![0xEE; 512]),
            padding: None,
            cookie: SAMPLE,
            peer_tag: SAMPLE,
            binder: SAMPLE,
        }
    }

    fn body(&self) -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let args = tables::HelloArgs {
            versions: Some(builder.create_vector(&self.versions)),
            suites: Some(builder.create_vector(&self.suites)),
            random: Some(&tables::Bytes32(SAMPLE)),
            key_share: Some(&tables::Bytes32(SAMPLE)),
            connection_id: self.connection_id,
            app_protocol: Some(builder.create_string(&self.app_protocol)),
            realm: self.realm.as_ref().map(|realm| builder.create_string(realm)),
            ticket: self.ticket.as_ref().map(|ticket| builder.create_vector(ticket)),
            padding: self.padding.as_ref().map(|padding| builder.create_vector(padding)),
        };
        let root = tables::Hello::create(&mut builder, &args);
        builder.finish_minimal(root);
        [builder.finished_data(), &self.cookie, &self.peer_tag, &self.binder].concat()
    }
}

fn hello_fits(change: impl FnOnce(&mut RawHello)) -> bool {
    let mut hello = RawHello::smallest();
    change(&mut hello);
    HelloView::parse(&hello.body()).is_ok()
}

fn largest_params() -> Params {
    Params {
        max_packet: 16_424,
        session_credit: 1 << 62,
        stream_credit: 1 << 62,
        bidirectional_streams: 1 << 60,
        unidirectional_streams: 1 << 60,
        max_message: u64::MAX,
        idle_timeout_ms: u32::MAX,
        compression: true,
        max_datagram: u16::MAX,
        max_ack_delay_ms: (1 << 14) - 1,
    }
}

/// An InitiatorAuth with every field that the schema has, at its largest.
fn largest_initiator_auth() -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    let params = tables::ParamsArgs {
        max_packet: 16_424,
        session_credit: 1 << 62,
        stream_credit: 1 << 62,
        bidirectional_streams: 1 << 60,
        unidirectional_streams: 1 << 60,
        max_message: u64::MAX,
        idle_timeout_ms: u32::MAX,
        compression: true,
        receipts: true,
        max_datagram: u16::MAX,
        max_ack_delay_ms: (1 << 14) - 1,
    };
    let args = tables::InitiatorAuthArgs {
        params: Some(tables::Params::create(&mut builder, &params)),
        identity: Some(&tables::Bytes32(SAMPLE)),
        credentials: Some(builder.create_vector(&[1_u8; 512])),
        claim: Some(&tables::Claim::new(&SAMPLE, u64::MAX, &SAMPLE)),
    };
    let root = tables::InitiatorAuth::create(&mut builder, &args);
    builder.finish_minimal(root);
    [builder.finished_data(), &[3; 64], &[4; 32]].concat()
}

fn receiver() -> NonZeroU64 {
    NonZeroU64::MAX
}

fn auth_of(params: Params, credentials: &[u8]) -> Auth<'_> {
    Auth { params, identity: Some(Identity { key: &SAMPLE, credentials }) }
}

fn auth_packet(auth: &Auth<'_>, sender: Role) -> Vec<u8> {
    auth.build(sender, receiver(), 0).sign(Some(&[3; 64])).finish(&[4; 32])
}

fn resumed_packet(auth: &Auth<'_>, sender: Role) -> Vec<u8> {
    auth.build(sender, receiver(), 0).sign(None).finish(&[4; 32])
}

/// The body of a packet that this crate built, tag room excluded, with its header checked.
fn body_of(packet: &[u8], kind: PacketKind, tag_len: usize) -> &[u8] {
    let (header, body) = packet.split_first_chunk().unwrap();
    let header = Header::parse(header).unwrap();
    assert_eq!((header.kind, usize::from(header.length), header.number_field), (kind, body.len(), 0));
    &body[..body.len() - tag_len]
}

/// R-3.2-2.
#[test]
fn the_largest_of_each_handshake_packet_fits() {
    let hello = RawHello::largest().body();
    assert!(HelloView::parse(&hello).is_ok());
    let room = MAX_HANDSHAKE_PACKET - HEADER_LEN - hello.len();
    // A datagram carrier pads up to the limit: the vector's length and at most 7 bytes of alignment come with it.
    let padded = RawHello { padding: Some(vec![0; room - 12]), ..RawHello::largest() }.body();
    assert!(HelloView::parse(&padded).is_ok());

    let mut builder = FlatBufferBuilder::new();
    let sample = tables::Bytes32(SAMPLE);
    let args = tables::RetryArgs { hello_hash: Some(&sample), cookie: Some(&sample) };
    let root = tables::Retry::create(&mut builder, &args);
    builder.finish_minimal(root);
    let retry = builder.finished_data();

    let refuse =
        Refuse { hello_hash: &SAMPLE, code: RefuseCode::Busy, versions: &[10; 8], suites: &[1; 8] }.build(receiver());
    let accept = Accept {
        version: u16::MAX,
        suite: u8::MAX,
        random: &SAMPLE,
        key_share: &SAMPLE,
        connection_id: NonZeroU64::MAX,
        resumed: true,
    };
    let accept = accept.build(receiver());
    let auth = auth_of(largest_params(), &[1; 512]);
    let packets = [
        HEADER_LEN + padded.len(),
        HEADER_LEN + retry.len(),
        refuse.len(),
        accept.len(),
        packet_builder::kem_offer(receiver(), &[1; KEM_KEY_LEN]).len(),
        auth_packet(&auth, Role::Responder).len(),
        packet_builder::kem_reply(receiver(), &[1; KEM_CIPHERTEXT_LEN]).len(),
        auth_packet(&auth, Role::Initiator).len(),
        HEADER_LEN + largest_initiator_auth().len() + TAG_LEN,
    ];
    for len in packets {
        assert!(len <= MAX_HANDSHAKE_PACKET, "{packets:?}");
    }
    assert_eq!(packets[4], 1224);
    assert!(AuthView::of_initiator(&largest_initiator_auth()).is_ok());

    // Answers to a stranger are smaller than what the stranger sent.
    let smallest = HEADER_LEN + RawHello::smallest().body().len();
    assert!(refuse.len() < smallest && HEADER_LEN + retry.len() < smallest);
}

/// R-3.3-5.
#[test]
fn each_maximum_holds_to_the_byte() {
    for (len, fits) in [(0, false), (1, true), (7, true), (8, true), (9, false)] {
        assert_eq!(hello_fits(|hello| hello.versions = vec![10; len]), fits, "{len} versions");
        assert_eq!(hello_fits(|hello| hello.suites = vec![2; len]), fits, "{len} suites");
    }
    for (len, fits) in [(0, false), (1, true), (63, true), (64, true), (65, false)] {
        assert_eq!(hello_fits(|hello| hello.app_protocol = "a".repeat(len)), fits, "{len} bytes of app_protocol");
    }
    for (len, fits) in [(0, true), (63, true), (64, true), (65, false)] {
        assert_eq!(hello_fits(|hello| hello.realm = Some("r".repeat(len))), fits, "{len} bytes of realm");
    }
    for (len, fits) in [(0, true), (511, true), (512, true), (513, false)] {
        assert_eq!(hello_fits(|hello| hello.ticket = Some(vec![1; len])), fits, "{len} bytes of ticket");
        let credentials = vec![1; len];
        let packet = auth_packet(&auth_of(largest_params(), &credentials), Role::Responder);
        let body = body_of(&packet, PacketKind::ResponderAuth, TAG_LEN);
        assert_eq!(AuthView::of_responder(body).is_ok(), fits, "{len} bytes of credentials");
    }
    for (len, fits) in [(0, true), (8, true), (9, false)] {
        let (versions, suites) = (vec![10; len], vec![1; len]);
        let more_versions =
            Refuse { hello_hash: &SAMPLE, code: RefuseCode::Unspecified, versions: &versions, suites: &[] }
                .build(receiver());
        assert_eq!(RefuseView::parse(&more_versions[HEADER_LEN..]).is_ok(), fits, "{len} versions in a Refuse");
        let more_suites = Refuse { hello_hash: &SAMPLE, code: RefuseCode::Unspecified, versions: &[], suites: &suites }
            .build(receiver());
        assert_eq!(RefuseView::parse(&more_suites[HEADER_LEN..]).is_ok(), fits, "{len} suites in a Refuse");
    }
    for len in [KEM_KEY_LEN - 1, KEM_KEY_LEN, KEM_KEY_LEN + 1] {
        assert_eq!(kem_offer(&vec![0; len]).is_ok(), len == KEM_KEY_LEN);
    }
    for len in [KEM_CIPHERTEXT_LEN - 1, KEM_CIPHERTEXT_LEN, KEM_CIPHERTEXT_LEN + 1] {
        assert_eq!(kem_reply(&vec![0; len]).is_ok(), len == KEM_CIPHERTEXT_LEN);
    }
}

/// R-3.3-5, R-4.1-4.
#[test]
fn what_a_hello_must_not_say_is_refused() {
    assert!(!hello_fits(|hello| hello.connection_id = 0));
    assert!(!hello_fits(|hello| hello.binder = SAMPLE), "a binder without a ticket");
    assert!(!hello_fits(|hello| (hello.binder, hello.ticket) = (SAMPLE, Some(Vec::new()))), "an empty ticket is none");
    assert!(hello_fits(|hello| (hello.binder, hello.ticket) = (SAMPLE, Some(vec![1]))));
    assert!(!hello_fits(|hello| hello.padding = Some(vec![0, 0, 1])), "padding is zeros");
}

/// R-4.1-3.
#[test]
fn padding_and_cookies_have_no_place_on_a_stream() {
    let for_stream = |hello: RawHello| HelloView::parse(&hello.body()).unwrap().for_stream().is_ok();
    assert!(for_stream(RawHello::smallest()));
    assert!(for_stream(RawHello { padding: Some(Vec::new()), ..RawHello::smallest() }), "empty is as good as absent");
    assert!(!for_stream(RawHello { padding: Some(vec![0]), ..RawHello::smallest() }));
    assert!(!for_stream(RawHello { cookie: SAMPLE, ..RawHello::smallest() }));
}

#[test]
fn an_accept_needs_a_connection_id() {
    let build = |connection_id| {
        let mut builder = FlatBufferBuilder::new();
        let args = tables::AcceptArgs {
            version: 10,
            suite: 1,
            random: Some(&tables::Bytes32(SAMPLE)),
            key_share: Some(&tables::Bytes32(SAMPLE)),
            connection_id,
            ..tables::AcceptArgs::default()
        };
        let root = tables::Accept::create(&mut builder, &args);
        builder.finish_minimal(root);
        builder.finished_data().to_vec()
    };
    assert!(AcceptView::parse(&build(1)).is_ok());
    assert_eq!(AcceptView::parse(&build(0)).err(), Some(Malformed));
}

/// R-4.6-1.
#[test]
fn an_identity_is_required_and_a_zero_one_is_not_an_absent_one() {
    let build = |identity: Option<tables::Bytes32>| {
        let mut builder = FlatBufferBuilder::new();
        let params = tables::Params::create(
            &mut builder,
            &tables::ParamsArgs { max_message: 1, ..tables::ParamsArgs::default() },
        );
        let args =
            tables::ResponderAuthArgs { params: Some(params), identity: identity.as_ref(), ..Default::default() };
        let root = tables::ResponderAuth::create(&mut builder, &args);
        builder.finish_minimal(root);
        [builder.finished_data(), &[0; 96]].concat()
    };
    assert!(AuthView::of_responder(&build(Some(tables::Bytes32(SAMPLE)))).is_ok());
    assert!(AuthView::of_responder(&build(Some(tables::Bytes32([0; 32])))).is_ok(), "weak keys are not our business");
    assert_eq!(AuthView::of_responder(&build(None)).err(), Some(AuthError::Malformed));
    // R-4.6-3: in a resumed handshake it is the other way round.
    let resumed = |identity| {
        let mut body = build(identity);
        body.drain(body.len() - 96..body.len() - 32);
        ResumedAuthView::of_responder(&body).err()
    };
    assert_eq!(resumed(Some(tables::Bytes32(SAMPLE))), Some(AuthError::Malformed));
    assert_eq!(resumed(None), None);
}

/// R-3.3-3.
#[test]
fn a_missing_required_field_is_malformed() {
    let mut builder = FlatBufferBuilder::new();
    let table = builder.start_table();
    let root = builder.end_table(table);
    builder.finish_minimal(root);
    let empty = builder.finished_data();
    assert_eq!(HelloView::parse(&[empty, &[0; 96]].concat()).err(), Some(Malformed));
    assert_eq!(RefuseView::parse(empty).err(), Some(Malformed));
    assert_eq!(AcceptView::parse(empty).err(), Some(Malformed));
    let auth = [empty, &[0; 96]].concat();
    assert_eq!(AuthView::of_responder(&auth).err(), Some(AuthError::Malformed));
    assert_eq!(AuthView::of_initiator(&auth).err(), Some(AuthError::Malformed));
}

/// R-7.1-1.
#[test]
fn params_outside_their_ranges_are_told_apart_from_malformed_ones() {
    let outcome = |change: fn(&mut Params, u64), value: u64| {
        let mut params = largest_params();
        change(&mut params, value);
        let packet = auth_packet(&auth_of(params, &[]), Role::Initiator);
        match AuthView::of_initiator(body_of(&packet, PacketKind::InitiatorAuth, TAG_LEN)) {
            Ok(view) => {
                assert_eq!(view.params, params);
                true
            }
            Err(error) => {
                assert_eq!(error, AuthError::BadParams);
                false
            }
        }
    };
    let max_packet = |params: &mut Params, value| params.max_packet = u16::try_from(value).unwrap();
    for (value, fits) in [(0, false), (2_087, false), (2_088, true), (16_424, true), (16_425, false), (65_535, false)] {
        assert_eq!(outcome(max_packet, value), fits, "max_packet {value}");
    }
    let credits: [fn(&mut Params, u64); 2] =
        [|params, value| params.session_credit = value, |params, value| params.stream_credit = value];
    for (value, fits) in [(0, true), (1 << 62, true), ((1 << 62) + 1, false), (u64::MAX, false)] {
        for credit in credits {
            assert_eq!(outcome(credit, value), fits, "credit {value}");
        }
    }
    let counts: [fn(&mut Params, u64); 2] =
        [|params, value| params.bidirectional_streams = value, |params, value| params.unidirectional_streams = value];
    for (value, fits) in [(0, true), (1 << 60, true), ((1 << 60) + 1, false), (u64::MAX, false)] {
        for count in counts {
            assert_eq!(outcome(count, value), fits, "streams {value}");
        }
    }
    for (value, fits) in [(0, false), (1, true), (u64::MAX, true)] {
        assert_eq!(outcome(|params, value| params.max_message = value, value), fits, "max_message {value}");
    }
}

/// R-3.3-1, R-11.1-1.
#[test]
fn an_encoding_that_shares_and_reorders_is_as_good_as_any() {
    // Fields in another order than our builder's, one vector under two names, and a field from a later version of the schema.
    let mut builder = FlatBufferBuilder::new();
    let shared = builder.create_vector(b"ab");
    let name = builder.create_string("protocol");
    let unknown = builder.create_vector(&[1_u64, 2, 3]);
    let versions = builder.create_vector(&[10_u16, 9]);
    let table = builder.start_table();
    builder.push_slot_always(22, unknown);
    builder.push_slot_always(tables::Hello::VT_RANDOM, tables::Bytes32(SAMPLE));
    builder.push_slot_always(tables::Hello::VT_TICKET, shared);
    builder.push_slot_always(tables::Hello::VT_REALM, name);
    builder.push_slot_always(tables::Hello::VT_APP_PROTOCOL, name);
    builder.push_slot_always(tables::Hello::VT_SUITES, shared);
    builder.push_slot_always(tables::Hello::VT_CONNECTION_ID, 7_u64);
    builder.push_slot_always(tables::Hello::VT_VERSIONS, versions);
    builder.push_slot_always(tables::Hello::VT_KEY_SHARE, tables::Bytes32([1; 32]));
    let root = builder.end_table(table);
    builder.finish_minimal(root);
    let body = [builder.finished_data(), &[0; 96]].concat();

    let hello = HelloView::parse(&body).unwrap();
    assert_eq!((hello.suites, hello.app_protocol, hello.realm), (&b"ab"[..], "protocol", "protocol"));
    assert_eq!((hello.random, hello.key_share, hello.connection_id.get()), (&SAMPLE, &[1; 32], 7));
    assert_eq!(hello.versions.iter().collect::<Vec<_>>(), [10, 9]);
    assert_eq!(hello.peer_tag, None);
}

/// R-4.1-2, R-4.6-2, R-7.1-2, R-7.1-3.
#[test]
fn what_later_revisions_use_is_passed_over() {
    let with_ticket = RawHello { ticket: Some(vec![1]), binder: SAMPLE, ..RawHello::smallest() }.body();
    assert!(HelloView::parse(&with_ticket).unwrap().for_stream().is_ok());

    // With a claim and every reserved parameter, and the same without any but the one that has no default.
    let view = |body: &[u8]| AuthView::of_initiator(body).unwrap().params;
    assert_eq!(view(&largest_initiator_auth()), largest_params());
    let mut builder = FlatBufferBuilder::new();
    let params = tables::ParamsArgs { max_message: 5, ..tables::ParamsArgs::default() };
    let args = tables::InitiatorAuthArgs {
        params: Some(tables::Params::create(&mut builder, &params)),
        identity: Some(&tables::Bytes32(SAMPLE)),
        ..tables::InitiatorAuthArgs::default()
    };
    let root = tables::InitiatorAuth::create(&mut builder, &args);
    builder.finish_minimal(root);
    let defaults = Params {
        max_packet: 2_088,
        session_credit: 0,
        stream_credit: 0,
        bidirectional_streams: 0,
        unidirectional_streams: 0,
        max_message: 5,
        idle_timeout_ms: 0,
        compression: false,
        max_datagram: 0,
        max_ack_delay_ms: 25,
    };
    assert_eq!(view(&[builder.finished_data(), &[0; 96]].concat()), defaults);
}

/// R-3.3-2.
#[test]
fn a_buffer_that_grows_when_it_is_followed_is_refused() {
    // One vector of 33,000 bytes under two names: small on the wire, larger than any packet when followed.
    let build = |names: usize| {
        let mut builder = FlatBufferBuilder::new();
        let padding = builder.create_vector(&[0_u8; 33_000]);
        let table = builder.start_table();
        for slot in [tables::Payload::VT_PADDING, tables::Payload::VT_DATA].into_iter().take(names) {
            builder.push_slot_always(slot, padding);
        }
        let root = builder.end_table(table);
        builder.finish_minimal(root);
        builder.finished_data().to_vec()
    };
    assert!(verified::<tables::Payload<'_>>(&build(1)).is_ok());
    assert_eq!(verified::<tables::Payload<'_>>(&build(2)).err(), Some(Malformed));
}

/// R-4.3-2.
#[test]
fn a_refusal_for_a_reason_of_a_later_version_is_one_without_a_reason() {
    let parsed = |code| {
        let mut builder = FlatBufferBuilder::new();
        let args = tables::RefuseArgs {
            hello_hash: Some(&tables::Bytes32(SAMPLE)),
            code: tables::RefuseCode(code),
            ..tables::RefuseArgs::default()
        };
        let root = tables::Refuse::create(&mut builder, &args);
        builder.finish_minimal(root);
        RefuseView::parse(builder.finished_data()).unwrap().code
    };
    assert_eq!((0..=6).map(parsed).collect::<Vec<_>>(), RefuseCode::ALL);
    assert_eq!([parsed(7), parsed(u16::MAX)], [RefuseCode::Unspecified; 2]);
}

/// R-3.3-3.
#[test]
fn text_that_is_not_utf8_is_malformed() {
    let mut body = RawHello { app_protocol: String::from("marker"), ..RawHello::smallest() }.body();
    let position = body.windows(6).position(|window| window == b"marker").unwrap();
    assert!(HelloView::parse(&body).is_ok());
    body[position] = 0xFF;
    assert_eq!(HelloView::parse(&body).err(), Some(Malformed));
}
