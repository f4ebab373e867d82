//! Virtual time.

use std::time::Duration;

use aitcp::Instant;

/// A clock that moves only when it is told to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    now: Instant,
}

impl Clock {
    /// The time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Moves on by `duration`.
    pub fn advance(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    /// Moves on to `instant`, unless it is there or past it.
    pub fn advance_to(&mut self, instant: Instant) {
        self.now = self.now.max(instant);
    }

    /// Jumps anywhere, backward too: what broken clocks do.
    pub fn jump_to(&mut self, instant: Instant) {
        self.now = instant;
    }
}
