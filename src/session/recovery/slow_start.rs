//! Slow start, and how to leave it before packets are lost: HyStart++ (RFC 9406).
//!
//! ```text
//!              round trips grow longer                five rounds
//! slow start -----------------------------> careful -------------> congestion avoidance
//!  x2 a round <----------------------------- x1.25
//!              they are short again
//! ```
//!
//! A queue that fills shows in the shortest round trip of a round. Without this the window doubles once more than the path can take,
//! and half of it is lost.

use core::time::Duration;

use super::rate_controller::Acked;
use crate::time::Instant;

/// A round says nothing before it had so many samples.
const MIN_SAMPLES: u8 = 8;

/// Round trips are longer when they have grown by an eighth, but not for less than 4 ms, and in any case for 16 ms.
const MIN_GROWTH: Duration = Duration::from_millis(4);
const MAX_GROWTH: Duration = Duration::from_millis(16);

/// Careful growth is slower by this, and lasts for so many rounds.
const CAREFUL_DIVISOR: u64 = 4;
const CAREFUL_ROUNDS: u8 = 5;

/// The phase of growing fast, up to a threshold.
#[derive(Debug)]
pub(crate) struct SlowStart {
    /// The window from which on it is over; endless until the first congestion.
    threshold: u64,
    round: Round,
    /// The shortest round trip of the round before.
    last_min: Option<Duration>,
    careful: Option<Careful>,
}

/// A round trip's worth of acknowledgements.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    /// Ends when a packet sent since is acknowledged. `None` before the first acknowledgement.
    start: Option<Instant>,
    min: Option<Duration>,
    samples: u8,
}

/// Round trips have grown longer: it may be by chance.
#[derive(Clone, Copy, Debug)]
struct Careful {
    /// If they get shorter than this again, it was.
    baseline: Duration,
    rounds_left: u8,
}

impl SlowStart {
    pub(crate) fn new() -> Self {
        Self { threshold: u64::MAX, round: Round::default(), last_min: None, careful: None }
    }

    /// Whether a window is still below the threshold.
    pub(crate) const fn is_active(&self, window: u64) -> bool {
        window < self.threshold
    }

    /// There was congestion: from now on it is over at `window`.
    pub(crate) const fn end_at(&mut self, window: u64) {
        self.threshold = window;
        self.careful = None;
    }

    /// The window after an acknowledgement, as long as slow start [is active](Self::is_active).
    pub(crate) fn grow(&mut self, window: u64, acked: &Acked) -> u64 {
        // The rounds are watched only the first time: later the threshold is known.
        if self.threshold == u64::MAX {
            self.watch(acked);
        }
        let growth = match self.careful {
            _ if !acked.is_window_limited => 0,
            Some(_) => acked.bytes / CAREFUL_DIVISOR,
            None => acked.bytes,
        };
        let window = window.saturating_add(growth);
        if self.careful.is_some_and(|careful| careful.rounds_left == 0) {
            self.end_at(window);
        }
        window
    }

    fn watch(&mut self, acked: &Acked) {
        if self.round.start.is_none_or(|start| acked.time_sent >= start) {
            self.begin_round(acked.now);
        }
        let Some(sample) = acked.rtt_sample else {
            return;
        };
        let min = self.round.min.map_or(sample, |min| min.min(sample));
        self.round.min = Some(min);
        self.round.samples = self.round.samples.saturating_add(1);
        if self.round.samples >= MIN_SAMPLES {
            self.compare(min);
        }
    }

    fn begin_round(&mut self, now: Instant) {
        if self.round.start.is_some() {
            self.last_min = self.round.min;
            if let Some(careful) = &mut self.careful {
                careful.rounds_left = careful.rounds_left.saturating_sub(1);
            }
        }
        self.round = Round { start: Some(now), ..Round::default() };
    }

