//! What the application does: streams of messages, and keying material.
#![forbid(unsafe_code)]

use super::streams::Streams;
use super::{Phase, Received, Session};
use crate::error::{ExportError, FinishError, OpenError, RecvError, SendError, StreamError};
use crate::stream_id::{Direction, StreamId};

/// Whether a [`Session::send`] ends the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// More of the message follows.
    More,
    /// The message ends with these bytes.
    End,
}

impl Received {
    /// The end of the stream, and nothing before it.
    pub const END_OF_STREAM: Self = Self { len: 0, end_of_message: false, end_of_stream: true };
}

impl Session {
    /// Opens a stream. The peer hears of it with the first bytes that are sent on it.
    ///
    /// # Errors
    /// [`OpenError`] says what to wait for.
    pub fn open(&mut self, direction: Direction) -> Result<StreamId, OpenError> {
        match self.phase {
            Phase::Handshake(_) | Phase::Undecided(_) => return Err(OpenError::NotEstablished),
            Phase::Closing(..) | Phase::Closed => return Err(OpenError::Closed),
            Phase::Open(_) => {}
        }
        if self.is_shutting_down() {
            return Err(OpenError::ShuttingDown); // R-9.4-1
        }
        self.streams.open(direction).ok_or(OpenError::Blocked)
    }

    /// Takes bytes of a message, as many as there is room for; how many is returned. With [`Ending::End`] the message ends, **if** all
    /// bytes were taken; otherwise call again with the rest. An empty slice with [`Ending::End`] ends the message, or is an empty one.
    ///
    /// What was taken is kept until the peer's session is known to hold it.
    ///
    /// # Errors
    /// [`SendError`]; nothing was taken. After [`SendError::Blocked`] comes an [`Event::Writable`](crate::Event::Writable), as it does
    /// when fewer bytes were taken than given.
    pub fn send(&mut self, stream: StreamId, bytes: &[u8], ending: Ending) -> Result<usize, SendError> {
        match self.phase {
            Phase::Open(_) => self.streams.send(stream, bytes, ending == Ending::End),
            Phase::Handshake(_) | Phase::Undecided(_) => Err(SendError::UnknownStream),
            Phase::Closing(..) | Phase::Closed => Err(SendError::Closed),
        }
    }

    /// Copies the next bytes of a stream into `buf`, never beyond the end of a message. Still possible when the session has ended, for
    /// what came before.
    ///
    /// While something is left to read, an [`Event::Readable`](crate::Event::Readable) is pending. A `buf` without room takes an end
    /// that comes next, and otherwise gives a [`Received`] of nothing.
    ///
    /// # Errors
    /// [`RecvError`]; after [`RecvError::Blocked`] comes an [`Event::Readable`](crate::Event::Readable).
    pub fn recv(&mut self, stream: StreamId, buf: &mut [u8]) -> Result<Received, RecvError> {
        if !self.is_admitted() {
            return Err(if matches!(self.phase, Phase::Closed) { RecvError::Closed } else { RecvError::UnknownStream });
        }
        let received = self.streams.recv(stream, buf);
        if let Some(code) = self.streams.take_fault()
            && matches!(self.phase, Phase::Open(_))
        {
            self.end_for_rule(code); // R-8.9-2, R-8.9-3: it shows only now
        }
        self.settle_shutdown();
        match received {
            Err(RecvError::Blocked) if !matches!(self.phase, Phase::Open(_)) => Err(RecvError::Closed),
            received => received,
        }
    }

    /// Ends one's own sending on a stream, after its last message. [`Event::Finished`](crate::Event::Finished) comes when the peer's
    /// session holds all of it.
    ///
    /// # Errors
    /// [`FinishError`]; nothing changed.
    pub fn finish(&mut self, stream: StreamId) -> Result<(), FinishError> {
        match self.phase {
            Phase::Open(_) => self.streams.finish(stream),
            Phase::Handshake(_) | Phase::Undecided(_) => Err(FinishError::UnknownStream),
            Phase::Closing(..) | Phase::Closed => Err(FinishError::Closed),
        }
    }

    /// Gives up one's own sending on a stream: what the peer's application has not read is dropped, and it is told `code`.
    ///
    /// After [`finish`](Self::finish) too: what the peer's session has not acknowledged is dropped, and the stream is cut short although
    /// all of it was sent. Once the peer's session holds all of it, [`Event::Finished`](crate::Event::Finished), it is refused.
    ///
    /// # Errors
    /// [`StreamError`]; nothing changed.
    pub fn reset(&mut self, stream: StreamId, code: u64) -> Result<(), StreamError> {
        self.open_streams()?.reset(stream, code)
    }

    /// Wants no more of what the peer sends on a stream: what has come is dropped, and the peer is asked to stop with `code`.
    ///
    /// # Errors
    /// [`StreamError`]; nothing changed.
    pub fn stop(&mut self, stream: StreamId, code: u64) -> Result<(), StreamError> {
        self.open_streams()?.stop(stream, code)?;
        self.settle_shutdown();
        Ok(())
    }

    /// Sets how urgent one's own sending on a stream is: 0, before all others, to 7; 3 at first (as in RFC 9218). Larger numbers
    /// count as 7. Streams of one urgency take turns.
    ///
    /// # Errors
    /// [`StreamError`]; nothing changed.
    pub fn set_priority(&mut self, stream: StreamId, urgency: u8) -> Result<(), StreamError> {
        self.open_streams()?.set_priority(stream, urgency)
    }

    fn open_streams(&mut self) -> Result<&mut Streams, StreamError> {
        match self.phase {
            Phase::Open(_) => Ok(&mut self.streams),
            Phase::Handshake(_) | Phase::Undecided(_) => Err(StreamError::UnknownStream),
            Phase::Closing(..) | Phase::Closed => Err(StreamError::Closed),
        }
    }

    /// Fills `out` with keying material that only the two ends of this session know, bound to `label` and `context`; the peer gets the
    /// same from the same arguments (R-9.6-1; the exporter of RFC 8446, section 7.5). Not before the session is established (R-9.6-2).
    ///
    /// # Errors
    /// [`ExportError`]; `out` is as it was.
    pub fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), ExportError> {
        match &self.phase {
            Phase::Handshake(_) | Phase::Undecided(_) => Err(ExportError::NotEstablished),
            Phase::Open(link) => link.exporter.export(label, context, out).map_err(|_| ExportError::TooLong),
            Phase::Closing(..) | Phase::Closed => Err(ExportError::Closed),
        }
    }
}
