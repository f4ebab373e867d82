//! Endpoints: both carriers under one roof, connected sockets, limits, ends.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use aitcp::{
    Admission, ClientConfig, CloseReason, CloseSource, Direction, EndpointConfig, EndpointLimits, Expect, ServerConfig,
    Timeouts,
};
use aitcp_std::{Connection, Endpoint, close_reason};
use common::*;

/// Bob, who lets in everybody, at a UDP socket and at a TCP listener.
fn bob(limits: EndpointLimits) -> (Endpoint, SocketAddr, SocketAddr) {
    let server = Arc::new(ServerConfig::new(key(BOB), Admission::Any, &["test/1"]));
    let config = EndpointConfig::new().with_server(Arc::clone(&server)).with_limits(limits);
    let endpoint = Endpoint::bind("127.0.0.1:0", config).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (over_udp, over_tcp) = (endpoint.local_addr().unwrap(), listener.local_addr().unwrap());
    endpoint.listen(listener, server).unwrap();
    (endpoint, over_udp, over_tcp)
}

fn over_tcp(name: u8, to: SocketAddr) -> std::io::Result<Connection> {
    let config = Arc::new(ClientConfig::new(key(name), "test/1"));
    let connected = TcpStream::connect(to).unwrap();
    Connection::connect(connected, config, Expect::Pinned(id(BOB)), &mut ())
}

fn accept(endpoint: &Endpoint) -> Connection {
    let connection = endpoint.accept().unwrap().accept(&mut ()).unwrap();
    connection.set_timeout(Some(HANG));
    connection
}

#[test]
fn one_endpoint_talks_over_both_carriers() {
    let (bob, bob_udp, bob_tcp) = bob(EndpointLimits::default());
    let near = Endpoint::bind("127.0.0.1:0", EndpointConfig::new()).unwrap();
    let config = || Arc::new(client());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let connection = accept(&bob);
                listen(&connection);
                assert!(connection.wait_closed().unwrap().is_orderly());
                assert!(connection.inspect(|session| session.stats().packets_sent) > 0, "figures stay");
            });
        }
        scope.spawn(|| talk(&near.connect(bob_udp, config(), Expect::Pinned(id(BOB)), &mut ()).unwrap()));
        scope.spawn(|| {
            let tcp = TcpStream::connect(bob_tcp).unwrap();
            talk(&near.connect_tcp(tcp, config(), Expect::Pinned(id(BOB)), &mut ()).unwrap());
        });
        scope.spawn(|| talk(&over_tcp(EVE, bob_tcp).unwrap()));
    });
    assert_eq!(near.local_addr().unwrap().ip(), bob_udp.ip());
    assert_eq!(bob.stats().half_opens, 0);
}

#[test]
fn an_endpoint_can_do_without_a_socket() {
    let near = Endpoint::without_udp(EndpointConfig::new()).unwrap();
    assert_eq!(near.local_addr().unwrap_err().kind(), ErrorKind::Unsupported);
    let (bob, bob_udp, bob_tcp) = bob(EndpointLimits::default());
    let nowhere = near.connect(bob_udp, Arc::new(client()), Expect::Pinned(id(BOB)), &mut ());
    assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::Unsupported);
    thread::scope(|scope| {
        scope.spawn(|| {
            let incoming = bob.accept().unwrap();
            assert_eq!(incoming.remote_addr().ip(), bob_tcp.ip());
            listen(&incoming.accept(&mut ()).unwrap());
        });
        let tcp = TcpStream::connect(bob_tcp).unwrap();
        talk(&near.connect_tcp(tcp, Arc::new(client()), Expect::Pinned(id(BOB)), &mut ()).unwrap());
    });
}

/// A peer that reads nothing has its own thread wait, and nobody else.
#[test]
fn a_peer_that_takes_nothing_stops_nobody() {
    let (bob, _, bob_tcp) = bob(EndpointLimits::default());
    let lazy = over_tcp(EVE, bob_tcp).unwrap();
    let to_lazy = accept(&bob);
    to_lazy.set_timeout(Some(Duration::from_millis(200)));
    let mut stream = to_lazy.open(Direction::Unidirectional).unwrap();
    let outcome = (0..64).try_for_each(|_| stream.sender.send(&vec![7; 1 << 20]));
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::TimedOut);
    thread::scope(|scope| {
        scope.spawn(|| listen(&accept(&bob)));
        talk(&over_tcp(ALICE, bob_tcp).unwrap());
    });
    lazy.set_timeout(Some(HANG));
    let told = thread::spawn(move || lazy.wait_closed().unwrap());
    to_lazy.close(7, "");
    assert_eq!(told.join().unwrap(), CloseReason::Peer { source: CloseSource::Application, code: 7 });
}

