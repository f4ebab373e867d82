//! A listening TCP socket.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use aitcp::{Owner, ServerConfig};
use tokio::net::{self, TcpStream, ToSocketAddrs};
use tokio::task::JoinSet;
use tracing::debug;

use crate::connection::Connection;

/// How many handshakes go on at a time, before those that knock wait in the operating system's queue.
const MAX_HANDSHAKES: usize = 1024;

/// Accepts connections. Handshakes go on next to each other, so that a peer that is slow at it holds up nobody else.
///
/// They go on while somebody waits in [`accept`](Self::accept), and those that were begun also when nobody does. Dropping the listener
/// gives them up.
#[derive(Debug)]
pub struct TcpListener<O = ()> {
    socket: net::TcpListener,
    config: Arc<ServerConfig>,
    owner: O,
    handshakes: JoinSet<(io::Result<Connection>, SocketAddr)>,
}

impl<O: Owner + Clone + Send + 'static> TcpListener<O> {
    /// Listens on a TCP address. Each handshake has a clone of `owner` to answer what it asks; `()` does where nothing is asked.
    ///
    /// # Errors
    /// Those of [`tokio::net::TcpListener::bind`].
    pub async fn bind(addr: impl ToSocketAddrs, config: Arc<ServerConfig>, owner: O) -> io::Result<Self> {
        Ok(Self::new(net::TcpListener::bind(addr).await?, config, owner))
    }

    /// As [`bind`](Self::bind), on a socket that listens already.
    #[must_use]
    pub fn new(socket: net::TcpListener, config: Arc<ServerConfig>, owner: O) -> Self {
        Self { socket, config, owner, handshakes: JoinSet::new() }
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// Those of [`tokio::net::TcpListener::local_addr`].
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits for the next connection whose handshake is done; in the order in which they are done. Those that fail do not show here,
    /// but as events at the level debug.
    ///
    /// # Cancellation
    /// No connection has been accepted.
    ///
    /// # Errors
    /// Those of [`tokio::net::TcpListener::accept`]: a process that has no more file descriptors, for example. They are no reason to
    /// stop, but for a pause.
    pub async fn accept(&mut self) -> io::Result<(Connection, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Connection, SocketAddr)>> {
        loop {
            match self.handshakes.poll_join_next(cx) {
                Poll::Ready(Some(Ok((Ok(connection), addr)))) => return Poll::Ready(Ok((connection, addr))),
                Poll::Ready(Some(Ok((Err(error), addr)))) => debug!(%addr, %error, "handshake failed"),
                Poll::Ready(Some(Err(panic))) => debug!(%panic, "owner panicked"),
                _ if self.handshakes.len() >= MAX_HANDSHAKES => return Poll::Pending,
                _ => match self.socket.poll_accept(cx) {
                    Poll::Ready(Ok((socket, addr))) => self.begin(socket, addr),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }

    fn begin(&mut self, socket: TcpStream, addr: SocketAddr) {
        let (config, mut owner) = (Arc::clone(&self.config), self.owner.clone());
        self.handshakes.spawn(async move {
            let connection = match socket.set_nodelay(true) {
                Ok(()) => Connection::accept(socket, config, &mut owner).await,
                Err(error) => Err(error),
            };
            (connection, addr)
        });
    }
}
