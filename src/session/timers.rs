//! The deadlines of a session: a named one each, in an array.

use crate::time::Instant;

/// What can fall due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The handshake must be over (R-6.8-1).
    Handshake,
    /// The owner must have decided on the peer (R-6.8-2).
    Verdict,
    /// The responder must have confirmed the handshake (R-6.8-3).
    Confirmation,
    /// Something must have been heard from the peer (R-9.3-1).
    Idle,
    /// Something must be sent to the peer (R-9.3-3).
    Keepalive,
    /// The close must have been taken by the carrier (R-9.1-1).
    Drain,
    /// The initiator's last flight is sent again (R-6.10-3).
    Retransmit,
}

impl Timer {
    const ALL: [Self; 7] = [
        Self::Handshake,
        Self::Verdict,
        Self::Confirmation,
        Self::Idle,
        Self::Keepalive,
        Self::Drain,
        Self::Retransmit,
    ];
}

/// Which timers run, and until when.
///
/// A deadline that has been served is gone: it is never reported twice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    deadlines: [Option<Instant>; Timer::ALL.len()],
}

impl Timers {
    /// Starts `timer`, or moves it.
    pub(crate) fn set(&mut self, timer: Timer, deadline: Instant) {
        if let Some(slot) = self.deadlines.get_mut(timer as usize) {
            *slot = Some(deadline);
        }
    }

    /// Stops `timer`, if it runs.
    pub(crate) fn stop(&mut self, timer: Timer) {
        if let Some(slot) = self.deadlines.get_mut(timer as usize) {
            *slot = None;
        }
    }

    /// Whether `timer` runs.
    pub(crate) fn is_running(&self, timer: Timer) -> bool {
        self.deadlines.get(timer as usize).is_some_and(Option::is_some)
    }

    /// Stops all.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.deadlines.iter().flatten().min().copied()
    }

    /// Takes one timer that is due at `now`; it no longer runs.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Timer> {
        let due = Timer::ALL.into_iter().zip(&mut self.deadlines).find(|(_, slot)| slot.is_some_and(|at| at <= now));
        due.map(|(timer, slot)| {
            *slot = None;
            timer
        })
    }

    /// Every slot in a fixed order, for state digests.
    #[cfg(feature = "testing")]
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = Option<Instant>> {
        self.deadlines.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn a_timer_fires_at_its_deadline_and_only_once() {
        let mut timers = Timers::default();
        timers.set(Timer::Idle, at(10));
        assert_eq!(timers.expire(at(9)), None);
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.expire(at(10)), Some(Timer::Idle));
        assert_eq!(timers.expire(at(10)), None);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn the_earliest_is_next_and_all_that_are_due_fire() {
        let mut timers = Timers::default();
        for (timer, deadline) in Timer::ALL.into_iter().zip([40, 10, 50, 30, 20, 60, 70]) {
            timers.set(timer, at(deadline));
        }
        timers.stop(Timer::Verdict);
        assert_eq!(timers.next(), Some(at(20)));
        assert_eq!(timers.expire(at(30)), Some(Timer::Idle));
        assert_eq!(timers.expire(at(30)), Some(Timer::Keepalive));
        assert_eq!(timers.expire(at(30)), None);
        timers.clear();
        assert_eq!(timers.next(), None);
    }
}
