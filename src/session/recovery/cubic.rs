//! CUBIC (RFC 9438): after a loss the window returns quickly to where it was, lingers there, and then looks for more.
//!
//! ```text
//! window           :         /       W_cubic(t) = C (t - K)^3 + W_max
//!  W_max  +...-----+-----.../        K: when the curve is back at W_max
//!         |  /     :
//!  0.7    | /      :                 C = 0.4 packets per second cubed
//!         +--------K---------> t     decrease to 0.7
//! ```
//!
//! All in integers: windows in bytes, times in microseconds.

use core::time::Duration;

use super::rate_controller::{Acked, RateController, initial_window, minimum_window};
use super::slow_start::SlowStart;
use crate::time::Instant;

/// What congestion leaves of the window.
const BETA: Ratio = Ratio(7, 10);

/// What is kept of `W_max` when congestion comes before the window is back at it: (1 + beta) / 2, to make room for others.
const FAST_CONVERGENCE: Ratio = Ratio(17, 20);

/// Packets per round trip by which a window grows that is as good as NewReno's: 3 (1 - beta) / (1 + beta).
const ALPHA: Ratio = Ratio(9, 17);

/// Windows and times are clamped to these, so that nothing below overflows: a tebibyte, and 19 hours.
const MAX_WINDOW: u64 = 1 << 40;
const MAX_OFFSET: u64 = 1 << 36;

/// 1 / C in cubic microseconds per packet is 5/2 of this.
const CUBIC_SECOND: u128 = 1_000_000_000_000_000_000;

#[derive(Debug)]
pub(crate) struct Cubic {
    mtu: u16,
    window: u64,
    slow_start: SlowStart,
    /// Where the curve has its plateau.
    max_window: u64,
    /// The window before it was reduced the last time.
    prior_window: u64,
    /// Congestion avoidance since the last reduction.
    epoch: Option<Epoch>,
}

/// One climb along the curve.
#[derive(Debug)]
struct Epoch {
    curve: Curve,
    /// Moved on by the time in which the window was not used: it does not count (RFC 9438, section 5.8).
    start: Instant,
    last_ack: Instant,
    /// The window that NewReno would have by now.
    reno_window: u64,
    /// What is left over when windows grow by less than a byte.
    reno_rest: u128,
    rest: u128,
}

/// The curve of one epoch.
#[derive(Clone, Copy, Debug)]
struct Curve {
    mtu: u16,
    max_window: u64,
    /// K, in microseconds.
    time_to_max: u64,
}

/// A fraction.
#[derive(Clone, Copy, Debug)]
struct Ratio(u64, u64);

impl Cubic {
    pub(crate) fn new(mtu: u16) -> Self {
        Self {
            mtu,
            window: initial_window(mtu),
            slow_start: SlowStart::new(),
            max_window: 0,
            prior_window: 0,
            epoch: None,
        }
    }

    fn avoid_congestion(&mut self, acked: &Acked) {
        let (mtu, window, max_window) = (self.mtu, self.window, self.max_window);
        let epoch =
            self.epoch.get_or_insert_with(|| Epoch::new(Curve::new(mtu, window, max_window), window, acked.now));
        epoch.skip_idle_time(acked);
        if !acked.is_window_limited {
            return;
        }
        let elapsed = acked.now - epoch.start;
        let reno_window = epoch.grow_reno(self.mtu, self.window, self.prior_window, acked.bytes);
        self.window = if epoch.curve.window_at(elapsed) < reno_window {
            self.window.max(reno_window)
        } else {
            let target = epoch.curve.window_at(elapsed.saturating_add(acked.smoothed_rtt));
            epoch.approach(target, self.window, acked.bytes)
        };
        self.window = self.window.min(MAX_WINDOW);
    }
}

impl RateController for Cubic {
    fn on_ack(&mut self, acked: &Acked) {
        if self.is_in_slow_start() {
            self.window = self.slow_start.grow(self.window, acked).min(MAX_WINDOW);
        } else {
            self.avoid_congestion(acked);
        }
    }

    fn on_congestion(&mut self) {
        let is_below = self.window < self.max_window;
        self.max_window = if is_below { FAST_CONVERGENCE.of(self.window) } else { self.window };
        self.prior_window = self.window;
        self.window = BETA.of(self.window).max(minimum_window(self.mtu));
        self.slow_start.end_at(self.window);
        self.epoch = None;
    }

