//! How often something may happen: a token bucket.

#![forbid(unsafe_code)]

use crate::time::Instant;

/// A token's worth, so that one microsecond at one token per second is a whole number.
const TOKEN: u64 = 1_000_000;

/// So many a second, and so many at once. An endpoint has one for Hellos with a valid cookie and one for those without, so that
/// whoever forges addresses uses up only the second.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    per_second: u32,
    /// Millionths of a token: what there is, and the most there can be.
    level: u64,
    full: u64,
    /// The latest time seen.
    refilled: Instant,
}

impl Budget {
    /// A full bucket of `burst` tokens, of which `per_second` come back each second.
    pub(crate) const fn new(now: Instant, per_second: u32, burst: u32) -> Self {
        let full = (burst as u64).saturating_mul(TOKEN);
        Self { per_second, level: full, full, refilled: now }
    }

    /// Takes one token. False if there is none: what it was for should not happen.
    #[must_use]
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        match self.level.checked_sub(TOKEN) {
            Some(left) => {
                self.level = left;
                true
            }
            None => false,
        }
    }

    /// Whether there is a token to be taken.
    pub(crate) fn has_token(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.level >= TOKEN
    }

    /// A `now` before the latest one gives nothing: a clock that jumps to and fro mints no tokens.
    fn refill(&mut self, now: Instant) {
        let elapsed = now.as_micros().saturating_sub(self.refilled.as_micros());
        let gained = elapsed.saturating_mul(u64::from(self.per_second));
        self.level = self.level.saturating_add(gained).min(self.full);
        self.refilled = self.refilled.max(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    fn taken(budget: &mut Budget, now: Instant, wanted: u32) -> usize {
        (0..wanted).filter(|_| budget.take(now)).count()
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_its_rate() {
        let mut budget = Budget::new(at(5), 10, 3);
        assert_eq!(taken(&mut budget, at(5), 10), 3);
        assert_eq!(taken(&mut budget, at(100_004), 10), 0);
        assert_eq!(taken(&mut budget, at(100_005), 10), 1);
        assert_eq!(taken(&mut budget, at(10_000_000), 10), 3, "no more than the burst gathers");
    }

    #[test]
    fn asking_often_loses_no_fraction() {
        let mut budget = Budget::new(at(0), 3, 2);
        let count = (0..=2_000_000).filter(|micros| budget.take(at(*micros))).count();
        assert_eq!(count, 2 + 6);
    }

    #[test]
    fn extremes_saturate() {
        let mut never = Budget::new(at(0), u32::MAX, 0);
        assert!(!never.take(at(u64::MAX)));
        let mut only_a_burst = Budget::new(at(0), 0, 2);
        assert_eq!(taken(&mut only_a_burst, at(u64::MAX), 5), 2);
        let mut most = Budget::new(at(0), u32::MAX, u32::MAX);
        assert_eq!(taken(&mut most, at(u64::MAX), 1_000), 1_000);
    }

    #[test]
    fn a_clock_that_jumps_back_mints_nothing() {
        let mut budget = Budget::new(at(0), 1, 1);
        assert!(budget.take(at(1_000_000)));
        for _ in 0..100 {
            assert!(!budget.take(at(0)) && !budget.take(at(1_000_000)));
        }
    }

    proptest! {
        /// Over any stretch of time: at most the burst and what the rate gives.
        #[test]
        fn never_more_than_the_burst_and_the_rate(
            per_second in 0..50_u32,
            burst in 0..20_u32,
            steps in proptest::collection::vec(0..200_000_u64, 1..200),
        ) {
            let mut budget = Budget::new(at(0), per_second, burst);
            let (mut now, mut count) = (0, 0);
            for step in steps {
                now += step;
                count += u64::from(budget.take(at(now)));
                prop_assert!(count * TOKEN <= u64::from(burst) * TOKEN + now * u64::from(per_second));
            }
        }
    }
}
