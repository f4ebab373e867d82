//! Sessions of an endpoint that the application holds.

use std::sync::Arc;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{
    Admission, ClientConfig, CloseSource, Direction, EcnCodepoint, Ending, Endpoint, EndpointConfig, Event, Expect,
    Handle, Instant, Seed, ServerConfig, StreamId,
};

type Addr = std::net::SocketAddr;

fn key(name: u8) -> IdentityKey {
    IdentityKey::from_seed(&RustCrypto, [name; 32]).unwrap()
}

fn addr(port: u16) -> Addr {
    ([192, 0, 2, 1], port).into()
}

/// Carries all datagrams that `from`, at `port`, has to send.
fn carry(now: Instant, from: &mut Endpoint<Addr>, port: u16, to: &mut Endpoint<Addr>) {
    let mut buf = [0; 1_452];
    while let Some((_, transmit)) = from.poll_transmit(now, &mut buf).unwrap() {
        to.handle_datagram(now, addr(port), EcnCodepoint::NotEct, &mut buf[..transmit.len]);
    }
}

/// A server with a session whose client has sent a message and closed; the server was told.
fn closed_by_client(hold: bool) -> (Instant, Endpoint<Addr>, Handle, StreamId) {
    let now = Instant::ORIGIN;
    let server = Arc::new(ServerConfig::new(key(2), Admission::Any, &["test/1"]));
    let client = Arc::new(ClientConfig::new(key(1), "test/1"));
    let mut clients = Endpoint::new(now, EndpointConfig::new(), Seed::new([3; 32]).unwrap()).unwrap();
    let mut servers =
        Endpoint::new(now, EndpointConfig::new().with_server(server), Seed::new([4; 32]).unwrap()).unwrap();
    let near = clients.connect(now, client, Expect::Pinned(key(2).peer_id()), addr(2)).unwrap();
    for _ in 0..4 {
        carry(now, &mut clients, 1, &mut servers);
        carry(now, &mut servers, 2, &mut clients);
    }
    let (far, event) = servers.poll_event().unwrap();
    assert_eq!(event, Event::Established);
    assert!(servers.hold(far));
    if !hold {
        servers.release(far);
    }
    let stream = clients.session_mut(now, near).unwrap().open(Direction::Unidirectional).unwrap();
    clients.session_mut(now, near).unwrap().send(stream, b"last words", Ending::End).unwrap();
    carry(now, &mut clients, 1, &mut servers);
    clients.session_mut(now, near).unwrap().close(now, 7, "");
    carry(now, &mut clients, 1, &mut servers);
    let last = std::iter::from_fn(|| servers.poll_event()).last().unwrap();
    assert!(
        matches!(last.1, Event::Closed(reason) if reason == aitcp::CloseReason::Peer { source: CloseSource::Application, code: 7 })
    );
    (now, servers, far, stream)
}

#[test]
fn what_came_before_the_end_can_be_received_from_a_session_that_is_held() {
    let (now, mut servers, far, stream) = closed_by_client(true);
    let mut buf = [0; 16];
    let received = servers.session_mut(now, far).unwrap().recv(stream, &mut buf).unwrap();
    assert_eq!(&buf[..received.len], b"last words");
    assert_eq!(servers.poll_event(), None, "and its end is told once");
    assert!(!servers.is_idle());
    servers.release(far);
    assert!(servers.session(far).is_none() && servers.is_idle());
    assert!(!servers.hold(far), "it is gone");
    servers.release(far);
}

#[test]
fn a_session_that_is_not_held_goes_by_itself() {
    let (_, servers, far, _) = closed_by_client(false);
    assert!(servers.session(far).is_none() && servers.is_idle());
}
