//! Endpoints: sessions over one UDP socket, begun by either side.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::{Arc, PoisonError};
use std::thread;

use aitcp::{ClientConfig, EndpointConfig, EndpointStats, Expect, Owner};
use aitcp_io::misuse;

use super::hub::Hub;
use super::session::{Anchor, UdpSession};
use crate::connection::Connection;
use crate::driver::Driver;

/// Any number of sessions over one UDP socket. Cheap to clone.
///
/// Sessions begin by [`connect`](Self::connect) and, if the configuration [has a server](EndpointConfig::with_server), by
/// [`accept`](Self::accept). Each is a [`Connection`] as over TCP, which can send
/// [datagrams at best effort](Connection::send_datagram) as well.
///
/// **One thread runs in the background** for each endpoint: it receives, serves deadlines and sends, whether or not anybody waits in
/// a call. It ends by itself within a second once the last handle is gone: of the endpoint, its connections and their streams.
#[derive(Clone)]
pub struct UdpEndpoint {
    anchor: Arc<Anchor>,
}

impl UdpEndpoint {
    /// Binds a socket, with port 0 to one that is free, and starts the thread.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](io::ErrorKind::InvalidInput) with the [`ConfigError`](aitcp::ConfigError) for a configuration that
    /// cannot work; else what the system says of the socket or the thread.
    pub fn bind(addr: impl ToSocketAddrs, config: EndpointConfig) -> io::Result<Self> {
        let hub = Arc::new(Hub::new(UdpSocket::bind(addr)?, config)?);
        let thread = Arc::clone(&hub);
        thread::Builder::new().name("aitcp-udp".to_owned()).spawn(move || thread.run())?;
        Ok(Self { anchor: Arc::new(Anchor(hub)) })
    }

    /// The address that the socket is bound to.
    ///
    /// # Errors
    /// What the system says of the socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.anchor.0.local_addr()
    }

    /// Does the handshake as initiator with whoever is at `addr`, and waits to be admitted.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](io::ErrorKind::InvalidInput) with the [`BeginError`](aitcp::BeginError) for a session that cannot
    /// begin, or the [`SignatureRejected`](aitcp::SignatureRejected) for a signature of the owner's; else the
    /// [`CloseReason`](aitcp::CloseReason). Where nobody answers, that is
    /// [`HandshakeTimeout`](aitcp::CloseReason::HandshakeTimeout).
    pub fn connect(
        &self,
        addr: SocketAddr,
        config: Arc<ClientConfig>,
        peer: Expect,
        owner: &mut dyn Owner,
    ) -> io::Result<Connection> {
        let hub = &self.anchor.0;
        let mut state = hub.lock();
        let handle = state.endpoint.connect(hub.clock.now(), config, peer, addr).map_err(misuse)?;
        let changed = state.take_seat(handle);
        drop(state);
        Connection::establish(Driver::Udp(UdpSession::new(&self.anchor, handle, changed)), owner)
    }

    /// Waits for a session that a peer begins: one that has proved who it is, or that waits for this end's signature. Strangers who
    /// get no further than that are not heard of. While 128 wait to be taken, more are closed.
    pub fn incoming(&self) -> Incoming {
        let hub = &self.anchor.0;
        let mut state = hub.lock();
        loop {
            if let Some(handle) = state.incoming.pop_front()
                && let Some(route) = state.endpoint.route(handle)
            {
                let session = UdpSession::new(&self.anchor, handle, state.take_seat(handle));
                return Incoming { session, remote: route.remote };
            }
            state = hub.has_incoming.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for a session that a peer begins, and finishes its handshake as [`Incoming::accept`] does.
    ///
    /// # Errors
    /// As with [`Incoming::accept`]: they are about this session alone.
    pub fn accept(&self, owner: &mut dyn Owner) -> io::Result<Connection> {
        self.incoming().accept(owner)
    }

    /// What has happened so far.
    #[must_use]
    pub fn stats(&self) -> EndpointStats {
        self.anchor.0.lock().endpoint.stats()
    }
}

impl fmt::Debug for UdpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.anchor.0.lock().endpoint.fmt(f)
    }
}

/// A session that a peer has begun. Dropping it closes the session.
#[derive(Debug)]
pub struct Incoming {
    session: UdpSession,
    remote: SocketAddr,
}

impl Incoming {
    /// Where the peer is.
    #[must_use]
    pub const fn remote_addr(&self) -> SocketAddr {
        self.remote
    }

    /// Finishes the handshake as responder, for which `owner` may have to answer. It waits for a peer that is slow: a thread of its own
    /// keeps it from stopping others.
    ///
    /// # Errors
    /// The [`CloseReason`](aitcp::CloseReason), for one who is not admitted
    /// [`NotAdmitted`](aitcp::CloseReason::NotAdmitted);
    /// [`ErrorKind::InvalidInput`](io::ErrorKind::InvalidInput) with the [`SignatureRejected`](aitcp::SignatureRejected) for a signature
    /// of the owner's.
    pub fn accept(self, owner: &mut dyn Owner) -> io::Result<Connection> {
        Connection::establish(Driver::Udp(self.session), owner)
    }
}
