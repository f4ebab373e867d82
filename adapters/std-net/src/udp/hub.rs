//! The socket of an endpoint, its sessions, and the one thread that serves them.
//!
//! The thread waits for datagrams until the next deadline. Whoever calls a session sends at once what that brought, and wakes the thread
//! only when a deadline now lies before the one that it waits for: by an empty datagram from the socket to itself, which is the one
//! thing that ends a wait for datagrams on every system.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use aitcp::{EcnCodepoint, Endpoint, EndpointConfig, Event, Handle, Instant, Ledger};
use aitcp_io::{Clock, misuse, seed};

/// How long the thread waits at most.
const LOOK_UP: Duration = Duration::from_secs(1);
/// The shortest wait: sockets take no timeout of zero.
const MOMENT: Duration = Duration::from_micros(100);
/// How long the thread does nothing when the socket gives an error, lest it does nothing else.
const PAUSE: Duration = Duration::from_millis(1);
/// What a socket says whose time is up.
const NOT_YET: [ErrorKind; 3] = [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::Interrupted];
/// How long the ends of sessions are served once there are no handles any more.
const LINGER: Duration = Duration::from_secs(1);
/// Sessions that peers have begun and that nobody has accepted. More are closed.
const BACKLOG: usize = 128;
/// More than the longest datagram that UDP carries.
const BUFFER: usize = 64 << 10;

/// What all handles of an endpoint share with its thread.
pub(crate) struct Hub {
    socket: UdpSocket,
    /// Where the socket reaches itself.
    own: SocketAddr,
    pub(crate) clock: Clock,
    state: Mutex<State>,
    pub(crate) has_incoming: Condvar,
}

pub(crate) struct State {
    pub(crate) endpoint: Endpoint<SocketAddr>,
    pub(crate) seats: BTreeMap<Handle, Seat>,
    pub(crate) incoming: VecDeque<Handle>,
    outbox: Box<[u8]>,
    /// Until when the thread waits for datagrams. Before everything, while it does not: it then looks by itself.
    waits_until: Instant,
    /// When the last handle was dropped.
    deserted: Option<Instant>,
}

/// What is kept about a session for the threads that wait for it.
#[derive(Default)]
pub(crate) struct Seat {
    pub(crate) ledger: Ledger,
    pub(crate) changed: Arc<Condvar>,
    /// How many events there were: who has seen them all may wait.
    pub(crate) events: u64,
    /// How long a call may wait.
    pub(crate) timeout: Option<Duration>,
}

impl Hub {
    pub(crate) fn new(socket: UdpSocket, config: EndpointConfig) -> io::Result<Self> {
        let own = own_address(socket.local_addr()?);
        let state = State {
            endpoint: Endpoint::new(Instant::ORIGIN, config, seed()?).map_err(misuse)?,
            seats: BTreeMap::new(),
            incoming: VecDeque::new(),
            outbox: vec![0; BUFFER].into(),
            waits_until: Instant::ORIGIN,
            deserted: None,
        };
        Ok(Self { socket, own, clock: Clock::start(), state: Mutex::new(state), has_incoming: Condvar::new() })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// A panic leaves the state whole, since nothing in it is changed half-way.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the thread does.
    pub(crate) fn run(&self) {
        let mut buffer = vec![0; BUFFER];
        loop {
            let mut state = self.lock();
            self.serve(&mut state);
            let now = self.clock.now();
            if state.deserted.is_some_and(|since| state.endpoint.is_idle() || now >= since + LINGER) {
                return;
            }
            let until = state.endpoint.poll_timeout().unwrap_or(now + LOOK_UP).min(now + LOOK_UP);
            state.waits_until = until;
            drop(state);
            let received = self.receive(until.saturating_duration_since(now), &mut buffer);
            let mut state = self.lock();
            state.waits_until = Instant::ORIGIN;
            if let Some((datagram, from)) = received {
                state.endpoint.handle_datagram(self.clock.now(), from, EcnCodepoint::NotEct, datagram);
            }
        }
    }

    /// Waits for a datagram. What goes wrong with one says nothing about others: sessions find out by themselves whether any come.
    fn receive<'a>(&self, wait: Duration, buffer: &'a mut [u8]) -> Option<(&'a mut [u8], SocketAddr)> {
        self.socket.set_read_timeout(Some(wait.max(MOMENT))).ok()?;
        let (len, from) = match self.socket.recv_from(buffer) {
            Ok(received) => received,
            Err(error) if NOT_YET.contains(&error.kind()) => return None,
            Err(_) => {
                thread::sleep(wait.min(PAUSE));
                return None;
            }
        };
        Some((buffer.get_mut(..len).filter(|datagram| !datagram.is_empty())?, from))
    }

