//! Messages that travel compressed.

use super::*;
use crate::error::RecvError;

fn packing_pair(limits: &Limits) -> Pair {
    let mut pair = Pair::equal(limits);
    pair.agree_on_compression(limits, limits);
    pair
}

fn roomy() -> Limits {
    Limits { max_message: 1 << 20, ..Limits::default() }
}

/// A message that gets a lot shorter.
fn long(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index / 100) as u8).collect()
}

/// R-8.9-1.
#[test]
fn a_message_given_whole_travels_packed_and_arrives_plain() {
    let mut pair = packing_pair(&roomy());
    pair.fragment = 100;
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    assert_eq!(pair.a.send(id, b"short", true), Ok(5));
    assert_eq!(pair.a.send(id, &long(40_000), true), Ok(40_000));
    assert_eq!(pair.a.send(id, &long(60_000), true), Ok(60_000));
    assert_eq!(pair.a.send(id, &long(500), false), Ok(500), "not given whole");
    assert_eq!(pair.a.send(id, &[], true), Ok(0));
    pair.a.finish(id).unwrap();
    assert!(pair.a.usage().buffered < 15_000);
    let items = packet(&mut pair.a, 100, usize::MAX);
    let begins: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            Item::Fragment(fragment, _) if fragment.compressed => Some(fragment.offset),
            _ => None,
        })
        .collect();
    assert_eq!((begins.len(), begins[0]), (2, 6), "two messages say so once each");
    hand_over(&mut pair.b, &items).unwrap();
    assert_eq!(read_message(&mut pair.b, id), b"short");
    assert_eq!(read_message(&mut pair.b, id), long(40_000));
    let mut buffer = vec![0; 60_000];
    let received = pair.b.recv(id, &mut buffer).unwrap();
    assert_eq!(received, Received { len: 60_000, end_of_message: true, end_of_stream: false });
    assert_eq!(buffer, long(60_000));
    let received = pair.b.recv(id, &mut buffer).unwrap();
    assert_eq!(received, Received { len: 500, end_of_message: true, end_of_stream: true });
    pair.settle();
    assert_eq!(events(&mut pair.a), [StreamEvent::Finished(id)]);
    events(&mut pair.b);
    assert_eq!((pair.a.usage(), pair.b.usage()), (Usage::default(), Usage::default()));
}

/// R-8.9-1, R-8.9-4.
#[test]
fn what_does_not_get_shorter_or_was_not_agreed_on_travels_plain() {
    let mut pair = packing_pair(&roomy());
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    let random: Vec<_> = (0_u32..200).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for message in [&random[..], &long(63), &long(65_537)] {
        let before = pair.a.usage().buffered;
        assert_eq!(pair.a.send(id, message, true), Ok(message.len()));
        assert_eq!(pair.a.usage().buffered - before, message.len() as u64 + 1);
    }
    let mut pair = Pair::equal(&roomy());
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    pair.a.send(id, &long(1_000), true).unwrap();
    assert_eq!(pair.a.usage().buffered, 1_001);
}

#[test]
fn a_packed_message_is_readable_when_it_is_whole() {
    let mut pair = packing_pair(&roomy());
    pair.fragment = 100;
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    pair.a.send(id, &long(20_000), true).unwrap();
    pair.a_to_b(1);
    assert_eq!(events(&mut pair.b), [StreamEvent::Opened(id)]);
    assert_eq!(pair.b.recv(id, &mut [0; 10]), Err(RecvError::Blocked));
    pair.settle();
    assert_eq!(events(&mut pair.b), [StreamEvent::Readable(id)]);
    assert_eq!(pair.b.recv(id, &mut []).unwrap(), Received::default(), "no room, no harm");
    assert_eq!(read_message(&mut pair.b, id), long(20_000));
}

#[test]
fn packed_messages_of_several_streams_can_be_read_in_turns() {
    let mut pair = packing_pair(&roomy());
    let ids = [(); 3].map(|()| pair.a.open(Direction::Unidirectional).unwrap());
    let expected = [1, 2, 3].map(|each| vec![each; 1_000 + usize::from(each)]);
    for (id, message) in ids.into_iter().zip(&expected) {
        pair.a.send(id, message, true).unwrap();
    }
    pair.settle();
    let mut messages = [(); 3].map(|()| Vec::new());
    let mut buffer = [0; 70];
    for _ in 0..15 {
        for (index, id) in ids.into_iter().enumerate() {
            let received = pair.b.recv(id, &mut buffer).unwrap();
            messages[index].extend_from_slice(&buffer[..received.len]);
            assert_eq!(received.end_of_message, messages[index].len() == expected[index].len());
        }
    }
    assert_eq!(messages, expected);
}

/// R-8.9-5.
#[test]
fn credit_is_kept_for_a_packed_message_to_its_end() {
    let mut limits = limits(4_096, 8_192);
    limits.stream_window = 4_096;
    let mut pair = packing_pair(&limits);
    pair.fragment = 40;
    let packed = pair.a.open(Direction::Unidirectional).unwrap();
    let plain = pair.a.open(Direction::Unidirectional).unwrap();
    pair.a.send(packed, &long(20_000), true).unwrap();
    let kept = pair.a.reserved;
    assert!(kept > 200);
    pair.a.send(plain, &[1; 4_096], false).unwrap();
    pair.a.set_priority(plain, 0).unwrap();
    let items = packet(&mut pair.a, 40, usize::MAX);
    let (mut first, mut then) = (0, 0);
    for item in &items {
        match item {
            Item::Fragment(fragment, data) if fragment.stream == plain.as_u64() => {
                assert_eq!(then, 0, "the urgent stream goes first");
                first += data.len() as u64;
            }
            Item::Fragment(fragment, data) => then += data.len() as u64 + u64::from(fragment.end_of_message),
            Item::Control(control) => panic!("{control:?}"),
        }
    }
    assert_eq!((first, then), (4_096 - kept, kept));
    assert_eq!((pair.a.reserved, pair.a.has_output()), (0, false));
    hand_over(&mut pair.b, &items).unwrap();
    assert_eq!(read_message(&mut pair.b, packed), long(20_000));
}

