//! The numbers of sealed packets.
#![forbid(unsafe_code)]

/// The number of a sealed packet: below 2^62, so no nonce is ever used twice and no counter ever wraps (R-5.3-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PacketNumber(u64);

impl PacketNumber {
    /// The number of the first packet that is sealed in each direction of a link (R-5.3-3).
    pub(crate) const FIRST: Self = Self(0);

    /// Packet numbers are below this.
    pub(crate) const END: u64 = 1 << 62;

    /// The packet number `number`, if it is one.
    pub(crate) const fn new(number: u64) -> Option<Self> {
        if number < Self::END { Some(Self(number)) } else { None }
    }

    /// The number of the packet after this one; `None` if this was the last that the link may seal or open.
    pub(crate) const fn next(self) -> Option<Self> {
        Self::new(self.0.saturating_add(1))
    }

    /// How many numbers there are from this one on.
    pub(crate) const fn remaining(self) -> u64 {
        Self::END.saturating_sub(self.0)
    }

    /// The number itself.
    pub(crate) const fn get(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R-5.3-3, R-5.3-6.
    #[test]
    fn numbers_end_below_2_to_the_62() {
        let last = PacketNumber::new((1 << 62) - 1).unwrap();
        assert_eq!(PacketNumber::new((1 << 62) - 2).unwrap().next(), Some(last));
        assert_eq!(last.next(), None);
        assert_eq!((PacketNumber::FIRST.remaining(), last.remaining()), (1 << 62, 1));
        for beyond in [1 << 62, (1 << 62) + 1, u64::MAX] {
            assert_eq!(PacketNumber::new(beyond), None);
        }
        assert_eq!(PacketNumber::FIRST.next(), PacketNumber::new(1));
    }
}
