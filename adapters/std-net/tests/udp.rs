//! Sessions over UDP on the loopback address: the same calls as over TCP, and datagrams.

mod common;

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use aitcp::{
    Admission, ClientConfig, CloseReason, CloseSource, Direction, EndpointConfig, Expect, HandshakeInfo, ServerConfig,
    Verdict,
};
use aitcp_std::{Connection, Endpoint, close_reason};
use common::*;

fn endpoint(config: EndpointConfig) -> Endpoint {
    Endpoint::bind("127.0.0.1:0", config).unwrap()
}

fn serving(server: ServerConfig) -> Endpoint {
    endpoint(EndpointConfig::new().with_server(Arc::new(server)))
}

fn call(from: &Endpoint, to: &Endpoint, client: ClientConfig) -> std::io::Result<Connection> {
    from.connect(to.local_addr().unwrap(), Arc::new(client), Expect::Pinned(id(BOB)), &mut ())
}

/// Alice connected to Bob, each behind an endpoint that has no other handles.
fn connect_udp() -> (Connection, Connection) {
    let (near, far) = (endpoint(EndpointConfig::new()), serving(server()));
    let responder = far.clone();
    let bob = thread::spawn(move || responder.accept().unwrap().accept(&mut ()));
    let alice = call(&near, &far, client()).unwrap();
    let bob = bob.join().unwrap().unwrap();
    for connection in [&alice, &bob] {
        connection.set_timeout(Some(HANG));
    }
    (alice, bob)
}

#[test]
fn messages_come_back_from_an_echo_and_both_ends_end_in_order() {
    let (alice, bob) = connect_udp();
    assert_eq!((alice.handshake().peer, bob.handshake().peer), (id(BOB), id(ALICE)));
    thread::scope(|scope| {
        scope.spawn(|| listen(&bob));
        talk(&alice);
    });
    for connection in [&alice, &bob] {
        assert!(connection.wait_closed().unwrap().is_orderly());
        assert!(connection.inspect(|session| session.stats().packets_sent) > 0, "figures stay for who has a handle");
    }
}

#[test]
fn eight_mib_arrive_whole() {
    const LEN: usize = 8 << 20;
    let (alice, bob) = connect_udp();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = bob.accept_stream().unwrap().unwrap();
            let received = stream.receiver.recv_message(LEN).unwrap().unwrap();
            assert!(received.iter().copied().eq(pattern(8).take(LEN)));
            drop(stream);
            bob.shutdown().unwrap();
        });
        let mut stream = alice.open(Direction::Unidirectional).unwrap();
        let message: Vec<u8> = pattern(8).take(LEN).collect();
        stream.sender.send(&message).unwrap();
        stream.sender.finish().unwrap();
        stream.sender.wait_finished().unwrap();
        drop(stream);
        alice.shutdown().unwrap();
    });
}

#[test]
fn threads_send_both_ways_on_streams_of_their_own() {
    const LEN: usize = 1 << 20;
    let (alice, bob) = connect_udp();
    thread::scope(|scope| {
        scope.spawn(|| listen(&bob));
        thread::scope(|scope| {
            for seed in 0..8 {
                let alice = alice.clone();
                scope.spawn(move || {
                    let mut stream = alice.open(Direction::Bidirectional).unwrap();
                    let message: Vec<u8> = pattern(seed).take(LEN).collect();
                    stream.sender.send(&message).unwrap();
                    stream.sender.finish().unwrap();
                    assert_eq!(stream.receiver.recv_message(LEN).unwrap(), Some(message));
                    assert_eq!(stream.receiver.recv_message(0).unwrap(), None);
                });
            }
        });
        alice.shutdown().unwrap();
    });
}

#[test]
fn two_clients_are_served_at_once_behind_one_socket() {
    let admission = Admission::Only([id(ALICE), id(EVE)].into());
    let bob = serving(ServerConfig::new(key(BOB), admission, &["test/1"]));
    let near = endpoint(EndpointConfig::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                listen(&bob.accept().unwrap().accept(&mut ()).unwrap());
            });
        }
        let [alice, eve] = [ALICE, EVE].map(|name| call(&near, &bob, ClientConfig::new(key(name), "test/1")).unwrap());
        let mut streams = [&alice, &eve].map(|connection| connection.open(Direction::Bidirectional).unwrap());
        for round in 0..100_u8 {
            for (who, stream) in streams.iter_mut().enumerate() {
                stream.sender.send(&[round, who as u8]).unwrap();
            }
            for (who, stream) in streams.iter_mut().enumerate() {
                assert_eq!(stream.receiver.recv_message(2).unwrap(), Some(vec![round, who as u8]));
            }
        }
        for mut stream in streams {
            stream.sender.finish().unwrap();
            assert_eq!(stream.receiver.recv_message(0).unwrap(), None);
        }
        alice.shutdown().unwrap();
        eve.shutdown().unwrap();
    });
    assert_eq!(bob.stats().accepted, 2);
}

