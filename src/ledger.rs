//! What events have told about streams, kept for those who ask.
#![forbid(unsafe_code)]

use alloc::collections::{BTreeMap, VecDeque};

use crate::error::SendError;
use crate::event::Event;
use crate::session::Session;
use crate::stream_id::StreamId;

/// Takes the events of a session, and keeps what they say about streams until it is asked for: for drivers whose callers wait in
/// calls, in threads or tasks, and hold streams by handles.
///
/// It knows the streams that the peer has opened, which the session's limits bound, and those that are watched.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Streams that the peer has opened and nobody has accepted.
    incoming: VecDeque<StreamId>,
    /// Streams in `incoming` and those that are watched, and how sending on them ended.
    sending: BTreeMap<StreamId, Option<Result<(), SendError>>>,
}

impl Ledger {
    /// Takes all events that are pending. Those that are not about the opening of streams or the end of sending are dropped: after
    /// each `update`, who waits tries again, and calls and queries of the session say the rest.
    pub fn update(&mut self, session: &mut Session) {
        while let Some(event) = session.poll_event() {
            self.note(event);
        }
    }

    /// Takes one event, for drivers that act on some of them as well.
    pub fn note(&mut self, event: Event) {
        match event {
            Event::Opened(stream) => {
                self.watch(stream);
                self.incoming.push_back(stream);
            }
            Event::Finished(stream) => self.sending_ended(stream, Ok(())),
            Event::Stopped { stream, code } => self.sending_ended(stream, Err(SendError::Stopped(code))),
            _ => {}
        }
    }

    /// The next stream that the peer has opened, in the order in which it was heard of. It is watched.
    pub fn accept(&mut self) -> Option<StreamId> {
        self.incoming.pop_front()
    }

    /// Turns away, with code 0, every stream that the peer has opened and nobody has accepted.
    pub fn turn_away(&mut self, session: &mut Session) {
        while let Some(stream) = self.accept() {
            // Either half may be done already, or not exist.
            let _ = (session.stop(stream, 0), session.reset(stream, 0));
            self.unwatch(stream);
        }
    }

    /// Remembers from now on how sending on a stream that this side has opened ends. The session forgets streams that are done.
    pub fn watch(&mut self, stream: StreamId) {
        self.sending.entry(stream).or_default();
    }

    /// Nobody asks about the stream any more.
    pub fn unwatch(&mut self, stream: StreamId) {
        self.sending.remove(&stream);
    }

    /// How sending on a stream that is watched has ended: `Ok` once the peer's session holds everything
    /// ([`Event::Finished`]), [`SendError::Stopped`] if it asked to stop. `None` before, and after a reset.
    #[must_use]
    pub fn sent(&self, stream: StreamId) -> Option<Result<(), SendError>> {
        *self.sending.get(&stream)?
    }

    fn sending_ended(&mut self, stream: StreamId, outcome: Result<(), SendError>) {
        self.sending.entry(stream).and_modify(|sent| *sent = Some(outcome));
    }
}
