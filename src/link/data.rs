//! The keys of an established link, and where their packet numbers stand.
//!
//! On a stream carrier numbers are implicit: the next one is the only one. What datagram carriers need is in [`datagram`].
#![forbid(unsafe_code)]

mod datagram;

use alloc::boxed::Box;
use core::num::NonZeroU64;

use crate::crypto::aead::PacketKeys;
use crate::crypto::provider::AeadAlgorithm;
use crate::event::PeerMisbehaved;
use crate::packet::{PacketNumber, protection};
use crate::wire::{HEADER_LEN, Header, PacketKind};
use datagram::Seen;

/// The epoch of a link's first application keys.
pub(crate) const FIRST_DATA_EPOCH: u32 = 3;

/// Seals and opens Data packets.
#[derive(Debug)]
pub(crate) struct DataKeys {
    local_id: NonZeroU64,
    peer_id: NonZeroU64,
    send: Direction,
    receive: Direction,
    /// On datagram carriers, which numbers have been seen.
    seen: Option<Box<Seen>>,
}

/// One direction's keys and numbers.
#[derive(Debug)]
struct Direction {
    keys: PacketKeys,
    /// The number of the next packet, if there is one left.
    next: Option<PacketNumber>,
    /// How many packets these keys may still protect.
    left: u64,
}

impl Direction {
    fn new(start: DirectionStart, algorithm: AeadAlgorithm) -> Self {
        let numbers = start.first_number.map_or(0, PacketNumber::remaining);
        Self { keys: start.keys, next: start.first_number, left: packets_per_key(algorithm).min(numbers) }
    }

    fn step(&mut self) {
        self.next = self.next.and_then(PacketNumber::next);
        self.left = self.left.saturating_sub(1);
    }

    #[cfg(feature = "testing")]
    fn skip(&mut self, count: u64) {
        let number = self.next.map_or(u64::MAX, PacketNumber::get);
        self.next = PacketNumber::new(number.saturating_add(count));
        self.left = self.left.saturating_sub(count);
    }
}

/// How many packets one key may seal (R-5.3-5; RFC 9001, section 6.6).
const fn packets_per_key(algorithm: AeadAlgorithm) -> u64 {
    match algorithm {
        AeadAlgorithm::Aes256Gcm => 1 << 23,
        AeadAlgorithm::ChaCha20Poly1305 => 1 << 62,
    }
}

/// What a handshake leaves of one direction: the epoch's keys, and the number after its last packet.
#[derive(Debug)]
pub(crate) struct DirectionStart {
    pub(crate) keys: PacketKeys,
    pub(crate) first_number: Option<PacketNumber>,
}

impl DataKeys {
    pub(crate) fn new(
        algorithm: AeadAlgorithm,
        local_id: NonZeroU64,
        peer_id: NonZeroU64,
        send: DirectionStart,
        receive: DirectionStart,
    ) -> Self {
        let seen = receive.keys.has_mask().then(|| Box::new(Seen::from(receive.first_number)));
        let (send, receive) = (Direction::new(send, algorithm), Direction::new(receive, algorithm));
        Self { local_id, peer_id, send, receive, seen }
    }

    /// The id that the peer writes into its packets.
    pub(crate) fn local_id(&self) -> NonZeroU64 {
        self.local_id
    }

    /// How many packets these keys may still seal. The last one is for a close (R-5.3-5).
    pub(crate) fn packets_left(&self) -> u64 {
        self.send.left
    }

    /// Writes the header of a Data packet in front of its plaintext and seals it in place. `packet` is room for the header, the
    /// plaintext, and room for the tag.
    pub(crate) fn seal(&mut self, packet: &mut [u8]) {
        let sealed = self.seal_next(packet);
        debug_assert!(sealed.is_some(), "checked by the caller");
    }

    /// Seals a packet under the next number, if the keys are not used up; without one it is wiped.
    fn seal_next(&mut self, packet: &mut [u8]) -> Option<PacketNumber> {
        let body_len = packet.len().saturating_sub(HEADER_LEN);
        debug_assert!(body_len <= usize::from(u16::MAX), "checked by the caller");
        let header = Header {
            kind: PacketKind::Data,
            length: u16::try_from(body_len).unwrap_or(u16::MAX),
            epoch: FIRST_DATA_EPOCH,
            connection_id: self.peer_id.get(),
            number_field: 0,
        };
        if let Some(bytes) = packet.first_chunk_mut::<HEADER_LEN>() {
            *bytes = header.to_bytes();
        }
        let number = self.send.next.filter(|_| self.send.left > 0);
        match number {
            Some(number) => {
                protection::seal(&self.send.keys, number, packet);
                self.send.step();
            }
            None => packet.fill(0), // not a packet, but not plaintext either
        }
        number
    }

    /// Opens the next Data packet in place and gives its plaintext. A packet that does not open changes nothing (R-5.3-4).
    pub(crate) fn open<'a>(&mut self, packet: &'a mut [u8]) -> Result<&'a mut [u8], PeerMisbehaved> {
        let number = self.receive.next.filter(|_| self.receive.left > 0).ok_or(PeerMisbehaved::DoesNotOpen)?;
        let plaintext =
            protection::open(&self.receive.keys, number, packet).map_err(|_| PeerMisbehaved::DoesNotOpen)?;
        self.receive.step();
        Ok(plaintext)
    }

    /// The numbers of both directions, for state digests.
    #[cfg(feature = "testing")]
    pub(crate) fn numbers(&self) -> [u64; 2] {
        [&self.send, &self.receive].map(|direction| direction.next.map_or(u64::MAX, PacketNumber::get))
    }

    /// Moves on as if `count` packets had been sealed here or opened, so that tests reach the end of the keys.
    #[cfg(feature = "testing")]
    pub(crate) fn skip(&mut self, sent: u64, received: u64) {
        self.send.skip(sent);
        self.receive.skip(received);
    }
}
