//! What applications at both ends see.

use super::*;
use crate::error::{FinishError, RecvError, SendError, StreamError};

fn pair() -> Pair {
    Pair::equal(&limits(4_096, 4_096))
}

fn received(len: usize, end_of_message: bool, end_of_stream: bool) -> Result<Received, RecvError> {
    Ok(Received { len, end_of_message, end_of_stream })
}

#[test]
fn a_message_goes_there_and_an_answer_comes_back() {
    let mut pair = pair();
    let id = pair.a.open(Direction::Bidirectional).unwrap();
    assert_eq!(pair.a.send(id, b"question", true), Ok(8));
    pair.settle();
    assert_eq!(events(&mut pair.b), [StreamEvent::Opened(id), StreamEvent::Readable(id)]);
    assert_eq!(read_message(&mut pair.b, id), b"question");
    assert_eq!(pair.b.send(id, b"answer", true), Ok(6));
    pair.b.finish(id).unwrap();
    pair.settle();
    let mut buffer = [0; 16];
    assert_eq!(pair.a.recv(id, &mut buffer), received(6, true, true));
    assert_eq!(&buffer[..6], b"answer");
    assert_eq!(pair.a.recv(id, &mut buffer), Err(RecvError::NotReceiving));
}

/// R-8.3-7.
#[test]
fn reading_never_crosses_the_end_of_a_message() {
    let mut pair = pair();
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    for message in [b"one".as_slice(), b"", b"three"] {
        assert_eq!(pair.a.send(id, message, true), Ok(message.len()));
    }
    pair.settle();
    let mut buffer = [0; 3];
    assert_eq!(pair.b.recv(id, &mut buffer), received(3, true, false));
    assert_eq!(pair.b.recv(id, &mut buffer), received(0, true, false));
    assert_eq!(pair.b.recv(id, &mut buffer), received(3, false, false));
    assert_eq!(pair.b.recv(id, &mut buffer), received(2, true, false));
    assert_eq!(pair.b.recv(id, &mut buffer), Err(RecvError::Blocked));
}

#[test]
fn an_empty_buffer_loses_no_flag() {
    let mut pair = pair();
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    pair.a.send(id, b"ab", false).unwrap();
    pair.settle();
    assert_eq!(pair.b.recv(id, &mut []), received(0, false, false));
    assert_eq!(pair.b.recv(id, &mut [0; 2]), received(2, false, false));
    pair.a.send(id, b"", true).unwrap();
    pair.settle();
    assert_eq!(pair.b.recv(id, &mut []), received(0, true, false));
    assert_eq!(pair.b.recv(id, &mut []), Err(RecvError::Blocked));
    pair.a.finish(id).unwrap();
    pair.settle();
    assert_eq!(pair.b.recv(id, &mut []), received(0, false, true));
    assert_eq!(pair.b.recv(id, &mut []), Err(RecvError::NotReceiving));
}

/// R-8.3-1.
#[test]
fn the_end_of_the_stream_comes_with_the_last_message_when_it_is_known() {
    let mut pair = pair();
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    pair.a.send(id, b"last", true).unwrap();
    pair.a.finish(id).unwrap();
    let items = packet(&mut pair.a, 100, 8);
    let fragment = Fragment { stream: id.as_u64(), end_of_message: true, end_of_stream: true, ..Fragment::default() };
    assert_eq!(items, [Item::Fragment(fragment, b"last".to_vec())]);
    hand_over(&mut pair.b, &items).unwrap();
    assert_eq!(pair.b.recv(id, &mut [0; 4]), received(4, true, true));
}

#[test]
fn a_message_that_does_not_fit_with_its_end_is_cut_short() {
    let mut pair = Pair::equal(&limits(4_096, 10));
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    assert_eq!(pair.a.send(id, &[7; 10], true), Ok(9), "ten bytes fit, their end does not");
    assert_eq!(pair.a.send(id, &[7; 1], true), Err(SendError::Blocked));
    assert_eq!(pair.a.send(id, &[7; 1], false), Ok(1));
    assert_eq!(pair.a.send(id, &[], true), Err(SendError::Blocked));
    pair.settle();
    assert_eq!(events(&mut pair.a), [StreamEvent::Writable(id)]);
    assert_eq!(pair.a.send(id, &[], true), Ok(0));
    pair.settle();
    assert_eq!(read_message(&mut pair.b, id), [7; 10]);
}

