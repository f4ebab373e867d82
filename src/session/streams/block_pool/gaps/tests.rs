use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::session::streams::block_pool::MIN_BLOCK;

const BLOCK: u64 = MIN_BLOCK as u64;

fn pool() -> BlockPool {
    BlockPool::new(1, 4 * MIN_BLOCK)
}

/// A stream of messages as offsets: `Some` byte, or `None` for the end of a message; and which messages are packed.
struct Stream {
    places: Vec<Option<u8>>,
    packed: Vec<bool>,
}

impl Stream {
    fn of(lens: &[(usize, bool)]) -> Self {
        let mut stream = Self { places: Vec::new(), packed: Vec::new() };
        for (len, packed) in lens {
            stream.packed.push(*packed && *len > 0);
            stream.packed.resize(stream.places.len() + len + 1, false);
            *stream.packed.get_mut(stream.places.len()).unwrap() = *packed && *len > 0;
            let first = stream.places.len();
            stream.places.extend((first..first + len).map(|at| Some((at * 7) as u8)));
            stream.places.push(None);
        }
        stream
    }

    /// The longest fragment from `from` on, of up to `max` offsets: bytes, whether the end follows, whether a packed message begins.
    fn fragment(&self, from: usize, max: usize) -> (Vec<u8>, bool, bool) {
        let bytes: Vec<u8> = self.places[from..].iter().take(max).map_while(|place| *place).collect();
        let end = bytes.len() < max && self.places.get(from + bytes.len()) == Some(&None);
        let packed = self.packed[from] && !bytes.is_empty();
        (bytes, end, packed)
    }
}

/// What a ring gives from its base to its end, as [`Stream`] has it, with the packed flags that the reader sees.
fn contents(ring: &Ring, pool: &BlockPool) -> (Vec<Option<u8>>, Vec<u64>) {
    let (mut places, mut packed) = (Vec::new(), Vec::new());
    let (mut block, mut offset) = (ring.head(), ring.base());
    while offset < ring.end() {
        let mut out = [0; 64];
        let piece = ring.copy(pool, &mut block, offset, u64::MAX, &mut out);
        places.extend(out[..piece.len].iter().map(|byte| Some(*byte)));
        offset += piece.offsets();
        if piece.end_of_message {
            places.push(None);
            if piece.then_packed {
                packed.push(offset);
            }
        }
    }
    (places, packed)
}

fn join_all(ring: &mut Ring, pool: &BlockPool) -> u64 {
    core::iter::from_fn(|| ring.join(pool)).map(|joined| joined.len + u64::from(joined.end_of_message)).sum()
}

proptest! {
    /// Fragments of any cut, in any order, any number of times.
    #[test]
    fn whatever_the_order_the_stream_comes_out(
        lens in prop::collection::vec((0..400_usize, any::<bool>()), 1..6),
        fragments in prop::collection::vec((any::<prop::sample::Index>(), 1..300_usize), 0..60),
        start in 0..(2 * BLOCK),
    ) {
        let stream = Stream::of(&lens);
        let mut pool = pool();
        let mut ring = Ring::default();
        // The stream begins anywhere in a block.
        ring.push_bytes(&mut pool, &alloc::vec![0; start as usize]);
        ring.advance(&mut pool, start);
        let mut held = alloc::vec![false; stream.places.len()];
        let everything = (0..stream.places.len()).step_by(50).map(|from| (from, 50));
        let random = fragments.iter().map(|(index, max)| (index.index(stream.places.len()), *max));
        let mut complete = 0;
        for (from, max) in random.chain(everything.clone()).chain(everything) {
            let (bytes, end, packed) = stream.fragment(from, max);
            let offset = start + from as u64;
            prop_assert!(!ring.contradicts(&pool, offset, bytes.len(), packed));
            ring.put(&mut pool, offset, &bytes, end, packed);
            join_all(&mut ring, &pool);
            held[from..from + bytes.len() + usize::from(end)].fill(true);
            complete = held.iter().take_while(|held| **held).count();
            prop_assert_eq!(ring.end() - start, complete as u64);
            let (places, _) = contents(&ring, &pool);
            prop_assert_eq!(&places[..], &stream.places[..complete]);
        }
        let (_, packed) = contents(&ring, &pool);
        let expected: Vec<u64> =
            (1..complete).filter(|at| stream.packed[*at] && stream.places[at - 1].is_none()).map(|at| start + at as u64).collect();
        let seen: Vec<u64> = packed.into_iter().filter(|at| *at < start + complete as u64).collect();
        prop_assert_eq!(seen, expected);
        ring.clear(&mut pool);
        prop_assert_eq!(pool.in_use(), 0);
    }

    /// Acknowledgements of any ranges free what a set of offsets says.
    #[test]
    fn what_is_acknowledged_is_given_up_from_the_front(
        ranges in prop::collection::vec((0..1_500_u64, 1..400_u64), 0..40),
        len in 1..1_500_usize,
    ) {
        let mut pool = pool();
        let mut ring = Ring::default();
        ring.push_bytes(&mut pool, &alloc::vec![1; len]);
        let mut held = alloc::vec![false; len];
        for (from, count) in ranges {
            let base = ring.base();
            let freed = ring.release(&mut pool, from, from + count);
            let upper = (from + count).min(len as u64);
            for at in from..upper {
                held[at as usize] = true;
            }
            let first_missing = held.iter().take_while(|held| **held).count() as u64;
            prop_assert_eq!(ring.base(), first_missing);
            prop_assert_eq!(freed, first_missing - base);
        }
    }
}

#[test]
fn a_packed_message_promises_the_end_before_it() {
    let mut pool = pool();
    let mut ring = Ring::default();
    ring.put(&mut pool, 5, b"packed", false, true);
    assert!(ring.contradicts(&pool, 3, 2, false), "a byte where an end was promised");
    assert!(!ring.contradicts(&pool, 3, 1, false));
    ring.put(&mut pool, 0, b"abcd", true, false);
    assert!(ring.contradicts(&pool, 8, 1, true), "a packed message in the middle of one");
    assert_eq!(join_all(&mut ring, &pool), 11);
    assert_eq!(contents(&ring, &pool).1, [5]);
}

#[test]
fn the_bits_come_with_the_first_gap_and_are_clear_in_a_block_that_is_used_again() {
    let mut pool = pool();
    let mut ring = Ring::default();
    ring.push_bytes(&mut pool, b"in order");
    let plain = pool.heap_bytes();
    ring.put(&mut pool, 10, b"later", false, false);
    assert_eq!(pool.heap_bytes(), plain + MIN_BLOCK / MARKS_PER_BYTE);
    ring.clear(&mut pool);
    let mut other = Ring::default();
    other.put(&mut pool, 12, b"x", false, false);
    assert_eq!((other.join(&pool), other.high()), (None, 13));
    other.clear(&mut pool);
    pool.trim();
    assert_eq!(pool.heap_bytes(), 0);
}

#[test]
fn one_byte_in_every_block_costs_no_more_than_the_window() {
    let mut pool = pool();
    let mut ring = Ring::default();
    for block in (1..64).rev() {
        ring.put(&mut pool, block * BLOCK + 3, b"x", false, false);
    }
    assert_eq!(pool.in_use(), 64);
    assert!(ring.has_gap() && ring.is_empty());
}
