//! A session somewhere, as its handles see it: calls that are made at once, and calls that wait.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use aitcp::{Instant, Session, StreamError, StreamId};
use aitcp_io::{Attempt, attempt, settled};
use tokio::sync::Notify;

use crate::driver::Driven;
use crate::endpoint::Member;
use crate::news::{Board, Half, News};

/// What connections and streams share. When the last of them is gone, the session is closed.
pub(crate) struct Handle {
    cell: Cell,
    pub(crate) news: Arc<News>,
}

/// Where the session is.
pub(crate) enum Cell {
    /// Alone on a carrier of its own.
    Stream(Arc<Driven>),
    /// One of many behind a socket.
    Datagram(Member),
}

impl Cell {
    /// Does something with the session, and has the driver act on what comes of it.
    fn with<T>(&self, act: impl FnOnce(&mut Session, Instant) -> T) -> T {
        match self {
            Self::Stream(driven) => driven.with(act),
            Self::Datagram(member) => member.with(act),
        }
    }
}

impl Handle {
    pub(crate) fn new(cell: Cell, news: Arc<News>) -> Arc<Self> {
        Arc::new(Self { cell, news })
    }

    /// Does something with the session that takes no waiting.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Session, &mut Board, Instant) -> T) -> T {
        self.cell.with(|session, now| act(session, &mut self.news.board(), now))
    }

    /// Does something to a stream that takes no waiting.
    pub(crate) fn call(&self, verb: impl FnOnce(&mut Session) -> Result<(), StreamError>) -> io::Result<()> {
        self.attempt(|session, _, _| attempt(verb(session), &[StreamError::Closed])).map(drop)
    }

    /// Tries `step` again whenever `notify` says so, until it gives something or fails, or the session has ended.
    pub(crate) async fn wait<T>(
        &self,
        notify: &Notify,
        mut step: impl FnMut(&mut Session, &mut Board, Instant) -> Attempt<T>,
    ) -> io::Result<T> {
        loop {
            let notified = notify.notified(); // before the step: what comes in between is not missed
            match self.attempt(&mut step)? {
                Some(value) => return Ok(value),
                None => notified.await,
            }
        }
    }

    /// Tries `step`; if it has to wait, the task is woken by the next event of that half of the stream.
    pub(crate) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        (stream, half): (StreamId, Half),
        step: impl FnOnce(&mut Session, &mut Board) -> Attempt<T>,
    ) -> Poll<io::Result<T>> {
        let outcome = self.attempt(|session, board, _| {
            let outcome = step(session, board);
            if let Ok(None) = outcome {
                board.park(stream, half, cx.waker());
            }
            outcome
        });
        outcome.transpose().map_or(Poll::Pending, Poll::Ready)
    }

    /// `None` if `step` has to wait; an error if it would wait for a session that has ended.
    pub(crate) fn attempt<T>(&self, step: impl FnOnce(&mut Session, &mut Board, Instant) -> Attempt<T>) -> Attempt<T> {
        self.with(|session, board, now| settled(step(session, board, now), session))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.cell.with(|session, now| session.close(now, 0, "")); // without effect if it has ended
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cell.with(|session, _| session.fmt(f))
    }
}
