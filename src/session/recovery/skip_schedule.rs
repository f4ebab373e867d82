//! Which packet numbers are left out, so that a peer which acknowledges what it has not received gives itself away
//! (R-8.10-5; RFC 9000, section 21.4).

/// On average one number in so many is left out at first.
const FIRST_PERIOD: u64 = 512;

/// The period doubles with every number left out, up to this: a peer that was honest for so long is watched less closely.
const LAST_PERIOD: u64 = 8_192;

/// Draws the numbers to leave out. The randomness is the caller's: a peer that could guess it could avoid them.
#[derive(Clone, Debug)]
pub(crate) struct SkipSchedule {
    next: u64,
    period: u64,
}

impl SkipSchedule {
    /// Leaves out numbers above `first`.
    pub(crate) fn new(first: u64, random: u64) -> Self {
        Self { next: first.saturating_add(distance(FIRST_PERIOD, random)), period: FIRST_PERIOD }
    }

    /// Whether `number` is the one to leave out.
    pub(crate) const fn is_due(&self, number: u64) -> bool {
        number >= self.next
    }

    /// Takes note that `number` was left out, and draws the next.
    pub(crate) fn skipped(&mut self, number: u64, random: u64) {
        self.period = self.period.saturating_mul(2).min(LAST_PERIOD);
        self.next = number.saturating_add(distance(self.period, random));
    }
}

/// From 1 to twice the period, all equally likely: periods are powers of two.
const fn distance(period: u64, random: u64) -> u64 {
    (random & period.saturating_mul(2).saturating_sub(1)).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_from_one_to_twice_the_period() {
        assert!(SkipSchedule::new(7, 0).is_due(8) && !SkipSchedule::new(7, 0).is_due(7));
        assert!(SkipSchedule::new(7, 1_023).is_due(7 + 1_024) && !SkipSchedule::new(7, 1_023).is_due(7 + 1_023));
        assert!(SkipSchedule::new(7, 1_024).is_due(8));
    }

    #[test]
    fn one_in_five_hundred_is_left_out_on_average_at_first() {
        let total: u64 = (0..1_024).map(|random| distance(FIRST_PERIOD, random)).sum();
        assert_eq!(total / 1_024, 512);
    }

    #[test]
    fn the_period_grows_to_its_limit() {
        let mut schedule = SkipSchedule::new(0, 0);
        let mut number = 1;
        for period in [1_024, 2_048, 4_096, 8_192, 8_192, 8_192] {
            schedule.skipped(number, u64::MAX);
            number += 2 * period;
            assert!(!schedule.is_due(number - 1) && schedule.is_due(number), "{period}");
        }
    }

    #[test]
    fn numbers_at_the_end_do_not_wrap() {
        let mut schedule = SkipSchedule::new(u64::MAX, u64::MAX);
        schedule.skipped(u64::MAX, u64::MAX);
        assert!(schedule.is_due(u64::MAX) && !schedule.is_due(u64::MAX - 1));
    }
}
