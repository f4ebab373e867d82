//! The clear 24 bytes in front of every packet (specification, section 3).
#![forbid(unsafe_code)]

/// Length of a header in bytes.
pub(crate) const HEADER_LEN: usize = 24;

/// The protocol version that this crate speaks, the first byte of every packet (R-3.1-1).
pub(crate) const VERSION: u8 = 10;

/// The header of a packet, of a known version and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// What the packet is.
    pub(crate) kind: PacketKind,
    /// Length of the body in bytes, AEAD tag included.
    pub(crate) length: u16,
    /// The generation of keys that seals the packet; 0 in clear packets.
    pub(crate) epoch: u32,
    /// The receiver's id for the link; 0 in a Hello.
    pub(crate) connection_id: u64,
    /// The packet number as it stands in the header: masked on datagram carriers, 0 on stream carriers and in clear packets.
    pub(crate) number_field: u64,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum PacketKind {
    Hello = 1,
    Retry = 2,
    Refuse = 3,
    Accept = 4,
    KemOffer = 5,
    ResponderAuth = 6,
    KemReply = 7,
    InitiatorAuth = 8,
    Data = 9,
}

/// Why 24 bytes are not the header of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// Another version, or another protocol.
    Version,
    /// A kind that this version does not know.
    Kind,
}

impl Header {
    /// Reads a header (R-3.1-1, R-3.1-2). The layout of version, kind and length never changes, so the version is looked at first.
    pub(crate) fn parse(bytes: &[u8; HEADER_LEN]) -> Result<Self, HeaderError> {
        let [version, kind, l0, l1, e0, e1, e2, e3, id @ .., n0, n1, n2, n3, n4, n5, n6, n7] = *bytes;
        if version != VERSION {
            return Err(HeaderError::Version);
        }
        Ok(Self {
            kind: PacketKind::from_code(kind).ok_or(HeaderError::Kind)?,
            length: u16::from_le_bytes([l0, l1]),
            epoch: u32::from_le_bytes([e0, e1, e2, e3]),
            connection_id: u64::from_le_bytes(id),
            number_field: u64::from_le_bytes([n0, n1, n2, n3, n4, n5, n6, n7]),
        })
    }

    /// Whom the first packet of a datagram is for, if it is one of this protocol (R-3.1-1): what it is routed by. Its place never changes,
    /// whatever the kind of the packet is.
    #[cfg(feature = "endpoint")]
    pub(crate) fn addressee(datagram: &[u8]) -> Result<u64, HeaderError> {
        let header = datagram.first_chunk::<HEADER_LEN>().filter(|header| header.first() == Some(&VERSION));
        let id = header.and_then(|header| header.get(8..16)).and_then(|id| id.first_chunk());
        id.copied().map(u64::from_le_bytes).ok_or(HeaderError::Version)
    }

    /// The header as it travels.
    pub(crate) fn to_bytes(self) -> [u8; HEADER_LEN] {
        let fields: [&[u8]; 6] = [
            &[VERSION],
            &[self.kind.code()],
            &self.length.to_le_bytes(),
            &self.epoch.to_le_bytes(),
            &self.connection_id.to_le_bytes(),
            &self.number_field.to_le_bytes(),
        ];
        let mut bytes = [0; HEADER_LEN];
        for (byte, value) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *byte = *value;
        }
        bytes
    }

    /// Length of the whole packet in bytes.
    pub(crate) fn packet_len(&self) -> usize {
        HEADER_LEN.saturating_add(usize::from(self.length))
    }
}

impl PacketKind {
    /// The byte that stands for it in a header.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    /// The kind that a byte of a header stands for.
    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Hello,
            2 => Self::Retry,
            3 => Self::Refuse,
            4 => Self::Accept,
            5 => Self::KemOffer,
            6 => Self::ResponderAuth,
            7 => Self::KemReply,
            8 => Self::InitiatorAuth,
            9 => Self::Data,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tables;
    use super::*;

    /// R-3.1-1, R-3.1-2.
    #[test]
    fn every_version_but_ours_and_every_unknown_kind_is_refused() {
        for version in 0..=u8::MAX {
            for kind in 0..=u8::MAX {
                let mut bytes = [0xA5; HEADER_LEN];
                bytes[0] = version;
                bytes[1] = kind;
                let expected = match (version, kind) {
                    (10, 1..=9) => None,
                    (10, _) => Some(HeaderError::Kind),
                    _ => Some(HeaderError::Version),
                };
                assert_eq!(Header::parse(&bytes).err(), expected, "version {version}, kind {kind}");
            }
        }
    }

    #[test]
    fn the_kinds_are_the_schemas() {
        for kind in tables::PacketKind::ENUM_VALUES {
            let name = PacketKind::from_code(kind.0).map(|kind| alloc::format!("{kind:?}"));
            match *kind {
                tables::PacketKind::Reserved => assert_eq!(name, None),
                _ => assert_eq!(name.as_deref(), kind.variant_name()),
            }
        }
    }

    proptest! {
        #[test]
        fn the_layout_is_the_schemas_and_reading_gives_back_what_was_written(
            code in 1..=9_u8, length: u16, epoch: u32, connection_id: u64, number_field: u64,
        ) {
            let kind = PacketKind::from_code(code).unwrap();
            let header = Header { kind, length, epoch, connection_id, number_field };
            let generated =
                tables::PacketHeader::new(10, tables::PacketKind(code), length, epoch, connection_id, number_field);
            prop_assert_eq!(header.to_bytes(), generated.0);
            prop_assert_eq!(Header::parse(&generated.0), Ok(header));
            prop_assert_eq!(header.packet_len(), 24 + usize::from(length));
        }
    }
}
