//! Streams of messages, as handles.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use aitcp::{Ending, FinishError, Received, RecvError, SendError, StreamId};
use aitcp_io::{Attempt, attempt, misuse};

use crate::driver::{Driver, Shown};

/// A stream of messages. Its halves can go to different threads. The half that a unidirectional stream does not have refuses every
/// call with [`ErrorKind::InvalidInput`].
#[derive(Debug)]
pub struct Stream {
    /// What this end sends.
    pub sender: SendStream,
    /// What this end receives.
    pub receiver: RecvStream,
}

impl Stream {
    pub(crate) fn new(driver: &Arc<Driver>, id: StreamId) -> Self {
        driver.look(|state| state.ledger.watch(id));
        Self {
            sender: SendStream { driver: Arc::clone(driver), id },
            receiver: RecvStream { driver: Arc::clone(driver), id, end: None, message: Vec::new() },
        }
    }

    /// Its number, the same at both ends.
    #[must_use]
    pub fn id(&self) -> StreamId {
        self.sender.id
    }
}

/// The sending half of a stream.
///
/// Dropping it finishes the stream, if all messages are whole. Within a message, or in a panic, it resets the stream with code 0, so
/// that a part never looks like the whole.
#[derive(Debug)]
pub struct SendStream {
    driver: Arc<Driver>,
    id: StreamId,
}

impl SendStream {
    /// Sends a message, or the rest of one begun with [`send_part`](Self::send_part). Returns when the session has taken it all, which
    /// is when the peer is not far behind. After [`ErrorKind::TimedOut`], a part that cannot be told has been taken: reset the stream.
    ///
    /// # Errors
    /// [`ErrorKind::BrokenPipe`] if the peer stopped the stream; [`ErrorKind::InvalidInput`] if the stream is finished, or the message
    /// longer than the peer takes. The [`SendError`] is behind it.
    pub fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.send_all(message, Ending::End)
    }

    /// Sends bytes of a message that goes on.
    ///
    /// # Errors
    /// As with [`send`](Self::send).
    pub fn send_part(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.send_all(bytes, Ending::More)
    }

    fn send_all(&self, mut bytes: &[u8], ending: Ending) -> io::Result<()> {
        self.wait(|state| {
            let taken = attempt(state.session.send(self.id, bytes, ending), &[SendError::Blocked, SendError::Closed])?;
            bytes = bytes.get(taken.unwrap_or(0)..).unwrap_or_default();
            Ok(taken.filter(|_| bytes.is_empty()).map(drop))
        })
    }

    /// Ends the stream in this direction, after its last message.
    ///
    /// # Errors
    /// [`ErrorKind::BrokenPipe`] if the peer stopped the stream; [`ErrorKind::InvalidInput`] with the [`FinishError`].
    pub fn finish(&mut self) -> io::Result<()> {
        self.wait(|state| attempt(state.session.finish(self.id), &[FinishError::Closed]))
    }

    /// Waits, after [`finish`](Self::finish), until the peer's session holds everything. Whether its application has read it, only an
    /// answer can tell.
    ///
    /// # Errors
    /// [`ErrorKind::BrokenPipe`] if the peer stopped the stream.
    pub fn wait_finished(&mut self) -> io::Result<()> {
        self.wait(|state| Ok(state.ledger.sent(self.id).and_then(Result::ok)))
    }

    /// Gives the stream up in this direction: what the peer's application has not read is dropped, and it is told `code`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with the [`StreamError`](aitcp::StreamError).
    pub fn reset(&mut self, code: u64) -> io::Result<()> {
        self.driver.call(|session| session.reset(self.id, code))
    }

    /// Sets how urgent the stream is: 0, before all others, to 7; 3 at first.
    ///
    /// # Errors
    /// As with [`reset`](Self::reset).
    pub fn set_priority(&mut self, urgency: u8) -> io::Result<()> {
        self.driver.call(|session| session.set_priority(self.id, urgency))
    }

    /// As [`Driver::wait`]. That the peer has stopped the stream is said for as long as there is a handle; the session forgets it.
    fn wait<T>(&self, mut step: impl FnMut(&mut Shown<'_>) -> Attempt<T>) -> io::Result<T> {
        self.driver.wait(|state| match state.ledger.sent(self.id) {
            Some(Err(stopped)) => Err(io::Error::new(ErrorKind::BrokenPipe, stopped)),
            _ => step(state),
        })
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        let _ = self.driver.call(|session| match session.finish(self.id) {
            Err(FinishError::MessageOpen) => session.reset(self.id, 0),
            Ok(()) if std::thread::panicking() => session.reset(self.id, 0),
            _ => Ok(()),
        });
        self.driver.look(|state| state.ledger.unwatch(self.id));
    }
}

/// The receiving half of a stream.
///
/// Dropping it before the end of the stream asks the peer to stop, with code 0.
#[derive(Debug)]
pub struct RecvStream {
    driver: Arc<Driver>,
    id: StreamId,
    /// What every call gives, once the stream has ended.
    end: Option<Result<Received, RecvError>>,
    /// What has come of the message that is received whole.
    message: Vec<u8>,
}

impl RecvStream {
    /// Waits for a whole message of up to `max` bytes; `None` at the end of the stream. After [`ErrorKind::TimedOut`], the next call
    /// goes on with the same message.
    ///
    /// # Errors
    /// [`ErrorKind::FileTooLarge`] if the message is longer: stop the stream. Else as with [`recv`](Self::recv).
    pub fn recv_message(&mut self, max: usize) -> io::Result<Option<Vec<u8>>> {
        let mut piece = [0; 16 << 10]; // a message gets room as it comes, and not by what it says of itself
        loop {
            let received = self.recv(&mut piece)?;
            self.message.extend_from_slice(piece.get(..received.len).unwrap_or_default());
            match received {
                _ if self.message.len() > max => return Err(ErrorKind::FileTooLarge.into()),
                Received { end_of_message: true, .. } => return Ok(Some(std::mem::take(&mut self.message))),
                Received { end_of_stream: true, .. } => return Ok(None),
                _ => {}
            }
        }
    }

    /// Waits for bytes and copies them to `buf`, never beyond the end of a message. Says that the stream has ended as often as it is
    /// asked.
    ///
    /// # Errors
    /// [`ErrorKind::ConnectionReset`] if the peer gave the stream up, with the [`RecvError`]; the
    /// [`CloseReason`](aitcp::CloseReason) when the session has ended and nothing is left to read.
    pub fn recv(&mut self, buf: &mut [u8]) -> io::Result<Received> {
        let outcome = match self.end {
            Some(end) => end,
            None => self.driver.wait(|state| match state.session.recv(self.id, buf) {
                Err(RecvError::Blocked | RecvError::Closed) => Ok(None),
                outcome => Ok(Some(outcome)),
            })?,
        };
        self.end = match outcome {
            Ok(received) if !received.end_of_stream => None,
            end => Some(end.map(|_| Received::END_OF_STREAM)),
        };
        outcome.map_err(|error| match error {
            RecvError::Reset(_) => io::Error::new(ErrorKind::ConnectionReset, error),
            _ => misuse(error),
        })
    }

    /// Wants no more: what has come is dropped, and the peer is asked to stop with `code`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with the [`StreamError`](aitcp::StreamError).
    pub fn stop(&mut self, code: u64) -> io::Result<()> {
        self.driver.call(|session| session.stop(self.id, code))
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        let _ = self.stop(0); // refused after the end
    }
}
