//! What a header may say, before anything of the body is there (specification, section 3).
#![forbid(unsafe_code)]

use crate::disposition::Discarded;
use crate::event::PeerMisbehaved;
use crate::role::Role;
use crate::wire::{Framing, HEADER_LEN, Header, HeaderError, PacketKind};

/// The longest handshake packet, header and tag included (R-3.2-2).
pub(crate) const MAX_HANDSHAKE_PACKET: u16 = 1_232;

/// The receiving end of a link, as far as headers go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receiver {
    /// Which end it is.
    pub(crate) role: Role,
    /// The id that it chose for the link.
    pub(crate) connection_id: u64,
    /// The longest Data packet that it takes, header and tag included (R-3.2-3).
    pub(crate) max_packet: u16,
}

/// The form of a kind of packet: one row of the table in section 3.1.
struct Form {
    /// Who sends it; `None` = either end.
    sender: Option<Role>,
    epoch: u32,
    /// Addressed to the receiver's connection id, or to none.
    is_addressed: bool,
    min_length: u16,
    max_length: u16,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Version,
    /// A kind, direction or epoch that there is not.
    Kind,
    Length,
    Address,
    Number,
}

impl Receiver {
    /// Reads a header that came over a stream carrier, and checks all that can be checked without the body.
    ///
    /// Whether the kind is the one that this state waits for is for the state to say.
    pub(crate) fn validate(&self, bytes: &[u8; HEADER_LEN]) -> Result<Header, PeerMisbehaved> {
        Ok(self.check(bytes, Framing::Stream)?)
    }

    /// The same for a header that came in a datagram. Anyone may have sent it, so what is wrong with it is no more than a reason to
    /// discard the packet (R-3.4-1).
    pub(crate) fn validate_datagram(&self, bytes: &[u8; HEADER_LEN]) -> Result<Header, Discarded> {
        Ok(self.check(bytes, Framing::Datagram)?)
    }

    fn check(&self, bytes: &[u8; HEADER_LEN], framing: Framing) -> Result<Header, Fault> {
        let header = Header::parse(bytes)?; // R-3.1-1, R-3.1-2
        let form = self.form(header.kind);
        if form.sender == Some(self.role) || header.epoch != form.epoch {
            return Err(Fault::Kind); // R-3.1-3
        }
        if !(form.min_length..=form.max_length).contains(&header.length) {
            return Err(Fault::Length); // R-3.2-1
        }
        let addressee = if form.is_addressed { self.connection_id } else { 0 };
        if header.connection_id != addressee {
            return Err(Fault::Address); // R-3.1-4
        }
        // Only a sealed packet has a number, and only in a datagram does it travel.
        let may_have_number = form.epoch > 0 && framing == Framing::Datagram;
        if header.number_field != 0 && !may_have_number {
            return Err(Fault::Number); // R-3.1-5
        }
        Ok(header)
    }

    /// The table of section 3.1. Lengths are those of bodies, tag included; a table has at least 12 bytes, a
    /// trailer 96, in a resumed handshake 32, a tag 16.
    fn form(&self, kind: PacketKind) -> Form {
        let header_len = HEADER_LEN as u16;
        let most = MAX_HANDSHAKE_PACKET.saturating_sub(header_len);
        let most_data = self.max_packet.saturating_sub(header_len);
        let (i, r) = (Some(Role::Initiator), Some(Role::Responder));
        let (sender, epoch, is_addressed, min_length, max_length) = match kind {
            PacketKind::Hello => (i, 0, false, 108, most),
            PacketKind::Retry => (r, 0, true, 12, most),
            PacketKind::Refuse => (r, 0, true, 12, most),
            PacketKind::Accept => (r, 0, true, 12, most),
            PacketKind::KemOffer => (r, 1, true, 1_200, 1_200),
            PacketKind::ResponderAuth => (r, 1, true, 60, most),
            PacketKind::KemReply => (i, 1, true, 1_104, 1_104),
            PacketKind::InitiatorAuth => (i, 2, true, 60, most),
            PacketKind::Data => (None, 3, true, 28, most_data),
        };
        Form { sender, epoch, is_addressed, min_length, max_length }
    }
}

