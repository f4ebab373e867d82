//! Many sessions in one: over a UDP socket, over TCP connections, over both.
//!
//! - [`Endpoint`], [`incoming`], [`datagrams`]: what callers see, besides connections and streams.
//! - [`hub`]: what all handles share; what is done when something has happened. [`session`]: one session, as its handles drive it.
//! - [`udp`], [`tcp`], [`clock_thread`]: the threads, which bring what happens.

mod clock_thread;
mod datagrams;
mod hub;
mod incoming;
mod session;
mod tcp;
mod udp;

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use aitcp::{
    BeginError, ClientConfig, EndpointConfig, EndpointStats, Expect, Handle, Instant, Owner, PeerId, ServerConfig,
};
use aitcp_io::misuse;

use crate::connection::Connection;
use crate::driver::Driver;
use hub::Hub;
pub use incoming::Incoming;
use session::Anchor;
pub(crate) use session::EndpointSession;
use udp::Socket;

/// Any number of sessions over one UDP socket, over TCP connections, or over both, with common [limits](aitcp::EndpointLimits). Cheap to
/// clone.
///
/// Sessions begin by [`connect`](Self::connect) and [`connect_tcp`](Self::connect_tcp), and, where the configuration
/// [has a server](EndpointConfig::with_server) or the endpoint [listens](Self::listen), by [`accept`](Self::accept). Each is a
/// [`Connection`]; over UDP it can send [datagrams at best effort](Connection::send_datagram) as well.
///
/// **Threads run in the background**, whether or not anybody waits in a call: one for the UDP socket, which keeps time as well (a
/// [connected](Self::new) socket, and an endpoint [without one](Self::without_udp), take one more that does), one for each listener, and
/// two for each TCP connection. They end by themselves once the last handle is gone, of the endpoint, its connections and their streams,
/// and the peers have been told: after [`Timeouts::drain`](aitcp::Timeouts::drain) and a second at the latest. When all handles of the
/// endpoint itself are gone, its connections stay, and nobody else is let in.
#[derive(Clone)]
pub struct Endpoint {
    door: Arc<Door>,
}

/// What handles of the endpoint itself have in common. Without it, nobody accepts.
struct Door {
    anchor: Arc<Anchor>,
}

impl Endpoint {
    /// Binds a UDP socket, with port 0 to one that is free.
    ///
    /// # Errors
    /// As with [`new`](Self::new); else what the system says of the address.
    pub fn bind(addr: impl ToSocketAddrs, config: EndpointConfig) -> io::Result<Self> {
        Self::new(UdpSocket::bind(addr)?, config)
    }

    /// As [`bind`](Self::bind), on a socket that is open already. One that is connected talks to that one address.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with the [`ConfigError`](aitcp::ConfigError) for a configuration that cannot work; else what the system
    /// says of the socket or a thread.
    pub fn new(socket: UdpSocket, config: EndpointConfig) -> io::Result<Self> {
        Self::start(Some(Socket::new(socket)?), config)
    }

    /// An endpoint for TCP alone: what the configuration serves over UDP is not served.
    ///
    /// # Errors
    /// As with [`new`](Self::new).
    pub fn without_udp(config: EndpointConfig) -> io::Result<Self> {
        Self::start(None, config)
    }

    fn start(socket: Option<Socket>, config: EndpointConfig) -> io::Result<Self> {
        let hub = Arc::new(Hub::new(socket, config)?);
        let endpoint = Self { door: Arc::new(Door { anchor: Arc::new(Anchor(Arc::clone(&hub))) }) };
        if let Some(socket) = &hub.socket {
            let (hub, socket) = (Arc::clone(&hub), Arc::clone(socket));
            spawn("aitcp-udp", move || hub.serve_socket(&socket))?;
        }
        if !hub.wakes_socket() {
            spawn("aitcp-clock", move || hub.keep_time())?;
        }
        Ok(endpoint)
    }

    fn hub(&self) -> &Arc<Hub> {
        &self.door.anchor.0
    }

