//! How long a round trip takes (RFC 9002, section 5).

use core::time::Duration;

/// What a round trip is taken for until one was measured: 333 ms (RFC 9002, section 6.2.2).
const INITIAL_RTT: u64 = 333_000;

/// What timers can tell apart: 1 ms (RFC 9002, section 6.1.2).
const GRANULARITY: u64 = 1_000;

/// A longer sample counts as this long, about 71 minutes: nothing below overflows.
const MAX_SAMPLE: u64 = u32::MAX as u64;

/// Estimates of the round trip, in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct RttEstimator {
    latest: u64,
    /// `None` until there was a sample.
    min: Option<u64>,
    smoothed: u64,
    variation: u64,
}

impl RttEstimator {
    pub(crate) const fn new() -> Self {
        Self { latest: INITIAL_RTT, min: None, smoothed: INITIAL_RTT, variation: INITIAL_RTT / 2 }
    }

    /// Takes a sample: a packet was acknowledged `sample` after it was sent, and the peer says that it held the acknowledgement back
    /// for `ack_delay`. `max_ack_delay` is as long as the peer may, once the handshake is confirmed.
    pub(crate) fn update(&mut self, sample: Duration, ack_delay: Duration, max_ack_delay: Option<Duration>) {
        let sample = micros(sample);
        self.latest = sample;
        let Some(min) = self.min else {
            self.min = Some(sample);
            self.smoothed = sample;
            self.variation = sample / 2;
            return;
        };
        let min = min.min(sample);
        self.min = Some(min);
        let ack_delay = micros(max_ack_delay.map_or(ack_delay, |max| ack_delay.min(max)));
        // A peer that says it held back for longer than it can have does not make the path faster than it ever was.
        let adjusted = if sample >= min.saturating_add(ack_delay) { sample.saturating_sub(ack_delay) } else { sample };
        let deviation = self.smoothed.abs_diff(adjusted);
        self.variation = self.variation.saturating_mul(3).saturating_add(deviation) / 4;
        self.smoothed = self.smoothed.saturating_mul(7).saturating_add(adjusted) / 8;
    }

    /// After persistent congestion the path may be another one: the shortest sample is the latest (RFC 9002, section 5.2).
    pub(crate) fn forget_min(&mut self) {
        self.min = self.min.map(|_| self.latest);
    }

    /// Whether anything was measured.
    #[cfg(test)]
    pub(crate) const fn has_sample(&self) -> bool {
        self.min.is_some()
    }

    /// The last sample.
    pub(crate) const fn latest(&self) -> Duration {
        Duration::from_micros(self.latest)
    }

    /// The shortest sample.
    pub(crate) fn min(&self) -> Duration {
        Duration::from_micros(self.min.unwrap_or(INITIAL_RTT))
    }

    /// The moving average.
    pub(crate) const fn smoothed(&self) -> Duration {
        Duration::from_micros(self.smoothed)
    }

    /// The moving average of how far samples are from it.
    #[cfg(test)]
    pub(crate) const fn variation(&self) -> Duration {
        Duration::from_micros(self.variation)
    }

    /// How long to wait for an acknowledgement that the peer does not hold back (RFC 9002, section 6.2.1).
    pub(crate) fn pto_base(&self) -> Duration {
        let spread = self.variation.saturating_mul(4).max(GRANULARITY);
        Duration::from_micros(self.smoothed.saturating_add(spread))
    }