#[test]
fn what_came_before_the_end_of_a_tcp_connection_can_be_read() {
    let (bob, _, bob_tcp) = bob(EndpointLimits::default());
    let alice = over_tcp(ALICE, bob_tcp).unwrap();
    let connection = accept(&bob);
    assert_eq!(connection.send_datagram(b"").unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(connection.recv_datagram(&mut []).unwrap_err().kind(), ErrorKind::InvalidInput);
    let mut stream = alice.open(Direction::Unidirectional).unwrap();
    stream.sender.send(b"last words").unwrap();
    stream.sender.finish().unwrap();
    stream.sender.wait_finished().unwrap();
    alice.close(7, "done");
    let reason = CloseReason::Peer { source: CloseSource::Application, code: 7 };
    assert_eq!(connection.wait_closed().unwrap(), reason);
    let mut stream = connection.accept_stream().unwrap().unwrap();
    assert_eq!(stream.receiver.recv_message(16).unwrap().as_deref(), Some(&b"last words"[..]));
    assert_eq!(stream.receiver.recv_message(16).unwrap(), None);
}

/// A relay that is shut down in the middle is a lost link, never a clean end.
#[test]
fn a_cut_connection_is_a_lost_link() {
    let (bob, _, bob_tcp) = bob(EndpointLimits::default());
    let relay = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = relay.local_addr().unwrap();
    let cut = thread::spawn(move || {
        let (near, far) = (relay.accept().unwrap().0, TcpStream::connect(bob_tcp).unwrap());
        let pump = |mut from: TcpStream, mut to: TcpStream| {
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
            });
        };
        pump(near.try_clone().unwrap(), far.try_clone().unwrap());
        pump(far.try_clone().unwrap(), near.try_clone().unwrap());
        (near, far)
    });
    let alice = over_tcp(ALICE, at).unwrap();
    let connection = accept(&bob);
    let (near, far) = cut.join().unwrap();
    for socket in [near, far] {
        socket.shutdown(Shutdown::Both).unwrap();
    }
    for end in [&alice, &connection] {
        end.set_timeout(Some(HANG));
        assert_eq!(end.wait_closed().unwrap(), CloseReason::LinkLost);
    }
}

/// Whoever connects and says nothing, or nonsense, takes a place among the handshakes for no longer than one may take.
#[test]
fn strangers_over_tcp_have_a_limit_and_a_deadline() {
    let mut limits = EndpointLimits::default();
    limits.half_opens = 2;
    let mut timeouts = Timeouts::default();
    timeouts.handshake = Duration::from_millis(300);
    let server = Arc::new(ServerConfig::new(key(BOB), Admission::Any, &["test/1"]).with_timeouts(timeouts));
    let bob = Endpoint::without_udp(EndpointConfig::new().with_limits(limits)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    bob.listen(listener, server).unwrap();

    let mut strangers: Vec<_> = (0..3).map(|_| TcpStream::connect(at).unwrap()).collect();
    strangers[0].write_all(&[0xFF; 100]).unwrap();
    for stranger in &mut strangers {
        stranger.set_read_timeout(Some(HANG)).unwrap();
        let ended = stranger.read(&mut [0; 100]);
        assert!(matches!(ended, Ok(0)) || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    }
    thread::scope(|scope| {
        scope.spawn(|| listen(&accept(&bob)));
        talk(&over_tcp(ALICE, at).unwrap());
    });
}

#[test]
fn who_is_revoked_is_closed_and_does_not_come_back() {
    let (bob, _, bob_tcp) = bob(EndpointLimits::default());
    let alice = over_tcp(ALICE, bob_tcp).unwrap();
    let connection = accept(&bob);
    assert_eq!(bob.revoke(id(ALICE)).unwrap(), 1);
    for end in [&alice, &connection] {
        end.set_timeout(Some(HANG));
        assert!(end.wait_closed().unwrap().is_refusal());
    }
    let again = over_tcp(ALICE, bob_tcp).unwrap_err();
    assert!(close_reason(&again).unwrap().is_refusal(), "{again}");
    assert!(over_tcp(EVE, bob_tcp).is_ok());
}

#[test]
fn a_shutdown_ends_everything_in_order() {
    let (bob, bob_udp, bob_tcp) = bob(EndpointLimits::default());
    let near = Endpoint::bind("127.0.0.1:0", EndpointConfig::new()).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut served = 0;
            while let Some(incoming) = bob.accept() {
                let connection = incoming.accept(&mut ()).unwrap();
                connection.set_timeout(Some(HANG));
                scope.spawn(move || {
                    serve_echo(&connection);
                    assert!(connection.wait_closed().unwrap().is_orderly());
                });
                served += 1;
            }
            served
        });
        let alice = near.connect(bob_udp, Arc::new(client()), Expect::Pinned(id(BOB)), &mut ()).unwrap();
        let eve = over_tcp(EVE, bob_tcp).unwrap();
        let mut streams: Vec<_> = [&alice, &eve]
            .iter()
            .map(|connection| {
                connection.set_timeout(Some(HANG));
                let mut stream = connection.open(Direction::Bidirectional).unwrap();
                stream.sender.send(b"hello").unwrap();
                assert_eq!(stream.receiver.recv_message(5).unwrap().as_deref(), Some(&b"hello"[..]));
                stream
            })
            .collect();
        let shutdown = scope.spawn(|| bob.shutdown(HANG));
        for connection in [&alice, &eve] {
            assert!(connection.accept_stream().unwrap().is_none(), "the peer shuts down");
        }
        for stream in &mut streams {
            stream.sender.send(b"still here").unwrap();
            assert_eq!(stream.receiver.recv_message(10).unwrap().as_deref(), Some(&b"still here"[..]));
            stream.sender.finish().unwrap();
            assert_eq!(stream.receiver.recv_message(0).unwrap(), None);
        }
        drop(streams);
        for connection in [&alice, &eve] {
            assert!(connection.wait_closed().unwrap().is_orderly());
        }
        shutdown.join().unwrap().unwrap();
        assert_eq!(waiting.join().unwrap(), 2);
    });
    assert!(bob.accept().is_none());
    let late = bob.listen(TcpListener::bind("127.0.0.1:0").unwrap(), Arc::new(server()));
    assert_eq!(late.unwrap_err().kind(), ErrorKind::InvalidInput);
    let begun = Instant::now();
    while TcpListener::bind(bob_tcp).is_err() {
        assert!(begun.elapsed() < HANG, "the listener is still there");
        thread::yield_now();
    }
}

