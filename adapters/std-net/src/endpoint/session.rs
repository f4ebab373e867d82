//! One session of an endpoint, as its handles drive it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Condvar, PoisonError};
use std::time::Duration;

use aitcp::{Handle, Instant};
use aitcp_io::{Attempt, settled};

use super::hub::{Hub, State};
use crate::driver::Shown;

/// How often a thread that waits looks up: what it waits for may have been done by another thread, and not by the peer.
const LOOK_UP: Duration = Duration::from_secs(1);
/// How long a peer that has not got the close is given to say so, by sending on. Afterwards the thread goes on answering it, for as long
/// as there is a thread.
const FAREWELL: Duration = Duration::from_millis(250);
/// How long a TCP connection may take to end.
const LINGER: Duration = Duration::from_secs(2);

/// The threads of an endpoint serve it for as long as one of these is there.
pub(crate) struct Anchor(pub(crate) Arc<Hub>);

impl Drop for Anchor {
    fn drop(&mut self) {
        self.0.desert();
    }
}

/// A session, kept until this is dropped.
pub(crate) struct EndpointSession {
    anchor: Arc<Anchor>,
    handle: Handle,
    changed: Arc<Condvar>,
}

impl EndpointSession {
    /// A session of the endpoint that has a seat.
    pub(crate) fn new(anchor: &Arc<Anchor>, handle: Handle, changed: Arc<Condvar>) -> Self {
        Self { anchor: Arc::clone(anchor), handle, changed }
    }

    fn hub(&self) -> &Hub {
        &self.anchor.0
    }

    fn now(&self) -> Instant {
        self.hub().clock.now()
    }

    /// What was done to the session is sent at once.
    pub(crate) fn look<T>(&self, look: impl FnOnce(Shown<'_>) -> T) -> T {
        let mut state = self.hub().lock();
        let outcome = self.show(&mut state, look);
        self.hub().serve(&mut state);
        outcome
    }

    pub(crate) fn wait<T>(&self, mut step: impl FnMut(&mut Shown<'_>) -> Attempt<T>) -> io::Result<T> {
        let hub = self.hub();
        let mut state = hub.lock();
        let timeout = state.seats.get(&self.handle).and_then(|seat| seat.timeout);
        let deadline = self.now() + timeout.unwrap_or(Duration::MAX);
        loop {
            let seen = self.events(&state);
            let tried = self.show(&mut state, |mut shown| settled(step(&mut shown), shown.session));
            hub.serve(&mut state);
            match tried {
                Ok(Some(value)) => {
                    self.changed.notify_all(); // it may be what other threads wait for
                    return Ok(value);
                }
                Err(error) => return Err(error),
                Ok(None) if self.events(&state) != seen => {}
                Ok(None) if self.now() >= deadline => return Err(ErrorKind::TimedOut.into()),
                Ok(None) => {
                    let wait = deadline.saturating_duration_since(self.now()).min(LOOK_UP);
                    state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    /// Waits for a while after the end: over TCP until it is written; over UDP, where nobody acknowledges a close, a peer that has not got
    /// it is told again when it sends.
    pub(crate) fn wind_up(&self) {
        let hub = self.hub();
        let mut state = hub.lock();
        let deadline = self.now() + if state.carriers.has(self.handle) { LINGER } else { FAREWELL };
        loop {
            hub.serve(&mut state);
            let now = self.now();
            let (is_drained, timer) =
                self.show(&mut state, |shown| (shown.session.is_drained(), shown.session.poll_timeout()));
            if (is_drained && !state.carriers.has(self.handle)) || now >= deadline {
                return;
            }
            let wait = timer.unwrap_or(deadline).min(deadline).saturating_duration_since(now);
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn show<T>(&self, state: &mut State, look: impl FnOnce(Shown<'_>) -> T) -> T {
        let State { endpoint, seats, .. } = state;
        let seat = seats.entry(self.handle).or_default();
        let now = self.now();
        let Some(mut session) = endpoint.session_mut(now, self.handle) else {
            unreachable!("sessions are held for as long as they have handles");
        };
        look(Shown { now, session: &mut session, ledger: &mut seat.ledger, timeout: &mut seat.timeout })
    }

    fn events(&self, state: &State) -> u64 {
        state.seats.get(&self.handle).map_or(0, |seat| seat.events)
    }
}

impl Drop for EndpointSession {
    fn drop(&mut self) {
        let hub = self.hub();
        let mut state = hub.lock();
        state.close(hub.clock.now(), self.handle);
        hub.serve(&mut state);
        state.give_up_seat(self.handle);
        hub.serve(&mut state);
    }
}

impl fmt::Debug for EndpointSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hub().lock().endpoint.session(self.handle).fmt(f)
    }
}
