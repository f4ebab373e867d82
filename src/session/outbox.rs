//! Handshake packets on their way out.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use crate::error::BufferTooSmall;
use crate::wire::{HEADER_LEN, Header, PacketKind};

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

    /// Moves as many whole packets as fit to the front of `buf`; how many bytes, and how many packets, those are. A flight has one of
    /// each kind, so a packet of the same kind as the first one begins a copy of the flight, which is of no use in the same datagram.
    ///
    /// # Errors
    /// [`BufferTooSmall`] if there is a packet and not even the first fits.
    pub(super) fn take(&mut self, buf: &mut [u8]) -> Result<(usize, u64), BufferTooSmall> {
        let (mut len, mut packets) = (0_usize, 0_u64);
        let mut first_kind = None;
        while let Some((kind, packet)) = self.front() {
            if first_kind == Some(kind) {
                break;
            }
            first_kind = first_kind.or(Some(kind));
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
        self.front().map_or(0, |(_, packet)| packet.len())
    }

    /// What waits.
    #[cfg(feature = "testing")]
    pub(super) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// The first packet that waits, and its kind.
    fn front(&self) -> Option<(PacketKind, &[u8])> {
        let waiting = self.bytes.get(self.sent..)?;
        let header = Header::parse(waiting.first_chunk::<HEADER_LEN>()?).ok()?;
        Some((header.kind, waiting.get(..header.packet_len())?))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn packet(kind: PacketKind, body: usize) -> Vec<u8> {
        let length = u16::try_from(body).unwrap();
        let header = Header { kind, length, epoch: 0, connection_id: 1, number_field: 0 };
        [&header.to_bytes()[..], &vec![0; body]].concat()
    }

    #[test]
    fn packets_of_a_flight_share_datagrams_and_copies_of_it_do_not() {
        let (first, second) = (packet(PacketKind::KemReply, 60), packet(PacketKind::InitiatorAuth, 70));
        let mut outbox = Outbox::default();
        for _ in 0..2 {
            outbox.tail().extend_from_slice(&first);
            outbox.tail().extend_from_slice(&second);
        }
        let mut room = [0; 1_000];
        for _ in 0..2 {
            assert_eq!(outbox.take(&mut room), Ok((first.len() + second.len(), 2)));
            assert_eq!(room[..first.len()], first);
        }
        assert_eq!(outbox.take(&mut room), Ok((0, 0)));
        outbox.tail().extend_from_slice(&first);
        assert_eq!(outbox.take(&mut room[..first.len() - 1]), Err(BufferTooSmall { needed: first.len() }));
        assert_eq!(outbox.front_len(), first.len());
    }
}
