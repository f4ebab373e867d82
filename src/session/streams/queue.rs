//! Queues of streams: doubly linked lists through the table, so that a stream joins, leaves and moves to the back in constant time
//! and no queue allocates. A stream is in a queue at most once; it has one link for each [`Kind`] of queue.

#![forbid(unsafe_code)]

use super::index::Index;
use super::table::Table;

/// What a queue is for. A stream can be in one queue of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Has data, or the end of the stream, for a packet.
    Output,
    /// Has data that the session's credit is kept for.
    Paid,
    /// Has controls for a packet.
    Control,
    /// Has events for the application.
    Event,
    /// Has received what the peer has not been told of.
    Acknowledge,
    /// Its application waits for room in the session's send buffer.
    Room,
}

/// A stream's place in one queue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    linked: bool,
    previous: Option<Index>,
    next: Option<Index>,
}

/// A stream's places in all of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Links {
    output: Link,
    paid: Link,
    control: Link,
    event: Link,
    acknowledge: Link,
    room: Link,
}

impl Links {
    pub(super) const fn contains(&self, kind: Kind) -> bool {
        match kind {
            Kind::Output => self.output.linked,
            Kind::Paid => self.paid.linked,
            Kind::Control => self.control.linked,
            Kind::Event => self.event.linked,
            Kind::Acknowledge => self.acknowledge.linked,
            Kind::Room => self.room.linked,
        }
    }

    fn get_mut(&mut self, kind: Kind) -> &mut Link {
        match kind {
            Kind::Output => &mut self.output,
            Kind::Paid => &mut self.paid,
            Kind::Control => &mut self.control,
            Kind::Event => &mut self.event,
            Kind::Acknowledge => &mut self.acknowledge,
            Kind::Room => &mut self.room,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    kind: Kind,
    head: Option<Index>,
    tail: Option<Index>,
}

impl Queue {
    pub(super) const fn new(kind: Kind) -> Self {
        Self { kind, head: None, tail: None }
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    pub(super) const fn front(&self) -> Option<Index> {
        self.head
    }

    /// Appends a stream, unless it is in a queue of this kind already.
    pub(super) fn push_back(&mut self, table: &mut Table, index: Index) {
        let tail = self.tail;
        let Some(link) = self.link(table, index) else { return };
        if link.linked {
            return;
        }
        *link = Link { linked: true, previous: tail, next: None };
        match tail.and_then(|last| self.link(table, last)) {
            Some(last) => last.next = Some(index),
            None => self.head = Some(index),
        }
        self.tail = Some(index);
    }

    /// Takes a stream out. It must be in this queue or in none of its kind.
    pub(super) fn remove(&mut self, table: &mut Table, index: Index) {
        let Some(link) = self.link(table, index) else { return };
        if !link.linked {
            return;
        }
        let Link { previous, next, .. } = core::mem::take(link);
        match previous.and_then(|previous| self.link(table, previous)) {
            Some(before) => before.next = next,
            None => self.head = next,
        }
        match next.and_then(|next| self.link(table, next)) {
            Some(after) => after.previous = previous,
            None => self.tail = previous,
        }
    }

    pub(super) fn pop_front(&mut self, table: &mut Table) -> Option<Index> {
        let front = self.head?;
        self.remove(table, front);
        Some(front)
    }

    /// Puts a stream in or takes it out; one that is in stays where it is.
    pub(super) fn set(&mut self, table: &mut Table, index: Index, member: bool) {
        if member {
            self.push_back(table, index);
        } else {
            self.remove(table, index);
        }
    }

    /// The streams in order, for a digest of the state.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn for_each(&self, table: &Table, mut f: impl FnMut(Index)) {
        let mut at = self.head;
        while let Some(index) = at {
            f(index);
            at = table.get(index).and_then(|stream| {
                let mut links = stream.links;
                links.get_mut(self.kind).next
            });
        }
    }

    fn link<'a>(&self, table: &'a mut Table, index: Index) -> Option<&'a mut Link> {
        Some(table.get_mut(index)?.links.get_mut(self.kind))
    }
}
