//! The task of a session that has a carrier of its own: bytes in, bytes out, time.

use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aitcp::{Instant, Session};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{self, Sleep};

use crate::handle::{Cell, Handle};
use crate::news::News;

/// Room for the longest packet and more. It is on the stack: a connection that is idle holds no buffers.
const BUFFER: usize = 32 << 10;
/// How often the task reads and writes before others get their turn.
const ROUNDS: usize = 16;
/// How long the peer's last words are waited for, once nothing more is written: closing a socket with unread bytes resets a TCP
/// connection, and what was written last is lost.
const LINGER: Duration = Duration::from_secs(1);

/// A session whose driver is a task of its own.
pub(crate) struct Driven {
    state: Mutex<State>,
    news: Arc<News>,
    clock: Clock,
}

struct State {
    session: Session,
    /// Wakes the driver, if it sleeps.
    driver: Option<Waker>,
}

/// Tells the time to a session, which counts from an origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: time::Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { origin: time::Instant::now() }
    }

    pub(crate) fn now(self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }

    /// `None` for a time that never comes.
    pub(crate) fn at(self, instant: Instant) -> Option<time::Instant> {
        self.origin.checked_add(instant.saturating_duration_since(Instant::ORIGIN))
    }
}

impl Driven {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner) // the session is whole after each of its calls
    }

    /// Does something with the session, and wakes the driver.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Session, Instant) -> T) -> T {
        let mut state = self.lock();
        let outcome = act(&mut state.session, self.clock.now());
        let driver = state.driver.take();
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        outcome
    }
}

/// Has a task drive `session` over `io`, until the session has ended.
pub(crate) fn spawn<IO>(io: IO, session: Session) -> Arc<Handle>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let news = Arc::new(News::new(&session));
    let state = Mutex::new(State { session, driver: None });
    let driven = Arc::new(Driven { state, news: Arc::clone(&news), clock: Clock::new() });
    tokio::spawn(Driver {
        io,
        driven: Arc::clone(&driven),
        inbox: Vec::new(),
        unwritten: Vec::new(),
        written: 0,
        read_ended: false,
        write_ended: false,
        leave_at: None,
        sleep: Box::pin(time::sleep(Duration::ZERO)),
    });
    Handle::new(Cell::Stream(driven), news)
}