/// R-8.3-5.
#[test]
fn a_message_is_as_long_as_the_peer_takes_and_no_longer() {
    let mut small = limits(4_096, 4_096);
    small.max_message = 10;
    let mut pair = Pair::equal(&small);
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    assert_eq!(pair.a.send(id, &[0; 11], true), Err(SendError::TooLarge { max: 10 }));
    assert_eq!(pair.a.send(id, &[0; 6], false), Ok(6));
    assert_eq!(pair.a.send(id, &[0; 5], false), Err(SendError::TooLarge { max: 10 }));
    assert_eq!(pair.a.send(id, &[0; 4], true), Ok(4));
    assert_eq!(pair.a.send(id, &[0; 10], true), Ok(10), "the next message counts anew");
    pair.settle();
    assert_eq!(read_message(&mut pair.b, id).len(), 10);
    assert_eq!(read_message(&mut pair.b, id).len(), 10);
}

/// R-8.4-3, R-8.4-11.
#[test]
fn a_stream_is_finished_when_the_peer_holds_it_all() {
    let mut pair = pair();
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    pair.a.send(id, b"all", true).unwrap();
    pair.a.finish(id).unwrap();
    assert_eq!(pair.a.finish(id), Err(FinishError::NotSending));
    assert_eq!(pair.a.send(id, b"more", true), Err(SendError::NotSending));
    pair.a_to_b(8);
    assert_eq!(events(&mut pair.a), []);
    pair.settle();
    assert!(!pair.a.is_empty(), "its place is kept until the event is polled");
    assert_eq!(events(&mut pair.a), [StreamEvent::Finished(id)]);
    assert!(pair.a.is_empty());
    assert_eq!(pair.a.send(id, b"more", true), Err(SendError::UnknownStream));
}

/// R-8.3-2.
#[test]
fn a_message_that_is_open_cannot_be_finished() {
    let mut pair = pair();
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    pair.a.send(id, b"", false).unwrap();
    pair.a.send(id, b"x", false).unwrap();
    assert_eq!(pair.a.finish(id), Err(FinishError::MessageOpen));
    pair.a.send(id, b"", true).unwrap();
    assert_eq!(pair.a.finish(id), Ok(()));
}

#[test]
fn an_empty_stream_is_just_its_end() {
    let mut pair = pair();
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    pair.a.finish(id).unwrap();
    pair.settle();
    assert_eq!(pair.b.recv(id, &mut [0; 4]), received(0, false, true));
    assert_eq!(events(&mut pair.b), [StreamEvent::Opened(id)], "nothing is left to read");
    assert_eq!(events(&mut pair.a), [StreamEvent::Finished(id)]);
    assert!(pair.a.is_empty() && pair.b.is_empty());
}

/// R-8.4-6.
#[test]
fn a_reset_drops_what_is_unread_and_is_told_once() {
    let mut pair = pair();
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    pair.a.send(id, b"never read", true).unwrap();
    pair.settle();
    pair.a.reset(id, 42).unwrap();
    assert_eq!(pair.a.reset(id, 43), Err(StreamError::WrongState));
    assert_eq!(pair.a.usage().buffered, 0);
    pair.settle();
    assert_eq!(pair.b.usage().held, 0);
    assert_eq!(pair.b.recv(id, &mut [0; 4]), Err(RecvError::Reset(42)));
    assert_eq!(pair.b.recv(id, &mut [0; 4]), Err(RecvError::NotReceiving));
    events(&mut pair.b);
    assert!(pair.a.is_empty() && pair.b.is_empty());
}

