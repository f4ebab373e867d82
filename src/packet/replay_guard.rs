//! Which packet numbers have been seen (specification, section 5.6).
#![forbid(unsafe_code)]

/// The window of a link on a datagram carrier: 2048 numbers (R-5.6-1).
pub(crate) type ReplayGuard = SlidingWindow<2048, 33>;

/// Remembers which of the last `WIDTH` numbers up to the highest one have been seen, as RFC 6479 does it.
///
/// The bits stand in a ring of words. A word is cleared as a whole when the highest number enters it, so that moving on costs one
/// step per word, not per number, and there is one word more than the window needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlidingWindow<const WIDTH: u64, const WORDS: usize> {
    /// `None` until there was a number at all: 0 is a number like any other.
    highest: Option<u64>,
    seen: [u64; WORDS],
}

impl<const WIDTH: u64, const WORDS: usize> SlidingWindow<WIDTH, WORDS> {
    const FITS: () = assert!(WIDTH > 0 && WORDS as u64 > WIDTH.div_ceil(64), "the ring needs one word to spare");

    /// Has seen nothing.
    pub(crate) const fn new() -> Self {
        let () = Self::FITS;
        Self { highest: None, seen: [0; WORDS] }
    }

    /// Whether a packet of this number may be opened: not seen before, and not too old to tell.
    ///
    /// This changes nothing (R-5.6-2): until the packet has opened, its number is anybody's claim.
    pub(crate) fn check(&self, number: u64) -> bool {
        let Some(highest) = self.highest else {
            return true;
        };
        match highest.checked_sub(number) {
            None => true,
            Some(age) => age < WIDTH && self.word(number).is_some_and(|word| word & bit(number) == 0),
        }
    }

    /// Takes note of a number whose packet passed [`Self::check`] and has opened.
    pub(crate) fn mark(&mut self, number: u64) {
        match self.highest {
            Some(highest) if number <= highest => {
                if highest.abs_diff(number) >= WIDTH {
                    return;
                }
            }
            _ => self.advance(number),
        }
        if let Some(word) = self.word_mut(number) {
            *word |= bit(number);
        }
    }

    /// Makes `number` the highest, clearing the words that it brings into the window.
    fn advance(&mut self, number: u64) {
        let entered = match self.highest {
            Some(highest) => (number / 64).saturating_sub(highest / 64).min(WORDS as u64),
            None => 0, // everything is clear
        };
        for back in 0..entered {
            if let Some(word) = self.word_mut(number.saturating_sub(back.saturating_mul(64))) {
                *word = 0;
            }
        }
        self.highest = Some(number);
    }

    fn word(&self, number: u64) -> Option<&u64> {
        self.seen.get(Self::index(number))
    }

    fn word_mut(&mut self, number: u64) -> Option<&mut u64> {
        self.seen.get_mut(Self::index(number))
    }

    /// Where in the ring the bit of `number` is.
    fn index(number: u64) -> usize {
        (number / 64).checked_rem(WORDS as u64).unwrap_or_default() as usize
    }
}

