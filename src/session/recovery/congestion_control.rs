//! When a rate controller hears of what (RFC 9002, sections 7.3 and 7.8): once per round trip of congestion, and of acknowledgements
//! only when they say something of the window as it is now.

use alloc::boxed::Box;

use super::rate_controller::{Acked, RateController, controller};
use crate::config::RateControl;
use crate::time::Instant;

/// A sender that has room for so many packets more is still limited by its window: packets come in bursts.
const BURST: u64 = 3;

/// The congestion window of one link.
#[derive(Debug)]
pub(crate) struct CongestionControl {
    controller: Box<dyn RateController>,
    mtu: u16,
    /// The window was reduced at this time. Packets sent up to it say nothing of the new window.
    recovery_start: Option<Instant>,
    events: u64,
}

impl CongestionControl {
    pub(crate) fn new(kind: RateControl, mtu: u16) -> Self {
        Self { controller: controller(kind, mtu), mtu, recovery_start: None, events: 0 }
    }

    /// For a path that packets take from `now` on: those sent before say nothing of it.
    pub(crate) fn on_new_path(kind: RateControl, mtu: u16, now: Instant, events: u64) -> Self {
        Self { recovery_start: Some(now), events, ..Self::new(kind, mtu) }
    }

    /// Bytes that may be in flight.
    pub(crate) fn window(&self) -> u64 {
        self.controller.window()
    }

    /// How often the window was reduced.
    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    /// Whether a packet sent at `time_sent` says something of the window as it is now.
    pub(crate) fn is_current(&self, time_sent: Instant) -> bool {
        self.recovery_start.is_none_or(|start| time_sent > start)
    }

    /// Whether it is the window that keeps the sender from sending more, with so many bytes in flight. In slow start half of it is
    /// enough: it doubles while the sender is at it.
    pub(crate) fn is_window_limited(&self, bytes_in_flight: u64) -> bool {
        let available = self.window().saturating_sub(bytes_in_flight);
        available <= u64::from(self.mtu).saturating_mul(BURST)
            || (self.controller.is_in_slow_start() && bytes_in_flight > self.window() / 2)
    }

    /// Tells of packets acknowledged, all of them [current](Self::is_current).
    pub(crate) fn on_ack(&mut self, acked: &Acked) {
        if acked.bytes > 0 {
            self.controller.on_ack(acked);
        }
    }

    /// Tells of congestion that met a packet sent at `time_sent`: it was lost or marked. Whether that reduced the window, which it
    /// does once per round trip.
    pub(crate) fn on_congestion(&mut self, time_sent: Instant, now: Instant) -> bool {
        if !self.is_current(time_sent) {
            return false;
        }
        self.recovery_start = Some(now);
        self.events = self.events.saturating_add(1);
        self.controller.on_congestion();
        true
    }

    /// Tells that nothing got through for long (RFC 9002, section 7.6.2).
    pub(crate) fn on_persistent_congestion(&mut self) {
        self.recovery_start = None;
        self.controller.on_persistent_congestion();
    }

    /// Tells of the size of packets, which may have changed.
    pub(crate) fn on_mtu(&mut self, mtu: u16) {
        if mtu != self.mtu {
            self.mtu = mtu;
            self.controller.on_mtu(mtu);
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    fn reno() -> CongestionControl {
        CongestionControl::new(RateControl::NewReno, 1_200)
    }

    #[test]
    fn the_window_is_reduced_once_per_round_trip_whatever_the_cause() {
        let mut control = reno();
        assert!(control.on_congestion(at(50), at(100)));
        assert_eq!((control.window(), control.events()), (6_000, 1));
        for time_sent in [0, 50, 99, 100] {
            assert!(!control.on_congestion(at(time_sent), at(150)), "sent before the reduction");
            assert!(!control.is_current(at(time_sent)));
        }
        assert_eq!(control.window(), 6_000);
        assert!(control.is_current(at(101)) && control.on_congestion(at(101), at(200)));
        assert_eq!((control.window(), control.events()), (3_000, 2));
    }

    #[test]
    fn persistent_congestion_ends_the_recovery() {
        let mut control = reno();
        control.on_congestion(at(50), at(100));
        control.on_persistent_congestion();
        assert_eq!(control.window(), 2_400);
        assert!(control.is_current(at(60)));
    }

    #[test]
    fn a_window_is_used_when_a_burst_fills_it_and_in_slow_start_when_half_is() {
        let mut control = reno();
        assert!(control.is_window_limited(12_000) && control.is_window_limited(6_001));
        assert!(!control.is_window_limited(6_000));
        control.on_congestion(at(0), at(0));
        control.on_ack(&Acked {
            bytes: 6_000,
            time_sent: at(1),
            smoothed_rtt: Duration::ZERO,
            rtt_sample: None,
            is_window_limited: true,
            now: at(1),
        });
        assert_eq!(control.window(), 7_200);
        assert!(control.is_window_limited(3_600) && !control.is_window_limited(3_599));
    }

    /// CUBIC climbs from where packets were lost, and a new size begins the climb anew.
    #[test]
    fn a_size_that_has_not_changed_changes_nothing() {
        let climb = |mtu: &dyn Fn(u64) -> u16| {
            let mut control = CongestionControl::new(RateControl::Cubic, 1_200);
            control.on_congestion(at(0), at(0));
            let smoothed_rtt = Duration::from_millis(100);
            for millis in (100..10_000).step_by(100) {
                control.on_mtu(mtu(millis));
                let (bytes, time_sent, now) = (control.window(), at(millis - 99), at(millis));
                control.on_ack(&Acked {
                    bytes,
                    time_sent,
                    smoothed_rtt,
                    rtt_sample: None,
                    is_window_limited: true,
                    now,
                });
            }
            control.window()
        };
        let (same, changing) = (climb(&|_| 1_200), climb(&|millis| 1_200 + (millis / 100 % 2) as u16));
        assert!(2 * same > 3 * changing, "{same} {changing}");
    }

    #[test]
    fn a_larger_packet_makes_a_small_window_larger() {
        let mut control = reno();
        (0..5).for_each(|n| assert!(control.on_congestion(at(2 * n + 1), at(2 * n + 2)) || n == 0));
        assert_eq!(control.window(), 2_400);
        control.on_mtu(1_400);
        assert_eq!(control.window(), 2_800);
    }
}