/// R-8.4-8.
#[test]
fn a_stop_makes_the_sender_reset() {
    let mut pair = pair();
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    pair.a.send(id, b"unwanted", true).unwrap();
    pair.settle();
    pair.b.stop(id, 9).unwrap();
    assert_eq!(pair.b.stop(id, 9), Err(StreamError::WrongState));
    assert_eq!(pair.b.recv(id, &mut [0; 4]), Err(RecvError::NotReceiving));
    pair.settle();
    assert_eq!(events(&mut pair.a), [StreamEvent::Stopped { stream: id, code: 9 }]);
    events(&mut pair.b);
    assert!(pair.a.is_empty() && pair.b.is_empty());
}

#[test]
fn nobody_is_asked_to_stop_what_has_ended() {
    let mut pair = pair();
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    pair.a.send(id, b"x", false).unwrap();
    pair.settle();
    pair.b.stop(id, 9).unwrap();
    pair.a.send(id, b"y", true).unwrap();
    pair.a.finish(id).unwrap();
    pair.a_to_b(1);
    let done = Control::Credit { stream: id.as_u64(), received: 3, limit: 4_096, done: true };
    assert_eq!(packet(&mut pair.b, 100, 8), [Item::Control(done)]);
}

#[test]
fn a_stopped_sender_is_told_at_each_call_until_the_stream_is_done() {
    let mut pair = pair();
    let id = pair.a.open(Direction::Bidirectional).unwrap();
    pair.a.send(id, b"x", true).unwrap();
    pair.settle();
    pair.b.stop(id, 9).unwrap();
    pair.settle();
    assert_eq!(pair.a.send(id, b"y", true), Err(SendError::Stopped(9)));
    assert_eq!(pair.a.finish(id), Err(FinishError::NotSending));
}

/// R-8.8-1, R-8.8-2.
#[test]
fn urgent_streams_go_first_and_equals_take_turns() {
    let mut pair = pair();
    pair.fragment = 2;
    let ids: Vec<_> = (0..3).map(|_| pair.a.open(Direction::Unidirectional).unwrap()).collect();
    for id in &ids {
        pair.a.send(*id, &[0; 4], false).unwrap();
    }
    pair.a.set_priority(ids[2], 0).unwrap();
    let order: Vec<_> = packet(&mut pair.a, 2, 8)
        .into_iter()
        .map(|item| match item {
            Item::Fragment(fragment, _) => fragment.stream,
            Item::Control(control) => panic!("{control:?}"),
        })
        .collect();
    let [x, y, z] = [ids[0], ids[1], ids[2]].map(StreamId::as_u64);
    assert_eq!(order, [z, z, x, y, x, y]);
}

/// R-8.6-1, R-8.6-2.
#[test]
fn streams_are_opened_up_to_the_limits_and_again_when_one_is_done() {
    let mut tight = limits(4_096, 4_096);
    tight.peer_unidirectional_streams = 2;
    let mut pair = Pair::equal(&tight);
    let first = pair.a.open(Direction::Unidirectional).unwrap();
    pair.a.open(Direction::Unidirectional).unwrap();
    assert_eq!(pair.a.open(Direction::Unidirectional), None);
    pair.a.finish(first).unwrap();
    pair.settle();
    assert_eq!(events(&mut pair.a), [StreamEvent::Finished(first)], "the place at the peer is still taken");
    assert_eq!(pair.b.recv(first, &mut []), received(0, false, true));
    events(&mut pair.b);
    pair.settle();
    assert_eq!(events(&mut pair.a), [StreamEvent::StreamsAvailable(Direction::Unidirectional)]);
    assert!(pair.a.open(Direction::Unidirectional).is_some());
    assert_eq!(pair.a.open(Direction::Unidirectional), None);
}

#[test]
fn ones_own_limit_holds_whatever_the_peer_allows() {
    let mut own = limits(4_096, 4_096);
    own.own_streams = 1;
    let mut pair = Pair::equal(&own);
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    assert_eq!(pair.a.open(Direction::Bidirectional), None);
    pair.a.finish(id).unwrap();
    pair.settle();
    assert_eq!(
        events(&mut pair.a),
        [StreamEvent::Finished(id), StreamEvent::StreamsAvailable(Direction::Bidirectional)]
    );
    assert!(pair.a.open(Direction::Bidirectional).is_some());
}

