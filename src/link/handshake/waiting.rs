//! Sealed packets from a datagram carrier that have come before the packet they follow.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use super::Packet;
use crate::packet::validator::MAX_HANDSHAKE_PACKET;
use crate::wire::{Header, PacketKind};

/// Keeps one packet of a kind, verbatim (R-6.10-11). A newer one takes the place of an older: whoever sends again sends the same.
///
/// Nothing says yet that they are authentic. Of the kinds that follow another there are two in each direction, so there are at most
/// two packets of at most 1,232 bytes here.
#[derive(Default)]
pub(super) struct WaitingRoom(Vec<WaitingPacket>);

/// A packet, and its header also read.
pub(super) struct WaitingPacket {
    header: Header,
    bytes: Vec<u8>,
}

impl WaitingRoom {
    /// Keeps a copy of `packet`; whether it is short enough for that.
    pub(super) fn keep(&mut self, packet: &Packet<'_>) -> bool {
        if packet.bytes.len() > usize::from(MAX_HANDSHAKE_PACKET) {
            return false;
        }
        self.0.retain(|waiting| waiting.header.kind != packet.header.kind);
        self.0.push(WaitingPacket { header: packet.header, bytes: packet.bytes.to_vec() });
        true
    }

    /// The packet of this kind that waits. It waits no longer.
    pub(super) fn take(&mut self, kind: PacketKind) -> Option<WaitingPacket> {
        let at = self.0.iter().position(|waiting| waiting.header.kind == kind)?;
        Some(self.0.swap_remove(at))
    }

    /// Lets a packet that was taken out wait on.
    pub(super) fn put_back(&mut self, packet: WaitingPacket) {
        self.0.push(packet);
    }

    /// For state digests.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn packets(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|waiting| &waiting.bytes[..])
    }
}

impl WaitingPacket {
    /// The packet as if it came now.
    pub(super) fn as_packet(&mut self) -> Packet<'_> {
        Packet { header: self.header, bytes: &mut self.bytes }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
