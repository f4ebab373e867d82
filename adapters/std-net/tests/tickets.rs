//! Tickets over real sockets, and in files.

mod common;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use aitcp::{Direction, EndpointConfig, Expect, Ticket};
use aitcp_std::{Connection, Endpoint, TicketStore};
use common::*;

/// Bob, who gives tickets, at a UDP socket and a TCP listener, and who answers everybody who comes.
struct Bob {
    endpoint: Endpoint,
    listener: std::net::SocketAddr,
}

impl Bob {
    fn start() -> Self {
        let config = Arc::new(server().with_tickets(1));
        let endpoint = Endpoint::bind("127.0.0.1:0", EndpointConfig::new().with_server(Arc::clone(&config))).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = socket.local_addr().unwrap();
        endpoint.listen(socket, config).unwrap();
        let serving = endpoint.clone();
        thread::spawn(move || {
            while let Some(incoming) = serving.accept() {
                thread::spawn(move || listen(&incoming.accept(&mut ()).unwrap()));
            }
        });
        Self { endpoint, listener }
    }

    fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.listener).unwrap()
    }
}

impl Drop for Bob {
    fn drop(&mut self) {
        self.endpoint.shutdown(HANG).unwrap();
    }
}

/// Has a conversation, and gives the tickets that came with it.
fn tickets(connection: &Connection) -> Vec<Ticket> {
    talk(connection);
    std::iter::from_fn(|| connection.take_ticket()).collect()
}

#[test]
fn a_session_is_resumed_over_either_carrier() {
    let bob = Bob::start();
    let near = Endpoint::bind("127.0.0.1:0", EndpointConfig::new()).unwrap();
    let (config, expect) = (|| Arc::new(client()), Expect::Pinned(id(BOB)));
    let first = Connection::connect(bob.tcp(), config(), expect, &mut ()).unwrap();
    assert!(!first.handshake().resumed);
    let mut kept = tickets(&first);
    assert_eq!(kept.len(), 2);
    for way in 0..6 {
        let ticket = kept.remove(0);
        let at = bob.endpoint.local_addr().unwrap();
        let resumed = match way % 3 {
            0 => Connection::resume(bob.tcp(), config(), expect, ticket, &mut ()),
            1 => near.resume(at, config(), expect, ticket, &mut ()),
            _ => near.resume_tcp(bob.tcp(), config(), expect, ticket, &mut ()),
        };
        let resumed = resumed.unwrap();
        assert!(resumed.handshake().resumed, "way {way}");
        kept.extend(tickets(&resumed));
    }
}

/// One that has no keys passes tickets over.
#[test]
fn a_responder_without_an_endpoint_does_a_full_handshake() {
    let bob = Bob::start();
    let first = Connection::connect(bob.tcp(), Arc::new(client()), Expect::Pinned(id(BOB)), &mut ()).unwrap();
    let ticket = tickets(&first).remove(0);
    let (near, far) = sockets();
    let alone =
        thread::spawn(move || listen(&Connection::accept(far, Arc::new(server().with_tickets(1)), &mut ()).unwrap()));
    let connection = Connection::resume(near, Arc::new(client()), Expect::Pinned(id(BOB)), ticket, &mut ()).unwrap();
    assert!(!connection.handshake().resumed);
    assert!(tickets(&connection).is_empty());
    alone.join().unwrap();
}

#[test]
fn a_store_gives_a_ticket_once_and_keeps_so_many() {
    let bob = Bob::start();
    let folder = std::env::temp_dir().join(format!("aitcp-tickets-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let store = TicketStore::open(&folder).unwrap();
    assert!(store.take(id(ALICE), id(BOB), "test/1", "").unwrap().is_none());
    let connection = Connection::connect(bob.tcp(), Arc::new(client()), Expect::Pinned(id(BOB)), &mut ()).unwrap();
    let [first, second] = tickets(&connection).try_into().unwrap();
    store.put(&first).unwrap();
    store.put(&second).unwrap();
    #[cfg(unix)]
    for entry in fs::read_dir(folder.join(id(BOB).to_string())).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    for (own, peer, app_protocol, realm) in
        [(EVE, BOB, "test/1", ""), (ALICE, EVE, "test/1", ""), (ALICE, BOB, "test/2", ""), (ALICE, BOB, "test/1", "A")]
    {
        assert!(store.take(id(own), id(peer), app_protocol, realm).unwrap().is_none());
    }
    let mut taken: Vec<_> =
        (0..2).map(|_| store.take(id(ALICE), id(BOB), "test/1", "").unwrap().unwrap().to_bytes().to_vec()).collect();
    let mut put = vec![first.to_bytes().to_vec(), second.to_bytes().to_vec()];
    taken.sort();
    put.sort();
    assert_eq!(taken, put);
    assert!(store.clone().take(id(ALICE), id(BOB), "test/1", "").unwrap().is_none(), "each once");

    for _ in 0..20 {
        store.put(&first).unwrap();
    }
    fs::write(folder.join(id(BOB).to_string()).join("not a ticket"), b"nonsense").unwrap();
    let left = std::iter::from_fn(|| store.take(id(ALICE), id(BOB), "test/1", "").unwrap()).count();
    assert!((7..=8).contains(&left), "{left}");
    fs::remove_dir_all(&folder).unwrap();
}

/// The ticket is not for whoever dials somebody else, and its file is not what a session depends on.
#[test]
fn a_ticket_of_somebody_else_is_left_out() {
    let bob = Bob::start();
    let first = Connection::connect(bob.tcp(), Arc::new(client()), Expect::Pinned(id(BOB)), &mut ()).unwrap();
    let ticket = tickets(&first).remove(0);
    let (near, far) = sockets();
    let carol = aitcp::ServerConfig::new(key(EVE), aitcp::Admission::Any, &["test/1"]).with_tickets(1);
    let alone =
        thread::spawn(move || Connection::accept(far, Arc::new(carol), &mut ()).unwrap().wait_closed().unwrap());
    let connection = Connection::resume(near, Arc::new(client()), Expect::Pinned(id(EVE)), ticket, &mut ()).unwrap();
    assert!(!connection.handshake().resumed && connection.handshake().peer == id(EVE));
    let stream = connection.open(Direction::Unidirectional).unwrap();
    drop(stream);
    connection.close(0, "");
    alone.join().unwrap();
}
