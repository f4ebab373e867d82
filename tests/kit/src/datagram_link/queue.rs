//! The narrowest place of a path, and the queue before it.

use std::collections::VecDeque;
use std::time::Duration;

use aitcp::Instant;

const MICROS_PER_SECOND: u128 = 1_000_000;

/// What became of a datagram at the [`Bottleneck`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// The queue had no room for it.
    Dropped,
    /// It found so many bytes waiting before it, and is through at this time.
    Admitted { waiting: usize, leaves: Instant },
}

/// A line of a given rate that takes one datagram after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Bottleneck {
    /// Until when the line is taken, rounded down to a microsecond.
    free_at: Instant,
    /// What that leaves out, in microseconds divided by `rate`: so no rounding adds up.
    fraction: u128,
    /// Bits per second when `fraction` was found.
    rate: u128,
    /// The time at which they are through, and the length, of the datagram that is passing and of those that wait.
    held: VecDeque<(Instant, usize)>,
    /// The sum of those lengths.
    held_bytes: usize,
}

impl Bottleneck {
    /// Takes `len` bytes, unless more than `limit` would wait then.
    pub(super) fn admit(&mut self, now: Instant, len: usize, rate: Option<u64>, limit: Option<usize>) -> Admission {
        let waiting = self.waiting(now);
        let Some(rate) = rate else {
            return Admission::Admitted { waiting, leaves: now };
        };
        let is_taken = !self.held.is_empty();
        if is_taken && limit.is_some_and(|limit| waiting.saturating_add(len) > limit) {
            return Admission::Dropped;
        }
        let leaves = self.serialise(now, len, u128::from(rate.max(1)));
        self.held.push_back((leaves, len));
        self.held_bytes += len;
        Admission::Admitted { waiting, leaves }
    }

    /// How many bytes wait behind the datagram that is passing.
    pub(super) fn waiting(&mut self, now: Instant) -> usize {
        while let Some((leaves, len)) = self.held.front().copied()
            && leaves <= now
        {
            self.held_bytes -= len;
            self.held.pop_front();
        }
        self.held_bytes - self.held.front().map_or(0, |(_, len)| *len)
    }

    /// Takes the line for `len` bytes; when they are through, rounded up to a microsecond.
    fn serialise(&mut self, now: Instant, len: usize, rate: u128) -> Instant {
        if self.rate != rate {
            self.free_at = self.taken_until();
            (self.fraction, self.rate) = (0, rate);
        }
        if self.free_at < now {
            (self.free_at, self.fraction) = (now, 0);
        }
        let work = len as u128 * 8 * MICROS_PER_SECOND + self.fraction;
        let micros = u64::try_from(work / rate).unwrap_or(u64::MAX);
        self.free_at = self.free_at + Duration::from_micros(micros);
        self.fraction = work % rate;
        self.taken_until()
    }

    fn taken_until(&self) -> Instant {
        self.free_at + Duration::from_micros(u64::from(self.fraction > 0))
    }
}
