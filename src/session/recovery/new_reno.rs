//! NewReno (RFC 9002, section 7 and appendix B): one packet more per round trip, half as much after a loss.

use super::rate_controller::{Acked, RateController, initial_window, minimum_window};
use super::slow_start::SlowStart;

#[derive(Debug)]
pub(crate) struct NewReno {
    mtu: u16,
    window: u64,
    slow_start: SlowStart,
    /// Bytes acknowledged since the window grew.
    acked: u64,
}

impl NewReno {
    pub(crate) fn new(mtu: u16) -> Self {
        Self { mtu, window: initial_window(mtu), slow_start: SlowStart::new(), acked: 0 }
    }
}

impl RateController for NewReno {
    fn on_ack(&mut self, acked: &Acked) {
        if self.is_in_slow_start() {
            self.window = self.slow_start.grow(self.window, acked);
            return;
        }
        if !acked.is_window_limited {
            return;
        }
        self.acked = self.acked.saturating_add(acked.bytes);
        if self.acked >= self.window {
            self.acked = self.acked.saturating_sub(self.window);
            self.window = self.window.saturating_add(u64::from(self.mtu));
        }
    }

    fn on_congestion(&mut self) {
        self.window = (self.window / 2).max(minimum_window(self.mtu));
        self.slow_start.end_at(self.window);
        self.acked = 0;
    }

    fn on_persistent_congestion(&mut self) {
        self.window = minimum_window(self.mtu);
    }

    fn on_mtu(&mut self, mtu: u16) {
        self.mtu = mtu;
        self.window = self.window.max(minimum_window(mtu));
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn is_in_slow_start(&self) -> bool {
        self.slow_start.is_active(self.window)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::time::Instant;

    fn acked(bytes: u64) -> Acked {
        Acked {
            bytes,
            time_sent: Instant::ORIGIN,
            smoothed_rtt: Duration::from_millis(100),
            rtt_sample: None,
            is_window_limited: true,
            now: Instant::ORIGIN,
        }
    }

    #[test]
    fn the_window_doubles_every_round_trip_at_first() {
        let mut reno = NewReno::new(1_200);
        for window in [12_000, 24_000, 48_000, 96_000] {
            assert_eq!(reno.window(), window);
            (0..window / 1_200).for_each(|_| reno.on_ack(&acked(1_200)));
        }
    }

    #[test]
    fn then_it_grows_by_a_packet_every_round_trip() {
        let mut reno = NewReno::new(1_200);
        reno.on_ack(&acked(108_000));
        reno.on_congestion();
        for packets in 50..100 {
            assert_eq!((reno.window(), reno.is_in_slow_start()), (packets * 1_200, false));
            (0..packets).for_each(|_| reno.on_ack(&acked(1_200)));
        }
    }

    #[test]
    fn congestion_halves_the_window_down_to_two_packets() {
        let mut reno = NewReno::new(1_200);
        for window in [12_000, 6_000, 3_000, 2_400, 2_400] {
            assert_eq!(reno.window(), window);
            reno.on_congestion();
        }
    }

    #[test]
    fn persistent_congestion_starts_anew_up_to_the_threshold() {
        let mut reno = NewReno::new(1_200);
        reno.on_congestion();
        reno.on_persistent_congestion();
        assert_eq!((reno.window(), reno.is_in_slow_start()), (2_400, true));
        reno.on_ack(&acked(2_400));
        reno.on_ack(&acked(1_200));
        assert_eq!((reno.window(), reno.is_in_slow_start()), (6_000, false));
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        let mut reno = NewReno::new(1_200);
        reno.on_ack(&Acked { is_window_limited: false, ..acked(12_000) });
        assert_eq!(reno.window(), 12_000);
    }

    #[test]
    fn hostile_values_saturate() {
        let mut reno = NewReno::new(u16::MAX);
        reno.on_ack(&acked(u64::MAX));
        reno.on_ack(&acked(u64::MAX));
        assert_eq!(reno.window(), u64::MAX);
        reno.on_congestion();
        reno.on_ack(&acked(u64::MAX));
        assert_eq!(reno.window(), u64::MAX / 2 + u64::from(u16::MAX));
        reno.on_mtu(0);
        reno.on_persistent_congestion();
        assert_eq!(reno.window(), 0);
        reno.on_mtu(1_200);
        assert_eq!(reno.window(), 2_400);
    }
}