/// The bit of `number` in its word.
fn bit(number: u64) -> u64 {
    1 << (number % 64)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::BTreeSet;

    use super::*;

    /// What the window is for, in the plainest way: every number ever seen.
    #[derive(Default)]
    struct Reference(BTreeSet<u64>);

    impl Reference {
        fn check(&self, number: u64, width: u64) -> bool {
            let is_too_old = self.0.last().is_some_and(|highest| highest.saturating_sub(number) >= width);
            !is_too_old && !self.0.contains(&number)
        }

        /// Forgets what is too old for the window anyway.
        fn prune(&mut self) {
            if let Some(highest) = self.0.last() {
                self.0 = self.0.split_off(&highest.saturating_sub(2048));
            }
        }
    }

    /// splitmix64: the runs are the same every time.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// R-5.6-1.
    #[test]
    fn agrees_with_a_set_of_all_numbers_seen() {
        let full = std::env::var("AITCP_CAMPAIGN").is_ok_and(|value| value == "full");
        let packets = if full { 10_000_000 } else { 100_000 };
        let mut state = 1;
        // The last of them comes to the end of all numbers shortly before its own end.
        for start in [0, 1 << 32, u64::MAX - 50 * packets] {
            let mut guard = ReplayGuard::new();
            let mut reference = Reference::default();
            let (mut centre, mut repeated) = (start, 0);
            for step in 0..packets.div_ceil(3) {
                // Mostly near the highest number, on both sides of either edge; now and then a leap.
                let spread = [4, 64, 2_100, 5_000][(random(&mut state) % 4) as usize];
                let number = centre.saturating_add(random(&mut state) % spread).saturating_sub(spread / 2);
                let fresh = guard.check(number);
                repeated += u64::from(reference.0.contains(&number));
                assert_eq!(fresh, reference.check(number, 2048), "step {step}: {number} after {:?}", guard.highest);
                // Three in four open; the number of one that does not leaves no trace.
                if fresh && !random(&mut state).is_multiple_of(4) {
                    guard.mark(number);
                    reference.0.insert(number);
                    centre = centre.max(number);
                }
                if random(&mut state).is_multiple_of(1_000) {
                    centre = centre.saturating_add(random(&mut state) % 6_000);
                }
                if step.is_multiple_of(4_096) {
                    reference.prune();
                }
            }
            assert!(centre - start >= 50 * packets && repeated > packets / 50, "{centre} {repeated}");
        }
    }

    /// Every sequence of six among twelve numbers, eight of which fit the window, wherever the twelve lie.
    #[test]
    fn agrees_with_the_reference_on_every_short_sequence() {
        type Small = SlidingWindow<8, 2>;

        fn explore(base: u64, guard: Small, seen: u16, left: u32) {
            for offset in 0..12 {
                let number = base + offset;
                let highest = seen.checked_ilog2().map(u64::from);
                let is_too_old = highest.is_some_and(|highest| highest.saturating_sub(offset) >= 8);
                let fresh = !is_too_old && seen & 1 << offset == 0;
                assert_eq!(guard.check(number), fresh, "{number} after {seen:#b} from {base}");
                if left > 1 {
                    let mut after = guard;
                    // Unlike a link, this marks old and repeated numbers as well: nothing may come of it.
                    after.mark(number);
                    assert!(fresh || after == guard);
                    explore(base, after, if fresh { seen | 1 << offset } else { seen }, left - 1);
                }
            }
        }

        // At zero, across the border of a word, across the end of the ring, and at the end of all numbers.
        for base in [0, 58, 122, u64::MAX - 11] {
            explore(base, Small::new(), 0, 6);
        }
    }

    #[test]
    fn the_first_number_can_be_any_and_zero_is_one() {
        for number in [0, 1, 63, 64, 2047, 2048, u64::MAX - 1, u64::MAX] {
            let mut guard = ReplayGuard::new();
            assert!(guard.check(number));
            guard.mark(number);
            assert!(!guard.check(number), "{number}");
            assert_eq!(guard.check(number.wrapping_add(1)), number != u64::MAX, "{number}");
        }
    }

    /// R-5.6-1.
    #[test]
    fn the_window_ends_after_2048_numbers() {
        for highest in [2_048, 5_000, u64::MAX] {
            let mut guard = ReplayGuard::new();
            guard.mark(highest);
            assert!(guard.check(highest - 2_047));
            assert!(!guard.check(highest - 2_048));
        }
    }

    #[test]
    fn a_leap_around_the_ring_leaves_nothing_behind() {
        for leap in (1..64 * 36).chain([64 * 66, u64::MAX - 2_047]) {
            let mut guard = ReplayGuard::new();
            (0..2_048).for_each(|number| guard.mark(number));
            guard.mark(2_047 + leap);
            let fresh = (0..2_048).filter(|back| guard.check(2_047 + leap - back)).count() as u64;
            assert_eq!(fresh, leap.min(2_048) - 1, "after a leap of {leap}");
        }
    }

    /// R-5.6-2.
    #[test]
    fn checking_changes_nothing() {
        let mut guard = ReplayGuard::new();
        guard.mark(3_000);
        let before = guard;
        for number in [0, 2_999, 3_000, 3_001, u64::MAX] {
            let _ = guard.check(number);
        }
        assert_eq!(guard, before);
        assert!(guard.check(3_001), "a forged packet from far ahead has not moved the window");
    }
}