    /// A packet is lost when it is so long in flight that one sent later was acknowledged: 9/8 of a round trip (RFC 9002, section
    /// 6.1.2).
    pub(crate) fn loss_delay(&self) -> Duration {
        let longest = self.smoothed.max(self.latest);
        Duration::from_micros((longest.saturating_mul(9) / 8).max(GRANULARITY))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(MAX_SAMPLE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn after(samples: &[(u64, u64)]) -> RttEstimator {
        let mut rtt = RttEstimator::new();
        samples.iter().for_each(|&(sample, delay)| rtt.update(MS(sample), MS(delay), Some(MS(25))));
        rtt
    }

    #[test]
    fn without_a_sample_a_third_of_a_second_is_assumed() {
        let rtt = RttEstimator::new();
        assert!(!rtt.has_sample());
        assert_eq!((rtt.smoothed(), rtt.min()), (MS(333), MS(333)));
        assert_eq!(rtt.variation(), Duration::from_micros(166_500));
        assert_eq!(rtt.pto_base(), MS(999));
    }

    #[test]
    fn the_first_sample_stands_for_itself() {
        let rtt = after(&[(100, 20)]);
        assert!(rtt.has_sample());
        assert_eq!((rtt.latest(), rtt.min(), rtt.smoothed(), rtt.variation()), (MS(100), MS(100), MS(100), MS(50)));
        assert_eq!(rtt.pto_base(), MS(300));
    }

    #[test]
    fn later_samples_are_averaged() {
        let rtt = after(&[(100, 0), (180, 0)]);
        assert_eq!((rtt.smoothed(), rtt.variation()), (MS(110), Duration::from_micros(57_500)));
        assert_eq!((rtt.latest(), rtt.min()), (MS(180), MS(100)));
    }

    #[test]
    fn the_delay_of_the_peer_is_taken_off_unless_that_beats_the_minimum() {
        assert_eq!(after(&[(100, 0), (120, 20)]).smoothed(), MS(100));
        assert_eq!(after(&[(100, 0), (119, 20)]).smoothed(), Duration::from_micros(102_375), "not taken off");
    }

    #[test]
    fn the_delay_counts_up_to_what_was_agreed_once_that_is_known() {
        assert_eq!(after(&[(100, 0), (140, 1_000)]).smoothed(), Duration::from_micros(101_875), "25 ms taken off");
        let mut rtt = after(&[(100, 0)]);
        rtt.update(MS(140), MS(40), None);
        assert_eq!(rtt.smoothed(), MS(100));
    }

    #[test]
    fn the_minimum_ignores_the_delay() {
        assert_eq!(after(&[(100, 0), (90, 25)]).min(), MS(90));
    }

    #[test]
    fn the_minimum_can_start_anew() {
        let mut rtt = after(&[(50, 0), (90, 0)]);
        let smoothed = rtt.smoothed();
        rtt.forget_min();
        assert_eq!((rtt.min(), rtt.smoothed()), (MS(90), smoothed));
        let mut rtt = RttEstimator::new();
        rtt.forget_min();
        assert!(!rtt.has_sample());
    }

    #[test]
    fn the_loss_delay_is_nine_eighths_of_the_longer_and_a_millisecond_at_least() {
        assert_eq!(after(&[(80, 0), (160, 0)]).loss_delay(), MS(180));
        assert_eq!(after(&[(80, 0), (40, 0)]).loss_delay(), Duration::from_micros(84_375));
        assert_eq!(after(&[(0, 0)]).loss_delay(), MS(1));
        assert_eq!(after(&[(0, 0)]).pto_base(), MS(1));
    }

    proptest! {
        #[test]
        fn hostile_values_stay_in_bounds(samples in prop::collection::vec((any::<u64>(), any::<u64>(), any::<bool>()), 1..50)) {
            let mut rtt = RttEstimator::new();
            for (sample, delay, confirmed) in samples {
                rtt.update(Duration::from_micros(sample), Duration::from_secs(delay), confirmed.then_some(Duration::MAX));
                prop_assert!(rtt.min() <= rtt.latest());
                prop_assert!(rtt.smoothed() <= Duration::from_micros(MAX_SAMPLE));
                prop_assert!(rtt.variation() <= Duration::from_micros(MAX_SAMPLE));
                prop_assert!(rtt.pto_base() > rtt.smoothed() && rtt.loss_delay() >= MS(1));
            }
        }
    }
}
