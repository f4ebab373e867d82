//! What connections and streams know of the loop around a session, whatever it runs over.

use std::io;
use std::time::Duration;

use aitcp::{Instant, Ledger, Session, StreamError};
use aitcp_io::{Attempt, attempt};

use crate::endpoint::EndpointSession;
use crate::tcp::TcpDriver;

/// A session that several threads may be waiting for, with what was heard of its streams.
pub(crate) struct Shown<'a> {
    pub(crate) now: Instant,
    pub(crate) session: &'a mut Session,
    pub(crate) ledger: &'a mut Ledger,
    /// How long later calls may wait.
    pub(crate) timeout: &'a mut Option<Duration>,
}

/// The loop around one session. When it is dropped, the session ends.
#[derive(Debug)]
pub(crate) enum Driver {
    Tcp(Box<TcpDriver>),
    Endpoint(EndpointSession),
}

impl Driver {
    /// Shows the session as it is, without waiting for anything.
    pub(crate) fn look<T>(&self, look: impl FnOnce(Shown<'_>) -> T) -> T {
        match self {
            Self::Tcp(driver) => driver.look(look),
            Self::Endpoint(driver) => driver.look(look),
        }
    }

    /// Tries `step` until it gives something, fails, or can do neither any more, and meanwhile keeps the connection going.
    pub(crate) fn wait<T>(&self, step: impl FnMut(&mut Shown<'_>) -> Attempt<T>) -> io::Result<T> {
        match self {
            Self::Tcp(driver) => driver.wait(step),
            Self::Endpoint(driver) => driver.wait(step),
        }
    }

    /// Does something to a stream that takes no waiting.
    pub(crate) fn call(&self, verb: impl Fn(&mut Session) -> Result<(), StreamError>) -> io::Result<()> {
        self.wait(|state| attempt(verb(state.session), &[StreamError::Closed]))
    }

    /// Gives the end of the session time to reach the peer.
    pub(crate) fn wind_up(&self) {
        match self {
            Self::Tcp(driver) => driver.wind_up(),
            Self::Endpoint(driver) => driver.wind_up(),
        }
    }
}
