//! A Hello with a ticket, put by until the owner of the ticket keys has had a look at it.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use crate::config::ServerConfig;
#[cfg(any(test, feature = "testing"))]
use crate::crypto::hash::{HASH_LEN, sha256};
use crate::link::handshake::Packet;
use crate::wire::Header;
use crate::wire::packet_parser::HelloView;

/// The packet as it came, and the ticket in it.
pub(super) struct PresentedTicket {
    header: Header,
    bytes: Vec<u8>,
    ticket: Vec<u8>,
}

impl PresentedTicket {
    /// The ticket in a Hello, if tickets are taken here. `None` also if there is something wrong with the Hello, as will show.
    pub(super) fn find(config: &ServerConfig, packet: &Packet<'_>) -> Option<Self> {
        config.tickets?;
        let hello = HelloView::parse(packet.body()).ok()?;
        let is_bound = hello.binder.is_some() && !hello.ticket.is_empty();
        is_bound.then(|| Self { header: packet.header, bytes: packet.bytes.to_vec(), ticket: hello.ticket.to_vec() })
    }

    pub(super) fn ticket(&self) -> &[u8] {
        &self.ticket
    }

    pub(super) fn packet(&mut self) -> Packet<'_> {
        Packet { header: self.header, bytes: &mut self.bytes }
    }

    /// For state digests.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn hash(&self) -> [u8; HASH_LEN] {
        sha256(&self.bytes)
    }
}
