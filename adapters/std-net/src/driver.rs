//! The loop around a session, run by whichever threads wait for something.
//!
//! A thread that has to wait, and finds nobody reading from the socket, reads, feeds the session and wakes the others; each then
//! tries again what it was waiting for. The same goes for writing. The buffers are the tokens of these two roles: whoever has taken
//! one out of [`State`] reads or writes. The lock is never held during IO.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aitcp::{CloseReason, Event, Instant, Session, StreamError, StreamId};

use crate::error::{closed, misuse};

/// No limit to a wait. Threads look up once an hour even so: not every system's sockets take longer timeouts.
pub(crate) const FOREVER: Duration = Duration::from_secs(3600);
/// How soon a thread that reads notices what another one has done, where it may wait for just that.
pub(crate) const GLANCE: Duration = Duration::from_millis(50);
/// How long a write that is stuck keeps its thread from reading: if both ends only wrote, both would be stuck for ever.
const WRITE_SLICE: Duration = Duration::from_millis(10);
/// How long the peer's last words are waited for, once nothing more is written.
const LINGER: Duration = Duration::from_secs(1);
/// Several of the longest packets.
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
    /// The sending halves that are somebody's, or in `incoming`.
    pub(crate) sending: HashMap<StreamId, Sending>,
    /// Counts changes, so that a thread that was busy writing misses none.
    changes: u64,
    /// What was read and is not a whole packet yet. `None` while a thread reads.
    inbox: Option<Buffer>,
    /// What is to be written. `None` while a thread writes.
    outbox: Option<Buffer>,
    /// Nothing more is written, since the session is over or the socket broken.
    write_ended: bool,
    read_ended: bool,
}

/// What has become of a sending half.
pub(crate) enum Sending {
    Open,
    Finished,
    Stopped(u64),
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
            changes: 0,
            inbox: Some(Buffer::new()),
            outbox: Some(Buffer::new()),
            write_ended: false,
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
    pub(crate) fn wait<T>(
        &self,
        glance: Duration,
        mut step: impl FnMut(&mut State) -> io::Result<Option<T>>,
    ) -> io::Result<T> {
        let mut state = self.lock();
        let deadline = self.after(state.timeout.unwrap_or(Duration::MAX));
        loop {
            state.take_events();
            let outcome = step(&mut state);
            let (seen, end) = (state.changes, state.session.close_reason());
            state = self.flush(state, deadline);
            match (outcome?, end) {
                (Some(value), _) => return Ok(value),
                (None, Some(reason)) => return Err(closed(reason)),
                (None, None) if state.changes != seen => {}
                (None, None) if self.now() >= deadline => return Err(ErrorKind::TimedOut.into()),
                (None, None) => state = self.read(state, deadline.min(self.after(glance))),
            }
        }
    }

    /// Does something to a stream that takes no waiting.
    pub(crate) fn call(&self, verb: impl Fn(&mut Session) -> Result<(), StreamError>) -> io::Result<()> {
        self.wait(FOREVER, |state| match verb(&mut state.session) {
            Err(StreamError::Closed) => Ok(None),
            outcome => outcome.map(Some).map_err(misuse),
        })
    }

    /// Writes what the session has to send, unless another thread does; that one goes on until there is nothing.
    fn flush<'a>(&'a self, mut state: Guard<'a>, deadline: Instant) -> Guard<'a> {
        while !state.write_ended {
            let Some(mut outbox) = state.outbox.take() else { break };
            if outbox.waiting().is_empty() {
                outbox.fill(|room| state.session.poll_transmit(self.now(), room).ok().flatten().map_or(0, |t| t.len));
            }
            if outbox.waiting().is_empty() {
                state.outbox = Some(outbox);
                if state.session.is_drained() {
                    state.write_ended = true;
                    let _ = self.socket.shutdown(Shutdown::Write);
                    self.tell(&mut state);
                }
                break;
            }
            drop(state);
            let written = (&self.socket).write(outbox.waiting());
            state = self.lock();
            let stuck = written.as_ref().is_err_and(is_timeout);
            match written {
                Ok(len) => outbox.consume(len),
                Err(_) => state.write_ended = !stuck,
            }
            state.outbox = Some(outbox);
            if stuck {
                if self.now() >= deadline {
                    self.tell(&mut state);
                    break;
                }
                state = self.read(state, self.after(WRITE_SLICE));
            }
        }
        state
    }

