//! The loop around a session, run by whichever threads wait for something.
//!
//! A thread that has to wait, and finds nobody reading from the socket, reads, feeds the session and wakes the others; each then
//! tries again what it was waiting for. The same goes for writing. The buffers are the tokens of these two roles: whoever has taken
//! one out of [`State`] reads or writes. The lock is never held during IO.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aitcp::{CloseReason, Event, Instant, Session, Stats, StreamError, StreamId};

use crate::error::{closed, misuse};

/// How often a thread that reads looks up: what it waits for may have been done by another thread, and not by the peer.
const LOOK_UP: Duration = Duration::from_secs(1);
/// How long a write that is stuck keeps its thread from reading: if both ends only wrote, both would be stuck for ever.
const WRITE_SLICE: Duration = Duration::from_millis(10);
/// How long the peer's last words are waited for, once nothing more is written.
const LINGER: Duration = Duration::from_secs(1);
/// The shortest wait: sockets take no timeout of zero.
const MOMENT: Duration = Duration::from_millis(1);
/// Room for several of the longest packets.
const BUFFER: usize = 64 << 10;

/// A session, its socket, and what threads tell each other about them.
pub(crate) struct Driver {
    socket: TcpStream,
    origin: std::time::Instant,
    state: Mutex<State>,
    changed: Condvar,
}

pub(crate) struct State {
    pub(crate) session: Session,
    /// How long a call may wait.
    pub(crate) timeout: Option<Duration>,
    /// What the handshake asks, or has reached.
    pub(crate) handshake: Option<Event>,
    /// Streams that the peer has opened and nobody has accepted.
    pub(crate) incoming: VecDeque<StreamId>,
    /// One of the ends is shutting down.
    pub(crate) no_new_streams: bool,
    /// Streams that are in `incoming` or have a sender, and whether that was finished or stopped.
    pub(crate) sending: HashMap<StreamId, Option<Event>>,
    /// A buffer, and how much of it is filled: what was read and is not a whole packet yet. `None` while a thread reads.
    inbox: Option<(Box<[u8]>, usize)>,
    /// A buffer, and what of it has still to be written. `None` while a thread writes, and for good
    /// when the socket is broken.
    outbox: Option<(Box<[u8]>, Range<usize>)>,
    read_ended: bool,
}

type Guard<'a> = MutexGuard<'a, State>;

impl Driver {
    pub(crate) fn new(socket: TcpStream, session: Session) -> io::Result<Self> {
        socket.set_nodelay(true)?; // packets are made for whole buffers: there is nothing to collect
        socket.set_write_timeout(Some(WRITE_SLICE))?;
        let state = State {
            session,
            timeout: None,
            handshake: None,
            incoming: VecDeque::new(),
            no_new_streams: false,
            sending: HashMap::new(),
            inbox: Some((vec![0; BUFFER].into(), 0)),
            outbox: Some((vec![0; BUFFER].into(), 0..0)),
            read_ended: false,
        };
        let origin = std::time::Instant::now();
        Ok(Self { socket, origin, state: Mutex::new(state), changed: Condvar::new() })
    }

    pub(crate) fn now(&self) -> Instant {
        self.after(Duration::ZERO)
    }

