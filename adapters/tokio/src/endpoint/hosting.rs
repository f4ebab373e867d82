//! The sessions of an endpoint, and who holds them.
//!
//! The core keeps a session that is over for as long as there is a [`Member`], so that what came last can still be received.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use aitcp::{EndpointConfig, Event, Instant, Seed, Session};
use aitcp_io::misuse;
use tokio::sync::Notify;
use tracing::debug;

use crate::driver::Clock;
use crate::handle::{Cell, Handle};
use crate::news::News;

type Endpoint = aitcp::Endpoint<SocketAddr>;

/// All that is behind a socket.
pub(crate) struct Hosting {
    state: Mutex<State>,
    pub(super) clock: Clock,
    /// Sessions that peers have begun.
    pub(super) incoming: Notify,
    /// There are no sessions, or nobody drives them any more.
    pub(super) idle: Notify,
}

pub(super) struct State {
    pub(super) endpoint: Endpoint,
    /// The sessions that have not ended.
    members: HashMap<aitcp::Handle, Arc<News>>,
    /// Those whose end has still to be said to their peers.
    ending: Vec<Arc<News>>,
    /// Those that peers have begun and nobody has accepted.
    incoming: VecDeque<(aitcp::Handle, Arc<News>)>,
    /// Whether sessions that peers begin are wanted.
    accepts: bool,
    /// Nobody drives the sessions any more.
    is_over: bool,
    leases: usize,
    /// Wakes the driver, if it sleeps.
    pub(super) driver: Option<Waker>,
}

/// No more sessions will come.
pub(super) struct NoMore;

impl Hosting {
    pub(super) fn start(config: EndpointConfig, seed: Seed) -> io::Result<Lease> {
        let endpoint = Endpoint::new(Instant::ORIGIN, config, seed).map_err(misuse)?;
        let state = State {
            endpoint,
            members: HashMap::new(),
            ending: Vec::new(),
            incoming: VecDeque::new(),
            accepts: true,
            is_over: false,
            leases: 0,
            driver: None,
        };
        let (incoming, idle) = (Notify::new(), Notify::new());
        let hosting = Self { state: Mutex::new(state), clock: Clock::new(), incoming, idle };
        Ok(Lease::new(Arc::new(hosting)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner) // the sessions are whole after each call
    }

    /// Does something, and wakes the driver.
    fn with<T>(&self, act: impl FnOnce(&mut State, Instant) -> T) -> T {
        let mut state = self.lock();
        let outcome = act(&mut state, self.clock.now());
        let driver = state.driver.take();
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        outcome
    }

    /// Takes all events that are pending and wakes those whom they concern. Whether there were any.
    pub(super) fn tell(&self, state: &mut State, now: Instant) -> bool {
        let mut has_told = false;
        while let Some((handle, event)) = state.endpoint.poll_event() {
            has_told = true;
            let Some(news) = self.news_of(state, now, handle, event) else { continue };
            news.note(event, state.endpoint.session(handle).and_then(Session::handshake));
            match event {
                Event::Opened(_) => state.with(now, handle, |session| news.turn_away(session)).unwrap_or_default(),
                Event::Closed(_) => state.ending.extend(state.members.remove(&handle)),
                _ => {}
            }
        }
        has_told
    }

    /// Whom an event of a session concerns. A session that nobody has heard of is one that a peer has begun.
    fn news_of(&self, state: &mut State, now: Instant, handle: aitcp::Handle, event: Event) -> Option<Arc<News>> {
        if let Some(news) = state.members.get(&handle) {
            return Some(Arc::clone(news));
        }
        if let Event::Closed(reason) = event {
            debug!(%reason, "handshake failed");
            return None;
        }
        if !state.accepts {
            state.with(now, handle, |session| session.close(now, 0, ""));
            return None;
        }
        let news = Arc::new(News::new(state.endpoint.session(handle)?));
        state.endpoint.hold(handle);
        state.members.insert(handle, Arc::clone(&news));
        state.incoming.push_back((handle, Arc::clone(&news)));
        self.incoming.notify_one();
        Some(news)
    }

    /// Everything that there was to send is sent, the ends of sessions among it.
    pub(super) fn all_said(&self, state: &mut State) {
        for news in state.ending.drain(..) {
            news.over();
        }
        if state.members.is_empty() {
            self.idle.notify_waiters();
        }
    }

    /// Nobody drives the sessions any more.
    pub(super) fn over(&self) {
        let mut state = self.lock();
        let now = self.clock.now();
        state.is_over = true;
        state.each_member(now, |session, _| session.handle_link_lost(now));
        self.tell(&mut state, now);
        self.all_said(&mut state);
        self.incoming.notify_waiters();
        self.idle.notify_waiters();
    }
}

impl State {
    /// Whether nobody can want anything of the sessions any more, and everything has been said to their peers.
    pub(super) fn is_done(&self) -> bool {
        self.leases == 0 && self.endpoint.is_idle()
    }

