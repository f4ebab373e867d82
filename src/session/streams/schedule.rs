//! Which stream's fragment goes next: urgencies as in RFC 9218, round robin within one.

#![forbid(unsafe_code)]

use super::index::Index;
use super::queue::{Kind, Queue};
use super::send_half::{Output, SendHalf};
use super::table::Table;

/// The last urgency, and how many there are.
const LAST: u8 = 7;
const URGENCIES: usize = 8;

/// How soon a stream's data should go: 0 (first) to 7 (last).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Urgency(u8);

impl Default for Urgency {
    fn default() -> Self {
        Self(3)
    }
}

impl Urgency {
    /// Values above 7 count as 7.
    pub(super) const fn new(urgency: u8) -> Self {
        Self(if urgency < LAST { urgency } else { LAST })
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) const fn get(self) -> u8 {
        self.0
    }
}

/// Queues by urgency.
struct ByUrgency {
    queues: [Queue; URGENCIES],
    /// Bit n: `queues[n]` is not empty.
    occupied: u8,
}

impl ByUrgency {
    const fn new(kind: Kind) -> Self {
        Self { queues: [Queue::new(kind); URGENCIES], occupied: 0 }
    }

    fn front(&self) -> Option<Index> {
        self.queues.get(self.occupied.trailing_zeros() as usize)?.front()
    }

    fn set(&mut self, table: &mut Table, index: Index, urgency: Urgency, member: bool) {
        let Some(queue) = self.queues.get_mut(usize::from(urgency.0)) else { return };
        queue.set(table, index, member);
        let bit = 1 << urgency.0;
        self.occupied = if queue.is_empty() { self.occupied & !bit } else { self.occupied | bit };
    }
}

/// The streams that have something to send and credit of their own for it.
pub(super) struct Schedule {
    /// Have the end of the stream to send and nothing before it. They cost no credit, so they wait for none.
    ends: Queue,
    data: ByUrgency,
    /// Those of `data` for which the session's credit is kept: their turn while it has none left for others.
    paid: ByUrgency,
}

impl Schedule {
    pub(super) const fn new() -> Self {
        Self { ends: Queue::new(Kind::Output), data: ByUrgency::new(Kind::Output), paid: ByUrgency::new(Kind::Paid) }
    }

    /// The stream whose turn it is: the first of the most urgent ones (R-8.8-1).
    pub(super) fn next(&self, session_credit: u64) -> Option<Index> {
        let data = if session_credit > 0 { &self.data } else { &self.paid };
        self.ends.front().or_else(|| data.front())
    }

    /// Puts a stream where its output and urgency say; behind the others if it comes from elsewhere or its turn is over.
    pub(super) fn place(&mut self, table: &mut Table, index: Index, turn: Turn) {
        let Some(stream) = table.get_mut(index) else { return };
        let output = stream.send.as_ref().map_or(Output::Nothing, SendHalf::output);
        let wanted = (output, stream.urgency);
        let now = core::mem::replace(&mut stream.scheduled, wanted);
        if now == wanted && turn == Turn::Keeps {
            return;
        }
        self.set(table, index, now, false);
        self.set(table, index, wanted, true);
    }

    fn set(&mut self, table: &mut Table, index: Index, (output, urgency): (Output, Urgency), member: bool) {
        match output {
            Output::Nothing => {}
            Output::End => self.ends.set(table, index, member),
            Output::Data => self.data.set(table, index, urgency, member),
            Output::Paid => {
                self.data.set(table, index, urgency, member);
                self.paid.set(table, index, urgency, member);
            }
        }
    }

    /// The streams in the order of their turns, for a digest of the state.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn for_each(&self, table: &Table, mut f: impl FnMut(Index)) {
        self.ends.for_each(table, &mut f);
        for queue in self.data.queues.iter().chain(&self.paid.queues) {
            queue.for_each(table, &mut f);
        }
    }
}

/// Whether a stream that has just sent goes behind the others (R-8.8-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Keeps,
    Over,
}
