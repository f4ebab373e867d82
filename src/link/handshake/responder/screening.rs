//! A look at a Hello before anything is kept for it, for endpoints, which anybody can send any number of (specification, section 6.11).
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU64;

use super::choice::{Refusal, choose_service, names, refuse};
use crate::config::{Carrier, ServerConfig};
use crate::crypto::hash::{HASH_LEN, sha256};
use crate::event::{PeerIncompatible, RefuseCode};
use crate::link::handshake::Packet;
use crate::wire::HEADER_LEN;
use crate::wire::packet_builder::Retry;
use crate::wire::packet_parser::{HelloView, Malformed};

/// A well-formed Hello, of which nothing is kept yet.
pub(crate) struct Screened<'a> {
    packet: &'a Packet<'a>,
    hello: HelloView<'a>,
    hash: [u8; HASH_LEN],
}

/// A Hello for what is not served here.
pub(crate) struct Unserved {
    /// What is missing.
    pub(crate) what: PeerIncompatible,
    /// The Refuse that answers it, if the initiator is told.
    pub(crate) answer: Option<Vec<u8>>,
}

impl<'a> Screened<'a> {
    /// H(Hello) of a packet that may be one: what finds the half-open handshake that it has begun.
    pub(crate) fn hash_of(packet: &Packet<'_>) -> [u8; HASH_LEN] {
        sha256(packet.bytes)
    }

    /// Reads a Hello that came in a datagram; `hash` is its own.
    pub(crate) fn new(packet: &'a Packet<'a>, hash: [u8; HASH_LEN]) -> Result<Self, Malformed> {
        let hello = HelloView::parse(packet.body()).and_then(HelloView::for_datagram)?;
        Ok(Self { packet, hello, hash })
    }

    /// The server that the Hello is for, if that one can answer it: the one whose identity it names; of those that need not be named the
    /// first, if it names none (R-6.11-1).
    pub(crate) fn server<'s>(
        &self,
        servers: &'s [Arc<ServerConfig>],
        carrier: Carrier,
    ) -> Result<&'s Arc<ServerConfig>, Unserved> {
        let open = || servers.iter().find(|server| !server.require_tag);
        let server = match self.hello.peer_tag {
            Some(_) => servers.iter().find(|server| names(server, self.packet, &self.hello) == Some(true)),
            None => open(),
        };
        if let Some(server) = server {
            let chosen = choose_service(server, carrier, &self.hello);
            return chosen.map(|_| server).map_err(|refusal| self.unserved(server, carrier, &refusal));
        }
        let unknown = PeerIncompatible::Identity;
        match open() {
            Some(server) => {
                let refusal = Refusal::Told(unknown, RefuseCode::UnknownIdentity);
                Err(self.unserved(server, carrier, &refusal))
            }
            None => Err(Unserved { what: unknown, answer: None }), // R-6.3-2
        }
    }

    fn unserved(&self, server: &ServerConfig, carrier: Carrier, refusal: &Refusal) -> Unserved {
        let answer = refusal.packet(server, carrier, self.packet, &self.hello);
        Unserved { what: refusal.what(), answer }
    }

    /// What the initiator wants to find in packets.
    pub(crate) fn connection_id(&self) -> NonZeroU64 {
        self.hello.connection_id
    }

    /// What it got in a Retry, if anything.
    pub(crate) fn cookie(&self) -> Option<&[u8; 32]> {
        self.hello.cookie
    }

    /// What a cookie covers of it: header and table, the same before and after a Retry (R-4.1-8).
    pub(crate) fn covered_by_cookie(&self) -> &[u8] {
        self.packet.bytes.get(..HEADER_LEN.saturating_add(self.hello.table.len())).unwrap_or_default()
    }

    /// The Retry that answers it.
    pub(crate) fn retry(&self, cookie: &[u8; 32]) -> Vec<u8> {
        Retry { hello_hash: &self.hash, cookie }.build(self.hello.connection_id)
    }

    /// A Refuse that answers it, as from `server`.
    pub(crate) fn refuse(&self, server: &ServerConfig, carrier: Carrier, code: RefuseCode) -> Vec<u8> {
        refuse(server, carrier, &self.hash, code, &self.hello)
    }
}