#[test]
fn datagrams_arrive_and_what_was_received_stays_after_the_end() {
    let (alice, bob) = connect_udp();
    let longest = alice.max_datagram().unwrap();
    let datagram: Vec<u8> = pattern(1).take(longest).collect();
    alice.send_datagram(&datagram).unwrap();
    let mut buffer = vec![0; longest];
    assert_eq!(bob.recv_datagram(&mut buffer[..1]).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(bob.recv_datagram(&mut buffer).unwrap(), longest);
    assert_eq!(buffer, datagram);
    assert_eq!(alice.send_datagram(&[0; 2_000]).unwrap_err().kind(), ErrorKind::InvalidInput);

    bob.send_datagram(b"last words").unwrap();
    let mut stream = bob.open(Direction::Unidirectional).unwrap();
    stream.sender.send(b"a message").unwrap();
    stream.sender.finish().unwrap();
    stream.sender.wait_finished().unwrap();
    bob.close(7, "done");
    let reason = CloseReason::Peer { source: CloseSource::Application, code: 7 };
    assert_eq!(alice.wait_closed().unwrap(), reason);
    assert_eq!(alice.inspect(|session| session.close_text().to_owned()), "done");
    assert_eq!(alice.recv_datagram(&mut buffer).unwrap(), 10);
    let mut stream = alice.accept_stream().unwrap().unwrap();
    assert_eq!(stream.receiver.recv_message(9).unwrap().as_deref(), Some(&b"a message"[..]));
    assert_eq!(close_reason(&alice.recv_datagram(&mut buffer).unwrap_err()), Some(reason));
    assert_eq!(close_reason(&alice.send_datagram(b"").unwrap_err()), Some(reason));
}

#[test]
fn over_tcp_there_are_no_datagrams() {
    let (alice, _bob) = connect();
    assert_eq!(alice.max_datagram(), None);
    assert_eq!(alice.send_datagram(b"").unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(alice.recv_datagram(&mut []).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn who_is_not_admitted_is_told_and_the_owner_is_asked_in_the_thread_that_accepts() {
    let bob = serving(ServerConfig::new(key(BOB), Admission::Ask, &["test/1"]));
    let near = endpoint(EndpointConfig::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            let incoming = bob.accept().unwrap();
            assert_eq!(incoming.remote_addr(), near.local_addr().unwrap());
            let refused = incoming.accept(&mut |info: &HandshakeInfo| {
                assert_eq!(info.peer, id(EVE));
                Verdict::Refuse
            });
            assert_eq!(close_reason(&refused.unwrap_err()), Some(CloseReason::NotAdmitted(id(EVE))));
            let accepted = bob.accept().unwrap().accept(&mut |_: &HandshakeInfo| Verdict::Accept).unwrap();
            assert_eq!(accepted.handshake().peer, id(ALICE));
            accepted.wait_closed().unwrap();
        });
        let refused = call(&near, &bob, ClientConfig::new(key(EVE), "test/1")).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "{refused}");
        call(&near, &bob, client()).unwrap().shutdown().unwrap();
    });
}

#[test]
fn where_nobody_answers_the_handshake_runs_out_of_time() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut timeouts = aitcp::Timeouts::default();
    timeouts.datagram_handshake = Duration::from_millis(300);
    let near = endpoint(EndpointConfig::new());
    let config = Arc::new(client().with_timeouts(timeouts));
    let failed = near.connect(silent.local_addr().unwrap(), config, Expect::Pinned(id(BOB)), &mut ()).unwrap_err();
    assert_eq!(close_reason(&failed), Some(CloseReason::HandshakeTimeout));
}

#[test]
fn the_last_handle_of_a_session_closes_it_and_the_last_of_an_endpoint_ends_its_thread() {
    let (alice, bob) = connect_udp();
    let stream = alice.open(Direction::Bidirectional).unwrap();
    drop(alice);
    assert_eq!(bob.inspect(|session| session.close_reason()), None, "a stream is a handle too");
    drop(stream);
    assert_eq!(bob.wait_closed().unwrap(), CloseReason::Peer { source: CloseSource::Application, code: 0 });

    let alone = endpoint(EndpointConfig::new());
    let address = alone.local_addr().unwrap();
    drop(alone);
    let begun = Instant::now();
    while UdpSocket::bind(address).is_err() {
        assert!(begun.elapsed() < HANG, "the socket is still there");
        thread::yield_now();
    }
}

#[test]
fn a_call_that_runs_out_of_time_can_be_made_again() {
    let (alice, bob) = connect_udp();
    alice.set_timeout(Some(Duration::from_millis(20)));
    let mut buffer = [0; 16];
    assert_eq!(alice.recv_datagram(&mut buffer).unwrap_err().kind(), ErrorKind::TimedOut);
    bob.send_datagram(b"late").unwrap();
    alice.set_timeout(Some(HANG));
    assert_eq!(alice.recv_datagram(&mut buffer).unwrap(), 4);
}
