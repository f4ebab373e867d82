//! Alice, who calls, and Bob, who listens.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use aitcp::{Admission, ClientConfig, Expect, PeerId, ServerConfig};
use aitcp_std::{Connection, Stream};

use crate::exit::{Exit, Failure};
use crate::key_file::KeyFile;

pub(crate) const ALICE: &str = "Alice";
pub(crate) const BOB: &str = "Bob";

/// What both name in the handshake.
const APP_PROTOCOL: &str = "aitcp-demo/1";

/// The longest message that either sends outside of a file, in bytes.
const MAX_TEXT: usize = 256;

/// Two agents, each with a fresh key. Alice knows whom she calls, and Bob lets nobody in but Alice.
pub(crate) struct Agents {
    pub(crate) alice: PeerId,
    pub(crate) bob: PeerId,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    listener: TcpListener,
    address: SocketAddr,
}

impl Agents {
    pub(crate) fn new() -> Result<Self, Failure> {
        let alice = KeyFile::generate(String::new())?.identity;
        let bob = KeyFile::generate(String::new())?.identity;
        let (alice_id, bob_id) = (alice.peer_id(), bob.peer_id());
        let client = Arc::new(ClientConfig::new(alice, APP_PROTOCOL));
        let server = Arc::new(ServerConfig::new(bob, Admission::Only([alice_id].into()), &[APP_PROTOCOL]));
        let local = |error| Failure::new(Exit::Local, error);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(local)?;
        let address = listener.local_addr().map_err(local)?;
        Ok(Self { alice: alice_id, bob: bob_id, client, server, listener, address })
    }

    /// Where Bob listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// Alice calls Bob at `address`.
    pub(crate) fn meet(&self, address: SocketAddr) -> io::Result<(Connection, Connection)> {
        together(|| self.call(address), || self.answer())
    }

    /// Alice's end of a new connection.
    pub(crate) fn call(&self, address: SocketAddr) -> io::Result<Connection> {
        Connection::connect(TcpStream::connect(address)?, Arc::clone(&self.client), Expect::Pinned(self.bob), &mut ())
    }

    /// Bob's end of the next connection.
    pub(crate) fn answer(&self) -> io::Result<Connection> {
        Connection::accept(self.listener.accept()?.0, Arc::clone(&self.server), &mut ())
    }
}

/// What both agents do at the same time: Alice here, Bob in a thread of his own.
pub(crate) fn together<A, B: Send>(
    alice: impl FnOnce() -> io::Result<A>,
    bob: impl FnOnce() -> io::Result<B> + Send,
) -> io::Result<(A, B)> {
    thread::scope(|scope| {
        let bob = scope.spawn(bob);
        let alice = alice();
        let bob = bob.join().unwrap_or_else(|_| Err(io::Error::other("Bob panicked")));
        Ok((alice?, bob?))
    })
}

/// The next stream that the peer opens; its not opening any is an error here.
pub(crate) fn accept(connection: &Connection) -> io::Result<Stream> {
    connection.accept_stream()?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// One short message.
pub(crate) fn recv_text(stream: &mut Stream) -> io::Result<String> {
    let message = stream.receiver.recv_message(MAX_TEXT)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    String::from_utf8(message).map_err(io::Error::other)
}
