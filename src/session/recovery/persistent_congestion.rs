//! Whether nothing got through for so long that the path has to be taken for a new one (RFC 9002, section 7.6).

use core::time::Duration;

use crate::time::Instant;

/// So many probe timeouts without a packet getting through are persistent congestion.
const THRESHOLD: u32 = 3;

/// The run of lost packets that has no acknowledged one in it, told in the order in which they were sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct LostRun {
    first_rtt_sample: Option<Instant>,
    /// When the first packet of the run was sent.
    start: Option<Instant>,
}

impl LostRun {
    /// Before there is a measured round trip nothing is known of how long is too long.
    pub(crate) fn on_rtt_sample(&mut self, now: Instant) {
        self.first_rtt_sample = self.first_rtt_sample.or(Some(now));
    }

    /// A packet got through: the run ends.
    pub(crate) const fn on_acked(&mut self) {
        self.start = None;
    }

    /// A packet that asks for an acknowledgement, sent at `time_sent`, is lost. Whether that makes congestion persistent, at a probe
    /// timeout of `pto`; the run ends then, so that it is told once.
    pub(crate) fn on_lost(&mut self, time_sent: Instant, pto: Duration) -> bool {
        let Some(start) = self.start else {
            let is_measured = self.first_rtt_sample.is_some_and(|sample| sample < time_sent);
            self.start = is_measured.then_some(time_sent);
            return false;
        };
        let is_persistent = time_sent - start > pto.saturating_mul(THRESHOLD);
        if is_persistent {
            self.start = None;
        }
        is_persistent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PTO: Duration = Duration::from_millis(100);

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    fn measured() -> LostRun {
        let mut run = LostRun::default();
        run.on_rtt_sample(at(10));
        run
    }

    #[test]
    fn longer_than_three_timeouts_is_persistent_and_is_told_once() {
        let mut run = measured();
        assert!(!run.on_lost(at(20), PTO) && !run.on_lost(at(320), PTO));
        assert!(run.on_lost(at(321), PTO));
        assert!(!run.on_lost(at(330), PTO), "another run");
    }

    #[test]
    fn a_packet_that_got_through_ends_the_run() {
        let mut run = measured();
        run.on_lost(at(20), PTO);
        run.on_acked();
        assert!(!run.on_lost(at(400), PTO));
        assert!(run.on_lost(at(701), PTO));
    }

    #[test]
    fn packets_sent_before_the_first_sample_do_not_count() {
        let mut run = LostRun::default();
        assert!(!run.on_lost(at(0), PTO) && !run.on_lost(at(1_000), PTO));
        run.on_rtt_sample(at(1_000));
        run.on_rtt_sample(at(2_000));
        assert!(!run.on_lost(at(1_000), PTO), "sent when there was none");
        assert!(!run.on_lost(at(1_500), PTO) && run.on_lost(at(1_801), PTO), "only the first sample matters");
    }
}
