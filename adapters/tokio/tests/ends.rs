//! How handshakes, streams and sessions end, and what is left of them: no task.

mod common;

use std::io::ErrorKind;
use std::sync::Arc;

use aitcp::{
    Admission, CloseReason, CloseSource, Direction, Expect, HandshakeInfo, OpenError, Owner, SendError, ServerConfig,
    Signer, Verdict,
};
use aitcp_tokio::{Connection, TcpListener, close_reason};
use common::*;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn shutdown_waits_for_the_streams_of_both_ends() {
    within(async {
        let (alice, bob) = connect().await;
        let mut stream = alice.open(Direction::Bidirectional).await.unwrap();
        stream.sender.send(b"question").await.unwrap();
        stream.sender.finish().unwrap();
        let shutdown = tokio::spawn({
            let alice = alice.clone();
            async move { alice.shutdown().await }
        });
        let mut far = bob.accept_stream().await.unwrap().unwrap();
        assert!(bob.accept_stream().await.unwrap().is_none(), "Alice has said that she opens no more");
        let refused = bob.open(Direction::Bidirectional).await.unwrap_err();
        assert_eq!(refused.get_ref().unwrap().downcast_ref(), Some(&OpenError::ShuttingDown));

        assert_eq!(far.receiver.recv_message(8).await.unwrap().unwrap(), b"question");
        far.sender.send(b"answer").await.unwrap();
        far.sender.finish().unwrap();
        assert_eq!(stream.receiver.recv_message(8).await.unwrap().unwrap(), b"answer");
        assert!(!shutdown.is_finished());
        assert_eq!(stream.receiver.recv_message(8).await.unwrap(), None);
        assert_eq!(far.receiver.recv_message(8).await.unwrap(), None);

        assert_eq!(bob.closed().await, CloseReason::Peer { source: CloseSource::Protocol, code: 0 });
        bob.shutdown().await.unwrap();
        shutdown.await.unwrap().unwrap();
        let error = alice.open(Direction::Unidirectional).await.unwrap_err();
        assert_eq!((error.kind(), close_reason(&error)), (ErrorKind::NotConnected, Some(CloseReason::ShutDown)));
        no_tasks_left().await;
    })
    .await;
}

