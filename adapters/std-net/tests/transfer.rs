//! Messages arrive as they were sent, whatever the threads at both ends do.

mod common;

use std::thread;

use aitcp::{Direction, Limits};
use common::*;

#[test]
fn messages_come_back_from_an_echo() {
    let (alice, bob) = connect();
    thread::scope(|scope| {
        scope.spawn(|| listen(&bob));
        talk(&alice);
    });
}

#[test]
fn both_ends_send_64_mib_at_once() {
    let (alice, bob) = connect();
    thread::scope(|scope| {
        let stream = alice.open(Direction::Bidirectional).unwrap();
        scope.spawn(move || send_much(stream.sender));
        scope.spawn(move || receive_much(stream.receiver));
        let stream = bob.accept_stream().unwrap().unwrap();
        scope.spawn(move || send_much(stream.sender));
        scope.spawn(move || receive_much(stream.receiver));
    });

    /// As four messages of the longest size that is taken by default, in pieces.
    const MESSAGES: u64 = 4;
    const PIECES: u64 = 256;
    const PIECE: usize = 64 << 10;

    fn send_much(mut sender: aitcp_std::SendStream) {
        for message in 0..MESSAGES {
            for piece in 0..PIECES {
                let bytes: Vec<u8> = pattern(message * PIECES + piece).take(PIECE).collect();
                sender.send_part(&bytes).unwrap();
            }
            sender.send(b"").unwrap();
        }
        sender.finish().unwrap();
        sender.wait_finished().unwrap();
    }

    fn receive_much(mut receiver: aitcp_std::RecvStream) {
        for message in 0..MESSAGES {
            let received = receiver.recv_message(PIECE * PIECES as usize).unwrap().unwrap();
            assert_eq!(received.len(), PIECE * PIECES as usize);
            for (piece, bytes) in (0..).zip(received.chunks(PIECE)) {
                assert!(bytes.iter().copied().eq(pattern(message * PIECES + piece).take(PIECE)));
            }
        }
        assert_eq!(receiver.recv_message(0).unwrap(), None);
    }
}

/// More than the kernel holds for a connection, so that the sockets fill up and each end has to read while it writes.
#[test]
fn two_ends_that_only_send_do_not_block_each_other() {
    const LEN: usize = 48 << 20;
    let mut limits = Limits::default();
    limits.max_message = LEN as u64;
    limits.stream_window = 2 * LEN as u32;
    limits.session_window = 2 * LEN as u32;
    limits.stream_send_buffer = 2 * LEN as u32;
    limits.send_buffer = 2 * LEN as u32;
    let (alice, bob) = connect_with(client().with_limits(limits), server().with_limits(limits));
    let message = vec![7; LEN];
    let exchange = |connection: &aitcp_std::Connection| {
        let mut ours = connection.open(Direction::Unidirectional).unwrap();
        ours.sender.send(&message).unwrap();
        let mut theirs = connection.accept_stream().unwrap().unwrap();
        assert!(theirs.receiver.recv_message(LEN).unwrap().is_some_and(|received| received == message));
        drop((ours, theirs));
        connection.shutdown().unwrap();
    };
    thread::scope(|scope| {
        scope.spawn(|| exchange(&alice));
        scope.spawn(|| exchange(&bob));
    });
}

#[test]
fn many_streams_from_several_threads() {
    let (alice, bob) = connect();
    thread::scope(|scope| {
        scope.spawn(|| {
            serve_echo(&bob);
            bob.shutdown().unwrap();
        });
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let alice = alice.clone();
                scope.spawn(move || {
                    for round in 0..25 {
                        let message: Vec<u8> = pattern(client * 100 + round).take(3000).collect();
                        let mut stream = alice.open(Direction::Bidirectional).unwrap();
                        stream.sender.send(&message).unwrap();
                        stream.sender.finish().unwrap();
                        assert_eq!(stream.receiver.recv_message(3000).unwrap(), Some(message));
                        assert_eq!(stream.receiver.recv_message(3000).unwrap(), None);
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join().unwrap());
        alice.shutdown().unwrap();
    });
}

/// The thread that reads from the socket waits for a place that another thread, and not the peer, gives back.
#[test]
fn a_stream_that_is_done_makes_room_for_another() {
    let mut limits = Limits::default();
    limits.own_streams = 1;
    let (alice, bob) = connect_with(client().with_limits(limits), server());
    thread::scope(|scope| {
        scope.spawn(|| {
            serve_echo(&bob);
            bob.shutdown().unwrap();
        });
        for _ in 0..3 {
            let mut stream = alice.open(Direction::Bidirectional).unwrap();
            stream.sender.send(b"only").unwrap();
            stream.sender.finish().unwrap();
            scope.spawn(move || {
                assert_eq!(stream.receiver.recv_message(4).unwrap().unwrap(), b"only");
                assert_eq!(stream.receiver.recv_message(4).unwrap(), None);
            });
        }
        alice.shutdown().unwrap();
    });
}
