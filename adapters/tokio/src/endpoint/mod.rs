//! Many sessions behind one UDP socket.

mod driver;
mod hosting;
mod socket;

use std::io::{self, ErrorKind};
use std::net::{self, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aitcp::{ClientConfig, EndpointConfig, EndpointStats, Expect, Owner, PeerId};
use aitcp_io::{misuse, seed};
use tokio::net::{ToSocketAddrs, UdpSocket};

pub(crate) use hosting::Member;

use crate::connection::Connection;
use crate::handle::Handle;
use hosting::{Hosting, Lease};
use socket::Socket;

/// A UDP socket with all the sessions that run over it, those that others begin and one's own.
///
/// One task serves them all. It ends when the endpoint and all its connections are gone and have said so to their peers. Dropping the
/// endpoint alone leaves its connections as they are, and refuses new ones.
///
/// Datagrams go out and come in by the batch where the operating system can do that, with marks of congestion, and leave from the
/// address to which the peer has sent its own.
///
/// ```
/// # use std::{sync::Arc, time::Duration};
/// # use aitcp::crypto::{keygen::IdentityKey, rustcrypto::RustCrypto};
/// # use aitcp::{Admission, ClientConfig, Direction, EndpointConfig, Expect, ServerConfig};
/// # use aitcp_tokio::Endpoint;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let alice = IdentityKey::from_seed(&RustCrypto, [1; 32])?;
/// # let bob = IdentityKey::from_seed(&RustCrypto, [2; 32])?;
/// # let bob_id = bob.peer_id();
/// let server = Arc::new(ServerConfig::new(bob, Admission::Only([alice.peer_id()].into()), &["greet/1"]));
/// let endpoint = Endpoint::bind("127.0.0.1:0", EndpointConfig::new().with_server(server)).await?;
/// let addr = endpoint.local_addr();
/// let server = tokio::spawn(async move {
///     while let Some(incoming) = endpoint.accept().await {
///         let connection = incoming.accept(&mut ()).await?; // a real server gives each connection a task, from here on
///         let mut stream = connection.open(Direction::Unidirectional).await?;
///         stream.sender.send(b"hello").await?;
///         drop(stream);
///         endpoint.shutdown(Duration::from_secs(10)).await?;
///     }
///     std::io::Result::Ok(())
/// });
///
/// let endpoint = Endpoint::bind("127.0.0.1:0", EndpointConfig::new()).await?;
/// let client = Arc::new(ClientConfig::new(alice, "greet/1"));
/// let connection = endpoint.connect(addr, client, Expect::Pinned(bob_id), &mut ()).await?;
/// let mut stream = connection.accept_stream().await?.ok_or("not greeted")?;
/// assert_eq!(stream.receiver.recv_message(16).await?.as_deref(), Some(&b"hello"[..]));
/// drop(stream);
/// connection.shutdown().await?;
/// server.await??;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Endpoint {
    lease: Lease,
    local_addr: SocketAddr,
}

impl Endpoint {
    /// Opens a socket for what `config` serves, which can be nothing. It asks the operating system for buffers of 2 MiB.
    ///
    /// # Errors
    /// Those of [`UdpSocket::bind`], and [`ErrorKind::InvalidInput`] with the [`ConfigError`](aitcp::ConfigError) for a configuration that
    /// cannot work.
    pub async fn bind(addr: impl ToSocketAddrs, config: EndpointConfig) -> io::Result<Self> {
        let socket = UdpSocket::bind(addr).await?;
        let local_addr = socket.local_addr()?;
        let socket = Socket::new(socket)?;
        socket.enlarge_buffers();
        Self::start(socket, local_addr, config)
    }

