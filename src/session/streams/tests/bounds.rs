//! The bounds of [`Limits`], at their worst.

use super::*;

/// As many streams as the limits allow, each with a byte in each of two blocks in both directions, both sent and unacknowledged
/// here and received and unread there; then as much more as there is credit for.
fn worst_case(limits: &Limits) -> Pair {
    let mut pair = Pair::equal(limits);
    pair.fragment = 2_048;
    let block = (ring_window(limits) / 8).next_power_of_two().clamp(256, 2_048);
    let mut ids = Vec::new();
    for direction in [Direction::Bidirectional, Direction::Unidirectional] {
        ids.extend(core::iter::from_fn(|| pair.a.open(direction)));
        ids.extend(core::iter::from_fn(|| pair.b.open(direction)));
    }
    for id in &ids {
        // Up to the last place of a block, and all of it gone again.
        for _ in 0..block - 1 {
            let _ = pair.a.send(*id, &[0], false);
            let _ = pair.b.send(*id, &[0], false);
            pair.settle();
            let _ = pair.a.recv(*id, &mut [0; 1]);
            let _ = pair.b.recv(*id, &mut [0; 1]);
        }
        pair.a.on_ping();
        pair.b.on_ping();
        pair.settle();
    }
    for len in [2, limits.stream_window as usize / 2] {
        for id in &ids {
            let _ = pair.a.send(*id, &vec![0; len], false);
            let _ = pair.b.send(*id, &vec![0; len], false);
        }
        hand_over(&mut pair.b, &fragments(&mut pair.a)).unwrap();
        hand_over(&mut pair.a, &fragments(&mut pair.b)).unwrap();
    }
    pair
}

/// What `from` has to send, controls aside.
fn fragments(from: &mut Streams) -> Vec<Item> {
    let mut buffer = vec![0; 2_048];
    let mut items = Vec::new();
    while let Some((fragment, len)) = from.poll_fragment(&mut buffer) {
        items.push(Item::Fragment(fragment, buffer[..len].to_vec()));
    }
    items
}

#[test]
fn the_worst_case_stays_below_max_bytes() {
    let large = Limits {
        session_window: 1 << 16,
        stream_window: 1 << 14,
        send_buffer: 1 << 16,
        stream_send_buffer: 1 << 14,
        ..Limits::default()
    };
    for limits in [Limits::small(), limits(4_096, 4_096), large] {
        let pair = worst_case(&limits);
        for end in [&pair.a, &pair.b] {
            let used = end.pool.heap_bytes() + end.table.heap_bytes();
            let bound = Streams::max_bytes(&limits);
            assert!(used <= bound, "{used} of {bound}");
            assert!(used >= bound * 2 / 5, "the bound means something: {used} of {bound}");
        }
    }
}

/// One byte in each block, behind a gap, on as many streams as there may be: what a hostile peer would send.
#[test]
fn gaps_cost_no_more_than_max_bytes() {
    for limits in [Limits::small(), limits(4_096, 4_096)] {
        let mut streams = Streams::new(Role::Responder, &limits, false);
        streams.set_peer(&granted_by(&limits));
        let mut numbers = (1..=4).flat_map(|index| [index << 2, index << 2 | 2]);
        let last = u64::from(limits.stream_window) - 1;
        for number in numbers.by_ref() {
            for offset in (1..=last).rev().step_by(256) {
                let fragment = Fragment { stream: number, offset, ..Fragment::default() };
                // Beyond the session's credit it is refused; before that, every gap is kept.
                let _ = streams.on_fragment(&fragment, &[1]);
            }
        }
        let used = streams.pool.heap_bytes() + streams.table.heap_bytes();
        assert!(used <= Streams::max_bytes(&limits), "{used} of {}", Streams::max_bytes(&limits));
        assert!(streams.usage().held >= u64::from(limits.stream_window), "{:?}", streams.usage());
    }
}

#[test]
fn a_session_without_streams_keeps_no_memory() {
    let limits = Limits::small();
    let mut pair = worst_case(&limits);
    for initiator in [true, false] {
        let end = if initiator { &mut pair.a } else { &mut pair.b };
        let ids: Vec<_> = end.table.iter().map(|stream| stream.id).collect();
        for id in ids {
            let _ = end.reset(id, 0);
            let _ = end.stop(id, 0);
        }
    }
    pair.settle();
    for end in [&mut pair.a, &mut pair.b] {
        events(end);
        assert!(end.is_empty());
        assert_eq!(end.usage(), Usage::default());
    }
    assert!(size_of::<Streams>() <= 1_024, "{}", size_of::<Streams>());
}

#[test]
fn a_stream_at_rest_holds_no_block() {
    let mut pair = Pair::equal(&Limits::small());
    let id = pair.a.open(Direction::Bidirectional).unwrap();
    for _ in 0..20 {
        pair.a.send(id, b"ping", true).unwrap();
        pair.settle();
        assert_eq!(read_message(&mut pair.b, id), b"ping");
        pair.b.send(id, b"pong", true).unwrap();
        pair.settle();
        assert_eq!(read_message(&mut pair.a, id), b"pong");
        assert_eq!(pair.a.pool.in_use(), 0, "the answer acknowledged the question");
    }
    assert!(size_of::<Stream>() <= 400, "{}", size_of::<Stream>());
}

#[test]
fn a_steady_flow_needs_few_controls() {
    let limits = Limits::default();
    let mut pair = Pair::equal(&limits);
    pair.fragment = 16 << 10;
    let id = pair.a.open(Direction::Unidirectional).unwrap();
    let chunk = vec![0; 16 << 10];
    let mut buffer = vec![0; 16 << 10];
    for _ in 0..1_000 {
        assert_eq!(pair.a.send(id, &chunk, false), Ok(chunk.len()));
        pair.a_to_b(1);
        assert_eq!(pair.b.recv(id, &mut buffer).unwrap().len, chunk.len());
        pair.b_to_a(1);
        events(&mut pair.b);
    }
    // A stream's credit and acknowledgement every 64 KiB, a session's every 256 KiB.
    assert!(pair.controls <= 1_000 / 4 + 1_000 / 16 + 1, "{}", pair.controls);
}
