extern crate std;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::seed::Seed;

fn map() -> IdMap {
    IdMap::new(&mut Generator::new(Seed::new([7; 32]).unwrap()))
}

#[test]
fn an_id_is_there_once_and_until_it_is_removed() {
    let mut map = map();
    assert_eq!((map.get(0), map.remove(0)), (None, None));
    assert!(map.insert(0, 5) && map.insert(u64::MAX, u32::MAX - 1));
    assert!(!map.insert(0, 7), "taken");
    assert!(!map.insert(1, u32::MAX), "no place");
    assert_eq!((map.get(0), map.get(u64::MAX), map.get(1), map.len()), (Some(5), Some(u32::MAX - 1), None, 2));
    assert_eq!((map.remove(0), map.remove(0), map.len()), (Some(5), None, 1));
}

#[test]
fn memory_follows_the_number_of_ids() {
    let mut map = map();
    for id in 0..100_000 {
        map.insert(id, 0);
        assert!(map.len() * 4 <= map.table.capacity() * 3);
    }
    for id in 0..100_000 {
        map.remove(id);
        assert!(map.table.capacity() <= (map.len() * 8).max(MIN_CAPACITY), "{}", map.len());
    }
    assert_eq!((map.table.capacity(), map.old.capacity()), (MIN_CAPACITY, 0));
}

/// The old table is empty before the next one begins to be: no call ever moves more than `MOVES`.
#[test]
fn moving_ends_long_before_the_next_begins() {
    let mut map = map();
    let (mut capacity, mut left) = (0, 0);
    let mut check = |map: &IdMap| {
        if map.table.capacity() != capacity {
            assert_eq!(map.old.capacity(), capacity, "nothing has moved yet");
            assert_eq!(left, 0, "and nothing was left of the last time");
            capacity = map.table.capacity();
        }
        left = map.old.len();
    };
    for id in 0..200_000 {
        map.insert(id, 0);
        check(&map);
    }
    for id in 0..200_000 {
        map.remove(id);
        check(&map);
    }
}

#[test]
fn a_map_that_stays_at_its_bounds_does_not_resize_to_and_fro() {
    let mut map = map();
    for id in 0..13 {
        map.insert(id, 0);
    }
    let capacity = map.table.capacity();
    for id in 13..1_000 {
        map.insert(id, 0);
        map.remove(id);
        assert_eq!(map.table.capacity(), capacity);
    }
}

/// Counters, ids with a server's number on top, multiples of a power of two: as short probes as for random ids.
#[test]
fn ids_with_a_pattern_spread_like_random_ones() {
    let patterns: [fn(u64) -> u64; 4] = [|n| n, |n| n << 32, |n| n << 48 | 0xABCD, |n| n.reverse_bits()];
    for pattern in patterns {
        let mut map = map();
        for n in 0..49_000 {
            map.insert(pattern(n), n as u32);
        }
        // Knuth: 1.5 steps beyond the first at three quarters.
        let steps = map.table.probing(&map.mixer);
        assert!(map.old.len() == 0 && steps < 49_000 * 2, "{steps}");
    }
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(std::format!("{:?}", map()), "IdMap { len: 0, .. }");
}

#[derive(Clone, Debug)]
enum Operation {
    Insert(u64, u32),
    Remove(u64),
    /// Many at once, so that the map grows and shrinks.
    Fill(u64),
    Empty(u64),
}

const IDS: u64 = 300;

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => (0..IDS, 0..10_u32).prop_map(|(id, place)| Operation::Insert(id, place)),
        8 => (0..IDS).prop_map(Operation::Remove),
        1 => (0..IDS).prop_map(Operation::Fill),
        1 => (0..IDS).prop_map(Operation::Empty),
    ]
}

proptest! {
    /// With a multiplier of 1 the ids lie together, in long runs.
    #[test]
    fn it_does_what_an_ordered_map_does(
        multiply in prop_oneof![Just(1_u64), any::<u64>().prop_map(|key| key | 1)],
        operations in proptest::collection::vec(operation(), 0..100),
    ) {
        let mut map = map();
        map.mixer.multiply = multiply;
        let mut reference = BTreeMap::new();
        for operation in operations {
            match operation {
                Operation::Insert(id, place) => {
                    prop_assert_eq!(map.insert(id, place), !reference.contains_key(&id));
                    reference.entry(id).or_insert(place);
                }
                Operation::Remove(id) => prop_assert_eq!(map.remove(id), reference.remove(&id)),
                Operation::Fill(end) => {
                    for id in 0..end {
                        prop_assert_eq!(map.insert(id, 1), !reference.contains_key(&id));
                        reference.entry(id).or_insert(1);
                    }
                }
                Operation::Empty(end) => {
                    for id in 0..end {
                        prop_assert_eq!(map.remove(id), reference.remove(&id));
                    }
                }
            }
            prop_assert_eq!(map.len(), reference.len());
            prop_assert!((0..IDS).all(|id| map.get(id) == reference.get(&id).copied()));
        }
    }
}