    /// As [`bind`](Self::bind), on a socket that is open already. Its buffers stay as they are; one for many sessions is better off with
    /// larger ones than the operating system gives.
    ///
    /// # Errors
    /// As with [`bind`](Self::bind).
    pub fn new(socket: net::UdpSocket, config: EndpointConfig) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let local_addr = socket.local_addr()?;
        Self::start(Socket::new(UdpSocket::from_std(socket)?)?, local_addr, config)
    }

    fn start(socket: Socket, local_addr: SocketAddr, config: EndpointConfig) -> io::Result<Self> {
        let lease = Hosting::start(config, seed()?)?;
        driver::spawn(socket, lease.hosting());
        Ok(Self { lease, local_addr })
    }

    /// The address of the socket.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Does the handshake as initiator with whoever is at `addr`, and waits to be admitted.
    ///
    /// # Cancellation
    /// The connection is given up.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with the [`BeginError`](aitcp::BeginError); else as with [`Connection::connect`].
    pub async fn connect(
        &self,
        addr: SocketAddr,
        config: Arc<ClientConfig>,
        peer: Expect,
        owner: &mut (dyn Owner + Send),
    ) -> io::Result<Connection> {
        let handle = self.lease.begin(|endpoint, now| endpoint.connect(now, config, peer, addr).map_err(misuse))?;
        Connection::confirmed(handle, owner).await
    }

    /// Waits for a session that a peer begins, to be accepted or dropped. `None` if no more will come, since the endpoint is shutting
    /// down. Peers that do not prove their identity, or are refused by the configuration, do not show here.
    ///
    /// # Cancellation
    /// No session has been taken.
    pub async fn accept(&self) -> Option<Incoming> {
        let incoming = &self.lease.hosting().incoming;
        loop {
            let notified = incoming.notified();
            match self.lease.accept() {
                Ok(Some(handle)) => {
                    incoming.notify_one(); // there may be another
                    return Some(Incoming { handle });
                }
                Ok(None) => notified.await,
                Err(_) => return None,
            }
        }
    }

    /// Ends all sessions in order, as [`Connection::shutdown`] does for one, and waits for that until `deadline` has passed; then it closes
    /// those that are left. Those that nobody has accepted are turned away, and no new ones begin.
    ///
    /// # Cancellation
    /// The endpoint goes on shutting down, without a deadline; call again to wait for it.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] if sessions were closed: not everything may have arrived.
    pub async fn shutdown(&self, deadline: Duration) -> io::Result<()> {
        self.lease.shut_down();
        if tokio::time::timeout(deadline, self.idle()).await.is_ok() {
            return Ok(());
        }
        self.lease.close_all();
        self.idle().await;
        Err(ErrorKind::TimedOut.into())
    }

    /// Waits until every session has ended and its peer was told.
    async fn idle(&self) {
        let idle = &self.lease.hosting().idle;
        loop {
            let notified = idle.notified();
            if self.lease.is_idle() {
                return;
            }
            notified.await;
        }
    }

    /// Closes every session with `peer`, and takes none of it from now on. How many were closed is returned.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with [`TooManyRevoked`](aitcp::TooManyRevoked).
    pub fn revoke(&self, peer: PeerId) -> io::Result<usize> {
        self.lease.with(|endpoint, now| endpoint.revoke(now, peer)).map_err(misuse)
    }

    /// What has happened so far.
    #[must_use]
    pub fn stats(&self) -> EndpointStats {
        self.lease.with(|endpoint, _| endpoint.stats())
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.lease.refuse();
    }
}

/// A session that a peer has begun. Dropping it closes the session.
#[derive(Debug)]
#[must_use = "a session that is not accepted is closed"]
pub struct Incoming {
    handle: Arc<Handle>,
}

impl Incoming {
    /// Waits until the handshake is done. It is already, unless the configuration has an [`Owner`] asked: it answers in this task.
    ///
    /// # Cancellation
    /// The connection is given up.
    ///
    /// # Errors
    /// As with [`Connection::accept`].
    pub async fn accept(self, owner: &mut (dyn Owner + Send)) -> io::Result<Connection> {
        Connection::confirmed(self.handle, owner).await
    }
}
