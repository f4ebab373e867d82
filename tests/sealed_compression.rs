//! Compressed messages from an authenticated peer that makes them up: they unpack within bounds, or end the session.
#![cfg(feature = "compression")]

use aitcp::ProtocolCode::{Compression, Forbidden, MessageTooLarge, StreamState};
use aitcp::{Direction, Event, ProtocolCode, RecvError, Role, StreamId};
use aitcp_testkit::forge::{Auth, Fragment, HostilePeer, Params, Payload, read_u64};
use aitcp_testkit::{Setup, is_full_campaign};

const WHOLE: u16 = Fragment::COMPRESSED | Fragment::END_OF_MESSAGE;

/// The first bidirectional stream of the initiator.
const STREAM: u64 = 4;

/// The longest message that the victim takes.
const MAX_MESSAGE: u64 = 1_000_000;

/// A compressed message of 37 bytes: three of its own, 29 copied from three bytes before, five of its own.
const PACKED: &[u8] = b"\x25\0\0\0\x3Fabc\x03\0\x0A\x50cabca";

fn plain() -> Vec<u8> {
    b"abc".iter().copied().cycle().take(32).chain(*b"cabca").collect()
}

/// A responder, and an initiator with its keys; either says whether messages may be compressed.
fn session(by_victim: bool, by_peer: bool) -> HostilePeer {
    session_with(MAX_MESSAGE, by_victim, by_peer)
}

fn session_with(max_message: u64, by_victim: bool, by_peer: bool) -> HostilePeer {
    let mut setup = Setup::default();
    setup.responder.compression = by_victim;
    setup.responder.limits.max_message = max_message;
    let mut hostile = HostilePeer::before_auth(&setup, Role::Responder);
    let params = Params { compression: Some(by_peer.into()), ..Params::default() };
    hostile.send_auth(&Auth { params, ..Auth::default() });
    hostile.receive();
    assert!(hostile.victim.was_established());
    hostile
}

/// The stream as the victim calls it.
fn stream(hostile: &mut HostilePeer) -> StreamId {
    let opened = hostile.victim.events.iter().find_map(|event| match event {
        Event::Opened(stream) => Some(*stream),
        _ => None,
    });
    let stream = opened.expect("the peer has opened it");
    assert_eq!((stream.as_u64(), stream.direction()), (STREAM, Direction::Bidirectional));
    stream
}

/// What the victim makes of a compressed message that comes at once: what it reads, or the code that it tells the peer.
fn unpack(hostile: &mut HostilePeer, packed: &[u8]) -> Result<Vec<u8>, ProtocolCode> {
    hostile.send_data(&Payload::fragment(STREAM, 0, packed, WHOLE));
    hostile.victim.poll_events();
    outcome(hostile)
}

/// The message that is there, or the code that the peer is told.
fn outcome(hostile: &mut HostilePeer) -> Result<Vec<u8>, ProtocolCode> {
    let message = if hostile.victim.session.close_reason().is_none() {
        let stream = stream(hostile);
        hostile.victim.recv_message(stream)
    } else {
        None
    };
    let said = hostile.receive().to_vec();
    match message {
        Some(message) => {
            assert_eq!(hostile.victim.session.close_reason(), None);
            Ok(message)
        }
        None => {
            let [(_, close)] = &said[..] else { panic!("one packet says why: {said:?}") };
            let code = read_u64(close, 6).and_then(ProtocolCode::from_code).expect("a known code");
            assert!(hostile.victim.ended_for(code));
            Err(code)
        }
    }
}

/// R-8.9-1, R-8.9-2.
#[test]
fn what_was_agreed_unpacks() {
    assert_eq!(unpack(&mut session(true, true), PACKED), Ok(plain()));
    for (by_victim, by_peer) in [(false, false), (true, false), (false, true)] {
        assert_eq!(unpack(&mut session(by_victim, by_peer), PACKED), Err(Forbidden), "one of two is not an agreement");
    }
}

/// R-8.9-2, R-8.9-3.
#[test]
fn every_plain_length_but_the_right_one_is_refused() {
    for length in (0..=255).chain([65_535, 65_536, 65_537, 1 << 24, u32::MAX]).filter(|length| *length != 37) {
        let packed = [&length.to_le_bytes()[..], &PACKED[4..]].concat();
        assert_eq!(unpack(&mut session(true, true), &packed), Err(Compression), "{length}");
    }
    for (max_message, expected) in [(37, Ok(plain())), (36, Err(MessageTooLarge)), (18, Err(MessageTooLarge))] {
        assert_eq!(unpack(&mut session_with(max_message, true, true), PACKED), expected, "at most {max_message}");
    }
}

/// R-8.9-2: every byte at every value gives a message of the length that is said in front, or an end.
#[test]
fn every_byte_of_a_compressed_message() {
    for at in 0..PACKED.len() {
        for value in (0..=u8::MAX).filter(|value| is_full_campaign() || value.count_ones() == 1 || value % 51 == 0) {
            let mut altered = PACKED.to_vec();
            altered[at] = value;
            match unpack(&mut session(true, true), &altered) {
                Ok(message) => assert_eq!(message.len(), usize::from(altered[0]), "byte {at} = {value:#x}"),
                Err(code) => assert_eq!(code, Compression, "byte {at} = {value:#x}"),
            }
        }
    }
}

/// R-8.9-1, R-8.9-2.
#[test]
fn every_cut_of_a_compressed_message_is_refused() {
    assert_eq!(unpack(&mut session(true, true), &[]), Err(Forbidden), "there is no first byte");
    for cut in 1..PACKED.len() {
        assert_eq!(unpack(&mut session(true, true), &PACKED[..cut]), Err(Compression), "{cut} bytes");
    }
}

/// R-8.9-1: the flag stands on the fragment with the first byte of the message, and on no other.
#[test]
fn the_flag_has_one_place() {
    let pieces = |flag_at: &[usize]| {
        let mut hostile = session(true, true);
        for (at, byte) in PACKED.iter().enumerate() {
            let flag = if flag_at.contains(&at) { Fragment::COMPRESSED } else { 0 };
            let end = if at + 1 == PACKED.len() { Fragment::END_OF_MESSAGE } else { 0 };
            let offset = u64::try_from(at).expect("a short message");
            hostile.send_data(&Payload::fragment(STREAM, offset, &[*byte], flag | end));
            hostile.victim.poll_events();
            if end == 0 && flag_at == [0] {
                let stream = stream(&mut hostile);
                let early = hostile.victim.session.recv(stream, &mut [0; 64]);
                assert_eq!(early, Err(RecvError::Blocked), "nothing can be read before the last byte");
            }
        }
        outcome(&mut hostile)
    };
    assert_eq!(pieces(&[0]), Ok(plain()));
    assert_eq!(pieces(&[]), Ok(PACKED.to_vec()), "without the flag these bytes are the message");
    for at in 1..PACKED.len() {
        assert_eq!(pieces(&[0, at]), Err(Forbidden), "on byte {at} too");
        assert_eq!(pieces(&[at]), Err(Forbidden), "on byte {at} alone");
    }
}

/// R-8.3-2.
#[test]
fn a_compressed_message_does_not_end_with_the_stream() {
    let mut hostile = session(true, true);
    let flags = Fragment::COMPRESSED | Fragment::END_OF_STREAM;
    hostile.send_data(&Payload::fragment(STREAM, 0, PACKED, flags));
    assert_eq!(outcome(&mut hostile), Err(StreamState));
}
