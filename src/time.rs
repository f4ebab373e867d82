//! The caller's clock, as a number.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A point in time: microseconds since an origin that the caller picks and keeps for as long as the session lives.
///
/// The core never reads a clock. Every call that can depend on time takes `now` as its first argument; what matters is only the
/// difference between two of them. All arithmetic saturates, so no clock, however wrong, can make it panic; a `now` that runs
/// backward is taken as the latest one seen.
///
/// ```
/// use aitcp::Instant;
/// use core::time::Duration;
///
/// let start = Instant::from_micros(5);
/// let later = start + Duration::from_millis(1);
/// assert_eq!(later.as_micros(), 1_005);
/// assert_eq!(later - start, Duration::from_millis(1));
/// assert_eq!(start - later, Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The caller's origin.
    pub const ORIGIN: Self = Self(0);

    /// The instant `micros` microseconds after the caller's origin.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the caller's origin.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero if `earlier` is the later one.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at the end of time (584,542 years after the origin), which no deadline reaches.
    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", Duration::from_micros(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let last = Instant::from_micros(u64::MAX);
        assert_eq!(last + Duration::from_micros(1), last);
        assert_eq!(Instant::ORIGIN + Duration::MAX, last);
        assert_eq!(Instant::ORIGIN - last, Duration::ZERO);
        assert_eq!(last - Instant::ORIGIN, Duration::from_micros(u64::MAX));
    }
}
