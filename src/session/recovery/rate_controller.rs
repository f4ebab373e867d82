//! What a rate controller is: the arithmetic of the congestion window.
//!
//! When to call it, which is the same for all of them, is [`CongestionControl`](super::congestion_control::CongestionControl)'s concern.

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

use super::cubic::Cubic;
use super::new_reno::NewReno;
use crate::config::RateControl;
use crate::time::Instant;

/// Decides how many bytes may be in flight.
pub(crate) trait RateController: fmt::Debug + Send {
    /// Packets that count have been acknowledged.
    fn on_ack(&mut self, acked: &Acked);

    /// Packets were lost or marked, for the first time in this round trip.
    fn on_congestion(&mut self);

    /// Nothing got through for long. Follows [`on_congestion`](Self::on_congestion).
    fn on_persistent_congestion(&mut self);

    /// Packets have another size from now on.
    fn on_mtu(&mut self, mtu: u16);

    /// Bytes that may be in flight.
    fn window(&self) -> u64;

    /// Whether the window is far from where packets were lost the last time.
    fn is_in_slow_start(&self) -> bool;
}

/// Packets that have left the network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acked {
    pub(crate) bytes: u64,
    /// When the newest of them was sent.
    pub(crate) time_sent: Instant,
    pub(crate) smoothed_rtt: Duration,
    /// The round trip that this acknowledgement has measured.
    pub(crate) rtt_sample: Option<Duration>,
    /// Whether the window kept the sender from sending more: else it proves nothing, and must not grow (RFC 9002, section 7.8).
    pub(crate) is_window_limited: bool,
    pub(crate) now: Instant,
}

/// The controller that was asked for, at the start of a link.
pub(crate) fn controller(kind: RateControl, mtu: u16) -> Box<dyn RateController> {
    match kind {
        RateControl::Cubic => Box::new(Cubic::new(mtu)),
        RateControl::NewReno => Box::new(NewReno::new(mtu)),
    }
}

/// The window at the start: ten packets, and not much more than 14,720 bytes (RFC 9002, section 7.2).
pub(crate) fn initial_window(mtu: u16) -> u64 {
    u64::from(mtu).saturating_mul(10).min(minimum_window(mtu).max(14_720))
}

/// The window never gets smaller than two packets.
pub(crate) fn minimum_window(mtu: u16) -> u64 {
    u64::from(mtu).saturating_mul(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_window_is_ten_packets_or_14720_bytes() {
        for (mtu, initial, minimum) in [(1_200, 12_000, 2_400), (1_472, 14_720, 2_944), (9_000, 18_000, 18_000)] {
            assert_eq!((initial_window(mtu), minimum_window(mtu)), (initial, minimum));
            for kind in [RateControl::Cubic, RateControl::NewReno] {
                let controller = controller(kind, mtu);
                assert_eq!((controller.window(), controller.is_in_slow_start()), (initial, true));
            }
        }
        assert_eq!(initial_window(u16::MAX), 131_070);
    }
}
