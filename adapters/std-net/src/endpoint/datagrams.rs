//! Datagrams at best effort, beside streams.

use std::io;

#[cfg(doc)]
use aitcp::CloseReason;
use aitcp::{RecvDatagramError, SendDatagramError, Session};
use aitcp_io::attempt;

use crate::connection::Connection;

/// # Datagrams
/// Over UDP only.
impl Connection {
    /// The longest datagram that can be sent now, in bytes. `None` if none can: over TCP, or if the peer takes none.
    #[must_use]
    pub fn max_datagram(&self) -> Option<usize> {
        self.inspect(Session::max_datagram)
    }

    /// Sends a datagram at best effort: it arrives whole and once, or not at all. It does not wait: where more are sent than the path
    /// takes, the oldest of those that wait are dropped ([`Session::send_datagram`]).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](io::ErrorKind::InvalidInput) with the [`SendDatagramError`] if it is too long, or none can be sent.
    pub fn send_datagram(&self, datagram: &[u8]) -> io::Result<()> {
        self.driver.wait(|state| attempt(state.session.send_datagram(datagram), &[SendDatagramError::Closed]))
    }

    /// Waits for a datagram, copies it to the front of `buf`, and returns its length.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](io::ErrorKind::InvalidInput) with the [`RecvDatagramError`] if `buf` is too short, and the datagram
    /// stays; over TCP, and where the configuration allows none. The [`CloseReason`] when the session has ended and nothing is left.
    pub fn recv_datagram(&self, buf: &mut [u8]) -> io::Result<usize> {
        let to_wait = [RecvDatagramError::Blocked, RecvDatagramError::Closed];
        self.driver.wait(|state| attempt(state.session.recv_datagram(buf), &to_wait))
    }
}
