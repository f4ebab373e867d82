//! Spreading packets over the round trip, so that no queue has to take a whole window at once (RFC 9002, section 7.7).

use core::time::Duration;

use crate::time::Instant;

/// Bytes leave at 5/4 of a window per round trip: a little faster than they are acknowledged, so that the window stays the limit.
const RATE: (u64, u64) = (5, 4);

/// So many packets may leave at once at any rate,
const MIN_BURST: u64 = 10;

/// and so many at most,
const MAX_BURST: u64 = 256;

/// or as many as leave in this time. Carriers and their drivers are woken no more often than every millisecond or so.
const BURST_TIME: u64 = 2_000;

/// A sender that has run out waits until it may send for this long, in microseconds, rather than be woken for each packet.
const QUANTUM: u64 = 500;

/// How fast a sender may go at this moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The congestion window in bytes.
    pub(crate) window: u64,
    pub(crate) smoothed_rtt: Duration,
    pub(crate) mtu: u16,
}

/// A bucket of bytes that may leave now. It fills with time, up to a burst.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pacer {
    /// `None` while the bucket has never been drawn from: it is full.
    level: Option<Level>,
    /// Bytes that a sender waits for: nothing leaves before the bucket holds so many.
    awaited: u64,
}

/// What was in the bucket at a time.
#[derive(Clone, Copy, Debug)]
struct Level {
    bytes: u64,
    at: Instant,
}

impl Pacer {
    /// When `bytes` more may leave; `None` if they may now. Whoever asks again at that time, at the same pace, gets `None`, and
    /// asking in between changes nothing.
    pub(crate) fn delay(&mut self, bytes: u64, pace: &Pace, now: Instant) -> Option<Instant> {
        let level = self.level?;
        let available = pace.level(level, now);
        let burst = pace.burst();
        if available >= bytes.max(self.awaited).min(burst) {
            self.awaited = 0;
            return None;
        }
        if self.awaited == 0 {
            self.awaited = pace.bytes_in(QUANTUM);
        }
        let missing = bytes.max(self.awaited).min(burst).saturating_sub(level.bytes);
        Some(level.at + pace.time_for(missing))
    }

    /// Takes note that `bytes` left.
    pub(crate) fn on_sent(&mut self, bytes: u64, pace: &Pace, now: Instant) {
        let available = self.level.map_or(pace.burst(), |level| pace.level(level, now));
        let at = self.level.map_or(now, |level| level.at.max(now));
        self.level = Some(Level { bytes: available.saturating_sub(bytes), at });
    }
}

impl Pace {
    /// What a bucket that was at `level` holds now.
    fn level(&self, level: Level, now: Instant) -> u64 {
        let elapsed = u64::try_from((now - level.at).as_micros()).unwrap_or(u64::MAX);
        level.bytes.saturating_add(self.bytes_in(elapsed)).min(self.burst())
    }

    /// The most that may leave at once.
    fn burst(&self) -> u64 {
        let mtu = u64::from(self.mtu);
        self.bytes_in(BURST_TIME).clamp(mtu.saturating_mul(MIN_BURST), mtu.saturating_mul(MAX_BURST))
    }

    /// Bytes that leave in so many microseconds, rounded down.
    fn bytes_in(&self, micros: u64) -> u64 {
        let bytes = u128::from(micros).saturating_mul(self.numerator()).checked_div(self.denominator());
        u64::try_from(bytes.unwrap_or(u128::MAX)).unwrap_or(u64::MAX)
    }

