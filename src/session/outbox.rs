//! Handshake packets on their way out.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use crate::error::BufferTooSmall;
use crate::wire::{HEADER_LEN, Header};

/// Whole packets, one behind the other, that the carrier has not taken yet. At most one flight of a handshake.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    /// How many of them are gone.
    sent: usize,
}

impl Outbox {
    /// Where packets are appended.
    pub(super) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.len() == self.sent
    }

    /// Drops what waits.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Moves as many whole packets as fit to the front of `buf`; how many bytes, and how many packets, those are.
    ///
    /// # Errors
    /// [`BufferTooSmall`] if there is a packet and not even the first fits.
    pub(super) fn take(&mut self, buf: &mut [u8]) -> Result<(usize, u64), BufferTooSmall> {
        let (mut len, mut packets) = (0_usize, 0_u64);
        while let Some(packet) = self.front() {
            let end = len.saturating_add(packet.len());
            let Some(place) = buf.get_mut(len..end) else {
                if packets > 0 {
                    break;
                }
                return Err(BufferTooSmall { needed: packet.len() });
            };
            place.copy_from_slice(packet);
            self.sent = self.sent.saturating_add(packet.len());
            len = end;
            packets = packets.saturating_add(1);
        }
        if self.is_empty() {
            self.clear();
        }
        Ok((len, packets))
    }

    /// The length of the first packet that waits; 0 if none does.
    pub(super) fn front_len(&self) -> usize {
        self.front().map_or(0, <[u8]>::len)
    }

    /// What waits.
    #[cfg(feature = "testing")]
    pub(super) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// The first packet that waits.
    fn front(&self) -> Option<&[u8]> {
        let waiting = self.bytes.get(self.sent..)?;
        let header = Header::parse(waiting.first_chunk::<HEADER_LEN>()?).ok()?;
        waiting.get(..header.packet_len())
    }
}
