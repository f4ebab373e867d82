//! The receiving half of a stream.

use std::future::poll_fn;
use std::io::{self, ErrorKind, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use aitcp::{Received, RecvError, StreamId};
use aitcp_io::misuse;
use tokio::io::{AsyncRead, ReadBuf};

use crate::handle::Handle;
use crate::news::Half;

/// How much room a message that is received whole gets at a time.
const PIECE: usize = 16 << 10;

/// The receiving half of a stream.
///
/// Dropping it before the end of the stream asks the peer to stop, with code 0.
///
/// # As `AsyncRead`
/// What is read are the bytes of the messages, one behind the other; where one ends does not show, and an empty one not at all. The end
/// of the stream is the end of the file.
#[derive(Debug)]
pub struct RecvStream {
    handle: Arc<Handle>,
    id: StreamId,
    /// What every call gives, once the stream has ended.
    end: Option<Result<Received, RecvError>>,
    /// What has come of the message that is received whole. Its end has not.
    message: Vec<u8>,
}

impl RecvStream {
    pub(crate) fn new(handle: Arc<Handle>, id: StreamId) -> Self {
        Self { handle, id, end: None, message: Vec::new() }
    }

    /// Waits for a whole message of up to `max` bytes; `None` at the end of the stream.
    ///
    /// # Cancellation
    /// Nothing is lost: what has come of the message is kept, and the next call, of whatever kind, goes on with it.
    ///
    /// # Errors
    /// [`ErrorKind::FileTooLarge`] if the message is longer. It can be received from its beginning with a larger `max`, or in pieces
    /// with [`recv`](Self::recv). Else as with [`recv`](Self::recv).
    pub async fn recv_message(&mut self, max: usize) -> io::Result<Option<Vec<u8>>> {
        poll_fn(|cx| self.poll_message(cx, max)).await
    }

    /// Waits for bytes and copies them to `buf`, never beyond the end of a message. Says that the stream has ended as often as it is
    /// asked. A `buf` without room takes an end that comes next.
    ///
    /// # Cancellation
    /// Nothing has been received.
    ///
    /// # Errors
    /// [`ErrorKind::ConnectionReset`] if the peer gave the stream up, with the [`RecvError`]; the
    /// [`CloseReason`](aitcp::CloseReason) when the session has ended and nothing is left to read.
    pub async fn recv(&mut self, buf: &mut [u8]) -> io::Result<Received> {
        poll_fn(|cx| self.poll_recv(cx, buf)).await
    }

    /// Wants no more: what has come is dropped, and the peer is asked to stop with `code`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with the [`StreamError`](aitcp::StreamError).
    pub fn stop(&mut self, code: u64) -> io::Result<()> {
        self.message = Vec::new();
        self.handle.call(|session| session.stop(self.id, code))
    }

    fn poll_message(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<Vec<u8>>>> {
        loop {
            let len = self.message.len();
            // Without room, only the end of the message can come.
            let room = max.saturating_sub(len).min(PIECE);
            let mut message = std::mem::take(&mut self.message);
            message.resize(len.saturating_add(room), 0);
            let received = self.poll_next(cx, message.get_mut(len..).unwrap_or_default());
            let taken = match received {
                Poll::Ready(Ok(received)) => received.len,
                _ => 0,
            };
            message.truncate(len.saturating_add(taken));
            self.message = message;
            match ready!(received)? {
                Received { end_of_message: true, .. } => {
                    return Poll::Ready(Ok(Some(std::mem::take(&mut self.message))));
                }
                Received { end_of_stream: true, .. } => return Poll::Ready(Ok(None)),
                _ if room == 0 => return Poll::Ready(Err(ErrorKind::FileTooLarge.into())),
                _ => {}
            }
        }
    }

    /// What is kept of a message comes first.
    fn poll_recv(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<Received>> {
        if self.message.is_empty() {
            return self.poll_next(cx, buf);
        }
        let mut received = Received::default();
        received.len = self.message.as_slice().read(buf)?;
        self.message.drain(..received.len);
        Poll::Ready(Ok(received))
    }

    /// Receives from the session.
    fn poll_next(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<Received>> {
        let outcome = match self.end {
            Some(end) => end,
            None => ready!(self.handle.poll(cx, (self.id, Half::Receiving), |session, _| {
                match session.recv(self.id, buf) {
                    Err(RecvError::Blocked | RecvError::Closed) => Ok(None),
                    outcome => Ok(Some(outcome)),
                }
            }))?,
        };
        self.end = match outcome {
            Ok(received) if !received.end_of_stream => None,
            end => Some(end.map(|_| Received::END_OF_STREAM)),
        };
        Poll::Ready(outcome.map_err(|error| match error {
            RecvError::Reset(_) => io::Error::new(ErrorKind::ConnectionReset, error),
            _ => misuse(error),
        }))
    }
}

impl AsyncRead for RecvStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while buf.remaining() > 0 {
            let received = ready!(this.poll_recv(cx, buf.initialize_unfilled()))?;
            buf.advance(received.len);
            if received.len > 0 || received.end_of_stream {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        self.handle.with(|session, board, _| {
            let _ = session.stop(self.id, 0); // refused after the end
            board.unpark(self.id, Half::Receiving);
        });
    }
}
