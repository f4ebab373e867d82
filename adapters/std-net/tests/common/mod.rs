//! Pairs of agents that are connected over the loopback address. Nothing here sleeps; the timeouts only keep a failing test from
//! hanging.
#![allow(dead_code, reason = "each test uses its part")]

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{Admission, ClientConfig, Direction, Expect, PeerId, ServerConfig};
use aitcp_std::Connection;

/// Longer than anything takes that works.
pub(crate) const HANG: Duration = Duration::from_secs(60);

pub(crate) fn key(name: u8) -> IdentityKey {
    IdentityKey::from_seed(&RustCrypto, [name; 32]).unwrap()
}

pub(crate) fn id(name: u8) -> PeerId {
    key(name).peer_id()
}

/// The initiator of all tests.
pub(crate) const ALICE: u8 = 1;
/// The responder.
pub(crate) const BOB: u8 = 2;
/// Somebody else.
pub(crate) const EVE: u8 = 3;

pub(crate) fn client() -> ClientConfig {
    ClientConfig::new(key(ALICE), "test/1")
}

pub(crate) fn server() -> ServerConfig {
    ServerConfig::new(key(BOB), Admission::Only([id(ALICE)].into()), &["test/1"])
}

/// Both ends of a TCP connection: connected, accepted.
pub(crate) fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (connected, listener.accept().unwrap().0)
}

/// Alice connected to Bob.
pub(crate) fn connect() -> (Connection, Connection) {
    connect_with(client(), server())
}

pub(crate) fn connect_with(client: ClientConfig, server: ServerConfig) -> (Connection, Connection) {
    let (near, far) = sockets();
    let responder = thread::spawn(move || Connection::accept(far, Arc::new(server), &mut ()));
    let alice = Connection::connect(near, Arc::new(client), Expect::Pinned(id(BOB)), &mut ()).unwrap();
    let bob = responder.join().unwrap().unwrap();
    alice.set_timeout(Some(HANG));
    bob.set_timeout(Some(HANG));
    (alice, bob)
}

/// Answers every message on every stream of `connection` with the same, each stream in a thread, until no more streams come.
pub(crate) fn serve_echo(connection: &Connection) {
    thread::scope(|scope| {
        while let Some(mut stream) = connection.accept_stream().unwrap() {
            scope.spawn(move || {
                while let Some(message) = stream.receiver.recv_message(1 << 24).unwrap() {
                    stream.sender.send(&message).unwrap();
                }
                stream.sender.finish().unwrap();
            });
        }
    });
}

/// Messages of all lengths to an echo and back, and an end in order.
pub(crate) fn talk(connection: &Connection) {
    connection.set_timeout(Some(HANG));
    let mut stream = connection.open(Direction::Bidirectional).unwrap();
    for len in [0, 1, 1000, 16 << 10, 1 << 20, 0] {
        let message: Vec<u8> = pattern(len as u64).take(len).collect();
        stream.sender.send(&message).unwrap();
        assert_eq!(stream.receiver.recv_message(len).unwrap(), Some(message));
    }
    stream.sender.finish().unwrap();
    assert_eq!(stream.receiver.recv_message(0).unwrap(), None);
    assert_eq!(stream.receiver.recv_message(0).unwrap(), None, "the end stays");
    drop(stream);
    connection.shutdown().unwrap();
}

/// The other end of [`talk`].
pub(crate) fn listen(connection: &Connection) {
    connection.set_timeout(Some(HANG));
    serve_echo(connection);
    connection.shutdown().unwrap();
}

/// Bytes that differ from place to place and from seed to seed.
pub(crate) fn pattern(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
}