    /// The next curve begins at its plateau (RFC 9438, section 4.8).
    fn on_persistent_congestion(&mut self) {
        self.max_window = 0;
        self.window = minimum_window(self.mtu);
        self.epoch = None;
    }

    /// The plateau is in bytes and stays; the curve is in packets and begins anew.
    fn on_mtu(&mut self, mtu: u16) {
        self.mtu = mtu;
        self.window = self.window.max(minimum_window(mtu));
        self.epoch = None;
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn is_in_slow_start(&self) -> bool {
        self.slow_start.is_active(self.window)
    }
}

impl Epoch {
    fn new(curve: Curve, window: u64, now: Instant) -> Self {
        Self { curve, start: now, last_ack: now, reno_window: window, reno_rest: 0, rest: 0 }
    }

    /// Takes time out in which there was too little to send, or nothing at all: a packet acknowledged now was sent after the last
    /// acknowledgement came.
    fn skip_idle_time(&mut self, acked: &Acked) {
        let until = if acked.is_window_limited { acked.time_sent } else { acked.now };
        self.start = (self.start + (until - self.last_ack)).min(acked.now);
        self.last_ack = acked.now;
    }

    /// Adds alpha packets per window acknowledged (RFC 9438, section 4.3), or one when the old window is reached.
    fn grow_reno(&mut self, mtu: u16, window: u64, prior_window: u64, bytes: u64) -> u64 {
        let Ratio(numerator, denominator) = if self.reno_window < prior_window { ALPHA } else { Ratio(1, 1) };
        let packets = product(numerator.saturating_mul(u64::from(mtu)), bytes);
        let growth = divide(packets, product(denominator, window), &mut self.reno_rest);
        self.reno_window = self.reno_window.saturating_add(growth);
        self.reno_window
    }

    /// Adds (target - window) / window for every byte acknowledged, where the target is at most half as much again (section 4.4, 4.5).
    fn approach(&mut self, target: u64, window: u64, bytes: u64) -> u64 {
        let target = target.clamp(window, window.saturating_add(window / 2));
        let growth = divide(product(target.saturating_sub(window), bytes), u128::from(window), &mut self.rest);
        window.saturating_add(growth)
    }
}

impl Curve {
    /// From `window` up to `max_window` and beyond; from its plateau on if it is there already.
    fn new(mtu: u16, window: u64, max_window: u64) -> Self {
        let missing = max_window.saturating_sub(window).min(MAX_WINDOW);
        let cube = u128::from(missing).saturating_mul(CUBIC_SECOND / 2).saturating_mul(5);
        let time_to_max = cube_root(cube.checked_div(u128::from(mtu)).unwrap_or(0));
        Self { mtu, max_window: max_window.max(window), time_to_max }
    }

    /// W_cubic.
    fn window_at(&self, elapsed: Duration) -> u64 {
        let elapsed = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let offset = u128::from(elapsed.abs_diff(self.time_to_max).min(MAX_OFFSET));
        let cube = offset.saturating_mul(offset).saturating_mul(offset);
        let growth = cube.saturating_mul(u128::from(self.mtu).saturating_mul(2)) / (CUBIC_SECOND * 5);
        let growth = u64::try_from(growth).unwrap_or(u64::MAX);
        if elapsed >= self.time_to_max {
            self.max_window.saturating_add(growth)
        } else {
            self.max_window.saturating_sub(growth)
        }
    }
}

impl Ratio {
    const fn of(self, value: u64) -> u64 {
        match value.saturating_mul(self.0).checked_div(self.1) {
            Some(part) => part,
            None => 0,
        }
    }
}

fn product(a: u64, b: u64) -> u128 {
    u128::from(a).saturating_mul(u128::from(b))
}

/// Divides with what the last division has left over.
fn divide(dividend: u128, divisor: u128, rest: &mut u128) -> u64 {
    let dividend = dividend.saturating_add(*rest);
    *rest = dividend.checked_rem(divisor).unwrap_or(0);
    u64::try_from(dividend.checked_div(divisor).unwrap_or(0)).unwrap_or(u64::MAX)
}

/// The largest number whose cube is at most `cube`: one bit after the other, from the highest that fits.
fn cube_root(cube: u128) -> u64 {
    let mut root = 0_u64;
    for bit in (0..43).rev() {
        let candidate = root | 1 << bit;
        if u128::from(candidate).checked_pow(3).is_some_and(|power| power <= cube) {
            root = candidate;
        }
    }
    root
}

#[cfg(test)]
mod tests;