    /// Compares the shortest round trip of this round with what was before.
    fn compare(&mut self, min: Duration) {
        match self.careful {
            Some(careful) if min < careful.baseline => self.careful = None,
            Some(_) => {}
            None => {
                let is_longer = self.last_min.is_some_and(|last| {
                    let growth = last.checked_div(8).unwrap_or_default().clamp(MIN_GROWTH, MAX_GROWTH);
                    min >= last.saturating_add(growth)
                });
                self.careful = is_longer.then_some(Careful { baseline: min, rounds_left: CAREFUL_ROUNDS });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MTU: u64 = 1_200;

    /// A path on which every packet is acknowledged by itself, a round after the other.
    struct Path {
        slow_start: SlowStart,
        window: u64,
        now: u64,
    }

    impl Path {
        fn new() -> Self {
            Self { slow_start: SlowStart::new(), window: 10 * MTU, now: 1_000 }
        }

        /// One round, in which all round trips take so long.
        fn round(&mut self, millis: u64) -> u64 {
            let rtt = Duration::from_millis(millis);
            let time_sent = Instant::from_micros(self.now * 1_000);
            self.now += millis;
            let now = Instant::from_micros(self.now * 1_000);
            for _ in 0..self.window / MTU {
                if !self.slow_start.is_active(self.window) {
                    break;
                }
                let (rtt_sample, smoothed_rtt) = (Some(rtt), rtt);
                let acked = Acked { bytes: MTU, time_sent, smoothed_rtt, rtt_sample, is_window_limited: true, now };
                self.window = self.slow_start.grow(self.window, &acked);
            }
            self.window / MTU
        }
    }

    #[test]
    fn the_window_doubles_while_round_trips_stay_short() {
        let mut path = Path::new();
        for (millis, packets) in [(100, 20), (100, 40), (111, 80), (100, 160), (90, 320)] {
            assert_eq!(path.round(millis), packets);
        }
        assert!(path.slow_start.is_active(path.window));
    }

    #[test]
    fn longer_round_trips_end_it_after_five_careful_rounds() {
        let mut path = Path::new();
        assert_eq!((path.round(100), path.round(100)), (20, 40));
        // Seven packets until that is known, then 33 / 4.
        assert_eq!(path.round(113), 40 + 7 + 33 / 4);
        for _ in 0..4 {
            let before = path.window;
            assert!(path.round(130) > before / MTU && path.window <= before + before / 4);
            assert!(path.slow_start.is_active(path.window));
        }
        path.round(140);
        assert!(!path.slow_start.is_active(path.window));
        assert!(path.window < 160 * MTU, "{}", path.window);
    }

    #[test]
    fn round_trips_that_are_short_again_were_long_by_chance() {
        let mut path = Path::new();
        (0..2).for_each(|_| {
            path.round(100);
        });
        path.round(120);
        path.round(100);
        let before = path.window;
        path.round(100);
        assert_eq!(path.window, 2 * before);
    }

    #[test]
    fn small_differences_are_noise_and_large_ones_are_not() {
        for (before, after, is_careful) in [(10, 13, false), (10, 14, true), (400, 415, false), (400, 416, true)] {
            let mut path = Path::new();
            (0..2).for_each(|_| {
                path.round(before);
            });
            path.round(after);
            assert_eq!(path.slow_start.careful.is_some(), is_careful, "{before} {after}");
        }
    }

    #[test]
    fn after_congestion_there_is_a_threshold_and_no_watching() {
        let mut path = Path::new();
        path.slow_start.end_at(20 * MTU);
        path.round(100);
        assert!(!path.slow_start.is_active(path.window));
        path.window = 2 * MTU;
        path.slow_start.end_at(64 * MTU);
        for (millis, packets) in [(100, 4), (200, 8), (400, 16), (800, 32), (1_600, 64)] {
            assert_eq!(path.round(millis), packets);
        }
    }

    #[test]
    fn too_few_samples_say_nothing() {
        let mut path = Path::new();
        path.window = 7 * MTU;
        path.round(10);
        path.window = 7 * MTU;
        path.round(100);
        assert!(path.slow_start.careful.is_none());
    }
}