impl From<HeaderError> for Fault {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::Version => Self::Version,
            HeaderError::Kind => Self::Kind,
        }
    }
}

impl From<Fault> for PeerMisbehaved {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Version => Self::NotAiTcp,
            Fault::Kind => Self::UnexpectedPacket,
            Fault::Length => Self::PacketLength,
            Fault::Address | Fault::Number => Self::BadHeader,
        }
    }
}

impl From<Fault> for Discarded {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Version => Self::NotAiTcp,
            Fault::Kind => Self::UnexpectedPacket,
            Fault::Length => Self::PacketLength,
            Fault::Address => Self::UnknownConnection,
            Fault::Number => Self::BadHeader,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::provider::{KEM_CIPHERTEXT_LEN, KEM_KEY_LEN, TAG_LEN};

    const ID: u64 = 0xA5A5;
    const MAX_PACKET: u16 = 2_088;

    fn receiver(role: Role) -> Receiver {
        Receiver { role, connection_id: ID, max_packet: MAX_PACKET }
    }

    /// The table of section 3.1 once more, from the specification: kind, sender, epoch, id, lengths.
    #[rustfmt::skip]
    const TABLE: [(u8, &str, u32, u64, u16, u16); 9] = [
        (1, "I",    0, 0,   108,  1_208),
        (2, "R",    0, ID,  12,   1_208),
        (3, "R",    0, ID,  12,   1_208),
        (4, "R",    0, ID,  12,   1_208),
        (5, "R",    1, ID,  1_200, 1_200),
        (6, "R",    1, ID,   60,  1_208),
        (7, "I",    1, ID,  1_104, 1_104),
        (8, "I",    2, ID,   60,  1_208),
        (9, "both", 3, ID,  28,   MAX_PACKET - 24),
    ];

    /// Each legal header, with the end that receives it.
    fn legal() -> impl Iterator<Item = (Receiver, Header, u16, u16)> {
        TABLE.into_iter().flat_map(|(code, sender, epoch, connection_id, min, max)| {
            let kind = PacketKind::from_code(code).unwrap();
            let header = Header { kind, length: min, epoch, connection_id, number_field: 0 };
            let to_responder = (sender != "R").then_some(Role::Responder);
            let to_initiator = (sender != "I").then_some(Role::Initiator);
            [to_responder, to_initiator].into_iter().flatten().map(move |role| (receiver(role), header, min, max))
        })
    }

    /// R-3.2-1, R-3.2-2.
    #[test]
    fn lengths_are_checked_to_the_byte() {
        for (receiver, header, min, max) in legal() {
            for (length, fits) in
                [(0, false), (min - 1, false), (min, true), (max, true), (max + 1, false), (u16::MAX, false)]
            {
                let header = Header { length, ..header };
                let expected = if fits { Ok(header) } else { Err(PeerMisbehaved::PacketLength) };
                assert_eq!(receiver.validate(&header.to_bytes()), expected, "{header:?}");
            }
        }
    }

    /// R-3.1-3.
    #[test]
    fn every_kind_goes_one_way_but_data() {
        for (code, sender, epoch, connection_id, length, _) in TABLE {
            let kind = PacketKind::from_code(code).unwrap();
            let bytes = Header { kind, length, epoch, connection_id, number_field: 0 }.to_bytes();
            for (role, own) in [(Role::Initiator, "I"), (Role::Responder, "R")] {
                let expected = if sender == own { Some(PeerMisbehaved::UnexpectedPacket) } else { None };
                assert_eq!(receiver(role).validate(&bytes).err(), expected, "{kind:?}");
            }
        }
    }

