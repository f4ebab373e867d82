//! Pairs of agents that are connected. The timeouts only keep a failing test from hanging.
#![allow(dead_code, reason = "each test uses its part")]

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{Admission, ClientConfig, Expect, PeerId, ServerConfig, Timeouts};
use aitcp_tokio::Connection;

/// Longer than anything takes that works.
pub(crate) const HANG: Duration = Duration::from_secs(120);

/// The initiator of all tests.
pub(crate) const ALICE: u8 = 1;
/// The responder.
pub(crate) const BOB: u8 = 2;
/// Somebody else.
pub(crate) const EVE: u8 = 3;

pub(crate) fn key(name: u8) -> IdentityKey {
    IdentityKey::from_seed(&RustCrypto, [name; 32]).unwrap()
}

pub(crate) fn id(name: u8) -> PeerId {
    key(name).peer_id()
}

pub(crate) fn client() -> ClientConfig {
    ClientConfig::new(key(ALICE), "test/1").with_timeouts(timeouts())
}

pub(crate) fn server() -> ServerConfig {
    ServerConfig::new(key(BOB), Admission::Only([id(ALICE)].into()), &["test/1"]).with_timeouts(timeouts())
}

/// Nothing gets lost on the way, so that nobody has to hear of an end for long.
fn timeouts() -> Timeouts {
    let mut timeouts = Timeouts::default();
    timeouts.drain = Duration::from_millis(100);
    timeouts
}

pub(crate) fn expect_bob() -> Expect {
    Expect::Pinned(id(BOB))
}

/// Alice connected to Bob, by a pipe in memory.
pub(crate) async fn connect() -> (Connection, Connection) {
    connect_with(client(), server()).await
}

pub(crate) async fn connect_with(client: ClientConfig, server: ServerConfig) -> (Connection, Connection) {
    let (near, far) = tokio::io::duplex(8 << 10);
    let (mut nobody, mut nobody_either) = ((), ());
    let (alice, bob) = tokio::join!(
        Connection::connect(near, Arc::new(client), expect_bob(), &mut nobody),
        Connection::accept(far, Arc::new(server), &mut nobody_either),
    );
    (alice.unwrap(), bob.unwrap())
}

/// Answers every message on every stream of `connection` with the same, each stream in a task, until no more streams come.
pub(crate) async fn serve_echo(connection: Connection) {
    while let Some(mut stream) = connection.accept_stream().await.unwrap() {
        tokio::spawn(async move {
            while let Some(message) = stream.receiver.recv_message(1 << 24).await.unwrap() {
                stream.sender.send(&message).await.unwrap();
            }
        });
    }
    connection.shutdown().await.unwrap();
}

/// Ends both ends in order.
pub(crate) async fn shut_down(alice: Connection, bob: Connection) {
    let (alice, bob) = tokio::join!(alice.shutdown(), bob.shutdown());
    alice.unwrap();
    bob.unwrap();
}

/// Waits until no task of this runtime is left.
pub(crate) async fn no_tasks_left() {
    let metrics = tokio::runtime::Handle::current().metrics();
    within(async {
        while metrics.num_alive_tasks() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(HANG, future).await.expect("this hangs")
}

/// Bytes that differ from place to place and from seed to seed.
pub(crate) fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let bytes = std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    bytes.take(len).collect()
}

/// Polls `future` `polls` times at most, and drops it if it is not done by then.
pub(crate) async fn cancelled_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    for _ in 0..polls {
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx))).await;
        if let std::task::Poll::Ready(output) = polled {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}
