//! Sessions behind UDP sockets.

mod common;

use std::sync::Arc;
use std::time::Duration;

use aitcp::{Admission, CloseReason, CloseSource, Direction, EndpointConfig, HandshakeInfo, ServerConfig, Verdict};
use aitcp_tokio::{Connection, Endpoint, close_reason};
use common::*;

async fn endpoints_for(server: ServerConfig) -> (Endpoint, Endpoint) {
    let serving = EndpointConfig::new().with_server(Arc::new(server));
    let bob = Endpoint::bind("127.0.0.1:0", serving).await.unwrap();
    (Endpoint::bind("127.0.0.1:0", EndpointConfig::new()).await.unwrap(), bob)
}

async fn endpoints() -> (Endpoint, Endpoint) {
    endpoints_for(server()).await
}

/// Alice connected to Bob.
async fn connect_over(alice: &Endpoint, bob: &Endpoint) -> (Connection, Connection) {
    let (mut nobody, mut nobody_either) = ((), ());
    let (near, far) =
        tokio::join!(alice.connect(bob.local_addr(), Arc::new(client()), expect_bob(), &mut nobody), async {
            bob.accept().await.unwrap().accept(&mut nobody_either).await
        },);
    (near.unwrap(), far.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_come_back() {
    within(async {
        let (near, far) = endpoints().await;
        let (alice, bob) = connect_over(&near, &far).await;
        let server = tokio::spawn(serve_echo(bob));
        let mut stream = alice.open(Direction::Bidirectional).await.unwrap();
        for len in [0, 1, 1000, 16 << 10, 1 << 20, 4 << 20] {
            let message = pattern(len as u64, len);
            let (sent, received) = tokio::join!(stream.sender.send(&message), stream.receiver.recv_message(len));
            sent.unwrap();
            assert!(received.unwrap().unwrap() == message);
        }
        stream.sender.finish().unwrap();
        assert_eq!(stream.receiver.recv_message(0).await.unwrap(), None);
        drop(stream);
        if cfg!(target_os = "linux") {
            let path = alice.inspect(|session| session.stats().path).unwrap();
            assert!(
                path.is_ecn_capable,
                "marks reach the peer, those of datagrams that go and come together among them"
            );
        }
        alice.shutdown().await.unwrap();
        server.await.unwrap();
        assert_eq!((near.stats().sessions, far.stats().half_opens), (1, 0));
        drop((near, far, alice));
        no_tasks_left().await;
    })
    .await;
}

/// Until a handshake has gone through, after so many polls: then all the others have been tested.
#[tokio::test]
async fn handshakes_can_be_given_up_anywhere() {
    within(async {
        let (near, far) = endpoints().await;
        for polls in 1.. {
            let mut nobody = ();
            let connect = near.connect(far.local_addr(), Arc::new(client()), expect_bob(), &mut nobody);
            if cancelled_after(polls, connect).await.is_some() {
                assert!(polls > 1);
                break;
            }
        }
        near.shutdown(HANG).await.unwrap();
        far.shutdown(HANG).await.unwrap();
        drop((near, far));
        no_tasks_left().await;
    })
    .await;
}

#[tokio::test]
async fn wildcard_addresses_answer_from_where_they_were_called() {
    within(async {
        let config = EndpointConfig::new().with_server(Arc::new(server()));
        let bob = Endpoint::bind("0.0.0.0:0", config).await.unwrap();
        let alice = Endpoint::bind("0.0.0.0:0", EndpointConfig::new()).await.unwrap();
        let addr = std::net::SocketAddr::from(([127, 0, 0, 2], bob.local_addr().port()));
        let (mut nobody, mut nobody_either) = ((), ());
        let (near, far) = tokio::join!(alice.connect(addr, Arc::new(client()), expect_bob(), &mut nobody), async {
            bob.accept().await.unwrap().accept(&mut nobody_either).await
        },);
        shut_down(near.unwrap(), far.unwrap()).await;
    })
    .await;
}

#[tokio::test]
async fn datagrams_arrive_or_are_lost() {
    within(async {
        let mut limits = aitcp::Limits::default();
        limits.max_datagram = 1000;
        let (near, far) = endpoints_for(server().with_limits(limits)).await;
        let (mut nobody, mut nobody_either) = ((), ());
        let (alice, bob) = tokio::join!(
            near.connect(far.local_addr(), Arc::new(client().with_limits(limits)), expect_bob(), &mut nobody),
            async { far.accept().await.unwrap().accept(&mut nobody_either).await },
        );
        let (alice, bob) = (alice.unwrap(), bob.unwrap());
        assert!(cancelled_after(3, bob.recv_datagram()).await.is_none());
        let waiting = tokio::spawn({
            let bob = bob.clone();
            async move { (bob.recv_datagram().await.unwrap(), bob.recv_datagram().await.unwrap()) }
        });
        let sent = tokio::spawn({
            let alice = alice.clone();
            async move {
                loop {
                    alice.send_datagram(b"hello").unwrap();
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        });
        assert_eq!(waiting.await.unwrap(), (b"hello".to_vec(), b"hello".to_vec()));
        assert!(alice.send_datagram(&[0; 2000]).is_err());
        sent.abort();
        bob.close(7, "enough");
        let reason = CloseReason::Peer { source: CloseSource::Application, code: 7 };
        assert_eq!(close_reason(&alice.recv_datagram().await.unwrap_err()), Some(reason), "who waits is woken");
    })
    .await;
}

#[tokio::test]
async fn owners_decide_on_incoming_sessions() {
    within(async {
        let (near, far) = endpoints_for(ServerConfig::new(key(BOB), Admission::Ask, &["test/1"])).await;
        for verdict in [Verdict::Accept, Verdict::Refuse] {
            let (mut nobody, mut decide) = ((), |peer: &HandshakeInfo| {
                assert_eq!(peer.peer, id(ALICE));
                verdict
            });
            let (alice, bob) =
                tokio::join!(near.connect(far.local_addr(), Arc::new(client()), expect_bob(), &mut nobody), async {
                    far.accept().await.unwrap().accept(&mut decide).await
                },);
            match verdict {
                Verdict::Accept => shut_down(alice.unwrap(), bob.unwrap()).await,
                Verdict::Refuse => {
                    assert_eq!(alice.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
                    assert_eq!(close_reason(&bob.unwrap_err()), Some(CloseReason::NotAdmitted(id(ALICE))));
                }
            }
        }
        assert!(cancelled_after(3, far.accept()).await.is_none());
        drop((near, far));
        no_tasks_left().await;
    })
    .await;
}

#[tokio::test]
async fn strangers_are_refused_without_being_heard_of() {
    within(async {
        let (near, far) =
            endpoints_for(ServerConfig::new(key(BOB), Admission::Only([id(EVE)].into()), &["test/1"])).await;
        let refused = near.connect(far.local_addr(), Arc::new(client()), expect_bob(), &mut ()).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
        assert!(cancelled_after(3, far.accept()).await.is_none());
        drop((near, far));
        no_tasks_left().await;
    })
    .await;
}

#[tokio::test]
async fn what_came_before_a_close_can_be_received() {
    within(async {
        let (near, far) = endpoints().await;
        let (alice, bob) = connect_over(&near, &far).await;
        let mut stream = alice.open(Direction::Unidirectional).await.unwrap();
        stream.sender.send(b"last words").await.unwrap();
        stream.sender.finish().unwrap();
        stream.sender.wait_finished().await.unwrap();
        alice.close(7, "enough");
        assert_eq!(alice.closed().await, CloseReason::Local);
        assert_eq!(bob.closed().await, CloseReason::Peer { source: CloseSource::Application, code: 7 });
        drop((near, far, alice, stream)); // sessions keep their socket
        let mut stream = bob.accept_stream().await.unwrap().unwrap();
        assert_eq!(stream.receiver.recv_message(10).await.unwrap().unwrap(), b"last words");
        assert_eq!(stream.receiver.recv_message(10).await.unwrap(), None);
        assert_eq!(bob.inspect(|session| session.close_text().to_owned()), "enough");
        drop((bob, stream));
        no_tasks_left().await;
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_shuts_all_its_sessions_down() {
    within(async {
        let (near, far) = endpoints().await;
        let mut servers = Vec::new();
        let mut clients = Vec::new();
        for nr in 0..10 {
            let (alice, bob) = connect_over(&near, &far).await;
            let mut stream = alice.open(Direction::Bidirectional).await.unwrap();
            stream.sender.send(&pattern(nr, 1000)).await.unwrap();
            servers.push(tokio::spawn(serve_echo(bob)));
            clients.push((alice, stream));
        }
        // One that nobody accepts, and its stream.
        let unheard = near.connect(far.local_addr(), Arc::new(client()), expect_bob(), &mut ()).await.unwrap();
        let mut stream = unheard.open(Direction::Unidirectional).await.unwrap();
        stream.sender.send(b"is anybody there?").await.unwrap();
        clients.push((unheard, stream));

        let asked = tokio::spawn(async move {
            far.shutdown(HANG).await.unwrap();
            assert!(far.accept().await.is_none());
        });
        for (nr, (alice, mut stream)) in clients.into_iter().enumerate() {
            if nr < 10 {
                assert!(stream.receiver.recv_message(1000).await.unwrap().unwrap() == pattern(nr as u64, 1000));
            }
            drop(stream);
            alice.shutdown().await.unwrap();
        }
        for server in servers {
            server.await.unwrap();
        }
        asked.await.unwrap();
        drop(near);
        no_tasks_left().await;
    })
    .await;
}

#[tokio::test]
async fn a_shutdown_has_a_deadline() {
    within(async {
        let (near, far) = endpoints().await;
        let (alice, bob) = connect_over(&near, &far).await;
        let mut stream = alice.open(Direction::Unidirectional).await.unwrap();
        stream.sender.send(b"and I go on").await.unwrap();
        let endless = bob.accept_stream().await.unwrap();
        let error = far.shutdown(Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert_eq!(alice.closed().await, CloseReason::Peer { source: CloseSource::Application, code: 0 });
        drop((near, far, alice, bob, stream, endless));
        no_tasks_left().await;
    })
    .await;
}

/// The endpoint refuses those that come; those that are there stay.
#[tokio::test]
async fn an_endpoint_that_is_dropped_leaves_its_sessions() {
    within(async {
        let (near, far) = endpoints().await;
        let (alice, bob) = connect_over(&near, &far).await;
        let addr = far.local_addr();
        drop(far);
        let refused = match near.connect(addr, Arc::new(client()), expect_bob(), &mut ()).await {
            Ok(connection) => connection.closed().await,
            Err(error) => close_reason(&error).unwrap(),
        };
        assert_eq!(refused, CloseReason::Peer { source: CloseSource::Application, code: 0 });
        let server = tokio::spawn(serve_echo(bob));
        let mut stream = alice.open(Direction::Bidirectional).await.unwrap();
        stream.sender.send(b"still here").await.unwrap();
        assert_eq!(stream.receiver.recv_message(10).await.unwrap().unwrap(), b"still here");
        drop(stream);
        alice.shutdown().await.unwrap();
        server.await.unwrap();
        drop((near, alice));
        no_tasks_left().await;
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_is_revoked_is_gone_and_does_not_come_back() {
    within(async {
        let (near, far) = endpoints().await;
        let (alice, bob) = connect_over(&near, &far).await;
        assert_eq!(far.revoke(id(ALICE)).unwrap(), 1);
        assert!(matches!(alice.closed().await, CloseReason::Peer { source: CloseSource::Protocol, .. }));
        assert_eq!(bob.closed().await, CloseReason::NotAdmitted(id(ALICE)));
        let refused = near.connect(far.local_addr(), Arc::new(client()), expect_bob(), &mut ()).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    })
    .await;
}

#[test]
fn the_end_of_the_runtime_ends_its_sessions() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (near, far, alice) = runtime.block_on(async {
        let (near, far) = endpoints().await;
        let (alice, _) = connect_over(&near, &far).await;
        (near, far, alice)
    });
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    other.block_on(within(async {
        assert_eq!(alice.closed().await, CloseReason::LinkLost);
        assert!(far.accept().await.is_none());
        near.shutdown(HANG).await.unwrap();
        near.connect(far.local_addr(), Arc::new(client()), expect_bob(), &mut ()).await.unwrap_err();
    }));
}