    fn with<T>(&mut self, now: Instant, handle: aitcp::Handle, act: impl FnOnce(&mut Session) -> T) -> Option<T> {
        self.endpoint.session_mut(now, handle).map(|mut session| act(&mut session))
    }

    fn each_member(&mut self, now: Instant, act: impl Fn(&mut Session, &News)) {
        for (handle, news) in &self.members {
            if let Some(mut session) = self.endpoint.session_mut(now, *handle) {
                act(&mut session, news);
            }
        }
    }

    /// Lets sessions that nobody has accepted go when they have ended.
    fn forget_incoming(&mut self) {
        for (handle, _) in self.incoming.drain(..) {
            self.endpoint.release(handle);
        }
    }
}

/// Keeps the driver going.
pub(crate) struct Lease {
    hosting: Arc<Hosting>,
}

impl Lease {
    fn new(hosting: Arc<Hosting>) -> Self {
        let mut state = hosting.lock();
        state.leases = state.leases.saturating_add(1);
        drop(state);
        Self { hosting }
    }

    pub(super) fn hosting(&self) -> &Arc<Hosting> {
        &self.hosting
    }

    /// Does something with the endpoint.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Endpoint, Instant) -> T) -> T {
        self.hosting.with(|state, now| act(&mut state.endpoint, now))
    }

    /// Begins a session as `begin` does.
    pub(super) fn begin(
        &self,
        begin: impl FnOnce(&mut Endpoint, Instant) -> io::Result<aitcp::Handle>,
    ) -> io::Result<Arc<Handle>> {
        let (handle, news) = self.hosting.with(|state, now| {
            if state.is_over {
                return Err(io::ErrorKind::NotConnected.into());
            }
            let handle = begin(&mut state.endpoint, now)?;
            let session = state.endpoint.session(handle).ok_or(io::ErrorKind::NotFound)?;
            let news = Arc::new(News::new(session));
            state.endpoint.hold(handle);
            state.members.insert(handle, Arc::clone(&news));
            Ok::<_, io::Error>((handle, news))
        })?;
        Ok(self.member(handle, news))
    }

    /// The next session that a peer has begun, if there is one now.
    pub(super) fn accept(&self) -> Result<Option<Arc<Handle>>, NoMore> {
        let mut state = self.hosting.lock();
        let next = state.incoming.pop_front();
        let no_more = !state.accepts || state.is_over;
        drop(state);
        match next {
            Some((handle, news)) => Ok(Some(self.member(handle, news))),
            None if no_more => Err(NoMore),
            None => Ok(None),
        }
    }

    fn member(&self, handle: aitcp::Handle, news: Arc<News>) -> Arc<Handle> {
        let lease = Self::new(Arc::clone(&self.hosting));
        Handle::new(Cell::Datagram(Member { lease, handle }), news)
    }

    /// Wants no more sessions that peers begin.
    pub(super) fn refuse(&self) {
        self.hosting.with(|state, now| {
            state.accepts = false;
            let incoming: Vec<_> = state.incoming.iter().map(|(handle, _)| *handle).collect();
            for handle in incoming {
                state.with(now, handle, |session| session.close(now, 0, ""));
            }
            state.forget_incoming();
        });
    }

    /// Ends all sessions in order.
    pub(super) fn shut_down(&self) {
        self.hosting.with(|state, now| {
            state.accepts = false;
            state.endpoint.shutdown(now);
            state.each_member(now, |session, news| {
                news.board().turns_away = true;
                news.turn_away(session);
                news.no_more_streams();
            });
            state.forget_incoming();
        });
        self.hosting.incoming.notify_waiters();
    }

    /// Ends all sessions at once.
    pub(super) fn close_all(&self) {
        self.hosting.with(|state, now| state.each_member(now, |session, _| session.close(now, 0, "")));
    }

    pub(super) fn is_idle(&self) -> bool {
        let state = self.hosting.lock();
        state.is_over || (state.members.is_empty() && state.ending.is_empty())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.hosting.with(|state, now| {
            state.leases = state.leases.saturating_sub(1);
            if state.leases == 0 {
                state.endpoint.shutdown(now); // nobody is there for handshakes that still go on
            }
        });
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hosting.lock().endpoint.fmt(f)
    }
}

/// A session of an endpoint that somebody has a handle of.
pub(crate) struct Member {
    lease: Lease,
    handle: aitcp::Handle,
}

impl Member {
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Session, Instant) -> T) -> T {
        let outcome = self.lease.hosting.with(|state, now| state.with(now, self.handle, |session| act(session, now)));
        match outcome {
            Some(outcome) => outcome,
            None => unreachable!("the endpoint holds the session until it is released"),
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.lease.with(|endpoint, _| endpoint.release(self.handle));
    }
}
