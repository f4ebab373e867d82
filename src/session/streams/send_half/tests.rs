use super::*;

fn pool() -> BlockPool {
    BlockPool::new(4_096, 4_096)
}

/// A half with four bytes and an end written, of which `sent` offsets were sent.
fn half(pool: &mut BlockPool, sent: u64) -> SendHalf {
    let mut half = SendHalf::new(100);
    assert_eq!(half.write(pool, b"data", true, 50), Some((4, 5)));
    if sent > 0 {
        half.send(pool, sent, &mut [0; 10]).unwrap();
    }
    half
}

/// A Done that comes before the peer can know of the reset: R-8.4-10.
#[test]
fn a_reset_that_is_not_out_cannot_be_acknowledged() {
    let mut pool = pool();
    let mut half = half(&mut pool, 3);
    half.reset(&mut pool, 7);
    assert_eq!(half.acknowledge(&mut pool, 3, 0, true), Err(ProtocolCode::StreamState));
    half.announce_reset();
    assert_eq!(half.acknowledge(&mut pool, 3, 0, true), Ok(0));
    // One that replaces the end of the stream, which was told before.
    let mut half = self::half(&mut pool, 5);
    half.finish();
    half.send(&pool, 9, &mut []).unwrap();
    half.reset(&mut pool, 7);
    assert_eq!(half.acknowledge(&mut pool, 5, 0, true), Ok(0));
}

/// What can happen to a half, in the order of the table below.
fn happens(half: &mut SendHalf, pool: &mut BlockPool, what: usize) -> Result<(), ProtocolCode> {
    match what {
        0 => half.finish(),
        1 => drop(half.send(pool, 100, &mut [0; 10])),
        2 => drop(half.reset(pool, 6)),
        _ => {
            half.acknowledge(pool, half.credit.spent(), 100, true)?;
        }
    }
    Ok(())
}

/// R-8.4-3, R-8.4-10.
#[test]
fn the_states_follow_the_drawing() {
    use State::{Done, Finished, Open, Reset};
    let (ended, ending) = (Finished { sent: true }, Finished { sent: false });
    let state_error = || Err(ProtocolCode::StreamState);
    // From, then what becomes of it by: finish, sending all, reset, Done. `None` where the caller rules it out beforehand.
    let table = [
        (Open, [Some(Ok(ending)), Some(Ok(Open)), Some(Ok(Reset(6))), Some(state_error())]),
        (ending, [None, Some(Ok(ended)), Some(Ok(Reset(6))), Some(state_error())]),
        (ended, [None, Some(Ok(ended)), Some(Ok(Reset(6))), Some(Ok(Done))]),
        (Reset(5), [None, Some(Ok(Reset(5))), None, Some(Ok(Done))]),
        (Done, [None, Some(Ok(Done)), None, Some(Ok(Done))]),
    ];
    for (from, row) in table {
        for (what, expected) in row.into_iter().enumerate() {
            let mut pool = pool();
            let mut half = half(&mut pool, 0);
            match from {
                Open => {}
                Finished { sent: false } => half.finish(),
                Finished { sent: true } => {
                    half.finish();
                    half.send(&pool, 100, &mut [0; 10]).unwrap();
                }
                Reset(code) => {
                    half.reset(&mut pool, code);
                    half.announce_reset();
                }
                Done => {
                    half.finish();
                    half.send(&pool, 100, &mut [0; 10]).unwrap();
                    half.acknowledge(&mut pool, 5, 100, true).unwrap();
                }
            }
            assert_eq!(half.state, from);
            match (what, expected) {
                (0, None) => assert!(!half.is_open()),
                (2, None) => assert!(!half.can_reset()),
                (_, None) => unreachable!("only calls of the application are ruled out"),
                (_, Some(expected)) => {
                    let result = happens(&mut half, &mut pool, what).map(|()| half.state);
                    assert_eq!(result, expected, "{from:?} {what}");
                }
            }
        }
    }
}

#[test]
fn the_end_of_a_message_is_taken_with_its_last_byte_or_alone() {
    let mut pool = pool();
    for (len, room, taken) in [
        (3, 5, Some((3, 4))),
        (3, 4, Some((3, 4))),
        (3, 3, Some((2, 2))),
        (3, 2, Some((2, 2))),
        (3, 1, Some((1, 1))),
        (3, 0, None),
        (1, 2, Some((1, 2))),
        (1, 1, None),
        (0, 1, Some((0, 1))),
        (0, 0, None),
    ] {
        let mut half = SendHalf::new(100);
        assert_eq!(half.write(&mut pool, &[1; 3][..len], true, room), taken, "{len} bytes, room for {room}");
        assert_eq!(half.message() > 0, taken.is_some_and(|(_, offsets)| offsets <= len as u64));
        assert_eq!(half.is_waiting(), taken.is_none_or(|(_, offsets)| offsets <= len as u64));
    }
}

