use alloc::vec::Vec;

use super::*;

const RULES: Rules = Rules { max_message: 8, compression: false, in_order: true };

fn pool() -> BlockPool {
    BlockPool::new(4_096, 4_096)
}

fn fragment(offset: u64, end_of_message: bool, end_of_stream: bool) -> Fragment {
    Fragment { stream: 4, offset, end_of_message, end_of_stream, compressed: false }
}

fn take(
    half: &mut RecvHalf,
    pool: &mut BlockPool,
    offset: u64,
    data: &[u8],
    (end_of_message, end_of_stream): (bool, bool),
) -> Result<u64, ProtocolCode> {
    let fragment = fragment(offset, end_of_message, end_of_stream);
    let news = half.check(pool, &fragment, data.len(), RULES)?;
    if !news.is_empty() {
        half.accept(pool, &fragment, news, data, RULES)?;
    }
    Ok(news.offsets())
}

fn read(half: &mut RecvHalf, pool: &mut BlockPool) -> (Vec<u8>, bool, bool) {
    let mut out = [0; 100];
    match half.read(pool, &mut out) {
        Read::Piece { piece, end_of_stream } => (out[..piece.len].to_vec(), piece.end_of_message, end_of_stream),
        other => panic!("{other:?}"),
    }
}

/// What can happen to a half with two bytes unread, in the order of the table below.
fn happens(half: &mut RecvHalf, pool: &mut BlockPool, what: usize) -> Result<(), ProtocolCode> {
    match what {
        0 => take(half, pool, 2, &[], (true, true)).map(drop)?,
        1 => {
            let missing = half.check_reset(3)?;
            if !half.has_ended() {
                half.accept_reset(pool, missing, 6);
            }
        }
        2 => drop(half.stop(pool, 7)),
        _ => drop(half.read(pool, &mut [0; 10])),
    }
    Ok(())
}

#[test]
fn the_states_follow_the_drawing() {
    use State::{Done, Ended, Receiving, Reset, Stopped};
    // From, then what becomes of it by: end of stream, Reset, stop, reading everything.
    let table = [
        (Receiving, [Ended, Reset(6), Stopped(7), Receiving]),
        (Ended, [Ended, Ended, Done, Done]),
        (Reset(5), [Reset(5), Reset(5), Done, Done]),
        (Stopped(5), [Done, Done, Stopped(5), Stopped(5)]),
        (Done, [Done, Done, Done, Done]),
    ];
    for (from, row) in table {
        for (what, expected) in row.into_iter().enumerate() {
            let mut pool = pool();
            let mut half = RecvHalf::new(100);
            take(&mut half, &mut pool, 0, b"ab", (false, false)).unwrap();
            match from {
                Receiving => {}
                Ended => drop(take(&mut half, &mut pool, 2, &[], (true, true))),
                Reset(code) => drop(half.accept_reset(&mut pool, 1, code)),
                Stopped(code) => drop(half.stop(&mut pool, code)),
                Done => {
                    take(&mut half, &mut pool, 2, &[], (true, true)).unwrap();
                    read(&mut half, &mut pool);
                }
            }
            assert_eq!(half.state, from);
            assert_eq!(happens(&mut half, &mut pool, what), Ok(()), "{from:?} {what}");
            assert_eq!(half.state, expected, "{from:?} {what}");
        }
    }
}

/// R-8.3-3, R-8.3-4.
#[test]
fn a_gap_is_refused_and_an_overlap_trimmed() {
    let mut pool = pool();
    let mut half = RecvHalf::new(100);
    assert_eq!(take(&mut half, &mut pool, 1, b"b", (false, false)), Err(ProtocolCode::Forbidden));
    assert_eq!(take(&mut half, &mut pool, 0, b"abc", (false, false)), Ok(3));
    assert_eq!(take(&mut half, &mut pool, 0, b"abc", (false, false)), Ok(0), "again");
    assert_eq!(take(&mut half, &mut pool, 1, b"b", (false, false)), Ok(0), "inside");
    assert_eq!(take(&mut half, &mut pool, 2, b"cd", (true, false)), Ok(2), "one byte and the end are new");
    assert_eq!(take(&mut half, &mut pool, 2, b"cd", (true, false)), Ok(0));
    assert_eq!(take(&mut half, &mut pool, 4, b"", (true, true)), Ok(0), "the flag alone is new");
    assert_eq!(read(&mut half, &mut pool), (b"abcd".to_vec(), true, true));
}

/// R-8.3-2.
#[test]
fn the_end_of_a_stream_stands_between_messages_only() {
    let mut pool = pool();
    for (data, flags) in [(b"a".as_slice(), (false, true)), (b"", (false, true))] {
        let mut half = RecvHalf::new(100);
        take(&mut half, &mut pool, 0, b"open", (false, false)).unwrap();
        assert_eq!(take(&mut half, &mut pool, 4, data, flags), Err(ProtocolCode::StreamState));
    }
    let mut half = RecvHalf::new(100);
    assert_eq!(take(&mut half, &mut pool, 0, b"a", (false, true)), Err(ProtocolCode::StreamState));
    assert_eq!(take(&mut half, &mut pool, 0, b"", (false, true)), Ok(0), "an empty stream");
    let mut half = RecvHalf::new(100);
    take(&mut half, &mut pool, 0, b"a", (true, false)).unwrap();
    assert_eq!(
        take(&mut half, &mut pool, 1, b"x", (false, true)),
        Err(ProtocolCode::StreamState),
        "bytes and then the end of the stream, be they known or not"
    );
    assert_eq!(take(&mut half, &mut pool, 2, b"", (false, true)), Ok(0));
}

