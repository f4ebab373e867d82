//! Sessions as the commands start them, and what their ends mean to whoever called the command.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::{
    Admission, ClientConfig, CloseReason, EndpointConfig, Expect, Limits, PeerMisbehaved, ServerConfig, Ticket,
    Timeouts,
};
use aitcp_std::{Connection, Endpoint, close_reason};

use crate::address::{AgentAddress, HostPort};
use crate::exit::{Exit, Failure};
use crate::transfer::message::{APP_PROTOCOL, MAX_CHUNK};

/// How long each address of a host may take to answer.
const CONNECT: Duration = Duration::from_secs(10);
/// A peer of whom nothing is heard for so long is gone, and so is one that takes nothing.
const IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long the peer may take to agree that all is done.
pub(crate) const PARTING: Duration = Duration::from_secs(5);

/// Tickets have said the same so far.
const TICKET_POLICY: u64 = 0;

/// An agent that calls others. It lets nobody open streams.
pub(crate) fn client(key: IdentityKey, app_protocol: &str) -> Arc<ClientConfig> {
    let mut limits = limits();
    limits.peer_bidirectional_streams = 0;
    Arc::new(ClientConfig::new(key, app_protocol).with_limits(limits).with_timeouts(timeouts()))
}

/// An agent that takes files, and asks about everybody.
pub(crate) fn server(key: IdentityKey) -> Arc<ServerConfig> {
    let config = ServerConfig::new(key, Admission::Ask, &[APP_PROTOCOL]);
    Arc::new(config.with_limits(limits()).with_timeouts(timeouts()).with_tickets(TICKET_POLICY))
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.session_window = 2 << 20;
    limits.stream_window = 1 << 20;
    limits.send_buffer = 2 << 20;
    limits.stream_send_buffer = 1 << 20;
    limits.peer_bidirectional_streams = 4;
    limits.peer_unidirectional_streams = 0;
    limits.max_message = MAX_CHUNK as u64;
    limits
}

fn timeouts() -> Timeouts {
    let mut timeouts = Timeouts::default();
    timeouts.idle = Some(IDLE);
    timeouts.keepalive = Some(KEEPALIVE);
    timeouts.datagram_handshake = CONNECT;
    timeouts
}

/// A session with an agent. A ticket of the last one saves both ends a signature.
pub(crate) fn call(
    to: &AgentAddress,
    udp: bool,
    config: Arc<ClientConfig>,
    ticket: Option<Ticket>,
) -> Result<Connection, Failure> {
    let expect = Expect::Pinned(to.peer);
    if udp {
        return call_over_udp(&to.place, expect, &config, ticket);
    }
    let tcp = reach(&to.place)?;
    let called = match ticket {
        Some(ticket) => Connection::resume(tcp, config, expect, ticket, &mut ()),
        None => Connection::connect(tcp, config, expect, &mut ()),
    };
    called.map_err(|error| failure(error, Exit::Unreachable))
}

/// Only a handshake shows whether somebody is there.
fn call_over_udp(
    place: &HostPort,
    expect: Expect,
    config: &Arc<ClientConfig>,
    mut ticket: Option<Ticket>,
) -> Result<Connection, Failure> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses(place)? {
        let endpoint = Endpoint::bind(any_port(address), EndpointConfig::new())
            .map_err(|error| Failure::new(Exit::Local, error))?;
        let called = match ticket.take() {
            Some(ticket) => endpoint.resume(address, Arc::clone(config), expect, ticket, &mut ()),
            None => endpoint.connect(address, Arc::clone(config), expect, &mut ()),
        };
        match called {
            Err(error) if close_reason(&error) == Some(CloseReason::HandshakeTimeout) => last = error,
            called => return called.map_err(|error| failure(error, Exit::Unreachable)),
        }
    }
    Err(unreachable(place, last))
}

/// One's own end of a way to `address`.
pub(crate) fn any_port(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

pub(crate) fn addresses(place: &HostPort) -> Result<impl Iterator<Item = SocketAddr>, Failure> {
    (place.host.as_str(), place.port).to_socket_addrs().map_err(|error| unreachable(place, error))
}

pub(crate) fn unreachable(place: &HostPort, error: io::Error) -> Failure {
    Failure::new(Exit::Unreachable, format!("{place}: {error}"))
}

/// A TCP connection to the first address of the host that answers.
pub(crate) fn reach(place: &HostPort) -> Result<TcpStream, Failure> {
    let unreachable = |error| unreachable(place, error);
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses(place)? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(unreachable)?; // packets are made for whole buffers
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(unreachable(last))
}

/// What the end of a session means: it tells those apart that the caller can act on, and is `otherwise` for the rest.
pub(crate) fn failure(error: io::Error, otherwise: Exit) -> Failure {
    let exit = match close_reason(&error) {
        Some(reason) if is_refusal(reason) => Exit::Refused,
        Some(CloseReason::HandshakeTimeout | CloseReason::Misbehaved(PeerMisbehaved::NotAiTcp)) => Exit::Unreachable,
        _ => otherwise,
    };
    Failure::new(exit, error)
}

/// Whether the peer does not want this agent, or this agent not the peer.
fn is_refusal(reason: CloseReason) -> bool {
    reason.is_refusal() || matches!(reason, CloseReason::Incompatible(_))
}