/// R-8.5-1, R-8.5-2.
#[test]
fn credit_bounds_what_is_sent_to_the_offset() {
    let mut pool = pool();
    let mut half = SendHalf::new(4);
    half.write(&mut pool, b"data", true, 50).unwrap();
    let sent = half.send(&pool, 3, &mut [0; 10]).unwrap();
    assert_eq!(
        (sent.offset, sent.piece),
        (0, Piece { len: 3, end_of_message: false, then_packed: false }),
        "the session's credit"
    );
    let sent = half.send(&pool, 9, &mut [0; 10]).unwrap();
    assert_eq!(
        (sent.offset, sent.piece),
        (3, Piece { len: 1, end_of_message: false, then_packed: false }),
        "the stream's credit"
    );
    assert_eq!(half.output(), Output::Nothing);
    half.acknowledge(&mut pool, 0, 5, false).unwrap();
    assert_eq!(half.output(), Output::Data);
    let sent = half.send(&pool, 9, &mut []).unwrap();
    assert_eq!(
        (sent.offset, sent.piece),
        (4, Piece { len: 0, end_of_message: true, then_packed: false }),
        "an end needs no room"
    );
}

#[test]
fn the_end_of_the_stream_costs_no_credit() {
    let mut pool = pool();
    let mut half = SendHalf::new(5);
    half.write(&mut pool, b"data", true, 50).unwrap();
    half.send(&pool, 5, &mut [0; 10]).unwrap();
    half.finish();
    assert_eq!(half.output(), Output::End);
    let sent = half.send(&pool, 0, &mut []).unwrap();
    assert_eq!((sent.offset, sent.piece, sent.end_of_stream), (5, Piece::default(), true));
    assert_eq!(half.output(), Output::Nothing);
    assert_eq!(half.send(&pool, 9, &mut [0; 10]), None);
}

#[test]
fn what_was_sent_is_kept_until_it_is_acknowledged() {
    let mut pool = pool();
    let mut half = half(&mut pool, 100);
    assert_eq!((half.buffered(), pool.in_use()), (5, 1));
    assert_eq!(half.acknowledge(&mut pool, 3, 100, false), Ok(3));
    assert_eq!(half.acknowledge(&mut pool, 2, 100, false), Ok(0), "out of date");
    assert_eq!(half.acknowledge(&mut pool, 5, 100, false), Ok(2));
    assert_eq!((half.buffered(), pool.in_use()), (0, 0));
}

/// R-8.5-4.
#[test]
fn what_was_not_sent_cannot_be_acknowledged() {
    let mut pool = pool();
    let mut half = half(&mut pool, 2);
    assert_eq!(half.acknowledge(&mut pool, 3, 1_000, false), Err(ProtocolCode::FlowControl));
    assert_eq!(half.credit.limit(), 100, "nothing changed");
    assert_eq!(half.acknowledge(&mut pool, 2, 1_000, false), Ok(2));
}

/// R-8.4-4, R-8.4-10.
#[test]
fn done_is_about_the_final_offset() {
    let mut pool = pool();
    let mut half = half(&mut pool, 3);
    half.reset(&mut pool, 7);
    assert_eq!(half.announce_reset(), Some((7, 3)));
    assert_eq!(half.acknowledge(&mut pool, 2, 0, true), Err(ProtocolCode::FinalOffset));
    assert_eq!(half.acknowledge(&mut pool, 3, 0, true), Ok(0));
    assert!(half.is_done());
}

#[test]
fn the_peer_is_asked_once_until_it_answers() {
    let mut pool = pool();
    let mut half = half(&mut pool, 0);
    half.write(&mut pool, b"more", false, 2).unwrap();
    assert!(!half.asks(), "there is something to send first");
    half.send(&pool, 100, &mut [0; 10]).unwrap();
    half.send(&pool, 100, &mut [0; 10]).unwrap();
    assert!(half.asks());
    assert!(!half.asks());
    half.acknowledge(&mut pool, 0, 100, false).unwrap();
    assert!(!half.asks(), "no progress");
    half.acknowledge(&mut pool, 1, 100, false).unwrap();
    assert!(half.asks());
}
