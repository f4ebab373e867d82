//! Which packet numbers a receiver has received and still has to acknowledge (RFC 9000, section 13.2.3).

use heapless::Vec;

use crate::wire::payload::MAX_ACK_RANGES;

/// The packet numbers `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AckRange {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl AckRange {
    /// Whether `number` is one of them.
    pub(crate) const fn contains(self, number: u64) -> bool {
        self.first <= number && number <= self.last
    }
}

/// The numbers received: the newest ranges of them, as many as one acknowledgement holds.
///
/// A peer that leaves more gaps than that gets its oldest packets acknowledged no more; it sends their contents again. Arrival in
/// order, which is nearly all arrivals, touches the newest range alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct AckRanges {
    /// Ascending, with at least one number missing between two of them.
    ranges: Vec<AckRange, MAX_ACK_RANGES>,
}

impl AckRanges {
    /// Takes note of a number. Whether it was news: not remembered already, and not older than all that there is room for.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        let above = self.ranges.iter().rev().take_while(|range| range.first > number).count();
        let index = self.ranges.len().saturating_sub(above);
        let joins_above = self.ranges.get(index).is_some_and(|range| range.first.checked_sub(1) == Some(number));
        let below = index.checked_sub(1).and_then(|below| self.ranges.get_mut(below));
        let joins_below = match below {
            Some(below) if number <= below.last => return false,
            Some(below) if below.last.checked_add(1) == Some(number) => {
                below.last = number;
                true
            }
            _ => false,
        };
        match (joins_below, joins_above) {
            (true, true) => self.close_gap(index),
            (true, false) => {}
            (false, true) => {
                if let Some(range) = self.ranges.get_mut(index) {
                    range.first = number;
                }
            }
            (false, false) => return self.insert_range(index, AckRange { first: number, last: number }),
        }
        true
    }

    /// Whether `number` is remembered.
    #[cfg(test)]
    pub(crate) fn contains(&self, number: u64) -> bool {
        self.range_of(number).is_some()
    }

    /// The range that `number` is in.
    pub(crate) fn range_of(&self, number: u64) -> Option<AckRange> {
        let range = self.ranges.iter().rev().find(|range| range.first <= number).copied();
        range.filter(|range| range.contains(number))
    }

    /// The highest number ever received.
    pub(crate) fn largest(&self) -> Option<u64> {
        self.ranges.last().map(|range| range.last)
    }

    /// The ranges from the highest down, as an acknowledgement lists them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = AckRange> + Clone + '_ {
        self.ranges.iter().rev().copied()
    }

    /// Forgets all numbers below `number`: the peer knows that they have arrived. The largest is kept in any case, so that what
    /// arrives next can be told to be in order or not.
    pub(crate) fn forget_below(&mut self, number: u64) {
        let number = number.min(self.largest().unwrap_or(0));
        self.ranges.retain(|range| range.last >= number);
        if let Some(oldest) = self.ranges.first_mut() {
            oldest.first = oldest.first.max(number);
        }
    }

    /// Joins the range at `index` to the one below, which has just reached it.
    fn close_gap(&mut self, index: usize) {
        let above = self.ranges.remove(index);
        let below = index.checked_sub(1).and_then(|below| self.ranges.get_mut(below));
        if let Some(below) = below {
            below.last = above.last;
        }
    }

    /// Puts a range of its own at `index`, in place of the oldest one if there is no room.
    fn insert_range(&mut self, index: usize, range: AckRange) -> bool {
        if !self.ranges.is_full() {
            return self.ranges.insert(index, range).is_ok();
        }
        let Some(index) = index.checked_sub(1) else {
            return false;
        };
        self.ranges.remove(0);
        self.ranges.insert(index, range).is_ok()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::BTreeSet;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// Every number received and not forgotten, in the plainest way.
    #[derive(Default)]
    struct Reference(BTreeSet<u64>);

    impl Reference {
        fn insert(&mut self, number: u64) -> bool {
            let fresh = self.0.insert(number);
            while self.ranges().len() > MAX_ACK_RANGES {
                let oldest = *self.ranges().last().unwrap();
                self.0.retain(|&number| number > oldest.last);
            }
            fresh && self.0.contains(&number)
        }

        fn forget_below(&mut self, number: u64) {
            let largest = self.0.last().copied().unwrap_or(0);
            self.0.retain(|&kept| kept >= number.min(largest));
        }

        fn ranges(&self) -> Vec<AckRange> {
            let mut ranges: Vec<AckRange> = Vec::new();
            for &number in self.0.iter().rev() {
                match ranges.last_mut() {
                    Some(range) if range.first - 1 == number => range.first = number,
                    _ => ranges.push(AckRange { first: number, last: number }),
                }
            }
            ranges
        }
    }

    fn numbers(received: &[u64]) -> AckRanges {
        let mut ranges = AckRanges::default();
        received.iter().for_each(|&number| assert!(ranges.insert(number), "{number}"));
        ranges
    }

    fn pairs(ranges: &AckRanges) -> Vec<(u64, u64)> {
        ranges.iter().map(|range| (range.first, range.last)).collect()
    }

    #[test]
    fn numbers_in_order_are_one_range() {
        let ranges = numbers(&[0, 1, 2, 3]);
        assert_eq!(pairs(&ranges), [(0, 3)]);
        assert_eq!(ranges.largest(), Some(3));
        assert_eq!(AckRanges::default().largest(), None);
    }

    #[test]
    fn a_gap_splits_and_a_late_number_joins() {
        let mut ranges = numbers(&[5, 7, 9, 0]);
        assert_eq!(pairs(&ranges), [(9, 9), (7, 7), (5, 5), (0, 0)]);
        assert!(ranges.insert(8));
        assert_eq!(pairs(&ranges), [(7, 9), (5, 5), (0, 0)]);
        assert!(ranges.insert(4) && ranges.insert(6));
        assert_eq!(pairs(&ranges), [(4, 9), (0, 0)]);
        assert!(!ranges.insert(0) && !ranges.insert(4) && !ranges.insert(9));
        assert_eq!(ranges.range_of(6), Some(AckRange { first: 4, last: 9 }));
        assert_eq!((ranges.range_of(3), ranges.range_of(10)), (None, None));
    }

    #[test]
    fn the_newest_ranges_stay() {
        let mut ranges = AckRanges::default();
        for number in (0..200).step_by(2) {
            assert!(ranges.insert(number));
        }
        assert_eq!(ranges.iter().count(), MAX_ACK_RANGES);
        assert_eq!((ranges.largest(), ranges.iter().last().map(|range| range.first)), (Some(198), Some(136)));
        assert!(!ranges.insert(0), "there is no room for older ones");
        assert!(ranges.insert(135), "but one that joins takes none");
    }

    #[test]
    fn what_the_peer_knows_is_forgotten_but_for_the_largest() {
        let mut ranges = numbers(&[0, 1, 2, 5, 6, 7, 9]);
        ranges.forget_below(6);
        assert_eq!(pairs(&ranges), [(9, 9), (6, 7)]);
        ranges.forget_below(u64::MAX);
        assert_eq!(pairs(&ranges), [(9, 9)]);
        assert!(ranges.insert(3), "a packet so late is acknowledged all the same");
    }

    #[test]
    fn numbers_at_the_ends_do_not_wrap() {
        let mut ranges = numbers(&[u64::MAX, 0]);
        assert_eq!(pairs(&ranges), [(u64::MAX, u64::MAX), (0, 0)]);
        assert!(ranges.insert(u64::MAX - 1) && ranges.insert(1) && !ranges.insert(u64::MAX));
        assert_eq!(pairs(&ranges), [(u64::MAX - 1, u64::MAX), (0, 1)]);
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(steps in prop::collection::vec((0..40_u8, 0..150_u64), 0..400)) {
            let mut ranges = AckRanges::default();
            let mut reference = Reference::default();
            for (kind, number) in steps {
                if kind == 0 {
                    ranges.forget_below(number);
                    reference.forget_below(number);
                } else {
                    prop_assert_eq!(ranges.insert(number), reference.insert(number));
                }
                prop_assert_eq!(ranges.iter().collect::<Vec<_>>(), reference.ranges());
                prop_assert_eq!(ranges.largest(), reference.0.last().copied());
                prop_assert_eq!(ranges.contains(number), reference.0.contains(&number));
            }
        }
    }
}
