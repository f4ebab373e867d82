//! What a path carries.

use std::fmt;

/// Where datagrams come from and go to: what an address and a port are to UDP, as an opaque number.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub u64);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

/// A datagram on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Datagram {
    /// Who sent it, or seems to have.
    pub from: Address,
    /// Who is to get it.
    pub to: Address,
    /// The two bits of RFC 3168: 0 not capable, 1 ECT(1), 2 ECT(0), 3 congestion experienced.
    pub ecn: u8,
    /// The payload. Headers below it take neither time nor room.
    pub bytes: Vec<u8>,
}

impl Datagram {
    /// Congestion experienced.
    pub const CE: u8 = 0b11;

    /// Turns it around: back to whoever sent it, as from the one it was meant for.
    pub fn reflect(&mut self) {
        std::mem::swap(&mut self.from, &mut self.to);
    }

    /// Whether its sender understands marks.
    #[must_use]
    pub fn is_ecn_capable(&self) -> bool {
        self.ecn & Self::CE != 0
    }
}
