use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn range(from: u64, to: u64) -> LostRange {
    LostRange { from, to, packed: false }
}

#[test]
fn ranges_grow_together_but_for_the_beginning_of_a_packed_message() {
    let mut lost = LostRanges::default();
    lost.insert(range(10, 20));
    lost.insert(range(30, 40));
    lost.insert(range(20, 30));
    assert_eq!(lost.0, [range(10, 40)]);
    let packed = LostRange { packed: true, ..range(40, 50) };
    lost.insert(packed);
    assert_eq!(lost.0, [range(10, 40), packed]);
    lost.take(30);
    lost.take(1);
    assert_eq!(lost.0, [range(41, 50)], "the rest of a packed message does not begin one");
}

proptest! {
    #[test]
    fn lost_ranges_are_a_set_of_offsets_in_order(
        steps in prop::collection::vec((0..3_u8, 0..60_u64, 1..20_u64), 0..80),
    ) {
        let mut lost = LostRanges::default();
        let mut set = alloc::collections::BTreeSet::new();
        for (what, from, len) in steps {
            match what {
                0 => {
                    lost.insert(range(from, from + len));
                    set.extend(from..from + len);
                }
                1 => {
                    lost.remove(from, from + len);
                    set.retain(|at| !(from..from + len).contains(at));
                }
                _ => {
                    if let Some(first) = lost.first() {
                        let amount = len.min(first.to - first.from);
                        lost.take(amount);
                        set.retain(|at| *at >= first.from + amount);
                    }
                }
            }
            let all: Vec<u64> = lost.0.iter().flat_map(|range| range.from..range.to).collect();
            prop_assert_eq!(all, set.iter().copied().collect::<Vec<_>>());
            let apart = lost.0.iter().zip(lost.0.iter().skip(1)).all(|(a, b)| a.to < b.from);
            prop_assert!(apart, "{:?}", lost.0);
        }
    }
}