/// R-8.5-7.
#[test]
fn a_full_buffer_asks_for_the_acknowledgement_that_the_peer_holds_back() {
    let mut pair = Pair::new(&limits(4_096, 8), &limits(4_096, 8));
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    assert_eq!(pair.a.send(id, &[1; 8], false), Ok(8));
    pair.settle();
    assert_eq!(pair.a.usage().buffered, 8, "eight bytes are too few to be acknowledged unasked");
    assert_eq!(pair.a.send(id, &[1; 1], false), Err(SendError::Blocked));
    assert_eq!(packet(&mut pair.a, 100, 8), [Item::Control(Control::Ping)]);
    assert!(!pair.a.has_output(), "one question is enough");
    pair.b.on_ping();
    assert_eq!(
        packet(&mut pair.b, 100, 8),
        [Item::Control(Control::Credit { stream: id.as_u64(), received: 8, limit: 4_096, done: false })]
    );
}

#[test]
fn acknowledgements_share_a_packet_that_goes_out_anyway() {
    let mut pair = pair();
    let id = pair.a.open(Direction::Bidirectional).unwrap();
    pair.a.send(id, b"question", true).unwrap();
    pair.settle();
    assert!(!pair.b.has_output() && pair.a.usage().buffered == 9);
    pair.b.send(id, b"answer", true).unwrap();
    pair.settle();
    assert_eq!(pair.a.usage().buffered, 0);
}

/// R-8.5-7.
#[test]
fn what_many_streams_received_is_reported_when_it_is_a_quarter_of_the_sessions_credit() {
    let mut pair = pair();
    let ids = [(); 3].map(|()| pair.a.open(Direction::Unidirectional).unwrap());
    for (id, len) in ids.into_iter().zip([500, 500, 23]) {
        pair.a.send(id, &vec![0; len], false).unwrap();
    }
    pair.settle();
    assert_eq!(pair.a.usage().buffered, 1_023);
    pair.a.send(ids[2], &[0], false).unwrap();
    pair.settle();
    assert_eq!(pair.a.usage().buffered, 0, "all of them are reported");
}

/// A stream that waits for room that another one takes has nothing of its own to be acknowledged.
#[test]
fn the_peer_is_asked_for_the_room_that_other_streams_take() {
    let mut limits = limits(4_096, 8);
    limits.stream_window = 4;
    let mut pair = Pair::equal(&limits);
    let taker = pair.a.open(Direction::Unidirectional).unwrap();
    let waiter = pair.a.open(Direction::Unidirectional).unwrap();
    let taken = |pair: &mut Pair| pair.b.recv(taker, &mut [0; 8]).unwrap().len;
    assert_eq!(pair.a.send(taker, &[1; 8], false), Ok(8));
    assert_eq!(pair.a.send(waiter, &[2; 1], false), Err(SendError::Blocked));
    // Four bytes go, and wait to be read; the other four have no credit. The peer is asked, and has nothing new to say.
    let arrives = packet(&mut pair.a, 100, 8);
    assert_eq!(arrives.len(), 1);
    hand_over(&mut pair.b, &arrives).unwrap();
    assert_eq!(packet(&mut pair.a, 100, 8), [Item::Control(Control::Ping)]);
    assert!(!pair.a.has_output(), "one question is enough");
    assert_eq!(taken(&mut pair), 4);
    // New credit, as from a peer that does not acknowledge along with it; the other four go, and are worth a new question.
    pair.a.on_credit(taker.as_u64(), 0, 8, false).unwrap();
    assert!(matches!(packet(&mut pair.a, 100, 8)[..], [Item::Fragment(..)]));
    assert_eq!(packet(&mut pair.a, 100, 8), [Item::Control(Control::Ping)]);
    pair.a.on_credit(taker.as_u64(), 8, 8, false).unwrap();
    assert_eq!(events(&mut pair.a), [StreamEvent::Writable(waiter)]);
    assert_eq!(pair.a.send(waiter, &[2; 1], false), Ok(1));
}