    /// The time in which so many bytes leave, rounded up: then they may indeed.
    fn time_for(&self, bytes: u64) -> Duration {
        let micros = u128::from(bytes).saturating_mul(self.denominator()).div_ceil(self.numerator().max(1));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    fn numerator(&self) -> u128 {
        u128::from(self.window).saturating_mul(u128::from(RATE.0))
    }

    fn denominator(&self) -> u128 {
        self.smoothed_rtt.as_micros().saturating_mul(u128::from(RATE.1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    /// A packet per 8 ms.
    const PACE: Pace = Pace { window: 12_000, smoothed_rtt: Duration::from_millis(100), mtu: 1_200 };

    #[test]
    fn ten_packets_leave_at_once_and_the_next_in_time() {
        let mut pacer = Pacer::default();
        for _ in 0..10 {
            assert_eq!(pacer.delay(1_200, &PACE, at(0)), None);
            pacer.on_sent(1_200, &PACE, at(0));
        }
        assert_eq!(pacer.delay(1_200, &PACE, at(0)), Some(at(8_000)));
        assert_eq!(pacer.delay(1_200, &PACE, at(7_999)), Some(at(8_000)));
        assert_eq!(pacer.delay(1_200, &PACE, at(8_000)), None);
        pacer.on_sent(1_200, &PACE, at(8_000));
        assert_eq!(pacer.delay(1_200, &PACE, at(8_000)), Some(at(16_000)));
        assert_eq!(pacer.delay(600, &PACE, at(12_000)), None, "half a packet takes half the time");
    }

    #[test]
    fn the_bucket_holds_no_more_than_a_burst() {
        let mut pacer = Pacer::default();
        pacer.on_sent(1_200, &PACE, at(0));
        let late = at(60_000_000);
        for _ in 0..10 {
            assert_eq!(pacer.delay(1_200, &PACE, late), None);
            pacer.on_sent(1_200, &PACE, late);
        }
        assert!(pacer.delay(1_200, &PACE, late).is_some());
    }

    #[test]
    fn at_a_high_rate_a_sender_is_woken_for_many_packets() {
        // 125 bytes in a microsecond.
        let pace = Pace { window: 1_000_000, smoothed_rtt: Duration::from_millis(10), mtu: 1_200 };
        let mut pacer = Pacer::default();
        let mut burst = 0;
        while pacer.delay(1_200, &pace, at(0)).is_none() {
            pacer.on_sent(1_200, &pace, at(0));
            burst += 1_200;
        }
        assert!((248_000..=250_000).contains(&burst), "what leaves in 2 ms: {burst}");
        let due = pacer.delay(1_200, &pace, at(0)).unwrap();
        assert!((490..=500).contains(&due.as_micros()), "{due:?}");
        assert_eq!(pacer.delay(1_200, &pace, at(100)), Some(due), "not before, though there is room for some");
        let mut packets = 0;
        while pacer.delay(1_200, &pace, due).is_none() {
            pacer.on_sent(1_200, &pace, due);
            packets += 1;
        }
        assert_eq!(packets, 52);
    }

    #[test]
    fn a_wider_window_shortens_the_wait() {
        let mut pacer = Pacer::default();
        pacer.on_sent(12_000, &PACE, at(0));
        assert_eq!(pacer.delay(1_200, &PACE, at(0)), Some(at(8_000)));
        assert_eq!(pacer.delay(1_200, &Pace { window: 24_000, ..PACE }, at(0)), Some(at(4_000)));
    }

    #[test]
    fn without_a_round_trip_there_is_no_wait() {
        let pace = Pace { smoothed_rtt: Duration::ZERO, ..PACE };
        let mut pacer = Pacer::default();
        pacer.on_sent(1 << 40, &pace, at(0));
        assert_eq!(pacer.delay(1_200, &pace, at(0)), None);
    }

    proptest! {
        #[test]
        fn asking_at_the_deadline_gets_leave(
            steps in prop::collection::vec((1..20_000_u64, 0..50_000_u64), 1..100),
            window in 1..u64::MAX,
            rtt in 1..u64::MAX,
            mtu in 1..u16::MAX,
        ) {
            for (window, rtt) in [(window >> 32, rtt >> 44), (window, rtt)] {
                let pace = Pace { window, smoothed_rtt: Duration::from_micros(rtt), mtu };
                let mut pacer = Pacer::default();
                let mut now = 0;
                for &(bytes, wait) in &steps {
                    if let Some(due) = pacer.delay(bytes, &pace, at(now)) {
                        prop_assert!(due > at(now));
                        prop_assert_eq!(pacer.delay(bytes, &pace, at(due.as_micros() - 1)), Some(due));
                        // The end of time is no deadline.
                        if due < at(u64::MAX) {
                            prop_assert_eq!(pacer.delay(bytes, &pace, due), None);
                        }
                        now = due.as_micros();
                    }
                    pacer.on_sent(bytes, &pace, at(now));
                    now = now.saturating_add(wait);
                }
            }
        }

        /// Over a long time no more leaves than the rate and one burst.
        #[test]
        fn the_rate_is_kept(wakes in prop::collection::vec(0..30_000_u64, 1..200)) {
            let mut pacer = Pacer::default();
            let (mut now, mut sent) = (0, 0);
            for wait in wakes {
                while pacer.delay(1_200, &PACE, at(now)).is_none() {
                    pacer.on_sent(1_200, &PACE, at(now));
                    sent += 1_200;
                }
                prop_assert!(sent <= 12_000 + now * 150 / 1_000, "{} bytes in {} us", sent, now);
                now += wait;
            }
        }
    }
}
