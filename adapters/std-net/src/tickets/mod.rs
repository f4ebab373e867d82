//! Sessions that begin where an earlier one ended, and files for what that takes.

mod store;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use aitcp::{Carrier, ClientConfig, Expect, Instant, Owner, Session, Ticket};
use aitcp_io::{misuse, seed};

pub use store::TicketStore;

use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::tcp::TcpDriver;

/// # Tickets
impl Connection {
    /// As [`connect`](Self::connect), with a ticket of an earlier session: see [`Session::resume`].
    ///
    /// # Errors
    /// As with [`connect`](Self::connect). A ticket that is not taken is no error.
    pub fn resume(
        tcp: TcpStream,
        config: Arc<ClientConfig>,
        peer: Expect,
        ticket: Ticket,
        owner: &mut dyn Owner,
    ) -> io::Result<Self> {
        let session = Session::resume(Instant::ORIGIN, config, peer, Carrier::Stream, ticket, seed()?);
        Self::establish(TcpDriver::start(tcp, session.map_err(misuse)?)?, owner)
    }

    /// Takes a ticket that the responder has given, if there is one: see [`Session::take_ticket`]. They come soon after the handshake, and
    /// can be taken when the session has ended.
    #[must_use]
    pub fn take_ticket(&self) -> Option<Ticket> {
        self.driver.look(|state| state.session.take_ticket())
    }
}

/// # Tickets
///
/// The endpoint has the [keys](aitcp::TicketKeys) of the tickets that it gives, where a [`ServerConfig`](aitcp::ServerConfig) allows them.
impl Endpoint {
    /// As [`connect`](Self::connect), with a ticket of an earlier session.
    ///
    /// # Errors
    /// As with [`connect`](Self::connect). A ticket that is not taken is no error.
    pub fn resume(
        &self,
        addr: SocketAddr,
        config: Arc<ClientConfig>,
        peer: Expect,
        ticket: Ticket,
        owner: &mut dyn Owner,
    ) -> io::Result<Connection> {
        self.check_reach(addr)?;
        self.begin(|endpoint, now| endpoint.resume(now, config, peer, ticket, addr), None, owner)
    }

    /// As [`connect_tcp`](Self::connect_tcp), with a ticket of an earlier session.
    ///
    /// # Errors
    /// As with [`connect_tcp`](Self::connect_tcp). A ticket that is not taken is no error.
    pub fn resume_tcp(
        &self,
        tcp: TcpStream,
        config: Arc<ClientConfig>,
        peer: Expect,
        ticket: Ticket,
        owner: &mut dyn Owner,
    ) -> io::Result<Connection> {
        self.begin(|endpoint, now| endpoint.resume_stream(now, config, peer, ticket), Some(tcp), owner)
    }
}
