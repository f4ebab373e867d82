use alloc::collections::VecDeque;
use alloc::vec;

use proptest::prelude::*;

use super::*;

const BLOCK: usize = MIN_BLOCK;

fn pool() -> BlockPool {
    BlockPool::new(1, 4 * BLOCK)
}

/// Reads everything from the base on, in pieces of up to `room` bytes.
fn pieces(ring: &Ring, pool: &BlockPool, room: usize) -> Vec<(Vec<u8>, bool)> {
    let (mut block, mut offset) = (ring.head(), ring.base());
    let mut pieces = Vec::new();
    while offset < ring.end() {
        let mut out = vec![0; room];
        let piece = ring.copy(pool, &mut block, offset, u64::MAX, &mut out);
        assert!(piece.offsets() > 0);
        offset += piece.offsets();
        pieces.push((out[..piece.len].to_vec(), piece.end_of_message));
    }
    pieces
}

#[test]
fn blocks_fit_their_windows() {
    assert_eq!(BlockPool::block_size_for(0), 256);
    assert_eq!(BlockPool::block_size_for(4 << 10), 512);
    assert_eq!(BlockPool::block_size_for(5 << 10), 1_024);
    assert_eq!(BlockPool::block_size_for(256 << 10), 2_048);
    assert_eq!(BlockPool::block_size_for(usize::MAX), 2_048);
}

#[test]
fn an_end_has_its_place_at_every_border_of_a_block() {
    for before in [0, 1, BLOCK - 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 1, 2 * BLOCK] {
        let mut pool = pool();
        let mut ring = Ring::default();
        ring.push_bytes(&mut pool, &vec![5; before]);
        ring.push_end(&mut pool);
        ring.push_bytes(&mut pool, b"next");
        assert_eq!(pieces(&ring, &pool, 4 * BLOCK), [(vec![5; before], true), (b"next".to_vec(), false)], "{before}");
        ring.advance(&mut pool, before as u64);
        assert_eq!(pieces(&ring, &pool, 4), [(vec![], true), (b"next".to_vec(), false)], "{before}");
    }
}

#[test]
fn a_piece_stops_at_the_room_and_takes_an_end_without_any() {
    let mut pool = pool();
    let mut ring = Ring::default();
    ring.push_bytes(&mut pool, b"ab");
    ring.push_end(&mut pool);
    let mut block = ring.head();
    let piece = ring.copy(&pool, &mut block, 0, u64::MAX, &mut [0; 1]);
    assert_eq!(piece, Piece { len: 1, end_of_message: false, then_packed: false });
    assert_eq!(ring.copy(&pool, &mut block, 1, u64::MAX, &mut []), Piece::default());
    assert_eq!(
        ring.copy(&pool, &mut block, 1, 1, &mut [0; 9]),
        Piece { len: 1, end_of_message: false, then_packed: false },
        "max counts ends"
    );
    assert_eq!(ring.copy(&pool, &mut block, 2, 1, &mut []), Piece { len: 0, end_of_message: true, then_packed: false });
}

#[test]
fn an_empty_ring_holds_no_block_and_goes_on_in_the_middle_of_one() {
    let mut pool = pool();
    let mut ring = Ring::default();
    ring.push_bytes(&mut pool, b"abc");
    ring.advance(&mut pool, 3);
    assert_eq!((pool.in_use(), ring.head()), (0, None));
    ring.push_bytes(&mut pool, b"d");
    assert_eq!(pool.in_use(), 1);
    assert_eq!(pieces(&ring, &pool, 9), [(b"d".to_vec(), false)]);
}

#[test]
fn a_used_block_remembers_no_end() {
    let mut pool = pool();
    let mut ring = Ring::default();
    for _ in 0..BLOCK {
        ring.push_end(&mut pool);
    }
    ring.clear(&mut pool);
    ring.push_bytes(&mut pool, &[1; BLOCK]);
    assert_eq!(pieces(&ring, &pool, BLOCK), [(vec![1; BLOCK], false)]);
}

#[test]
fn free_blocks_are_kept_up_to_a_bound_and_given_back_when_asked() {
    let mut pool = BlockPool::new(1, 8 * 3 * BLOCK);
    let mut ring = Ring::default();
    ring.push_bytes(&mut pool, &[0; 9 * BLOCK]);
    ring.clear(&mut pool);
    let kept = pool.heap_bytes();
    assert!(kept < 3 * (BLOCK + BLOCK / 8) + 16 * size_of::<Block>() + 1);
    assert!(kept >= 3 * BLOCK);
    ring.push_bytes(&mut pool, &[0; 9 * BLOCK]);
    pool.trim();
    assert_eq!(pieces(&ring, &pool, 9 * BLOCK).len(), 1, "blocks in use stay");
    ring.clear(&mut pool);
    pool.trim();
    assert_eq!(pool.heap_bytes(), 0);
}

#[derive(Clone, Debug)]
enum Op {
    Bytes(usize),
    End,
    Advance(u64),
    Read(usize),
    Trim,
}

fn op() -> impl Strategy<Value = (usize, Op)> {
    let op = prop_oneof![
        prop_oneof![0..5_usize, 0..700_usize].prop_map(Op::Bytes),
        Just(Op::End),
        prop_oneof![0..5_u64, 0..900_u64].prop_map(Op::Advance),
        prop_oneof![0..5_usize, 0..900_usize].prop_map(Op::Read),
        Just(Op::Trim),
    ];
    (0..3_usize, op)
}

proptest! {
    /// Three rings in one pool, each against a queue of its offsets.
    #[test]
    fn rings_are_queues_of_bytes_and_ends(ops in prop::collection::vec(op(), 0..80)) {
        let mut pool = pool();
        let mut rings = [(); 3].map(|()| (Ring::default(), VecDeque::new()));
        let mut byte = 0_u8;
        for (which, op) in ops {
            let (ring, model) = &mut rings[which];
            match op {
                Op::Bytes(len) => {
                    let bytes: Vec<_> = (0..len).map(|index| byte.wrapping_add(index as u8)).collect();
                    byte = byte.wrapping_add(len as u8);
                    ring.push_bytes(&mut pool, &bytes);
                    model.extend(bytes.into_iter().map(Some));
                }
                Op::End => {
                    ring.push_end(&mut pool);
                    model.push_back(None);
                }
                Op::Advance(amount) => {
                    let amount = amount.min(ring.len());
                    ring.advance(&mut pool, amount);
                    model.drain(..amount as usize);
                }
                Op::Read(room) => {
                    let expected: Vec<_> = model.iter().copied().map_while(|symbol| symbol).take(room).collect();
                    let end = model.get(expected.len()) == Some(&None);
                    let mut out = vec![0; room];
                    let mut block = ring.head();
                    let piece = ring.copy(&pool, &mut block, ring.base(), u64::MAX, &mut out);
                    prop_assert_eq!(&out[..piece.len], &expected[..]);
                    prop_assert_eq!(piece.end_of_message, end);
                }
                Op::Trim => pool.trim(),
            }
            prop_assert_eq!(ring.len(), model.len() as u64);
            prop_assert_eq!(ring.head().is_none(), ring.is_empty());
        }
        for (ring, _) in &mut rings {
            ring.clear(&mut pool);
        }
        prop_assert_eq!(pool.in_use(), 0);
    }
}
