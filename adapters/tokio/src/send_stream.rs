//! The sending half of a stream.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use aitcp::{Ending, FinishError, SendError, Session, StreamId};
use aitcp_io::{Attempt, attempt};
use tokio::io::AsyncWrite;

use crate::handle::Handle;
use crate::news::{Board, Half};

/// The sending half of a stream.
///
/// Dropping it finishes the stream, if all messages are whole. Within a message, or in a panic, it resets the stream with code 0, so
/// that a part never looks like the whole.
///
/// # As `AsyncWrite`
/// What is written are the bytes of one message. Flushing does nothing, since nothing waits to be flushed. Shutting down ends the
/// message, if one is open, and finishes the stream, which then has no more messages; it does not wait for the peer, as
/// [`wait_finished`](Self::wait_finished) does. A message that is begun by writing can be ended with [`send`](Self::send) as well.
#[derive(Debug)]
pub struct SendStream {
    handle: Arc<Handle>,
    id: StreamId,
}

impl SendStream {
    pub(crate) fn new(handle: Arc<Handle>, id: StreamId) -> Self {
        Self { handle, id }
    }

    pub(crate) fn id(&self) -> StreamId {
        self.id
    }

    /// Sends a message, or the rest of one begun with [`send_part`](Self::send_part). Returns when the session has taken it all, which
    /// is when the peer is not far behind.
    ///
    /// # Cancellation
    /// If nothing has been taken yet, the call has not been made. If a part has, the stream is reset with code 0, since nobody knows
    /// where to go on. [`send_rest`](Self::send_rest) does.
    ///
    /// # Errors
    /// [`ErrorKind::BrokenPipe`] if the peer stopped the stream; [`ErrorKind::InvalidInput`] if the stream is finished, or the message
    /// longer than the peer takes. The [`SendError`] is behind it.
    pub async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.send_all(message, Ending::End).await
    }

    /// Sends bytes of a message that goes on.
    ///
    /// # Cancellation
    /// As with [`send`](Self::send). Writing, as [`AsyncWrite`], goes in steps that can be cancelled.
    ///
    /// # Errors
    /// As with [`send`](Self::send).
    pub async fn send_part(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.send_all(bytes, Ending::More).await
    }

    /// Sends a message as [`send`](Self::send) does, and moves the front of `rest` behind what has been taken.
    ///
    /// # Cancellation
    /// Call again with what `rest` is then: the message goes on where it stopped.
    ///
    /// # Errors
    /// As with [`send`](Self::send).
    pub async fn send_rest(&mut self, rest: &mut &[u8]) -> io::Result<()> {
        poll_fn(|cx| self.poll_send(cx, rest, Ending::End)).await
    }

    async fn send_all(&mut self, mut rest: &[u8], ending: Ending) -> io::Result<()> {
        let len = rest.len();
        let mut torn = ResetIfDropped { stream: self, armed: false };
        poll_fn(|cx| {
            let outcome = torn.stream.poll_send(cx, &mut rest, ending);
            torn.armed = outcome.is_pending() && rest.len() < len;
            outcome
        })
        .await
    }

    /// Ends the stream in this direction, after its last message.
    ///
    /// # Errors
    /// [`ErrorKind::BrokenPipe`] if the peer stopped the stream; [`ErrorKind::InvalidInput`] with the [`FinishError`].
    pub fn finish(&mut self) -> io::Result<()> {
        let finish = |session: &mut Session, _: &mut Board| attempt(session.finish(self.id), &[FinishError::Closed]);
        self.handle.attempt(|session, board, _| self.unless_stopped(session, board, finish)).map(drop)
    }

    /// Waits, after [`finish`](Self::finish), until the peer's session holds everything. Whether its application has read it, only an
    /// answer can tell.
    ///
    /// # Cancellation
    /// Nothing has happened.
    ///
    /// # Errors
    /// [`ErrorKind::BrokenPipe`] if the peer stopped the stream.
    pub async fn wait_finished(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll(cx, |_, board| Ok(board.ledger.sent(self.id).and_then(Result::ok)))).await
    }

    /// Gives the stream up in this direction: what the peer's application has not read is dropped, and it is told `code`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with the [`StreamError`](aitcp::StreamError).
    pub fn reset(&mut self, code: u64) -> io::Result<()> {
        self.handle.call(|session| session.reset(self.id, code))
    }

    /// Sets how urgent the stream is: 0, before all others, to 7; 3 at first.
    ///
    /// # Errors
    /// As with [`reset`](Self::reset).
    pub fn set_priority(&mut self, urgency: u8) -> io::Result<()> {
        self.handle.call(|session| session.set_priority(self.id, urgency))
    }

    /// Sends as much of `rest` as is taken, and moves its front; ready when all of it is.
    fn poll_send(&mut self, cx: &mut Context<'_>, rest: &mut &[u8], ending: Ending) -> Poll<io::Result<()>> {
        loop {
            let taken = ready!(self.poll_take(cx, rest, ending))?;
            *rest = rest.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Sends some of `bytes`; ready when some, and be it none of none, are taken.
    fn poll_take(&mut self, cx: &mut Context<'_>, bytes: &[u8], ending: Ending) -> Poll<io::Result<usize>> {
        let to_wait = [SendError::Blocked, SendError::Closed];
        self.poll(cx, |session, _| attempt(session.send(self.id, bytes, ending), &to_wait))
    }

    /// As [`Handle::poll`].
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        step: impl FnOnce(&mut Session, &mut Board) -> Attempt<T>,
    ) -> Poll<io::Result<T>> {
        self.handle.poll(cx, (self.id, Half::Sending), |session, board| self.unless_stopped(session, board, step))
    }

    /// That the peer has stopped the stream is said for as long as there is a handle; the session forgets it.
    fn unless_stopped<T>(
        &self,
        session: &mut Session,
        board: &mut Board,
        step: impl FnOnce(&mut Session, &mut Board) -> Attempt<T>,
    ) -> Attempt<T> {
        match board.ledger.sent(self.id) {
            Some(Err(stopped)) => Err(io::Error::new(ErrorKind::BrokenPipe, stopped)),
            _ => step(session, board),
        }
    }
}

impl AsyncWrite for SendStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_take(cx, bytes, Ending::More)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let id = self.id;
        self.poll(cx, |session, _| {
            if session.finish(id) != Err(FinishError::MessageOpen) {
                return Ok(Some(())); // finished now or before
            }
            let to_wait = [SendError::Blocked, SendError::Closed];
            let ended = attempt(session.send(id, b"", Ending::End), &to_wait)?;
            ended.map(|_| attempt(session.finish(id), &[FinishError::Closed])).transpose().map(Option::flatten)
        })
    }
}

/// Resets a stream when its message is given up half-way.
struct ResetIfDropped<'a> {
    stream: &'a mut SendStream,
    armed: bool,
}

impl Drop for ResetIfDropped<'_> {
    fn drop(&mut self) {
        if self.armed {
            let _ = self.stream.reset(0);
        }
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        self.handle.with(|session, board, _| {
            let _ = match session.finish(self.id) {
                Err(FinishError::MessageOpen) => session.reset(self.id, 0),
                Ok(()) if std::thread::panicking() => session.reset(self.id, 0),
                _ => Ok(()),
            };
            board.ledger.unwatch(self.id);
            board.unpark(self.id, Half::Sending);
        });
    }
}
