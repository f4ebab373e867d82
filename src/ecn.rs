//! Explicit congestion notification: two bits of an IP header.
#![forbid(unsafe_code)]

/// The ECN field of the IP header that a datagram travels in (RFC 3168, section 5).
///
/// Adapters set it on what they send and read it from what they receive, where the operating system lets them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EcnCodepoint {
    /// The sender does not take part; routers drop packets to signal congestion.
    #[default]
    NotEct,
    /// Takes part in another experiment, such as L4S. Never sent by this crate.
    Ect1,
    /// Takes part: routers may mark the packet instead of dropping it.
    Ect0,
    /// A router has marked the packet: there is congestion.
    Ce,
}

impl EcnCodepoint {
    /// The two low bits of the traffic class (IPv6) or type of service (IPv4).
    ///
    /// ```
    /// use aitcp::EcnCodepoint;
    ///
    /// assert_eq!(EcnCodepoint::Ect0.bits(), 0b10);
    /// assert_eq!(EcnCodepoint::from_bits(0b1011_1011), EcnCodepoint::Ce);
    /// ```
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::NotEct => 0b00,
            Self::Ect1 => 0b01,
            Self::Ect0 => 0b10,
            Self::Ce => 0b11,
        }
    }

    /// From a traffic class or type of service; all but the two low bits are ignored.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 0b11 {
            0b00 => Self::NotEct,
            0b01 => Self::Ect1,
            0b10 => Self::Ect0,
            _ => Self::Ce,
        }
    }
}

/// How many packets have opened that came with each mark, since the link began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EcnCounts {
    pub(crate) ect0: u64,
    pub(crate) ect1: u64,
    pub(crate) ce: u64,
}

impl EcnCounts {
    /// Counts a packet that was received and has opened.
    pub(crate) const fn count(&mut self, codepoint: EcnCodepoint) {
        let counter = match codepoint {
            EcnCodepoint::NotEct => return,
            EcnCodepoint::Ect0 => &mut self.ect0,
            EcnCodepoint::Ect1 => &mut self.ect1,
            EcnCodepoint::Ce => &mut self.ce,
        };
        *counter = counter.saturating_add(1);
    }

    /// Whether anything was marked: else an acknowledgement need not mention it.
    pub(crate) const fn is_zero(self) -> bool {
        self.ect0 == 0 && self.ect1 == 0 && self.ce == 0
    }

    /// How much each has grown since `before`; `None` if one has shrunk, which counts do not do.
    pub(crate) fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            ect0: self.ect0.checked_sub(before.ect0)?,
            ect1: self.ect1.checked_sub(before.ect1)?,
            ce: self.ce.checked_sub(before.ce)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_one_of_four() {
        for bits in 0..=u8::MAX {
            assert_eq!(EcnCodepoint::from_bits(bits).bits(), bits & 0b11);
        }
    }
}
