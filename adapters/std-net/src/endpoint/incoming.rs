//! Sessions that wait to be accepted.

use std::io;
use std::net::SocketAddr;

use aitcp::Owner;

use super::session::EndpointSession;
use crate::connection::Connection;
use crate::driver::Driver;

/// A session that a peer has begun. Dropping it closes the session.
#[derive(Debug)]
#[must_use = "a session that is not accepted is closed"]
pub struct Incoming {
    pub(super) session: EndpointSession,
    pub(super) remote: SocketAddr,
}

impl Incoming {
    /// Where the peer is.
    #[must_use]
    pub const fn remote_addr(&self) -> SocketAddr {
        self.remote
    }

    /// Finishes the handshake as responder, for which `owner` may have to answer. It waits for a peer that is slow: a thread of its own
    /// keeps it from stopping others.
    ///
    /// # Errors
    /// The [`CloseReason`](aitcp::CloseReason), for one who is not admitted [`NotAdmitted`](aitcp::CloseReason::NotAdmitted);
    /// [`ErrorKind::InvalidInput`](io::ErrorKind::InvalidInput) with the [`SignatureRejected`](aitcp::SignatureRejected) for a signature
    /// of the owner's.
    pub fn accept(self, owner: &mut dyn Owner) -> io::Result<Connection> {
        Connection::establish(Driver::Endpoint(self.session), owner)
    }
}