    /// Serves deadlines, tells what has happened, and sends what there is to send.
    pub(crate) fn serve(&self, state: &mut State) {
        state.endpoint.handle_timeout(self.clock.now());
        loop {
            self.send(state);
            let Some((handle, event)) = state.endpoint.poll_event() else { break };
            if !state.note(handle, event) {
                self.admit(state, handle, event);
            }
        }
    }

    fn send(&self, state: &mut State) {
        while let Ok(Some((to, transmit))) = state.endpoint.poll_transmit(self.clock.now(), &mut state.outbox) {
            let segment = transmit.segment.unwrap_or(transmit.len).max(1);
            for datagram in state.outbox.get(..transmit.len).unwrap_or_default().chunks(segment) {
                // What cannot be sent is lost, as on the way.
                let _ = self.socket.send_to(datagram, to.remote);
            }
        }
    }

    /// Takes in a session that a peer has begun, if there is room for it.
    fn admit(&self, state: &mut State, handle: Handle, event: Event) {
        if matches!(event, Event::Closed(_)) || state.endpoint.session(handle).is_none() {
            return;
        }
        if state.incoming.len() >= BACKLOG || state.deserted.is_some() {
            state.close(self.clock.now(), handle);
            return;
        }
        state.take_seat(handle);
        state.note(handle, event);
        state.incoming.push_back(handle);
        self.has_incoming.notify_one();
    }

    /// Has the thread look at the deadlines again, if one has come nearer.
    pub(crate) fn rouse(&self, state: &mut State) {
        if state.endpoint.poll_timeout().is_some_and(|deadline| deadline < state.waits_until) {
            self.wake(state);
        }
    }

    fn wake(&self, state: &mut State) {
        state.waits_until = Instant::ORIGIN;
        let _ = self.socket.send_to(&[], self.own); // if there is no room for it, there is something to wake up for
    }

    /// There are no handles any more: what nobody has accepted ends, and then the thread does.
    pub(crate) fn desert(&self) {
        let mut state = self.lock();
        let now = self.clock.now();
        state.deserted = Some(now);
        while let Some(handle) = state.incoming.pop_front() {
            state.close(now, handle);
            state.give_up_seat(handle);
        }
        self.serve(&mut state);
        self.wake(&mut state);
    }
}

impl State {
    /// A session is kept for as long as somebody has a handle of it.
    pub(crate) fn take_seat(&mut self, handle: Handle) -> Arc<Condvar> {
        self.endpoint.hold(handle);
        Arc::clone(&self.seats.entry(handle).or_default().changed)
    }

    pub(crate) fn give_up_seat(&mut self, handle: Handle) {
        self.seats.remove(&handle);
        self.endpoint.release(handle);
    }

    pub(crate) fn close(&mut self, now: Instant, handle: Handle) {
        if let Some(mut session) = self.endpoint.session_mut(now, handle) {
            session.close(now, 0, "");
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

/// Where a socket that is bound to `bound` reaches itself: one that takes datagrams for all addresses, by the loopback one.
fn own_address(mut bound: SocketAddr) -> SocketAddr {
    match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => bound.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => bound.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    bound
}
