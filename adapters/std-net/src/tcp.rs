//! The loop around a session, run by whichever threads wait for something.
//!
//! A thread that has to wait, and finds nobody reading from the socket, reads, feeds the session and wakes the others; each then
//! tries again what it was waiting for. The inbox is the token of that role: whoever has taken it out of [`State`] reads, without the
//! lock. Writing keeps the lock, which costs others a moment at most: when the socket is full, nobody tries again for a while.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aitcp::{Instant, Ledger, Session};
use aitcp_io::{Attempt, Clock, is_timeout, settled};

use crate::driver::{Driver, Shown};

/// How often a thread that reads looks up: what it waits for may have been done by another thread, and not by the peer.
const LOOK_UP: Duration = Duration::from_secs(1);
/// How long nobody writes to a socket that is full. Meanwhile threads read: if both ends only wrote, both would be stuck for ever.
const FULL: Duration = Duration::from_millis(5);
/// How long the peer's last words are waited for, once nothing more is written.
const LINGER: Duration = Duration::from_secs(1);
/// The longest write and the shortest read: sockets take no timeout of zero.
const MOMENT: Duration = Duration::from_millis(1);
/// Room for several of the longest packets.
const BUFFER: usize = 64 << 10;

/// A session, its socket, and what threads tell each other about them.
pub(crate) struct TcpDriver {
    socket: TcpStream,
    clock: Clock,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    session: Session,
    /// How long a call may wait.
    timeout: Option<Duration>,
    ledger: Ledger,
    /// What was read and is not a whole packet yet. `None` while a thread reads.
    inbox: Option<Vec<u8>>,
    outbox: Box<[u8]>,
    /// What of the outbox has still to be written.
    unwritten: Range<usize>,
    /// When that can be tried. Never again, once the socket is broken.
    next_write: Instant,
    read_ended: bool,
}

impl TcpDriver {
    pub(crate) fn start(socket: TcpStream, session: Session) -> io::Result<Driver> {
        socket.set_nodelay(true)?; // packets are made for whole buffers: there is nothing to collect
        socket.set_write_timeout(Some(MOMENT))?;
        let state = State {
            session,
            timeout: None,
            ledger: Ledger::default(),
            inbox: Some(Vec::new()),
            outbox: vec![0; BUFFER].into(),
            unwritten: 0..0,
            next_write: Instant::ORIGIN,
            read_ended: false,
        };
        let driver = Self { socket, clock: Clock::start(), state: Mutex::new(state), changed: Condvar::new() };
        Ok(Driver::Tcp(Box::new(driver)))
    }

    /// A panic leaves the state whole, since nothing in it is changed half-way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes all that the session has to send, and reads while the socket is full.
    fn flush<'a>(&'a self, mut state: MutexGuard<'a, State>, deadline: Instant) -> MutexGuard<'a, State> {
        self.write(&mut state);
        while !state.unwritten.is_empty() && self.clock.now() < deadline {
            state = self.read(state, deadline);
            self.write(&mut state);
        }
        state
    }

    /// Writes what the session has to send and the socket takes. Whether there was anything to write, and it was time to.
    fn write(&self, state: &mut State) -> bool {
        let mut has_written = false;
        while self.clock.now() >= state.next_write {
            if state.unwritten.is_empty() {
                let transmit = state.session.poll_transmit(self.clock.now(), &mut state.outbox);
                state.unwritten = 0..transmit.ok().flatten().map_or(0, |transmit| transmit.len);
            }
            if state.unwritten.is_empty() {
                break;
            }
            match (&self.socket).write(state.outbox.get(state.unwritten.clone()).unwrap_or_default()) {
                Ok(len) => state.unwritten.start = state.unwritten.start.saturating_add(len),
                Err(error) if is_timeout(&error) => state.next_write = self.clock.now() + FULL,
                // What the peer has said last can still be read.
                Err(_) => (state.unwritten, state.next_write) = (0..0, self.clock.now() + Duration::MAX),
            }
            has_written = true;
        }
        if state.unwritten.is_empty() && state.session.is_drained() {
            let _ = self.socket.shutdown(Shutdown::Write);
            self.changed.notify_all();
        }
        has_written
    }

    /// Reads once, at most until `until`, and feeds the session; if another thread is at that already, waits for it.
    fn read<'a>(&'a self, mut state: MutexGuard<'a, State>, until: Instant) -> MutexGuard<'a, State> {
        let until = state.session.poll_timeout().map_or(until, |timer| timer.min(until));
        let until = if state.unwritten.is_empty() { until } else { until.min(state.next_write) };
        let wait = until.saturating_duration_since(self.clock.now()).clamp(MOMENT, LOOK_UP);
        let Some(mut bytes) = state.inbox.take() else {
            return self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(state);
        let mut piece = [0; BUFFER];
        let read = self.socket.set_read_timeout(Some(wait)).and_then(|()| (&self.socket).read(&mut piece));
        let now = self.clock.now();
        state = self.lock();
        match read {
            Ok(len) if len > 0 => {
                bytes.extend_from_slice(piece.get(..len).unwrap_or_default());
                let input = state.session.handle_stream(now, &mut bytes);
                bytes.drain(..input.consumed);
            }
            Err(error) if is_timeout(&error) => {}
            _ => {
                state.read_ended = true;
                state.session.handle_link_lost(now);
            }
        }
        state.session.handle_timeout(now);
        state.inbox = Some(bytes);
        self.changed.notify_all();
        state
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(Shown<'_>) -> T) -> T {
        let State { session, ledger, timeout, .. } = &mut *self.lock();
        look(Shown { now: self.clock.now(), session, ledger, timeout })
    }

    pub(crate) fn wait<T>(&self, mut step: impl FnMut(&mut Shown<'_>) -> Attempt<T>) -> io::Result<T> {
        let mut state = self.lock();
        let deadline = self.clock.now() + state.timeout.unwrap_or(Duration::MAX);
        let outcome = loop {
            let State { session, ledger, timeout, .. } = &mut *state;
            ledger.update(session);
            let mut shown = Shown { now: self.clock.now(), session, ledger, timeout };
            match settled(step(&mut shown), shown.session) {
                Ok(Some(value)) => break Ok(value),
                Err(error) => break Err(error),
                Ok(None) if self.write(&mut state) => {} // which may be what was waited for
                Ok(None) if self.clock.now() >= deadline => break Err(ErrorKind::TimedOut.into()),
                Ok(None) => state = self.read(state, deadline),
            }
        };
        drop(self.flush(state, deadline));
        outcome
    }

    /// Ends the connection. If this end has closed the session, the peer gets time to read that: closing a socket with unread bytes
    /// resets a TCP connection, and what was written last is lost.
    pub(crate) fn wind_up(&self) {
        let deadline = self.clock.now() + LINGER;
        let mut state = self.flush(self.lock(), deadline);
        self.changed.notify_all();
        let has_said_so = state.session.handshake().is_some() && state.session.close_reason().is_some();
        while has_said_so && !state.read_ended && self.clock.now() < deadline {
            state = self.read(state, deadline);
        }
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl Drop for TcpDriver {
    fn drop(&mut self) {
        self.wind_up();
    }
}

impl fmt::Debug for TcpDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.look(|state| state.session.fmt(f))
    }
}
