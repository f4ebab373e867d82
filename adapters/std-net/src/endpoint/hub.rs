//! What all handles of an endpoint share with its threads: the sessions, those who wait for them, and what is done when something has
//! happened.
//!
//! Whoever has fed the endpoint, or done something with a session, [serves](Hub::serve) at once what that brought, and wakes the thread that
//! keeps time only when a deadline now lies before the one that it waits for.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aitcp::{EndpointConfig, Event, Handle, Instant, Ledger, Session};
use aitcp_io::{Clock, misuse, seed};

use super::tcp::Carriers;
use super::udp::Socket;

/// Sessions that peers have begun and that nobody has accepted. More are closed.
const BACKLOG: usize = 128;
/// Room for the longest datagram of a session, several times.
const BUFFER: usize = 64 << 10;
/// How often a thread that waits for the ends of sessions looks up.
const LOOK_UP: Duration = Duration::from_millis(100);
/// How long a listener's thread may take to hear that it is to end.
const PROMPT: Duration = Duration::from_secs(1);

pub(crate) struct Hub {
    pub(super) clock: Clock,
    pub(super) socket: Option<Arc<Socket>>,
    state: Mutex<State>,
    /// Somebody is there to be accepted, or nobody will be any more.
    has_incoming: Condvar,
    /// For the thread that keeps time, if it is not the socket's: a deadline has come nearer.
    pub(super) nearer: Condvar,
    /// A session has ended.
    pub(super) ended: Condvar,
}

pub(crate) struct State {
    pub(super) endpoint: aitcp::Endpoint<SocketAddr>,
    pub(super) seats: BTreeMap<Handle, Seat>,
    pub(super) carriers: Carriers,
    /// Where listeners are to be told that nobody is let in any more.
    pub(super) listeners: Vec<SocketAddr>,
    incoming: VecDeque<Caller>,
    outbox: Box<[u8]>,
    /// Until when the thread that keeps time waits. Before everything, while it does not: it then looks by itself.
    pub(super) waits_until: Instant,
    /// Sessions that peers begin are wanted.
    pub(super) accepts: bool,
    /// The last handle is gone.
    is_deserted: bool,
}

/// What is kept about a session for the threads that wait for it.
#[derive(Default)]
pub(super) struct Seat {
    pub(super) ledger: Ledger,
    pub(super) changed: Arc<Condvar>,
    /// How many events there were: who has seen them all may wait.
    pub(super) events: u64,
    /// How long a call may wait.
    pub(super) timeout: Option<Duration>,
}

/// Who waits to be accepted.
pub(super) struct Caller {
    pub(super) handle: Handle,
    pub(super) remote: SocketAddr,
    pub(super) changed: Arc<Condvar>,
}

impl Hub {
    pub(super) fn new(socket: Option<Socket>, config: EndpointConfig) -> io::Result<Self> {
        let state = State {
            endpoint: aitcp::Endpoint::new(Instant::ORIGIN, config, seed()?).map_err(misuse)?,
            seats: BTreeMap::new(),
            carriers: Carriers::default(),
            listeners: Vec::new(),
            incoming: VecDeque::new(),
            outbox: vec![0; BUFFER].into(),
            waits_until: Instant::ORIGIN,
            accepts: true,
            is_deserted: false,
        };
        let [has_incoming, nearer, ended] = [Condvar::new(), Condvar::new(), Condvar::new()];
        let (socket, state) = (socket.map(Arc::new), Mutex::new(state));
        Ok(Self { clock: Clock::start(), socket, state, has_incoming, nearer, ended })
    }

    /// A panic leaves the state whole, since nothing in it is changed half-way.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves deadlines, tells what has happened, and sends what there is to send.
    pub(super) fn serve(&self, state: &mut State) {
        state.endpoint.handle_timeout(self.clock.now());
        loop {
            self.send(state);
            state.tend_carriers();
            let Some((handle, event)) = state.endpoint.poll_event() else { break };
            if matches!(event, Event::Closed(_)) {
                self.ended.notify_all();
            }
            if !state.note(handle, event) {
                self.admit(state, handle, event);
            }
        }
        let is_nearer = state.endpoint.poll_timeout().is_some_and(|deadline| deadline < state.waits_until);
        if is_nearer || state.is_over() {
            state.waits_until = Instant::ORIGIN;
            self.wake();
        }
    }

    fn send(&self, state: &mut State) {
        let Some(socket) = &self.socket else { return };
        while let Ok(Some((to, transmit))) = state.endpoint.poll_transmit(self.clock.now(), &mut state.outbox) {
            let segment = transmit.segment.unwrap_or(transmit.len).max(1);
            for datagram in state.outbox.get(..transmit.len).unwrap_or_default().chunks(segment) {
                socket.send(datagram, to.remote);
            }
        }
    }