/// The task.
struct Driver<IO> {
    io: IO,
    driven: Arc<Driven>,
    /// What was read and is not a whole packet yet.
    inbox: Vec<u8>,
    /// What the session gave and the carrier has not taken, from `written` on.
    unwritten: Vec<u8>,
    written: usize,
    read_ended: bool,
    write_ended: bool,
    /// When the carrier is dropped, whatever there would be to read or write.
    leave_at: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Future for Driver<IO> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        for _ in 0..ROUNDS {
            let progress = this.write(cx) | this.read(cx);
            if this.is_done(cx) {
                return Poll::Ready(());
            }
            if !progress && !this.is_due(cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Driver<IO> {
    /// Writes what the carrier has not taken or else, only then, the next packets: what waits in the session can still be arranged by
    /// priority. Whether the carrier took something.
    fn write(&mut self, cx: &mut Context<'_>) -> bool {
        if self.has_unwritten() {
            let rest = self.unwritten.get(self.written..).unwrap_or_default();
            let taken = Pin::new(&mut self.io).poll_write(cx, rest);
            let taken = self.taken(taken);
            self.written = self.written.saturating_add(taken);
            if !self.has_unwritten() {
                (self.unwritten, self.written) = (Vec::new(), 0);
            }
            self.serve(cx, None);
            return taken > 0;
        }
        let mut buffer = [0; BUFFER];
        let len = self.serve(cx, Some(&mut buffer));
        let packets = buffer.get(..len).unwrap_or_default();
        if packets.is_empty() || self.write_ended {
            let _ = Pin::new(&mut self.io).poll_flush(cx); // what is wrong with the carrier shows in the next write
            return false;
        }
        let taken = Pin::new(&mut self.io).poll_write(cx, packets);
        let taken = self.taken(taken);
        if !self.write_ended {
            self.unwritten.extend_from_slice(packets.get(taken..).unwrap_or_default());
        }
        true // the packets are out of the session, at least
    }

    /// Makes of a write how much it took. After one that failed nothing is written any more; what the peer has said last can still be
    /// read.
    fn taken(&mut self, write: Poll<std::io::Result<usize>>) -> usize {
        match write {
            Poll::Ready(Ok(taken)) if taken > 0 => return taken,
            Poll::Ready(_) => {
                self.write_ended = true;
                (self.unwritten, self.written) = (Vec::new(), 0);
                self.leave_soon();
            }
            Poll::Pending => {}
        }
        0
    }

    /// Serves the session's timers, tells its news, and has it write what it has to send to `buffer`. Returns how much that is.
    fn serve(&mut self, cx: &mut Context<'_>, buffer: Option<&mut [u8]>) -> usize {
        let driven = &self.driven;
        let now = driven.clock.now();
        let mut state = driven.lock();
        state.driver = Some(cx.waker().clone());
        state.session.handle_timeout(now);
        driven.news.tell(&mut state.session, now);
        let transmit = buffer.and_then(|buffer| state.session.poll_transmit(now, buffer).ok().flatten());
        driven.news.tell(&mut state.session, now); // a close is news once it is out
        transmit.map_or(0, |transmit| transmit.len)
    }

    /// Reads once and feeds the session. It takes every whole packet, so that what is kept is less than one of them; how much the peer
    /// may send, credit says. Whether something came.
    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        if self.read_ended {
            return false;
        }
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut buffer = ReadBuf::uninit(&mut buffer);
        let read = Pin::new(&mut self.io).poll_read(cx, &mut buffer);
        let driven = &self.driven;
        let now = driven.clock.now();
        match read {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                let mut state = driven.lock();
                if self.inbox.is_empty() {
                    let consumed = state.session.handle_stream(now, buffer.filled_mut()).consumed;
                    self.inbox.extend_from_slice(buffer.filled().get(consumed..).unwrap_or_default());
                } else {
                    self.inbox.extend_from_slice(buffer.filled());
                    let consumed = state.session.handle_stream(now, &mut self.inbox).consumed;
                    self.inbox.drain(..consumed);
                }
                driven.news.tell(&mut state.session, now);
            }
            Poll::Ready(_) => {
                self.read_ended = true;
                driven.lock().session.handle_link_lost(now);
            }
        }
        if self.inbox.is_empty() {
            self.inbox = Vec::new();
        }
        true
    }

    /// Whether the session is over, and the peer has read that it is, or had the time to. Ends the writing half of the carrier.
    fn is_done(&mut self, cx: &mut Context<'_>) -> bool {
        let now = self.driven.clock.now();
        if self.leave_at.is_some_and(|leave_at| now >= leave_at) {
            return true;
        }
        if !self.driven.lock().session.is_drained() {
            return false;
        }
        self.leave_soon();
        if !self.write_ended && !self.has_unwritten() {
            self.write_ended = Pin::new(&mut self.io).poll_shutdown(cx).is_ready();
        }
        self.read_ended && self.write_ended
    }

    /// Whether it is time for something to be done. If not, the task is woken when it is.
    fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        let timer = self.driven.lock().session.poll_timeout();
        let next = [timer, self.leave_at].into_iter().flatten().min();
        let Some(next) = next.and_then(|next| self.driven.clock.at(next)) else { return false };
        if self.sleep.deadline() != next {
            self.sleep.as_mut().reset(next);
        }
        self.sleep.as_mut().poll(cx).is_ready()
    }

    fn leave_soon(&mut self) {
        self.leave_at.get_or_insert(self.driven.clock.now() + LINGER);
    }

    fn has_unwritten(&self) -> bool {
        self.written < self.unwritten.len()
    }
}

/// However the task ends, be it with its runtime: nobody waits for it any more.
impl<IO> Drop for Driver<IO> {
    fn drop(&mut self) {
        let mut state = self.driven.lock();
        let now = self.driven.clock.now();
        state.session.handle_link_lost(now); // without effect on a session that has ended
        self.driven.news.tell(&mut state.session, now);
        self.driven.news.over();
    }
}
