//! Connections: handshakes, streams opened and accepted, ends.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use aitcp::{
    Carrier, ClientConfig, CloseReason, Direction, Expect, HandshakeInfo, Instant, OpenError, Owner, ServerConfig,
    Session,
};
use aitcp_io::{attempt, closed, misuse, seed};

use crate::driver::Driver;
use crate::stream::Stream;
use crate::tcp::TcpDriver;

/// An established session, [with a TCP connection](Self::connect) of its own or [of an endpoint](crate::Endpoint). Cheap to clone; any
/// number of threads can use it and its streams at the same time.
///
/// The threads of an endpoint serve its sessions. One with a TCP connection of its own is served while some thread waits in a call on it or
/// on one of its streams: packets of all streams, acknowledgements, keepalive, idle timeouts. While no thread does, nothing is, and what
/// the peer sends waits. A server that has to answer, or to keep a session awake, keeps a thread in
/// [`accept_stream`](Self::accept_stream).
///
/// When the session has ended, calls fail with the [`CloseReason`] behind the error; what came before can still be received. Dropping
/// the last handle of a session that has not ended drops the connection, and the peer sees [`CloseReason::LinkLost`], or a close with code 0
/// from a session of an endpoint: end it with [`shutdown`](Self::shutdown) or [`close`](Self::close).
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) driver: Arc<Driver>,
    handshake: Arc<HandshakeInfo>,
}

impl Connection {
    /// Does the handshake as initiator on a TCP connection that has just come up, and waits to be admitted.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](io::ErrorKind::InvalidInput) with the [`ConfigError`](aitcp::ConfigError) for a configuration that cannot work, or the
    /// [`SignatureRejected`](aitcp::SignatureRejected) for a signature of the owner's; else the [`CloseReason`].
    pub fn connect(tcp: TcpStream, config: Arc<ClientConfig>, peer: Expect, owner: &mut dyn Owner) -> io::Result<Self> {
        let session = Session::connect(Instant::ORIGIN, config, peer, Carrier::Stream, seed()?);
        Self::establish(TcpDriver::start(tcp, session.map_err(misuse)?)?, owner)
    }

    /// Does the handshake as responder on a TCP connection that has just been accepted. It takes as long as the peer makes it, up to
    /// [`Timeouts::handshake`](aitcp::Timeouts::handshake): a thread of its own keeps a slow one from stopping others.
    ///
    /// # Errors
    /// As with [`connect`](Self::connect).
    pub fn accept(tcp: TcpStream, config: Arc<ServerConfig>, owner: &mut dyn Owner) -> io::Result<Self> {
        let session = Session::accept(Instant::ORIGIN, config, Carrier::Stream, seed()?);
        Self::establish(TcpDriver::start(tcp, session.map_err(misuse)?)?, owner)
    }

    /// Waits for the end of the handshake.
    pub(crate) fn establish(driver: Driver, owner: &mut dyn Owner) -> io::Result<Self> {
        let handshake = driver.wait(|state| {
            state.session.answer(state.now, owner).map_err(misuse)?;
            Ok(state.session.handshake().filter(|_| state.session.is_confirmed()).cloned())
        })?;
        Ok(Self { driver: Arc::new(driver), handshake: Arc::new(handshake) })
    }

    /// Who the peer is, and what both ends agreed on.
    #[must_use]
    pub fn handshake(&self) -> &HandshakeInfo {
        &self.handshake
    }

    /// Shows the session to `look`: for [`Session::stats`], [`Session::export`], [`Session::close_reason`], [`Session::close_text`].
    pub fn inspect<T>(&self, look: impl FnOnce(&Session) -> T) -> T {
        self.driver.look(|state| look(state.session))
    }

    /// Bounds every later call on any handle of the connection; with `None`, as at first, calls wait for as long as it takes. One that
    /// runs out of time fails with [`ErrorKind::TimedOut`](io::ErrorKind::TimedOut), without a [`CloseReason`], and can be made again
    /// unless it says otherwise.
    pub fn set_timeout(&self, timeout: Option<Duration>) {
        self.driver.look(|state| *state.timeout = timeout);
    }

    /// Opens a stream; waits while as many are open as are allowed. The peer hears of it with the first that is sent on it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](io::ErrorKind::InvalidInput) with the [`OpenError`] if one of the ends is shutting down.
    pub fn open(&self, direction: Direction) -> io::Result<Stream> {
        let to_wait = [OpenError::Blocked, OpenError::Closed];
        let id = self.driver.wait(|state| attempt(state.session.open(direction), &to_wait))?;
        Ok(Stream::new(&self.driver, id))
    }

    /// Waits for a stream that the peer opens. `None` if no more will come, since one of the ends has shut down.
    ///
    /// # Errors
    /// When the session has ended in another way.
    pub fn accept_stream(&self) -> io::Result<Option<Stream>> {
        let id = self.driver.wait(|state| {
            let no_more = state.session.is_shutting_down().then_some(None);
            Ok(state.ledger.accept().map(Some).or(no_more))
        })?;
        Ok(id.map(|id| Stream::new(&self.driver, id)))
    }

    /// Ends the session in order: no new streams, and a close once those that are open are done at both ends. It waits for that, so
    /// this end's streams have to be read to their ends, finished or dropped. Streams that nobody has accepted are turned away.
    ///
    /// # Errors
    /// When the session ended in another way: not everything may have arrived.
    pub fn shutdown(&self) -> io::Result<()> {
        let reason = self.driver.wait(|state| {
            state.session.shutdown(state.now);
            state.ledger.turn_away(state.session);
            Ok(state.session.close_reason())
        })?;
        self.driver.wind_up();
        let lost = self.inspect(|session| session.stats().unacknowledged); // on streams that a shutdown of the peer crossed
        if reason.is_orderly() && lost == 0 { Ok(()) } else { Err(closed(reason)) }
    }

    /// Waits until the session has ended, for whatever reason.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`](io::ErrorKind::TimedOut).
    pub fn wait_closed(&self) -> io::Result<CloseReason> {
        self.driver.wait(|state| Ok(state.session.close_reason()))
    }

    /// Ends the session at once: the peer is told `code` and up to 256 bytes of `text`, and what it has not received is lost. Takes a
    /// second or two at most, if the peer does not listen; over UDP a quarter of a second.
    pub fn close(&self, code: u64, text: &str) {
        self.driver.look(|state| state.session.close(state.now, code, text));
        self.driver.wind_up();
    }
}
