//! Packet headers with any values (specification, section 3.1).

/// Bytes of a header.
pub const HEADER_LEN: usize = 24;

/// Kinds of packets, as numbers.
#[derive(Clone, Copy, Debug)]
pub struct Kind;

#[expect(non_upper_case_globals, reason = "named as in the specification")]
#[expect(missing_docs, reason = "named as in the specification")]
impl Kind {
    pub const Hello: u8 = 1;
    pub const Retry: u8 = 2;
    pub const Refuse: u8 = 3;
    pub const Accept: u8 = 4;
    pub const KemOffer: u8 = 5;
    pub const ResponderAuth: u8 = 6;
    pub const KemReply: u8 = 7;
    pub const InitiatorAuth: u8 = 8;
    pub const Data: u8 = 9;

    /// All of them.
    pub const ALL: [u8; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 9];

    /// The epoch that belongs to a kind (R-3.1-3).
    #[must_use]
    pub fn epoch(kind: u8) -> u32 {
        match kind {
            Self::KemOffer | Self::ResponderAuth | Self::KemReply => 1,
            Self::InitiatorAuth => 2,
            Self::Data => 3,
            _ => 0,
        }
    }
}

/// A header as it travels, with any values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of the specification, by their names")]
pub struct Header {
    pub version: u8,
    pub kind: u8,
    pub length: u16,
    pub epoch: u32,
    pub connection_id: u64,
    pub encrypted_sequence_id: u64,
}

impl Header {
    /// The header that a packet of this kind has on a stream carrier, but for its length.
    #[must_use]
    pub fn new(kind: u8, connection_id: u64) -> Self {
        Self { version: 10, kind, length: 0, epoch: Kind::epoch(kind), connection_id, encrypted_sequence_id: 0 }
    }

    /// The first 24 of these bytes.
    ///
    /// # Panics
    /// If there are less.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        Self {
            version: bytes[0],
            kind: bytes[1],
            length: u16::from_le_bytes([bytes[2], bytes[3]]),
            epoch: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            connection_id: u64_at(8),
            encrypted_sequence_id: u64_at(16),
        }
    }

    /// As it travels.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = self.version;
        bytes[1] = self.kind;
        bytes[2..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.connection_id.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.encrypted_sequence_id.to_le_bytes());
        bytes
    }

    /// A whole packet: this header, with the body's length filled in, and the body.
    ///
    /// # Panics
    /// If the body is longer than a length can say.
    #[must_use]
    pub fn packet(mut self, body: &[u8]) -> Vec<u8> {
        self.length = u16::try_from(body.len()).expect("a body of at most 65,535 bytes");
        [&self.to_bytes(), body].concat()
    }
}

/// Cuts what was written to a stream carrier into packets, by their lengths alone; the last one may be incomplete.
#[must_use]
pub fn split_packets(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    while bytes.len() >= HEADER_LEN {
        let len = (HEADER_LEN + usize::from(Header::read(bytes).length)).min(bytes.len());
        let (packet, rest) = bytes.split_at(len);
        packets.push(packet.to_vec());
        bytes = rest;
    }
    if !bytes.is_empty() {
        packets.push(bytes.to_vec());
    }
    packets
}