    /// Reads once, at most until `until`, and feeds the session; if another thread is at that already, waits for it.
    fn read<'a>(&'a self, mut state: Guard<'a>, until: Instant) -> Guard<'a> {
        let bounds = [until, self.after(if state.write_ended { LINGER } else { FOREVER })];
        let until = bounds.into_iter().chain(state.session.poll_timeout()).min().unwrap_or(until);
        let wait = until.saturating_duration_since(self.now()).max(Duration::from_millis(1));
        let Some(mut inbox) = state.inbox.take() else {
            return self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(state);
        let mut read = Ok(0);
        inbox.fill(|room| {
            read = self.socket.set_read_timeout(Some(wait)).and_then(|()| (&self.socket).read(room));
            *read.as_ref().unwrap_or(&0)
        });
        let now = self.now();
        state = self.lock();
        match read {
            Ok(len) if len > 0 => {
                let input = state.session.handle_stream(now, inbox.waiting());
                inbox.consume(input.consumed);
            }
            // Once nothing can be written, the peer has had its time for last words.
            Err(error) if is_timeout(&error) && !state.write_ended => {}
            _ => {
                state.read_ended = true;
                state.session.handle_link_lost(now);
            }
        }
        state.session.handle_timeout(now);
        state.inbox = Some(inbox);
        state.take_events();
        self.tell(&mut state);
        state
    }

    fn tell(&self, state: &mut State) {
        state.changes = state.changes.wrapping_add(1);
        self.changed.notify_all();
    }

    /// Ends the connection. If this end has closed the session, the peer gets time to read that: closing a socket with unread bytes
    /// resets a TCP connection, and what was written last is lost.
    pub(crate) fn wind_up(&self) {
        let deadline = self.after(LINGER);
        let mut state = self.flush(self.lock(), deadline);
        self.tell(&mut state);
        if !matches!(state.session.close_reason(), Some(CloseReason::Peer { .. }) | None) {
            while !state.read_ended && self.now() < deadline {
                state = self.read(state, deadline);
            }
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
    /// Takes note of what the session tells. Threads that wait try again after every change, so that most events are not needed.
    fn take_events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::PeerIdentified(_) | Event::SignatureWanted | Event::Established | Event::Confirmed => {
                    self.handshake = Some(event);
                }
                Event::Opened(stream) => {
                    self.sending.insert(stream, Sending::Open);
                    self.incoming.push_back(stream);
                }
                Event::Finished(stream) => self.note(stream, Sending::Finished),
                Event::Stopped { stream, code } => self.note(stream, Sending::Stopped(code)),
                Event::PeerShutdown => self.no_new_streams = true,
                _ => {}
            }
        }
    }

    fn note(&mut self, stream: StreamId, outcome: Sending) {
        self.sending.entry(stream).and_modify(|sending| *sending = outcome);
    }
}

/// Bytes on their way: those from `start` to `end`.
struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; BUFFER].into(), start: 0, end: 0 }
    }

    /// Lets `source` append to what waits, and say how much.
    fn fill(&mut self, source: impl FnOnce(&mut [u8]) -> usize) {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end = self.end.saturating_sub(self.start);
        self.start = 0;
        self.end = self.end.saturating_add(source(self.bytes.get_mut(self.end..).unwrap_or_default()));
    }

    fn waiting(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }

    fn consume(&mut self, len: usize) {
        self.start = self.start.saturating_add(len).min(self.end);
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
