//! Every limit at n - 1, n and n + 1: of configurations, of what is taken from the peer, of what is sent to it, of what the application
//! may leave behind. (Handshake packets and parameters: `handshake_values.rs`. Keys: `key_limits.rs`.)
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use std::sync::Arc;
use std::time::Duration;

use aitcp::{
    Admission, Carrier, ConfigError, Direction, Ending, Event, Instant, Limits, MAX_MAX_PACKET, MIN_MAX_PACKET,
    OpenError, ProtocolCode, Role, Seed, SendError, Session, StreamId, Suite, Timeouts,
};
use aitcp_testkit::forge::{Auth, Control, Fragment, HostilePeer, Params, Payload, split_packets};
use aitcp_testkit::{Agent, Setup};

const NOW: Instant = Instant::ORIGIN;

/// An established responder with these limits; the test is its peer, with these parameters.
fn victim(limits: Limits, params: Params) -> HostilePeer {
    let mut setup = Setup::default();
    setup.responder.limits = limits;
    let mut hostile = HostilePeer::before_auth(&setup, Role::Responder);
    hostile.send_auth(&Auth { params, ..Auth::default() });
    hostile.receive();
    assert!(hostile.victim.was_established(), "{:?}", hostile.victim);
    hostile
}

fn with(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

// ---- configurations ---------------------------------------------------------------------------------------------------------------

/// What the configuration of a setup is answered with, at both ends.
fn configured(change: impl Fn(&mut Setup)) -> Result<(), ConfigError> {
    let mut setup = Setup::default();
    change(&mut setup);
    let seed = || Seed::new([1; 32]).unwrap();
    let server = Session::accept(NOW, Arc::new(setup.server_config()), Carrier::Stream, seed()).map(|_| ());
    let client =
        Session::connect(NOW, Arc::new(setup.client_config()), setup.expect, Carrier::Stream, seed()).map(|_| ());
    assert_eq!(client, server, "both ends judge alike");
    server
}

fn with_agents(change: impl Fn(&mut Agent)) -> Result<(), ConfigError> {
    configured(|setup| {
        change(&mut setup.initiator);
        change(&mut setup.responder);
    })
}

fn with_limits(change: impl Fn(&mut Limits)) -> Result<(), ConfigError> {
    with_agents(|agent| change(&mut agent.limits))
}

fn with_timeouts(change: impl Fn(&mut Timeouts)) -> Result<(), ConfigError> {
    with_agents(|agent| change(&mut agent.timeouts))
}

#[test]
fn limits_and_timeouts_of_a_configuration_have_bounds() {
    let packet = |size| with_limits(move |limits| limits.max_packet = size);
    assert_eq!(packet(MIN_MAX_PACKET - 1), Err(ConfigError::Limit("max_packet")));
    assert_eq!([packet(MIN_MAX_PACKET), packet(MAX_MAX_PACKET)], [Ok(()); 2]);
    assert_eq!(packet(MAX_MAX_PACKET + 1), Err(ConfigError::Limit("max_packet")));

    assert_eq!(with_limits(|limits| limits.stream_window = 0), Err(ConfigError::Limit("stream_window")));
    assert_eq!(with_limits(|limits| limits.stream_window = 1), Ok(()));
    assert_eq!(with_limits(|limits| limits.session_window = limits.stream_window), Ok(()));
    let smaller = with_limits(|limits| limits.session_window = limits.stream_window - 1);
    assert_eq!(smaller, Err(ConfigError::Limit("session_window")));
    assert_eq!(with_limits(|limits| limits.send_buffer = limits.stream_send_buffer), Ok(()));
    let smaller = with_limits(|limits| limits.send_buffer = limits.stream_send_buffer - 1);
    assert_eq!(smaller, Err(ConfigError::Limit("send_buffer")));
    assert_eq!(with_limits(|limits| limits.max_message = 0), Err(ConfigError::Limit("max_message")));
    assert_eq!(with_limits(|limits| limits.max_message = 1), Ok(()));
    let datagram = |size| with_limits(move |limits| (limits.max_packet, limits.max_datagram) = (3_000, size));
    assert_eq!([datagram(0), datagram(3_000 - 98)], [Ok(()); 2]);
    assert_eq!(datagram(3_000 - 97), Err(ConfigError::Limit("max_datagram")));
    assert_eq!(with_limits(|limits| limits.datagram_queue = 0), Err(ConfigError::Limit("datagram_queue")));
    assert_eq!(with_limits(|limits| (limits.max_datagram, limits.datagram_queue) = (0, 0)), Ok(()));
    assert_eq!(with_limits(|limits| limits.packets_in_flight = 15), Err(ConfigError::Limit("packets_in_flight")));
    assert_eq!(with_limits(|limits| limits.packets_in_flight = 16), Ok(()));
    let none = with_limits(|limits| {
        (limits.peer_bidirectional_streams, limits.peer_unidirectional_streams, limits.own_streams) = (0, 0, 0);
    });
    assert_eq!(none, Ok(()));

    let (zero, short, some) = (Duration::ZERO, Duration::from_micros(999), Duration::from_millis(1));
    assert_eq!(with_timeouts(|timeouts| timeouts.handshake = zero), Err(ConfigError::Timeout("handshake")));
    assert_eq!(with_timeouts(|timeouts| timeouts.verdict = zero), Err(ConfigError::Timeout("verdict")));
    assert_eq!(with_timeouts(|timeouts| timeouts.idle = Some(short)), Err(ConfigError::Timeout("idle")));
    assert_eq!(with_timeouts(|timeouts| timeouts.idle = Some(some)), Ok(()));
    let no_time = with_timeouts(|timeouts| timeouts.datagram_handshake = Duration::ZERO);
    assert_eq!(no_time, Err(ConfigError::Timeout("datagram_handshake")));
    let longest = Duration::from_millis(u32::MAX.into());
    assert_eq!(with_timeouts(|timeouts| timeouts.idle = Some(longest)), Ok(()));
    assert_eq!(with_timeouts(|timeouts| timeouts.idle = Some(longest + some)), Err(ConfigError::Timeout("idle")));
    assert_eq!(with_timeouts(|timeouts| timeouts.keepalive = Some(short)), Err(ConfigError::Timeout("keepalive")));
    let longest = Duration::from_millis((1 << 14) - 1);
    for fits in [zero, longest] {
        assert_eq!(with_timeouts(|timeouts| timeouts.max_ack_delay = fits), Ok(()));
    }
    let longer = with_timeouts(|timeouts| timeouts.max_ack_delay = longest + some);
    assert_eq!(longer, Err(ConfigError::Timeout("max_ack_delay")));
    assert_eq!(with_timeouts(|timeouts| timeouts.keepalive = Some(some)), Ok(()));
}

#[test]
fn names_credentials_and_suites_of_a_configuration_have_bounds() {
    let protocol = |len| {
        configured(move |setup| (setup.app_protocol, setup.served_protocols) = ("x".repeat(len), vec!["x".repeat(len)]))
    };
    assert_eq!([protocol(0), protocol(65)], [Err(ConfigError::AppProtocol); 2]);
    assert_eq!([protocol(1), protocol(64)], [Ok(()); 2]);
    let realm =
        |len| configured(move |setup| (setup.realm, setup.served_realms) = ("x".repeat(len), vec!["x".repeat(len)]));
    assert_eq!([realm(0), realm(64), realm(65)], [Ok(()), Ok(()), Err(ConfigError::Realm)]);
    let credentials = |len| with_agents(move |agent| agent.credentials = vec![1; len]);
    assert_eq!([credentials(512), credentials(513)], [Ok(()), Err(ConfigError::Credentials)]);
    let suites = |suites: &'static [Suite]| with_agents(move |agent| agent.suites = suites.to_vec());
    assert_eq!(suites(&[]), Err(ConfigError::Suites));
    assert_eq!(suites(&[Suite::X25519Aes256Gcm, Suite::X25519Aes256Gcm]), Err(ConfigError::Suites));
    assert_eq!(suites(&Setup::SUITES), Ok(()));

    let serves = |change: fn(&mut Setup)| {
        let mut setup = Setup { admission: Admission::Any, ..Setup::default() };
        change(&mut setup);
        let seed = Seed::new([1; 32]).unwrap();
        Session::accept(NOW, Arc::new(setup.server_config()), Carrier::Stream, seed).map(|_| ())
    };
    assert_eq!(serves(|setup| setup.served_protocols.clear()), Err(ConfigError::AppProtocol));
    assert_eq!(serves(|setup| setup.served_realms.clear()), Err(ConfigError::Realm));
}

// ---- what is taken from the peer --------------------------------------------------------------------------------------------------

/// R-8.3-6: in one fragment and in many; the end of the message is not part of its length.
#[test]
fn a_message_has_as_many_bytes_as_are_taken() {
    for max in [1, 2, 100, 3_000] {
        for piece in [1, 7, 4_000] {
            for extra in [0, 1] {
                let mut hostile = victim(with(|limits| limits.max_message = max), Params::default());
                let message = vec![1; usize::try_from(max).unwrap() + extra];
                let pieces = message.chunks(piece).count();
                let mut offset = 0;
                for (index, bytes) in message.chunks(piece).enumerate() {
                    let flags = if index + 1 == pieces { Fragment::END_OF_MESSAGE } else { 0 };
                    hostile.send_data(&Payload::fragment(4, offset, bytes, flags));
                    offset += bytes.len() as u64;
                }
                assert_eq!(hostile.victim.ended_for(ProtocolCode::MessageTooLarge), extra == 1, "{max} {piece}");
                if extra == 0 {
                    hostile.send_data(&Payload::fragment(4, offset + 1, &message[..1], Fragment::END_OF_MESSAGE));
                    assert_eq!(hostile.victim.session.close_reason(), None, "each message counts for itself");
                }
            }
        }
    }
}

/// R-8.5-1, R-8.5-2: on one stream and over all, with ends of messages and resets that skip; at the limit and one beyond.
#[test]
fn offsets_stay_within_the_credit_given() {
    const STREAM: u32 = 50;
    const SESSION: u32 = 120;
    let limits = with(|limits| (limits.stream_window, limits.session_window) = (STREAM, SESSION));
    let bytes = |len: u32| vec![1; len as usize];
    let reset = |stream, final_offset: u32| {
        Payload::control(Control { code: Control::RESET, stream, b: final_offset.into(), ..Control::default() })
    };
    let fits: [&[Payload]; 4] = [
        &[Payload::fragment(4, 0, &bytes(STREAM), 0)],
        &[Payload::fragment(4, 0, &bytes(STREAM - 1), Fragment::END_OF_MESSAGE)],
        &[reset(4, STREAM)],
        &[
            Payload::fragment(4, 0, &bytes(STREAM), 0),
            Payload::fragment(8, 0, &bytes(STREAM - 1), Fragment::END_OF_MESSAGE),
            Payload::fragment(6, 0, &bytes(SESSION - 2 * STREAM), 0),
        ],
    ];
    for payloads in fits {
        let mut hostile = victim(limits, Params::default());
        payloads.iter().for_each(|payload| hostile.send_data(payload));
        assert_eq!(hostile.victim.session.close_reason(), None, "{payloads:?}");
    }
    let beyond: [&[Payload]; 6] = [
        &[Payload::fragment(4, 0, &bytes(STREAM + 1), 0)],
        &[Payload::fragment(4, 0, &bytes(STREAM), Fragment::END_OF_MESSAGE)],
        &[Payload::fragment(4, 0, &bytes(STREAM), 0), Payload::fragment(4, STREAM.into(), &[1], 0)],
        &[reset(4, STREAM + 1)],
        &[fits[3][0].clone(), fits[3][1].clone(), Payload::fragment(6, 0, &bytes(SESSION - 2 * STREAM + 1), 0)],
        &[fits[3][0].clone(), fits[3][1].clone(), reset(6, SESSION - 2 * STREAM + 1)],
    ];
    for payloads in beyond {
        let mut hostile = victim(limits, Params::default());
        payloads.iter().for_each(|payload| hostile.send_data(payload));
        assert!(hostile.victim.ended_for(ProtocolCode::FlowControl), "{payloads:?} {:?}", hostile.victim);
    }
}

/// R-8.2-1, R-8.2-2, R-8.6-1, and numbers at the end of their range: nothing overflows.
#[test]
fn numbers_at_the_end_of_their_range_are_judged_like_others() {
    let limits = with(|limits| limits.peer_bidirectional_streams = 3);
    let close = |payload: &Payload| {
        let mut hostile = victim(limits, Params::default());
        hostile.send_data(payload);
        hostile.victim.session.close_reason().map(|_| hostile.victim.misbehaved().unwrap())
    };
    let rule = |code| Some(aitcp::PeerMisbehaved::Rule(code));
    let data = |stream, offset| Payload::fragment(stream, offset, b"x", 0);
    assert_eq!(close(&data(3 << 2, 0)), None);
    assert_eq!(close(&data(4 << 2, 0)), rule(ProtocolCode::StreamLimit));
    assert_eq!(close(&data(((1 << 60) - 1) << 2, 0)), rule(ProtocolCode::StreamLimit));
    assert_eq!(close(&data(0, 0)), None, "the link's own");
    for stream in [1, 2, 3, 1 << 62, u64::MAX] {
        assert_eq!(close(&data(stream, 0)), rule(ProtocolCode::Forbidden), "{stream}");
    }
    assert_eq!(close(&data(4, 1 << 62)), rule(ProtocolCode::Forbidden));
    assert_eq!(close(&data(4, u64::MAX)), rule(ProtocolCode::FlowControl), "there is no offset behind it");
    let control = |code, stream, a, b| Payload::control(Control { code, stream, a, b, ..Control::default() });
    for number in [1 << 62, (1 << 62) + 1, u64::MAX] {
        assert_eq!(close(&control(Control::RESET, 4, number, 0)), None, "any code");
        assert_eq!(close(&control(Control::RESET, 4, 0, number)), rule(ProtocolCode::FlowControl));
        assert_eq!(close(&control(Control::CREDIT, 0, 0, number)), None, "a limit above 2^62 means 2^62");
        assert_eq!(close(&control(Control::CREDIT, 0, number, 0)), rule(ProtocolCode::FlowControl));
        assert_eq!(close(&control(Control::CREDIT, 4, 0, number)), None);
        assert_eq!(close(&control(Control::CREDIT, 4, number, 0)), rule(ProtocolCode::FlowControl));
        assert_eq!(close(&control(Control::STREAM_CREDIT, 1, number, 0)), None);
        assert_eq!(close(&control(Control::STREAM_CREDIT, number, 1, 0)), rule(ProtocolCode::MalformedPayload));
    }
}

// ---- what is sent to the peer -----------------------------------------------------------------------------------------------------

/// How many bytes of a message of 0xC7s a victim sends.
fn sent_bytes(hostile: &mut HostilePeer) -> u64 {
    let payloads = hostile.receive().iter().flat_map(|(_, payload)| payload);
    payloads.filter(|byte| **byte == 0xC7).count() as u64
}

/// R-8.5-1, R-8.5-2: what is sent ends at the limit of the stream or of the session, and goes on with each raise, to the offset.
#[test]
fn a_sender_stays_within_the_peers_credit() {
    for (stream_credit, session_credit, expected) in [(0, 100, 0), (1, 100, 1), (10, 9, 9), (10, 10, 10), (10, 11, 10)]
    {
        let params =
            Params { stream_credit: Some(stream_credit), session_credit: Some(session_credit), ..Params::default() };
        let mut hostile = victim(Limits::default(), params);
        let stream = hostile.victim.session.open(Direction::Unidirectional).unwrap();
        assert_eq!(hostile.victim.session.send(stream, &[0xC7; 50], Ending::More), Ok(50));
        assert_eq!(sent_bytes(&mut hostile), expected);
        let mut raise = |stream: u64, limit: u64| {
            let control = Control { code: Control::CREDIT, stream, b: limit, ..Control::default() };
            hostile.send_data(&Payload::control(control));
            sent_bytes(&mut hostile)
        };
        assert_eq!(raise(0, 12) + raise(stream.as_u64(), 12), 12 - expected);
        assert_eq!(raise(0, 13) + raise(stream.as_u64(), 13), 1);
        assert_eq!(raise(0, 5) + raise(stream.as_u64(), 5), 0, "R-8.5-3");
        assert_eq!(raise(0, u64::MAX) + raise(stream.as_u64(), u64::MAX), 37);
    }
}

/// R-8.3-5.
#[test]
fn a_sender_stays_within_the_peers_message_length() {
    for max in [1, 2, 1_000] {
        let mut hostile = victim(Limits::default(), Params { max_message: Some(max), ..Params::default() });
        let stream = hostile.victim.session.open(Direction::Unidirectional).unwrap();
        let len = usize::try_from(max).unwrap();
        let session = &mut hostile.victim.session;
        assert_eq!(session.send(stream, &vec![1; len + 1], Ending::End), Err(SendError::TooLarge { max }));
        assert_eq!(session.send(stream, &vec![1; len], Ending::More), Ok(len));
        assert_eq!(session.send(stream, &[1], Ending::End), Err(SendError::TooLarge { max }));
        assert_eq!(session.send(stream, &[], Ending::End), Ok(0));
        assert_eq!(session.send(stream, &vec![1; len], Ending::End), Ok(len), "each message counts for itself");
    }
}

/// R-3.2-3: packets are filled up to the length that the peer takes, but for what alignment leaves, and never beyond.
#[test]
fn a_sender_stays_within_the_peers_packet_length() {
    for max_packet in [MIN_MAX_PACKET, MIN_MAX_PACKET + 1, MAX_MAX_PACKET] {
        let mut setup = Setup::default();
        setup.initiator.limits.max_packet = max_packet;
        let mut pair = setup.pair();
        pair.connect();
        let stream = pair.responder.session.open(Direction::Unidirectional).unwrap();
        assert_eq!(pair.responder.session.send(stream, &[1; 100_000], Ending::More), Ok(100_000));
        pair.drive();
        assert_eq!(pair.initiator.session.close_reason(), None);
        let packets = split_packets(pair.to_initiator.written());
        let longest = packets.iter().map(Vec::len).max().unwrap();
        let most = usize::from(max_packet);
        assert!((most - 16..=most).contains(&longest), "{longest} of {most}");
    }
}

/// R-8.6-1: the peer's limit for each kind, and one's own for both together.
#[test]
fn an_opener_stays_within_both_limits() {
    for (peer, own, expected) in [(0, 5, 0), (1, 5, 1), (4, 5, 4), (5, 5, 5), (6, 5, 5)] {
        for direction in [Direction::Bidirectional, Direction::Unidirectional] {
            let params =
                Params { bidirectional_streams: Some(peer), unidirectional_streams: Some(peer), ..Params::default() };
            let mut hostile = victim(with(|limits| limits.own_streams = own), params);
            let opened: Vec<StreamId> = std::iter::from_fn(|| hostile.victim.session.open(direction).ok()).collect();
            assert_eq!(opened.len(), expected);
            assert_eq!(hostile.victim.session.open(direction), Err(OpenError::Blocked));
            hostile.victim.poll_events();
            let more = Event::StreamsAvailable(direction);
            assert!(!hostile.victim.saw(more));
            let kind = u64::from(direction == Direction::Unidirectional);
            let raise = Control { code: Control::STREAM_CREDIT, stream: kind, a: peer + 1, ..Control::default() };
            hostile.send_data(&Payload::control(raise));
            let expected = expected < usize::from(own);
            assert_eq!(hostile.victim.saw(more), expected, "{peer} {own}");
            assert_eq!(hostile.victim.session.open(direction).is_ok(), expected);
        }
    }
}

// ---- what the application leaves behind -------------------------------------------------------------------------------------------

/// The buffers of one stream and of all, with and without the end of a message, to the byte.
#[test]
fn a_send_buffer_takes_as_much_as_it_holds() {
    let blocked = || Params { session_credit: Some(0), ..Params::default() };
    let limits = with(|limits| (limits.stream_send_buffer, limits.send_buffer) = (10, 25));
    let cases = [(9, Ending::End, 9), (10, Ending::End, 9), (10, Ending::More, 10), (11, Ending::More, 10)];
    for (len, ending, expected) in cases {
        let mut hostile = victim(limits, blocked());
        let session = &mut hostile.victim.session;
        let stream = session.open(Direction::Unidirectional).unwrap();
        assert_eq!(session.send(stream, &vec![1; len], ending), Ok(expected));
        assert_eq!(
            session.stats().unacknowledged == 10,
            (len, ending) != (10, Ending::End),
            "an end that does not fit"
        );
    }
    let mut hostile = victim(limits, blocked());
    let session = &mut hostile.victim.session;
    let streams = [(); 4].map(|()| session.open(Direction::Unidirectional).unwrap());
    let taken = streams.map(|stream| session.send(stream, &[1; 10], Ending::More));
    assert_eq!(taken, [Ok(10), Ok(10), Ok(5), Err(SendError::Blocked)]);
    assert_eq!(session.stats().unacknowledged, 25);
    // The first stream gives its place back, and who was refused hears of it.
    session.reset(streams[0], 1).unwrap();
    assert!(hostile.victim.saw(Event::Writable(streams[2])) && hostile.victim.saw(Event::Writable(streams[3])));
}