    fn after(&self, duration: Duration) -> Instant {
        let micros = self.origin.elapsed().saturating_add(duration).as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// A panic leaves the state whole, since nothing in it is changed half-way.
    pub(crate) fn lock(&self) -> Guard<'_> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries `step` until it gives something, fails, or can do neither any more, and meanwhile keeps the connection going.
    pub(crate) fn wait<T>(&self, mut step: impl FnMut(&mut State) -> io::Result<Option<T>>) -> io::Result<T> {
        let mut state = self.lock();
        let deadline = self.after(state.timeout.unwrap_or(Duration::MAX));
        loop {
            state.take_events();
            let outcome = step(&mut state);
            let seen = state.progress();
            state = self.flush(state, deadline);
            match (outcome?, seen.1) {
                (Some(value), _) => return Ok(value),
                (None, Some(reason)) => return Err(closed(reason)),
                // Another thread may have brought what is waited for while this one was writing.
                (None, None) if state.progress() != seen => {}
                (None, None) if self.now() >= deadline => return Err(ErrorKind::TimedOut.into()),
                (None, None) => state = self.read(state, deadline),
            }
        }
    }

    /// Does something to a stream that takes no waiting.
    pub(crate) fn call(&self, verb: impl Fn(&mut Session) -> Result<(), StreamError>) -> io::Result<()> {
        self.wait(|state| match verb(&mut state.session) {
            Err(StreamError::Closed) => Ok(None),
            outcome => outcome.map(Some).map_err(misuse),
        })
    }

    /// Writes what the session has to send, unless another thread does; that one goes on until there is nothing.
    fn flush<'a>(&'a self, mut state: Guard<'a>, deadline: Instant) -> Guard<'a> {
        while let Some((mut bytes, mut rest)) = state.outbox.take() {
            if rest.is_empty() {
                let transmit = state.session.poll_transmit(self.now(), &mut bytes);
                rest = 0..transmit.ok().flatten().map_or(0, |transmit| transmit.len);
            }
            if rest.is_empty() {
                state.outbox = Some((bytes, rest));
                if state.session.is_drained() {
                    let _ = self.socket.shutdown(Shutdown::Write);
                    self.changed.notify_all();
                }
                break;
            }
            drop(state);
            let written = (&self.socket).write(bytes.get(rest.clone()).unwrap_or_default());
            state = self.lock();
            rest.start = match written {
                Ok(len) => rest.start.saturating_add(len),
                Err(ref error) if is_timeout(error) => rest.start,
                Err(_) => break, // what the peer has said last can still be read
            };
            let mut stuck = written.is_err();
            state.outbox = Some((bytes, rest));
            if stuck && self.now() >= deadline {
                self.changed.notify_all();
                break;
            }
            while stuck && state.inbox.is_some() {
                let seen = state.progress();
                state = self.read(state, self.after(MOMENT));
                stuck = state.progress() != seen;
            }
        }
        state
    }

    /// Reads once, at most until `until`, and feeds the session; if another thread is at that already, waits for it.
    fn read<'a>(&'a self, mut state: Guard<'a>, until: Instant) -> Guard<'a> {
        let until = state.session.poll_timeout().map_or(until, |timer| timer.min(until));
        let wait = until.saturating_duration_since(self.now()).clamp(MOMENT, LOOK_UP);
        let Some((mut bytes, mut held)) = state.inbox.take() else {
            return self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(state);
        let room = bytes.get_mut(held..).unwrap_or_default();
        let read = self.socket.set_read_timeout(Some(wait)).and_then(|()| (&self.socket).read(room));
        let now = self.now();
        state = self.lock();
        match read {
            Ok(len) if len > 0 => {
                held = held.saturating_add(len);
                let input = state.session.handle_stream(now, bytes.get_mut(..held).unwrap_or_default());
                bytes.copy_within(input.consumed..held, 0);
                held = held.saturating_sub(input.consumed);
            }
            Err(error) if is_timeout(&error) => {}
            _ => {
                state.read_ended = true;
                state.session.handle_link_lost(now);
            }
        }
        state.session.handle_timeout(now);
        state.inbox = Some((bytes, held));
        self.changed.notify_all();
        state
    }

    /// Ends the connection. If this end has closed the session, the peer gets time to read that: closing a socket with unread bytes
    /// resets a TCP connection, and what was written last is lost.
    pub(crate) fn wind_up(&self) {
        let deadline = self.after(LINGER);
        let mut state = self.flush(self.lock(), deadline);
        self.changed.notify_all();
        let has_said_so = state.session.handshake().is_some() && state.session.close_reason().is_some();
        while has_said_so && !state.read_ended && self.now() < deadline {
            state = self.read(state, deadline);
        }
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.wind_up();
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock().session.fmt(f)
    }
}

impl State {
    /// Differs whenever something has happened.
    fn progress(&self) -> (Stats, Option<CloseReason>) {
        (self.session.stats(), self.session.close_reason())
    }

    /// Takes note of what the session tells. Threads that wait try again after every change, so that most events are not needed.
    fn take_events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::PeerIdentified(_) | Event::SignatureWanted | Event::Established | Event::Confirmed => {
                    self.handshake = Some(event);
                }
                Event::Opened(stream) => {
                    self.sending.insert(stream, None);
                    self.incoming.push_back(stream);
                }
                Event::Finished(stream) | Event::Stopped { stream, .. } => {
                    self.sending.entry(stream).and_modify(|outcome| *outcome = Some(event));
                }
                Event::PeerShutdown => self.no_new_streams = true,
                _ => {}
            }
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