#[test]
fn a_fragment_without_bytes_and_flags_is_malformed() {
    let mut pool = pool();
    let mut half = RecvHalf::new(100);
    assert_eq!(take(&mut half, &mut pool, 0, b"", (false, false)), Err(ProtocolCode::MalformedPayload));
}

/// R-8.3-1, R-8.5-1.
#[test]
fn credit_counts_bytes_and_ends_up_to_the_last() {
    let mut pool = pool();
    for (len, end, result) in [
        (3, false, Ok(3)),
        (4, false, Ok(4)),
        (5, false, Err(ProtocolCode::FlowControl)),
        (3, true, Ok(4)),
        (4, true, Err(ProtocolCode::FlowControl)),
    ] {
        let mut half = RecvHalf::new(4);
        assert_eq!(take(&mut half, &mut pool, 0, &[0; 5][..len], (end, false)), result, "{len} {end}");
    }
    let mut half = RecvHalf::new(4);
    for offset in [u64::MAX, u64::MAX - 1] {
        assert_eq!(take(&mut half, &mut pool, offset, &[0; 1], (true, false)), Err(ProtocolCode::FlowControl));
    }
}

/// R-8.3-6.
#[test]
fn a_message_counts_over_all_its_fragments() {
    let mut pool = pool();
    let mut half = RecvHalf::new(100);
    take(&mut half, &mut pool, 0, &[0; 5], (false, false)).unwrap();
    assert_eq!(take(&mut half, &mut pool, 5, &[0; 4], (true, false)), Err(ProtocolCode::MessageTooLarge));
    assert_eq!(take(&mut half, &mut pool, 5, &[0; 3], (true, false)), Ok(4));
    assert_eq!(take(&mut half, &mut pool, 9, &[0; 8], (true, false)), Ok(9), "the next counts anew");
}

/// R-8.4-5, R-8.4-7.
#[test]
fn a_final_offset_never_moves() {
    let mut pool = pool();
    let mut half = RecvHalf::new(100);
    take(&mut half, &mut pool, 0, b"ab", (true, false)).unwrap();
    assert_eq!(take(&mut half, &mut pool, 0, b"", (true, true)), Err(ProtocolCode::FinalOffset), "below what came");
    assert_eq!(half.check_reset(2), Err(ProtocolCode::FinalOffset));
    take(&mut half, &mut pool, 3, b"", (false, true)).unwrap();
    assert_eq!(take(&mut half, &mut pool, 3, b"x", (false, false)), Err(ProtocolCode::FinalOffset), "beyond the end");
    assert_eq!(take(&mut half, &mut pool, 3, b"", (true, true)), Err(ProtocolCode::FinalOffset), "another end");
    assert_eq!(take(&mut half, &mut pool, 0, b"ab", (true, false)), Ok(0), "what came before may come again");
    assert_eq!(take(&mut half, &mut pool, 3, b"", (false, true)), Ok(0), "and so may the end");
    assert_eq!(half.check_reset(2), Err(ProtocolCode::FinalOffset));
    assert_eq!(half.check_reset(4), Err(ProtocolCode::FinalOffset));
    assert_eq!(half.check_reset(3), Ok(0));
}

/// R-8.4-6, R-8.4-9, R-8.5-6.
#[test]
fn a_reset_counts_what_it_skips() {
    let mut pool = pool();
    let mut half = RecvHalf::new(10);
    take(&mut half, &mut pool, 0, b"abc", (false, false)).unwrap();
    assert_eq!(half.check_reset(11), Err(ProtocolCode::FlowControl));
    assert_eq!(half.check_reset(10), Ok(7));
    assert_eq!(half.accept_reset(&mut pool, 7, 1), 10, "unread and skipped");
    assert_eq!(half.announce(), (10, 10, true));
    assert_eq!(half.read(&mut pool, &mut [0; 4]), Read::Reset(1));
    assert_eq!(half.read(&mut pool, &mut [0; 4]), Read::NotReceiving);
}

/// R-8.5-7.
#[test]
fn a_stopped_half_takes_and_drops() {
    let mut pool = pool();
    let mut half = RecvHalf::new(10);
    take(&mut half, &mut pool, 0, b"abc", (false, false)).unwrap();
    assert_eq!(half.stop(&mut pool, 1), Some(3));
    assert_eq!(pool.in_use(), 0);
    take(&mut half, &mut pool, 3, b"def", (true, false)).unwrap();
    assert_eq!((pool.in_use(), half.held()), (0, 0));
    assert!(half.wants_receipt_announced(), "what came is reported all the same");
    assert_eq!(half.announce(), (7, 10, false), "no new credit");
    assert!(!half.wants_receipt_announced());
    assert_eq!(take(&mut half, &mut pool, 7, &[0; 4], (false, false)), Err(ProtocolCode::FlowControl));
    take(&mut half, &mut pool, 7, b"", (false, true)).unwrap();
    assert!(half.is_done());
}

/// R-8.5-5, R-8.5-7.
#[test]
fn the_peer_hears_of_a_quarter_of_the_window() {
    let mut pool = pool();
    let mut half = RecvHalf::new(40);
    take(&mut half, &mut pool, 0, &[0; 8], (true, false)).unwrap();
    assert!(!half.wants_receipt_announced());
    take(&mut half, &mut pool, 9, &[0; 1], (false, false)).unwrap();
    assert!(half.wants_receipt_announced(), "ten offsets received");
    assert_eq!(half.announce(), (10, 40, false));
    assert!(!half.wants_receipt_announced());
    half.read(&mut pool, &mut [0; 20]);
    assert!(!half.wants_credit_announced(), "nine offsets consumed");
    half.read(&mut pool, &mut [0; 20]);
    assert!(half.wants_credit_announced());
    assert_eq!(half.announce(), (10, 50, false));
}
