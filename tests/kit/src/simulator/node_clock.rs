//! The clock of one node, which can be wrong.

use std::time::Duration;

use aitcp::Instant;

/// How far a node's clock is from the simulator's. It cannot show less than [`Instant::ORIGIN`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NodeClock {
    /// In microseconds; positive if it is ahead.
    offset: i64,
}

impl NodeClock {
    pub(super) fn jump_forward(&mut self, by: Duration) {
        self.offset = self.offset.saturating_add(micros(by));
    }

    pub(super) fn jump_back(&mut self, by: Duration) {
        self.offset = self.offset.saturating_sub(micros(by));
    }

    /// What it shows at `now`.
    pub(super) fn show(self, now: Instant) -> Instant {
        Instant::from_micros(now.as_micros().saturating_add_signed(self.offset))
    }

    /// When it will show `deadline`: `now` if it does already.
    pub(super) fn when_it_shows(self, deadline: Instant, now: Instant) -> Instant {
        if deadline <= self.show(now) {
            return now;
        }
        Instant::from_micros(deadline.as_micros().saturating_add_signed(self.offset.saturating_neg()))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_met_when_the_wrong_clock_shows_them() {
        let (second, now) = (Duration::from_secs(1), Instant::from_micros(5_000_000));
        let mut clock = NodeClock::default();
        clock.jump_forward(second);
        assert_eq!(clock.show(now), now + second);
        assert_eq!(clock.when_it_shows(now + second * 3, now), now + second * 2);
        assert_eq!(clock.when_it_shows(now, now), now);
        clock.jump_back(second * 60);
        assert_eq!(clock.show(now), Instant::ORIGIN);
        let deadline = Instant::from_micros(1);
        let at = clock.when_it_shows(deadline, now);
        assert_eq!((at, clock.show(at)), (Instant::from_micros(59_000_001), deadline));
    }
}
