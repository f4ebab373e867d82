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

    pub(super) const fn get(self) -> u8 {
        self.0
    }
}

/// The streams that have something to send and credit of their own for it.
pub(super) struct Schedule {
    /// Have the end of the stream to send and nothing before it. They cost no credit, so they wait for none.
    ends: Queue,
    data: [Queue; URGENCIES],
    /// Bit n: `data[n]` is not empty.
    occupied: u8,
}

impl Schedule {
    pub(super) const fn new() -> Self {
        Self { ends: Queue::new(Kind::Output), data: [Queue::new(Kind::Output); URGENCIES], occupied: 0 }
    }

    /// The stream whose turn it is: the first of the most urgent ones (R-8.8-1).
    pub(super) fn next(&self, session_credit: u64) -> Option<Index> {
        if let Some(index) = self.ends.front() {
            return Some(index);
        }
        if session_credit == 0 {
            return None;
        }
        self.data.get(self.occupied.trailing_zeros() as usize)?.front()
    }

    /// Puts a stream where its output and urgency say; behind the others if it comes from elsewhere or `turn` is over.
    pub(super) fn place(&mut self, table: &mut Table, index: Index, turn: Turn) {
        let Some(stream) = table.get(index) else { return };
        let output = stream.send.as_ref().map_or(Output::Nothing, SendHalf::output);
        let wanted = (output, stream.urgency);
        let now = stream.scheduled;
        if now == wanted && turn == Turn::Keeps {
            return;
        }
        if let Some(queue) = self.queue(now) {
            queue.remove(table, index);
        }
        if let Some(queue) = self.queue(wanted) {
            queue.push_back(table, index);
        }
        for (_, urgency) in [now, wanted] {
            let bit = 1 << urgency.0;
            let empty = self.data.get(usize::from(urgency.0)).is_none_or(Queue::is_empty);
            self.occupied = if empty { self.occupied & !bit } else { self.occupied | bit };
        }
        if let Some(stream) = table.get_mut(index) {
            stream.scheduled = wanted;
        }
    }

    fn queue(&mut self, (output, urgency): (Output, Urgency)) -> Option<&mut Queue> {
        match output {
            Output::Nothing => None,
            Output::End => Some(&mut self.ends),
            Output::Data => self.data.get_mut(usize::from(urgency.0)),
        }
    }

    /// The streams in the order of their turns, for a digest of the state.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn for_each(&self, table: &Table, mut f: impl FnMut(Index)) {
        self.ends.for_each(table, &mut f);
        for queue in &self.data {
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