#[test]
fn a_shutdown_has_patience_for_so_long() {
    let (bob, bob_udp, _) = bob(EndpointLimits::default());
    let near = Endpoint::bind("127.0.0.1:0", EndpointConfig::new()).unwrap();
    let alice = near.connect(bob_udp, Arc::new(client()), Expect::Pinned(id(BOB)), &mut ()).unwrap();
    let connection = accept(&bob);
    let mut stream = alice.open(Direction::Bidirectional).unwrap();
    stream.sender.send(b"I stay").unwrap();
    let unread = connection.accept_stream().unwrap().unwrap();
    assert_eq!(bob.shutdown(Duration::from_millis(50)).unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(connection.wait_closed().unwrap(), CloseReason::Local);
    drop(unread);
    alice.set_timeout(Some(HANG));
    assert_eq!(alice.wait_closed().unwrap(), CloseReason::Peer { source: CloseSource::Application, code: 0 });
}

/// Sockets that are connected to each other, each with a session of its own, and timers that are served although nothing comes.
#[test]
fn connected_sockets_talk_to_each_other_and_to_nobody_else() {
    let [near, far] = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    let [near_at, far_at] = [&near, &far].map(|socket| socket.local_addr().unwrap());
    near.connect(far_at).unwrap();
    far.connect(near_at).unwrap();
    let near = Endpoint::new(near, EndpointConfig::new()).unwrap();
    let bob = Endpoint::new(far, EndpointConfig::new().with_server(Arc::new(server()))).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| listen(&accept(&bob)));
        talk(&near.connect(far_at, Arc::new(client()), Expect::Pinned(id(BOB)), &mut ()).unwrap());
    });
    let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = near.connect(elsewhere, Arc::new(client()), Expect::Pinned(id(BOB)), &mut ());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::AddrNotAvailable);
    let stranger = Endpoint::bind("127.0.0.1:0", EndpointConfig::new()).unwrap();
    let mut timeouts = Timeouts::default();
    timeouts.datagram_handshake = Duration::from_millis(300);
    let config = Arc::new(client().with_timeouts(timeouts));
    let unheard = stranger.connect(far_at, config, Expect::Pinned(id(BOB)), &mut ()).unwrap_err();
    assert_eq!(close_reason(&unheard), Some(CloseReason::HandshakeTimeout));
    assert_eq!(bob.stats().accepted, 1);
}

#[test]
fn timers_of_a_connected_socket_are_served_although_nobody_answers() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap();
    socket.connect(at).unwrap();
    let mut timeouts = Timeouts::default();
    timeouts.datagram_handshake = Duration::from_millis(300);
    let near = Endpoint::new(socket, EndpointConfig::new()).unwrap();
    let failed = near.connect(at, Arc::new(client().with_timeouts(timeouts)), Expect::Pinned(id(BOB)), &mut ());
    assert_eq!(close_reason(&failed.unwrap_err()), Some(CloseReason::HandshakeTimeout));
}
