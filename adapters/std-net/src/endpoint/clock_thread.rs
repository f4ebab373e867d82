//! The thread that keeps time for an endpoint whose UDP socket cannot be woken, or that has none.

use std::sync::PoisonError;
use std::time::Duration;

use aitcp::Instant;

use super::hub::Hub;

/// How long the thread waits at most.
const LOOK_UP: Duration = Duration::from_secs(1);

impl Hub {
    /// What the thread does.
    pub(super) fn keep_time(&self) {
        let mut state = self.lock();
        loop {
            self.serve(&mut state);
            if state.is_over() {
                return;
            }
            let (until, now) = (state.next_deadline(), self.clock.now());
            state.waits_until = until;
            let wait = until.saturating_duration_since(now).min(LOOK_UP);
            state = self.nearer.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            state.waits_until = Instant::ORIGIN;
        }
    }
}
