//! What the sessions of an endpoint have to do, so that nobody has to look for it.
#![forbid(unsafe_code)]

use super::deadline_heap::DeadlineHeap;
use super::ready_queue::ReadyQueue;
use crate::session::Session;

/// The places of sessions that may have something to do. A session with nothing to do is in none of the queues.
pub(super) struct Agenda {
    /// Datagrams to be sent.
    pub(super) datagrams: ReadyQueue,
    /// Bytes for a stream carrier, or its end.
    pub(super) streams: ReadyQueue,
    /// Something to be told.
    pub(super) events: ReadyQueue,
    pub(super) deadlines: DeadlineHeap,
}

impl Agenda {
    pub(super) const fn new() -> Self {
        Self {
            datagrams: ReadyQueue::new(),
            streams: ReadyQueue::new(),
            events: ReadyQueue::new(),
            deadlines: DeadlineHeap::new(),
        }
    }

    /// Something was done to a session: it may have anything to do.
    pub(super) fn wake(&mut self, place: u32, session: &Session) {
        self.output(place, session);
        self.events.push(place);
        self.schedule(place, session);
    }

    /// It may have something to send.
    pub(super) fn output(&mut self, place: u32, session: &Session) {
        let queue = if session.is_on_datagrams() { &mut self.datagrams } else { &mut self.streams };
        queue.push(place);
    }

    /// Its deadline may have moved.
    pub(super) fn schedule(&mut self, place: u32, session: &Session) {
        match session.poll_timeout() {
            Some(deadline) if self.deadlines.get(place) == Some(deadline) => {}
            Some(deadline) => self.deadlines.set(place, deadline),
            None => drop(self.deadlines.remove(place)),
        }
    }

    /// The session is gone.
    pub(super) fn forget(&mut self, place: u32) {
        self.datagrams.remove(place);
        self.streams.remove(place);
        self.events.remove(place);
        self.deadlines.remove(place);
    }
}