#[test]
fn a_reset_gives_back_the_credit_that_was_kept() {
    let mut pair = packing_pair(&limits(4_096, 8_192));
    pair.fragment = 40;
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    pair.a.send(id, &long(20_000), true).unwrap();
    pair.a_to_b(1);
    assert!(pair.a.reserved > 0);
    pair.a.reset(id, 1).unwrap();
    assert_eq!(pair.a.reserved, 0);
    pair.settle();
    assert_eq!(pair.b.recv(id, &mut [0; 10]), Err(RecvError::Reset(1)));
}

/// R-8.9-6.
#[test]
fn no_more_than_a_quarter_of_the_sessions_credit_is_kept() {
    let mut limits = limits(1_000, 8_192);
    limits.stream_window = 1_000;
    let mut pair = packing_pair(&limits);
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    let mut plain = 0;
    for _ in 0..30 {
        let before = pair.a.usage().buffered;
        pair.a.send(id, &long(200), true).unwrap();
        plain += u64::from(pair.a.usage().buffered - before == 201);
        assert!(pair.a.reserved <= 250);
    }
    assert!((1..30).contains(&plain), "{plain}");
    for _ in 0..30 {
        pair.settle();
        assert_eq!(read_message(&mut pair.b, id), long(200));
    }
}

fn fragment(offset: u64, end_of_message: bool, compressed: bool) -> Fragment {
    Fragment { stream: 4, offset, end_of_message, end_of_stream: false, compressed }
}

fn receiver(max_message: u64) -> Streams {
    let mut limits = roomy();
    limits.max_message = max_message;
    packing_pair(&limits).b
}

/// R-8.9-1.
#[test]
fn the_flag_stands_on_the_first_byte_of_a_message_and_where_it_was_agreed_on() {
    let mut streams = receiver(1 << 20);
    assert_eq!(streams.on_fragment(&fragment(0, true, true), b""), Err(ProtocolCode::Forbidden));
    assert_eq!(streams.on_fragment(&fragment(0, false, false), b"a"), Ok(()));
    assert_eq!(streams.on_fragment(&fragment(1, false, true), b"b"), Err(ProtocolCode::Forbidden));
    assert_eq!(streams.on_fragment(&fragment(1, true, false), b"b"), Ok(()));
    assert_eq!(streams.on_fragment(&fragment(3, false, true), b"b"), Ok(()));
    let mut streams = Pair::equal(&roomy()).b;
    assert_eq!(streams.on_fragment(&fragment(0, false, true), b"a"), Err(ProtocolCode::Forbidden));
    assert_eq!(streams.on_fragment(&fragment(0, true, false), b"a"), Ok(()));
    assert_eq!(
        streams.on_fragment(&fragment(0, true, true), b"a"),
        Err(ProtocolCode::Forbidden),
        "known, all the same"
    );
}

/// R-8.9-3.
#[test]
fn a_packed_message_is_no_longer_than_a_plain_one_may_be() {
    let mut streams = receiver(1 << 20);
    assert_eq!(streams.on_fragment(&fragment(0, false, true), &[0; 65_536]), Ok(()));
    assert_eq!(streams.on_fragment(&fragment(65_536, false, false), &[0]), Err(ProtocolCode::Compression));
    let mut streams = receiver(1 << 20);
    assert_eq!(streams.on_fragment(&fragment(0, false, true), &[0; 65_537]), Err(ProtocolCode::Compression));
}

/// R-8.9-2, R-8.9-3.
#[test]
fn what_does_not_unpack_closes_the_session_when_it_is_read() {
    let bomb = |len: u32| {
        let mut message = len.to_le_bytes().to_vec();
        message.extend_from_slice(&[0x1F, 0, 1, 0, 255, 255, 255, 255, 0, 0x50, 0, 0, 0, 0, 0]);
        message
    };
    for (message, max_message, code) in [
        (b"abc".to_vec(), 1 << 20, ProtocolCode::Compression),
        (b"\x05\0\0\0nonsense".to_vec(), 1 << 20, ProtocolCode::Compression),
        (bomb(65_537), 1 << 20, ProtocolCode::Compression),
        (bomb(u32::MAX), 1 << 20, ProtocolCode::Compression),
        (bomb(1_000), 1 << 20, ProtocolCode::Compression),
        (bomb(1_001), 1_000, ProtocolCode::MessageTooLarge),
    ] {
        let mut streams = receiver(max_message);
        streams.on_fragment(&fragment(0, true, true), &message).unwrap();
        let id = StreamId::from_wire(4).unwrap();
        assert_eq!(streams.recv(id, &mut [0; 100]), Err(RecvError::Closed));
        assert_eq!(streams.take_fault(), Some(code));
        assert_eq!(streams.take_fault(), None);
        assert!(streams.usage().buffer_bytes < Packing::MAX_BYTES + 10_000);
    }
}