    /// The address that the UDP socket is bound to.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if there is none; what the system says of it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.hub().socket.as_ref().ok_or(ErrorKind::Unsupported)?.local_addr()
    }

    /// Takes TCP connections from `listener`, to be [accepted](Self::accept) as `server`, until the endpoint
    /// [shuts down](Self::shutdown) or its last handle is gone. An endpoint can have several listeners, and each its own identity.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with the [`ConfigError`](aitcp::ConfigError) for a configuration that cannot work, or the
    /// [`BeginError`] of an endpoint that is shutting down; else what the system says of the listener or a thread.
    pub fn listen(&self, listener: TcpListener, server: Arc<ServerConfig>) -> io::Result<()> {
        self.hub().listen(listener, server)
    }

    /// Does the handshake as initiator with whoever is at `addr`, over UDP, and waits to be admitted.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with the [`BeginError`] for a session that cannot begin, or the
    /// [`SignatureRejected`](aitcp::SignatureRejected) for a signature of the owner's; [`ErrorKind::Unsupported`] without a UDP socket, and
    /// [`ErrorKind::AddrNotAvailable`] if it is connected elsewhere; else the [`CloseReason`](aitcp::CloseReason). Where nobody answers,
    /// that is [`HandshakeTimeout`](aitcp::CloseReason::HandshakeTimeout).
    pub fn connect(
        &self,
        addr: SocketAddr,
        config: Arc<ClientConfig>,
        peer: Expect,
        owner: &mut dyn Owner,
    ) -> io::Result<Connection> {
        self.check_reach(addr)?;
        self.begin(|endpoint, now| endpoint.connect(now, config, peer, addr), None, owner)
    }

    /// Does the handshake as initiator on a TCP connection that has just come up, and waits to be admitted.
    ///
    /// # Errors
    /// As with [`connect`](Self::connect); what the system says of the connection or a thread.
    pub fn connect_tcp(
        &self,
        tcp: TcpStream,
        config: Arc<ClientConfig>,
        peer: Expect,
        owner: &mut dyn Owner,
    ) -> io::Result<Connection> {
        self.begin(|endpoint, now| endpoint.connect_stream(now, config, peer), Some(tcp), owner)
    }

    /// Whether the UDP socket sends to `addr`.
    pub(crate) fn check_reach(&self, addr: SocketAddr) -> io::Result<()> {
        let socket = self.hub().socket.as_ref().ok_or(ErrorKind::Unsupported)?;
        if socket.reaches(addr) { Ok(()) } else { Err(ErrorKind::AddrNotAvailable.into()) }
    }

    /// Begins a session as `begin` does, on `tcp` if it is one for a stream carrier, and waits to be admitted.
    pub(crate) fn begin(
        &self,
        begin: impl FnOnce(&mut aitcp::Endpoint<SocketAddr>, Instant) -> Result<Handle, BeginError>,
        tcp: Option<TcpStream>,
        owner: &mut dyn Owner,
    ) -> io::Result<Connection> {
        let hub = self.hub();
        let mut state = hub.lock();
        let handle = begin(&mut state.endpoint, hub.clock.now()).map_err(misuse)?;
        let session = EndpointSession::new(&self.door.anchor, handle, state.take_seat(handle));
        let attached = tcp.map_or(Ok(()), |tcp| hub.attach(&mut state, handle, tcp));
        drop(state); // before the session, if it goes
        attached?;
        Connection::establish(Driver::Endpoint(session), owner)
    }

    /// Waits for a session that a peer begins: one that has proved who it is, or that waits for this end's signature. Strangers who
    /// get no further than that are not heard of. While 128 wait to be taken, more are closed. `None` if no more will come, since the
    /// endpoint was [shut down](Self::shutdown).
    #[must_use = "a session that is not accepted is closed"]
    pub fn accept(&self) -> Option<Incoming> {
        let caller = self.hub().next_caller()?;
        let session = EndpointSession::new(&self.door.anchor, caller.handle, caller.changed);
        Some(Incoming { session, remote: caller.remote })
    }

    /// Begins no more sessions, turns away those that nobody has accepted, and ends all others in order, as [`Connection::shutdown`] does
    /// for one; it waits for that, and closes those that are left after `patience`.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] if sessions were closed: not everything may have arrived.
    pub fn shutdown(&self, patience: Duration) -> io::Result<()> {
        self.hub().shut_down(patience)
    }

    /// Closes every session with `peer`, and takes none of it from now on. How many were closed is returned.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with [`TooManyRevoked`](aitcp::TooManyRevoked).
    pub fn revoke(&self, peer: PeerId) -> io::Result<usize> {
        let mut state = self.hub().lock();
        let closed = state.endpoint.revoke(self.hub().clock.now(), peer).map_err(misuse)?;
        self.hub().serve(&mut state);
        Ok(closed)
    }

    /// What has happened so far.
    #[must_use]
    pub fn stats(&self) -> EndpointStats {
        self.hub().lock().endpoint.stats()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hub().lock().endpoint.fmt(f)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.anchor.0.refuse();
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}