    /// Takes in a session that a peer has begun, if there is room for it.
    fn admit(&self, state: &mut State, handle: Handle, event: Event) {
        let over_udp = state.endpoint.route(handle).map(|route| route.remote);
        let remote = over_udp.or_else(|| state.carriers.remote(handle));
        let (Some(remote), false) = (remote, matches!(event, Event::Closed(_))) else { return };
        if state.incoming.len() >= BACKLOG || !state.accepts {
            state.close(self.clock.now(), handle);
            return;
        }
        let changed = state.take_seat(handle);
        state.note(handle, event);
        state.incoming.push_back(Caller { handle, remote, changed });
        self.has_incoming.notify_one();
    }

    /// Waits for somebody to be accepted; `None` if nobody will come.
    pub(super) fn next_caller(&self) -> Option<Caller> {
        let mut state = self.lock();
        loop {
            if let Some(caller) = state.incoming.pop_front() {
                return Some(caller);
            }
            if !state.accepts {
                return None;
            }
            state = self.has_incoming.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether the thread of the socket keeps time.
    pub(super) fn wakes_socket(&self) -> bool {
        self.socket.as_ref().is_some_and(|socket| socket.hears_itself())
    }

    fn wake(&self) {
        match &self.socket {
            Some(socket) if socket.hears_itself() => socket.wake(),
            _ => self.nearer.notify_one(),
        }
    }

    /// Nobody is let in any more, and who has not been accepted is turned away.
    pub(super) fn refuse(&self) {
        let mut state = self.lock();
        state.accepts = false;
        let now = self.clock.now();
        while let Some(Caller { handle, .. }) = state.incoming.pop_front() {
            state.close(now, handle);
            state.give_up_seat(handle);
        }
        self.has_incoming.notify_all();
        self.serve(&mut state);
        let listeners = std::mem::take(&mut state.listeners);
        drop(state);
        for listener in listeners {
            // A connection is what ends a wait for one on every system.
            let _ = TcpStream::connect_timeout(&listener, PROMPT);
        }
    }

    pub(super) fn shut_down(&self, patience: Duration) -> io::Result<()> {
        let deadline = self.clock.now() + patience;
        self.refuse();
        let mut state = self.lock();
        state.endpoint.shutdown(self.clock.now());
        state.turn_streams_away(self.clock.now());
        self.serve(&mut state);
        let mut outcome = Ok(());
        while !state.has_said_all() {
            let now = self.clock.now();
            if now >= deadline && outcome.is_ok() {
                outcome = Err(ErrorKind::TimedOut.into());
                let handles: Vec<_> = state.seats.keys().copied().collect();
                handles.into_iter().for_each(|handle| state.close(now, handle));
                self.serve(&mut state);
            }
            state = self.ended.wait_timeout(state, LOOK_UP).unwrap_or_else(PoisonError::into_inner).0;
        }
        outcome
    }

    /// The last handle is gone: there is nobody for handshakes that still go on, and when all is said the threads end.
    pub(super) fn desert(&self) {
        let mut state = self.lock();
        state.is_deserted = true;
        state.endpoint.shutdown(self.clock.now());
        self.serve(&mut state);
    }
}

impl State {
    /// Nobody can want anything of the sessions any more, and everything has been said to their peers.
    pub(super) fn is_over(&self) -> bool {
        self.is_deserted && self.endpoint.is_idle()
    }

    /// Whether all sessions have ended, and their carriers with them.
    fn has_said_all(&self) -> bool {
        let has_ended = |handle| self.endpoint.session(handle).is_none_or(|session| session.close_reason().is_some());
        self.carriers.is_empty() && self.seats.keys().copied().all(has_ended)
    }

    /// When something is due, if ever.
    pub(super) fn next_deadline(&self) -> Instant {
        self.endpoint.poll_timeout().unwrap_or(Instant::ORIGIN + Duration::MAX)
    }

    /// A session is kept for as long as somebody has a handle of it.
    pub(super) fn take_seat(&mut self, handle: Handle) -> Arc<Condvar> {
        self.endpoint.hold(handle);
        Arc::clone(&self.seats.entry(handle).or_default().changed)
    }

    pub(super) fn give_up_seat(&mut self, handle: Handle) {
        self.seats.remove(&handle);
        self.endpoint.release(handle);
    }

    pub(super) fn close(&mut self, now: Instant, handle: Handle) {
        self.with(now, handle, |session| session.close(now, 0, ""));
    }

    fn with(&mut self, now: Instant, handle: Handle, act: impl FnOnce(&mut Session)) {
        if let Some(mut session) = self.endpoint.session_mut(now, handle) {
            act(&mut session);
        }
    }

    /// All sessions shut down: streams that nobody has accepted are turned away, and who waits for one hears of it.
    fn turn_streams_away(&mut self, now: Instant) {
        for (handle, seat) in &mut self.seats {
            if let Some(mut session) = self.endpoint.session_mut(now, *handle) {
                seat.ledger.turn_away(&mut session);
            }
            seat.events = seat.events.wrapping_add(1);
            seat.changed.notify_all();
        }
    }

    /// Tells an event to those who wait for its session. Whether anybody does.
    fn note(&mut self, handle: Handle, event: Event) -> bool {
        let Some(seat) = self.seats.get_mut(&handle) else { return false };
        seat.ledger.note(event);
        seat.events = seat.events.wrapping_add(1);
        seat.changed.notify_all();
        true
    }
}