#[tokio::test]
async fn shutdown_turns_away_what_nobody_accepted() {
    within(async {
        let (alice, bob) = connect().await;
        let mut stream = alice.open(Direction::Bidirectional).await.unwrap();
        stream.sender.send(b"hello?").await.unwrap();
        let shutdown = tokio::spawn(async move { bob.shutdown().await });
        let stopped = stream.sender.wait_finished().await.unwrap_err();
        assert_eq!(stopped.get_ref().unwrap().downcast_ref(), Some(&SendError::Stopped(0)));
        assert_eq!(stream.receiver.recv_message(1).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        drop(stream);
        alice.shutdown().await.unwrap();
        shutdown.await.unwrap().unwrap();
        no_tasks_left().await;
    })
    .await;
}

#[tokio::test]
async fn a_close_says_why_and_wakes_everybody() {
    within(async {
        let (alice, bob) = connect().await;
        let mut stream = alice.open(Direction::Bidirectional).await.unwrap();
        stream.sender.send(b"hello").await.unwrap();
        let mut far = bob.accept_stream().await.unwrap().unwrap();
        bob.close(7, "enough");
        let reason = CloseReason::Peer { source: CloseSource::Application, code: 7 };
        let (accepted, datagram, received, sent, closed) = tokio::join!(
            alice.accept_stream(),
            alice.recv_datagram(),
            stream.receiver.recv_message(1),
            stream.sender.wait_finished(),
            alice.closed(),
        );
        assert_eq!(datagram.unwrap_err().kind(), ErrorKind::InvalidInput, "none ever comes over a stream");
        let errors = [accepted.map(drop), received.map(drop), sent];
        for error in errors.map(Result::unwrap_err) {
            assert_eq!((error.kind(), close_reason(&error)), (ErrorKind::ConnectionAborted, Some(reason)));
        }
        assert_eq!(closed, reason);
        assert_eq!(alice.inspect(|session| session.close_text().to_owned()), "enough");
        assert_eq!(bob.closed().await, CloseReason::Local);
        assert_eq!(far.receiver.recv_message(5).await.unwrap().unwrap(), b"hello", "what came before is kept");
        no_tasks_left().await;
    })
    .await;
}

#[tokio::test]
async fn streams_keep_a_session_alive_and_the_last_handle_closes_it() {
    within(async {
        let (alice, bob) = connect().await;
        let mut stream = alice.open(Direction::Bidirectional).await.unwrap();
        drop(alice);
        stream.sender.send(b"still here").await.unwrap();
        let mut far = bob.accept_stream().await.unwrap().unwrap();
        assert_eq!(far.receiver.recv_message(10).await.unwrap().unwrap(), b"still here");
        drop(stream);
        assert_eq!(bob.closed().await, CloseReason::Peer { source: CloseSource::Application, code: 0 });
        drop((bob, far));
        no_tasks_left().await;
    })
    .await;
}

#[tokio::test]
async fn a_dropped_carrier_is_a_lost_link_and_a_dropped_half_never_looks_whole() {
    within(async {
        let (alice, bob) = connect().await;
        let mut stream = alice.open(Direction::Bidirectional).await.unwrap();
        stream.sender.send_part(b"half of").await.unwrap();
        let mut far = bob.accept_stream().await.unwrap().unwrap();
        let aitcp_tokio::Stream { sender, mut receiver, .. } = stream;
        drop(sender);
        let error = far.receiver.recv_message(100).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        drop(far.receiver);
        far.sender.send(b"whole").await.unwrap();
        drop(far.sender);
        assert_eq!(receiver.recv_message(5).await.unwrap().unwrap(), b"whole");
        assert_eq!(receiver.recv_message(5).await.unwrap(), None);
        shut_down(alice, bob).await;

        let (near, far) = tokio::io::duplex(1 << 16);
        let alice =
            tokio::spawn(async move { Connection::connect(near, Arc::new(client()), expect_bob(), &mut ()).await });
        drop(far);
        assert_eq!(close_reason(&alice.await.unwrap().unwrap_err()), Some(CloseReason::LinkLost));
        no_tasks_left().await;
    })
    .await;
}

#[tokio::test]
async fn strangers_are_refused_and_leave_nothing_behind() {
    within(async {
        let (near, far) = tokio::io::duplex(1 << 16);
        let (mut nobody, mut nobody_either) = ((), ());
        let stranger = ServerConfig::new(key(BOB), Admission::Only([id(EVE)].into()), &["test/1"]);
        let (alice, bob) = tokio::join!(
            Connection::connect(near, Arc::new(client()), expect_bob(), &mut nobody),
            Connection::accept(far, Arc::new(stranger), &mut nobody_either),
        );
        assert_eq!(alice.unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(close_reason(&bob.unwrap_err()), Some(CloseReason::NotAdmitted(id(ALICE))));
        no_tasks_left().await;
    })
    .await;
}

/// Decides on everybody, and signs with a key of its own.
struct Guard {
    asked: Vec<aitcp::PeerId>,
    key: Option<u8>,
}

impl Owner for Guard {
    fn verdict(&mut self, peer: &HandshakeInfo) -> Verdict {
        self.asked.push(peer.peer);
        Verdict::Accept
    }

    fn sign(&mut self, to_sign: &[u8]) -> Option<[u8; 64]> {
        Some(key(self.key?).sign(to_sign))
    }
}

#[tokio::test]
async fn owners_decide_and_sign() {
    within(async {
        let external = || Signer::External(id(ALICE));
        for (signs, admitted) in [(Some(ALICE), true), (Some(EVE), false), (None, false)] {
            let (near, far) = tokio::io::duplex(1 << 16);
            let mut alice_owner = Guard { asked: Vec::new(), key: signs };
            let mut bob_owner = Guard { asked: Vec::new(), key: None };
            let asks = ServerConfig::new(key(BOB), Admission::Ask, &["test/1"]);
            let client = aitcp::ClientConfig::new(external(), "test/1");
            let near = Connection::connect(near, Arc::new(client), Expect::Ask, &mut alice_owner);
            let far = Connection::accept(far, Arc::new(asks), &mut bob_owner);
            let (alice, bob) = tokio::join!(near, far);
            assert_eq!((alice.is_ok(), bob.is_ok()), (admitted, admitted), "{alice:?} {bob:?}");
            assert_eq!(alice_owner.asked, [id(BOB)]);
            assert_eq!(bob_owner.asked, [id(ALICE)][..usize::from(admitted)]);
        }
        no_tasks_left().await;
    })
    .await;
}

/// Hundreds that connect and say nothing, or nonsense, do not hold up one that does.
#[tokio::test]
async fn a_slow_handshake_stops_no_other() {
    within(async {
        let mut listener = TcpListener::bind("127.0.0.1:0", Arc::new(server()), ()).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut silent = Vec::new();
        for nr in 0..100 {
            let mut socket = tokio::net::TcpStream::connect(addr).await.unwrap();
            if nr % 2 == 0 {
                socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
            }
            silent.push(socket);
        }
        let client = tokio::spawn(async move {
            Connection::connect_tcp(addr, Arc::new(client()), expect_bob(), &mut ()).await.unwrap()
        });
        let (bob, _) = listener.accept().await.unwrap();
        shut_down(client.await.unwrap(), bob).await;
        drop((listener, silent));
        no_tasks_left().await;
    })
    .await;
}

/// Calls that wait for a runtime that is gone come back.
#[test]
fn the_end_of_the_runtime_ends_its_sessions() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (alice, bob) = runtime.block_on(connect());
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    other.block_on(within(async {
        assert_eq!(alice.closed().await, CloseReason::LinkLost);
        assert_eq!(close_reason(&bob.accept_stream().await.unwrap_err()), Some(CloseReason::LinkLost));
    }));
}
