//! Futures are dropped at every point at which they wait, and what they promise for that holds.

mod common;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use aitcp::{Direction, Limits};
use aitcp_tokio::Connection;
use common::*;

/// Windows so small that everything waits.
async fn narrow() -> (Connection, Connection) {
    let mut limits = Limits::default();
    limits.stream_window = 4 << 10;
    limits.session_window = 4 << 10;
    limits.stream_send_buffer = 4 << 10;
    limits.send_buffer = 4 << 10;
    limits.own_streams = 2;
    connect_with(client().with_limits(limits), server().with_limits(limits)).await
}

/// Until a handshake has gone through, after so many polls: then all the others have been tested.
#[tokio::test]
async fn handshakes_can_be_given_up_anywhere() {
    within(async {
        for polls in 1.. {
            let (near, far) = tokio::io::duplex(64); // many steps
            let far = tokio::spawn(async move {
                let connection = Connection::accept(far, server().into(), &mut ()).await?;
                connection.closed().await;
                std::io::Result::Ok(())
            });
            let mut nobody = ();
            let near = Connection::connect(near, client().into(), expect_bob(), &mut nobody);
            let near = cancelled_after(polls, near).await;
            let is_done = near.is_some();
            drop(near);
            let _ = far.await.unwrap();
            no_tasks_left().await;
            if is_done {
                assert!(polls > 1);
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_message_is_received_whole_whatever_is_given_up() {
    within(async {
        let (alice, bob) = narrow().await;
        let message = pattern(1, 100_000);
        let mut stream = alice.open(Direction::Unidirectional).await.unwrap();
        let sender = tokio::spawn(async move { stream.sender.send(&pattern(1, 100_000)).await.unwrap() });
        let mut far = bob.accept_stream().await.unwrap().unwrap();
        let mut cancelled = 0;
        let received = loop {
            match cancelled_after(1 + cancelled % 3, far.receiver.recv_message(1 << 20)).await {
                Some(received) => break received.unwrap().unwrap(),
                None => cancelled += 1,
            }
        };
        assert!(cancelled > 10);
        assert!(received == message);
        sender.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_rest_of_a_message_can_be_sent_later() {
    within(async {
        let (alice, bob) = narrow().await;
        let message = pattern(2, 100_000);
        let mut stream = alice.open(Direction::Unidirectional).await.unwrap();
        let mut rest = &message[..];
        let mut cancelled = 0;
        assert!(cancelled_after(1, stream.sender.send_rest(&mut rest)).await.is_none());
        assert!(rest.len() < message.len());
        let mut far = bob.accept_stream().await.unwrap().unwrap();
        let receiver = tokio::spawn(async move { far.receiver.recv_message(1 << 20).await.unwrap().unwrap() });
        while cancelled_after(1 + cancelled % 3, stream.sender.send_rest(&mut rest)).await.is_none() {
            cancelled += 1;
        }
        assert!(cancelled > 10);
        assert!(rest.is_empty());
        assert!(receiver.await.unwrap() == message);
    })
    .await;
}

#[tokio::test]
async fn a_send_that_is_given_up_half_way_resets_its_stream() {
    within(async {
        let (alice, bob) = narrow().await;
        let mut stream = alice.open(Direction::Unidirectional).await.unwrap();
        assert!(cancelled_after(0, stream.sender.send(b"not even tried")).await.is_none());
        assert!(cancelled_after(5, stream.sender.send(&[0; 100_000])).await.is_none());
        let mut far = bob.accept_stream().await.unwrap().unwrap();
        let error = far.receiver.recv_message(1 << 20).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(stream.sender.send(b"more").await.unwrap_err().kind(), ErrorKind::InvalidInput);

        // Nothing is taken of what has to wait for room: then nothing has happened.
        let mut stream = alice.open(Direction::Unidirectional).await.unwrap();
        let full = pattern(3, 4 << 10);
        let mut rest = &full[..];
        while !rest.is_empty() && cancelled_after(3, stream.sender.send_rest(&mut rest)).await.is_none() {}
        let mut sent = 1;
        while cancelled_after(3, stream.sender.send(b"m")).await.is_some() {
            sent += 1;
        }
        let mut far = bob.accept_stream().await.unwrap().unwrap();
        assert!(far.receiver.recv_message(1 << 20).await.unwrap().unwrap() == full);
        for _ in 1..sent {
            assert_eq!(far.receiver.recv_message(1).await.unwrap().unwrap(), b"m");
        }
        stream.sender.send(b"the stream is whole").await.unwrap();
        assert_eq!(far.receiver.recv_message(100).await.unwrap().unwrap(), b"the stream is whole");
    })
    .await;
}

/// The turn of a task that has given up goes to the next.
#[tokio::test]
async fn streams_are_opened_and_accepted_by_those_who_still_wait() {
    within(async {
        let (alice, bob) = narrow().await;
        let mut open = Vec::new();
        for _ in 0..2 {
            let mut stream = alice.open(Direction::Bidirectional).await.unwrap();
            stream.sender.send(b"!").await.unwrap();
            open.push(stream);
        }
        let opened = Arc::new(AtomicUsize::new(2));
        let waiting: Vec<_> = (0..50)
            .map(|_| {
                let (alice, opened) = (alice.clone(), Arc::clone(&opened));
                tokio::spawn(async move {
                    let mut stream = alice.open(Direction::Bidirectional).await.unwrap();
                    opened.fetch_add(1, Relaxed);
                    stream.sender.send(b"!").await.unwrap();
                })
            })
            .collect();
        assert!(cancelled_after(1, bob.accept_stream()).await.is_none());
        let accepting: Vec<_> = (0..52)
            .map(|_| {
                let bob = bob.clone();
                tokio::spawn(async move { bob.accept_stream().await.unwrap().is_some() })
            })
            .collect();
        assert!(cancelled_after(3, alice.open(Direction::Bidirectional)).await.is_none());
        waiting.iter().step_by(2).for_each(|task| task.abort());
        drop(open);
        for (nr, task) in waiting.into_iter().enumerate() {
            assert_eq!(task.await.is_err(), nr % 2 == 0);
        }
        assert_eq!(opened.load(Relaxed), 27);
        while accepting.iter().filter(|task| task.is_finished()).count() < 27 {
            tokio::task::yield_now().await;
        }
        assert!(cancelled_after(1, alice.shutdown()).await.is_none());
        shut_down(alice, bob).await;
        let mut accepted = 0;
        for task in accepting {
            accepted += usize::from(task.await.unwrap());
        }
        assert_eq!(accepted, 27, "and the others have heard that no more come");
        no_tasks_left().await;
    })
    .await;
}
