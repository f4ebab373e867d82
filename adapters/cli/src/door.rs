//! Where agents come in: a TCP listener or an endpoint on UDP.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use aitcp::{EndpointConfig, Owner, ServerConfig};
use aitcp_std::{Connection, Endpoint, Incoming};

use crate::address::HostPort;

/// A socket that agents can reach.
#[derive(Debug)]
pub(crate) enum Door {
    Tcp { listener: TcpListener, config: Arc<ServerConfig> },
    Udp(Endpoint),
}

impl Door {
    pub(crate) fn open(at: &HostPort, udp: bool, config: Arc<ServerConfig>) -> io::Result<Self> {
        let place = (at.host.as_str(), at.port);
        if udp {
            return Endpoint::bind(place, EndpointConfig::new().with_server(config)).map(Self::Udp);
        }
        Ok(Self::Tcp { listener: TcpListener::bind(place)?, config })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp { listener, .. } => listener.local_addr(),
            Self::Udp(endpoint) => endpoint.local_addr(),
        }
    }

    /// Waits for the next who wants to come in.
    pub(crate) fn next(&self) -> io::Result<Caller> {
        match self {
            Self::Tcp { listener, config } => {
                let (socket, from) = listener.accept()?;
                Ok(Caller::Tcp { socket, from, config: Arc::clone(config) })
            }
            Self::Udp(endpoint) => match endpoint.accept() {
                Some(incoming) => Ok(Caller::Udp(incoming)),
                None => Err(io::ErrorKind::NotConnected.into()),
            },
        }
    }
}

/// Somebody whose handshake is not finished.
#[derive(Debug)]
pub(crate) enum Caller {
    Tcp { socket: TcpStream, from: SocketAddr, config: Arc<ServerConfig> },
    Udp(Incoming),
}

impl Caller {
    pub(crate) const fn from(&self) -> SocketAddr {
        match self {
            Self::Tcp { from, .. } => *from,
            Self::Udp(incoming) => incoming.remote_addr(),
        }
    }

    pub(crate) fn accept(self, owner: &mut dyn Owner) -> io::Result<Connection> {
        match self {
            Self::Tcp { socket, config, .. } => Connection::accept(socket, config, owner),
            Self::Udp(incoming) => incoming.accept(owner),
        }
    }
}