    /// R-3.1-3, R-3.1-4, R-3.1-5.
    #[test]
    fn every_kind_has_one_epoch_one_address_and_no_number_on_a_stream() {
        for (receiver, header, ..) in legal() {
            for epoch in [0, 1, 2, 3, 4, u32::MAX] {
                let outcome = receiver.validate(&Header { epoch, ..header }.to_bytes());
                assert_eq!(outcome.is_ok(), epoch == header.epoch, "{header:?} in epoch {epoch}");
            }
            for connection_id in [0, ID, ID + 1, ID << 8, u64::MAX] {
                let outcome = receiver.validate(&Header { connection_id, ..header }.to_bytes());
                assert_eq!(outcome.is_ok(), connection_id == header.connection_id, "{header:?} to {connection_id}");
            }
            for bit in 0..64 {
                let outcome = receiver.validate(&Header { number_field: 1 << bit, ..header }.to_bytes());
                assert_eq!(outcome, Err(PeerMisbehaved::BadHeader));
            }
        }
    }

    /// R-3.1-5, R-3.4-1: on datagrams the table is the same, but sealed packets show a number, and nothing is the peer's fault.
    #[test]
    fn in_a_datagram_only_the_number_field_differs() {
        for (receiver, header, min, max) in legal() {
            let outcome = |header: Header| receiver.validate_datagram(&header.to_bytes());
            assert_eq!(outcome(header), Ok(header));
            for length in [0, min - 1, max + 1, u16::MAX] {
                assert_eq!(outcome(Header { length, ..header }), Err(Discarded::PacketLength), "{header:?}");
            }
            for epoch in (0..5).filter(|epoch| *epoch != header.epoch) {
                assert_eq!(outcome(Header { epoch, ..header }), Err(Discarded::UnexpectedPacket), "{header:?}");
            }
            let other = Header { connection_id: header.connection_id ^ 1 << 40, ..header };
            assert_eq!(outcome(other), Err(Discarded::UnknownConnection));
            let back = Receiver { role: receiver.role.peer(), ..receiver };
            let expected = if header.kind == PacketKind::Data { Ok(header) } else { Err(Discarded::UnexpectedPacket) };
            assert_eq!(back.validate_datagram(&header.to_bytes()), expected);
            for number_field in (0..64).map(|bit| 1 << bit).chain([u64::MAX]) {
                let numbered = Header { number_field, ..header };
                let expected = if header.epoch > 0 { Ok(numbered) } else { Err(Discarded::BadHeader) };
                assert_eq!(outcome(numbered), expected, "{header:?}");
            }
            for byte in 0..=u8::MAX {
                let mut bytes = header.to_bytes();
                bytes[0] = byte;
                assert_eq!(receiver.validate_datagram(&bytes).err(), (byte != 10).then_some(Discarded::NotAiTcp));
                let mut bytes = header.to_bytes();
                bytes[1] = byte;
                if !(1..=9).contains(&byte) {
                    assert_eq!(receiver.validate_datagram(&bytes), Err(Discarded::UnexpectedPacket));
                }
            }
        }
    }

    /// R-3.1-1, R-3.1-2.
    #[test]
    fn other_protocols_and_unknown_kinds_are_told_apart() {
        for (receiver, header, ..) in legal() {
            for byte in 0..=u8::MAX {
                let mut bytes = header.to_bytes();
                bytes[0] = byte;
                assert_eq!(receiver.validate(&bytes).err(), (byte != 10).then_some(PeerMisbehaved::NotAiTcp));
                let mut bytes = header.to_bytes();
                bytes[1] = byte;
                if !(1..=9).contains(&byte) {
                    assert_eq!(receiver.validate(&bytes), Err(PeerMisbehaved::UnexpectedPacket));
                }
            }
        }
    }

    /// R-3.2-3.
    #[test]
    fn data_is_as_long_as_the_receiver_says() {
        for max_packet in [2_088, 16_424] {
            let receiver = Receiver { max_packet, ..receiver(Role::Initiator) };
            for (length, fits) in [(max_packet - 24, true), (max_packet - 23, false)] {
                let header = Header { kind: PacketKind::Data, length, epoch: 3, connection_id: ID, number_field: 0 };
                assert_eq!(receiver.validate(&header.to_bytes()).is_ok(), fits);
            }
        }
    }

    #[test]
    fn the_lengths_of_bodies_without_a_table_are_exact() {
        assert_eq!((KEM_KEY_LEN + TAG_LEN, KEM_CIPHERTEXT_LEN + TAG_LEN), (1_200, 1_104));
    }
}
