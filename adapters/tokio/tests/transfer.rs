//! Messages arrive as they were sent, over any ordered carrier, as fast as they are read.

mod common;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use aitcp::{Direction, Limits};
use aitcp_tokio::{Connection, TcpListener};
use common::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

#[tokio::test]
async fn messages_come_back_over_a_pipe() {
    within(async {
        let (alice, bob) = connect().await;
        let server = tokio::spawn(serve_echo(bob));
        exchange(alice).await;
        server.await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_come_back_over_tcp() {
    within(async {
        let mut listener = TcpListener::bind("127.0.0.1:0", Arc::new(server()), ()).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { serve_echo(listener.accept().await.unwrap().0).await });
        exchange(Connection::connect_tcp(addr, Arc::new(client()), expect_bob(), &mut ()).await.unwrap()).await;
        server.await.unwrap();
    })
    .await;
}

async fn exchange(alice: Connection) {
    let mut stream = alice.open(Direction::Bidirectional).await.unwrap();
    for len in [0, 1, 1000, 16 << 10, 1 << 20, 0] {
        let message = pattern(len as u64, len);
        stream.sender.send(&message).await.unwrap();
        assert_eq!(stream.receiver.recv_message(len).await.unwrap(), Some(message));
    }
    stream.sender.finish().unwrap();
    assert_eq!(stream.receiver.recv_message(0).await.unwrap(), None);
    assert_eq!(stream.receiver.recv_message(0).await.unwrap(), None, "the end stays");
    drop(stream);
    alice.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_from_many_tasks() {
    within(async {
        let (alice, bob) = connect().await;
        let server = tokio::spawn(serve_echo(bob));
        let clients: Vec<_> = (0..300)
            .map(|client| {
                let alice = alice.clone();
                tokio::spawn(async move {
                    let message = pattern(client, 3000);
                    let mut stream = alice.open(Direction::Bidirectional).await.unwrap();
                    stream.sender.send(&message).await.unwrap();
                    stream.sender.finish().unwrap();
                    assert_eq!(stream.receiver.recv_message(3000).await.unwrap(), Some(message));
                    assert_eq!(stream.receiver.recv_message(3000).await.unwrap(), None);
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        alice.shutdown().await.unwrap();
        server.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn bytes_of_one_message_are_written_and_bytes_of_all_are_read() {
    within(async {
        let (alice, bob) = connect().await;
        let mut stream = alice.open(Direction::Unidirectional).await.unwrap();
        let message = pattern(7, 300_000);
        let writer = tokio::spawn(async move {
            stream.sender.send(b"before, ").await.unwrap();
            stream.sender.send(b"").await.unwrap();
            stream.sender.write_all(&pattern(7, 300_000)).await.unwrap();
            stream.sender.flush().await.unwrap();
            stream.sender.shutdown().await.unwrap();
            stream.sender.shutdown().await.unwrap();
            stream.sender.wait_finished().await.unwrap();
            assert!(stream.sender.write_all(b"more").await.is_err());
        });
        let mut far = bob.accept_stream().await.unwrap().unwrap();
        let mut bytes = Vec::new();
        far.receiver.read_to_end(&mut bytes).await.unwrap();
        assert!(bytes == [b"before, ", &message[..]].concat());
        assert_eq!(far.receiver.read(&mut [0; 8]).await.unwrap(), 0, "the end stays");
        writer.await.unwrap();

        let mut stream = alice.open(Direction::Unidirectional).await.unwrap();
        stream.sender.write_all(b"one message").await.unwrap();
        stream.sender.shutdown().await.unwrap();
        let mut far = bob.accept_stream().await.unwrap().unwrap();
        assert_eq!(far.receiver.recv_message(11).await.unwrap().unwrap(), b"one message");
        assert_eq!(far.receiver.recv_message(11).await.unwrap(), None);

        let mut stream = alice.open(Direction::Unidirectional).await.unwrap();
        stream.sender.send(b"one message").await.unwrap();
        stream.sender.shutdown().await.unwrap();
        let mut far = bob.accept_stream().await.unwrap().unwrap();
        assert_eq!(far.receiver.recv_message(11).await.unwrap().unwrap(), b"one message");
        assert_eq!(far.receiver.recv_message(11).await.unwrap(), None, "and not an empty one more");
    })
    .await;
}

#[tokio::test]
async fn a_message_that_is_too_long_can_still_be_received() {
    within(async {
        let (alice, bob) = connect().await;
        let mut stream = alice.open(Direction::Unidirectional).await.unwrap();
        stream.sender.send(b"four").await.unwrap();
        stream.sender.send(b"more").await.unwrap();
        stream.sender.send(b"last").await.unwrap();
        let mut far = bob.accept_stream().await.unwrap().unwrap();
        for max in 0..4 {
            let error = far.receiver.recv_message(max).await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
        }
        assert_eq!(far.receiver.recv_message(4).await.unwrap().unwrap(), b"four");
        far.receiver.recv_message(3).await.unwrap_err();
        let mut buf = [0; 8];
        let mut heard = Vec::new();
        loop {
            let received = far.receiver.recv(&mut buf).await.unwrap();
            heard.extend_from_slice(&buf[..received.len]);
            if received.end_of_message {
                break;
            }
        }
        assert_eq!(heard, b"more");
        assert_eq!(far.receiver.recv_message(4).await.unwrap().unwrap(), b"last");
    })
    .await;
}

/// An event of a stream wakes who waits on that stream, and one that opens a stream one of those who want one.
#[tokio::test]
async fn nobody_is_woken_for_nothing() {
    const STREAMS: usize = 50;
    within(async {
        let mut limits = Limits::default();
        limits.own_streams = STREAMS as u16;
        let (alice, bob) = connect_with(client().with_limits(limits), server()).await;
        let polls = Arc::new(AtomicUsize::new(0));
        let mut senders = Vec::new();
        let (mut readers, mut openers) = (JoinSet::new(), JoinSet::new());
        for _ in 0..STREAMS {
            let mut stream = alice.open(Direction::Unidirectional).await.unwrap();
            stream.sender.send(b"!").await.unwrap();
            senders.push(stream.sender);
            let mut far = bob.accept_stream().await.unwrap().unwrap();
            far.receiver.recv_message(1).await.unwrap();
            let polls = Arc::clone(&polls);
            readers.spawn(async move { (counted(&polls, far.receiver.recv_message(1)).await.unwrap(), far) });
        }
        for _ in 0..STREAMS {
            let (alice, polls) = (alice.clone(), Arc::clone(&polls));
            openers.spawn(async move { counted(&polls, alice.open(Direction::Unidirectional)).await.unwrap() });
        }
        while polls.load(Relaxed) < 2 * STREAMS {
            tokio::task::yield_now().await;
        }
        senders[7].send(b"?").await.unwrap();
        let (message, _far) = readers.join_next().await.unwrap().unwrap();
        assert_eq!(message.unwrap(), b"?");
        assert_eq!(polls.load(Relaxed), 2 * STREAMS + 1);
        drop(senders.pop());
        let (end, _far) = readers.join_next().await.unwrap().unwrap();
        assert_eq!(end, None);
        let _stream = openers.join_next().await.unwrap().unwrap();
        assert!(polls.load(Relaxed) <= 2 * STREAMS + 4, "the reader, the opener, and another one that tried");
    })
    .await;
}

/// Counts how often `future` is polled.
async fn counted<F: Future>(polls: &AtomicUsize, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.fetch_add(1, Relaxed);
        future.as_mut().poll(cx)
    })
    .await
}

/// The sender stops when the windows are full, and goes on when the reader does.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_stops_the_sender() {
    const WINDOW: usize = 64 << 10;
    let mut limits = Limits::default();
    limits.stream_window = WINDOW as u32;
    limits.session_window = WINDOW as u32;
    limits.stream_send_buffer = WINDOW as u32;
    limits.send_buffer = WINDOW as u32;
    let (alice, bob) = connect_with(client().with_limits(limits), server().with_limits(limits)).await;
    let mut stream = alice.open(Direction::Unidirectional).await.unwrap();
    let message = pattern(1, 16 * WINDOW);
    let mut rest = &message[..];
    let mut far = None;
    let mut read = 0;
    while read < message.len() {
        // Time stands still until no task can go on: then it is up.
        let sent = tokio::time::timeout(HANG / 1000, stream.sender.send_rest(&mut rest)).await;
        let taken = message.len() - rest.len();
        assert!(taken - read <= 2 * WINDOW, "{taken} bytes are taken, of which {read} are read");
        assert_eq!(sent.is_ok(), rest.is_empty());
        if far.is_none() {
            far = bob.accept_stream().await.unwrap();
        }
        let receiver = &mut far.as_mut().unwrap().receiver;
        let mut buf = vec![0; WINDOW];
        let received = receiver.recv(&mut buf).await.unwrap();
        assert_eq!(buf[..received.len], message[read..][..received.len]);
        read += received.len;
    }
}
