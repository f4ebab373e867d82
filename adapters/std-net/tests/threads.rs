//! Threads of endpoints end by themselves. A process of its own, since threads are counted by name.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use aitcp::{Direction, EndpointConfig, Expect};
use aitcp_std::Endpoint;
use common::*;

/// How many threads of endpoints run.
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.starts_with("aitcp-")).count()
}

#[test]
fn no_thread_is_left_when_the_last_handle_is_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let bob = Endpoint::bind("127.0.0.1:0", EndpointConfig::new().with_server(Arc::new(server()))).unwrap();
    bob.listen(listener, Arc::new(server())).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(bob.local_addr().unwrap()).unwrap();
    let near = Endpoint::new(socket, EndpointConfig::new()).unwrap();
    let peer = || Expect::Pinned(id(BOB));
    let mut connections = vec![
        near.connect(bob.local_addr().unwrap(), Arc::new(client()), peer(), &mut ()).unwrap(),
        near.connect_tcp(TcpStream::connect(at).unwrap(), Arc::new(client()), peer(), &mut ()).unwrap(),
    ];
    for _ in 0..2 {
        connections.push(bob.accept().unwrap().accept(&mut ()).unwrap());
    }
    let _silent = TcpStream::connect(at).unwrap();
    // Bob's socket and listener, two for each connection over TCP, and two for the connected socket.
    assert!(threads() >= 2 + 4 + 2, "{}", threads());
    let mut streams: Vec<_> =
        connections[..2].iter().map(|connection| connection.open(Direction::Bidirectional).unwrap()).collect();
    for stream in &mut streams {
        stream.sender.send(b"hello").unwrap();
    }
    drop((near, bob, connections));
    assert!(threads() > 0, "streams are handles as well");
    drop(streams);
    let begun = Instant::now();
    while threads() > 0 {
        assert!(begun.elapsed() < HANG, "{} threads are left", threads());
        thread::yield_now();
    }
}
