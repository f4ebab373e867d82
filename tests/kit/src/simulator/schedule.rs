//! What happens when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use aitcp::Instant;

/// What there is to do at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wake {
    /// Ask the node of this number what it has to send.
    Poll(usize),
    /// Serve the deadline of the node of this number, if it still has one.
    Timer(usize),
    /// Deliver what has arrived over the path of this number.
    Path(usize),
}

/// The earliest entry in the [`Schedule`] for one node's deadline or one path's arrivals.
pub(super) type Alarm = Option<Instant>;

/// Everything that is due, in order: those of one time as they were entered.
///
/// Entries are not taken back. One whose time is not that of its [`Alarm`] is stale. A deadline that moves back leaves its entry where
/// it is, to be looked at and renewed when its time comes: so deadlines that move with each packet cost nothing.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    heap: BinaryHeap<Reverse<(Instant, u64, Wake)>>,
    next_number: u64,
}

impl Schedule {
    pub(super) fn push(&mut self, at: Instant, wake: Wake) {
        self.heap.push(Reverse((at, self.next_number, wake)));
        self.next_number += 1;
    }

    /// Sees to it that there is an entry at `at` or earlier.
    pub(super) fn arm(&mut self, alarm: &mut Alarm, at: Instant, wake: Wake) {
        if alarm.is_none_or(|armed| at < armed) {
            *alarm = Some(at);
            self.push(at, wake);
        }
    }

    pub(super) fn peek(&self) -> Option<(Instant, Wake)> {
        self.heap.peek().map(|Reverse((at, _, wake))| (*at, *wake))
    }

    pub(super) fn pop(&mut self) {
        self.heap.pop();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}
