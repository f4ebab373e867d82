//! A thousand sessions at a time.

mod common;

use std::sync::Arc;

use aitcp::{Direction, EndpointConfig, EndpointLimits, Rate, Timeouts};
use aitcp_tokio::{Connection, Endpoint, TcpListener};
use common::*;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const SESSIONS: usize = 1000;

/// Both ends in one process, each session with a socket at each: as many as there are file descriptors for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tcp() {
    let sessions = SESSIONS.min(free_files() / 2);
    if sessions < SESSIONS {
        eprintln!(
            "ATTENTION: the limit on open files allows only {sessions} of {SESSIONS} sessions; raise it (`ulimit -n`)"
        );
    }
    within(async {
        let mut listener = TcpListener::bind("127.0.0.1:0", Arc::new(server()), ()).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            for _ in 0..sessions {
                tokio::spawn(serve_echo(listener.accept().await.unwrap().0));
            }
        });
        let all_there = Arc::new(Barrier::new(sessions));
        let config = Arc::new(client());
        for nr in 0..sessions {
            let (config, all_there) = (Arc::clone(&config), Arc::clone(&all_there));
            tasks.spawn(async move {
                let connection = Connection::connect_tcp(addr, config, expect_bob(), &mut ()).await.unwrap();
                round_trip(nr as u64, connection, &all_there).await;
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
        no_tasks_left().await;
    })
    .await;
}

/// One socket at each end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_udp() {
    within(async {
        let mut limits = EndpointLimits::default();
        limits.half_opens_per_address = SESSIONS as u32; // all come from one socket...
        limits.sessions_per_peer = SESSIONS as u32; // ...and are of one peer
        limits.without_cookie = Rate { per_second: 100_000, burst: 10_000 };
        limits.with_cookie = limits.without_cookie;
        let config = EndpointConfig::new()
            .with_server(Arc::new(server().with_timeouts(Timeouts::default())))
            .with_limits(limits);
        let far = Endpoint::bind("127.0.0.1:0", config).await.unwrap();
        let addr = far.local_addr();
        let near = Arc::new(Endpoint::bind("127.0.0.1:0", EndpointConfig::new()).await.unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut servers = JoinSet::new();
            for _ in 0..SESSIONS {
                let connection = far.accept().await.unwrap().accept(&mut ()).await.unwrap();
                servers.spawn(serve_echo(connection));
            }
            servers.join_all().await;
            far.shutdown(HANG).await.unwrap();
        });
        let all_there = Arc::new(Barrier::new(SESSIONS));
        let config = Arc::new(client().with_timeouts(Timeouts::default())); // much gets lost
        for nr in 0..SESSIONS {
            let (near, config, all_there) = (Arc::clone(&near), Arc::clone(&config), Arc::clone(&all_there));
            tasks.spawn(async move {
                let connection = near.connect(addr, config, expect_bob(), &mut ()).await.unwrap();
                round_trip(nr as u64, connection, &all_there).await;
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
        drop(near);
        no_tasks_left().await;
    })
    .await;
}

/// Waits until all are connected, says something and hears it again.
async fn round_trip(nr: u64, connection: Connection, all_there: &Barrier) {
    all_there.wait().await;
    let message = pattern(nr, 500);
    let mut stream = connection.open(Direction::Bidirectional).await.unwrap();
    stream.sender.send(&message).await.unwrap();
    stream.sender.finish().unwrap();
    assert!(stream.receiver.recv_message(500).await.unwrap().unwrap() == message);
    assert_eq!(stream.receiver.recv_message(500).await.unwrap(), None);
    drop(stream);
    connection.shutdown().await.unwrap();
}

/// How many files the process may still open, some left over; as many as anybody needs where the operating system does not say.
fn free_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = limit.and_then(|limit| limit.split_whitespace().next()).and_then(|soft| soft.parse().ok());
    soft.map_or(2 * SESSIONS, |soft: usize| soft.saturating_sub(100))
}
