//! The numbers of streams.

use core::fmt;

use crate::role::Role;

/// The number of a stream (R-8.2-1): `index << 2 | unidirectional << 1 | opened by the responder`.
///
/// Indices count from 1 in each of the four kinds; the numbers 0 to 3 belong to the protocol (0 is the link's control stream).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u64);

/// Whether both ends or only the opener can send on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ends send and receive.
    Bidirectional,
    /// The opener sends, the other end receives.
    Unidirectional,
}

impl StreamId {
    /// The highest index: numbers stay below 2^62, as in QUIC.
    pub(crate) const MAX_INDEX: u64 = (1 << 60) - 1;

    /// The stream of this kind with this index; `None` for index 0 and beyond [`Self::MAX_INDEX`].
    pub(crate) const fn new(opener: Role, direction: Direction, index: u64) -> Option<Self> {
        if index == 0 || index > Self::MAX_INDEX {
            return None;
        }
        let kind = match (direction, opener) {
            (Direction::Bidirectional, Role::Initiator) => 0,
            (Direction::Bidirectional, Role::Responder) => 1,
            (Direction::Unidirectional, Role::Initiator) => 2,
            (Direction::Unidirectional, Role::Responder) => 3,
        };
        Some(Self(index << 2 | kind))
    }

    /// Takes a number from the wire; `None` for the protocol's own and for those out of range.
    pub(crate) const fn from_wire(number: u64) -> Option<Self> {
        let index = number >> 2;
        if index == 0 || index > Self::MAX_INDEX { None } else { Some(Self(number)) }
    }

    /// The number as it travels.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Who opened the stream.
    #[must_use]
    pub const fn opener(self) -> Role {
        if self.0 & 1 == 0 { Role::Initiator } else { Role::Responder }
    }

    /// Whether both ends send on it.
    #[must_use]
    pub const fn direction(self) -> Direction {
        if self.0 & 2 == 0 { Direction::Bidirectional } else { Direction::Unidirectional }
    }

    /// Which of its kind it is, from 1.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.0 >> 2
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({}: {:?} {:?} {})", self.0, self.opener(), self.direction(), self.index())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R-8.2-1.
    #[test]
    fn numbers_and_kinds_map_both_ways() {
        for opener in [Role::Initiator, Role::Responder] {
            for direction in [Direction::Bidirectional, Direction::Unidirectional] {
                for index in [1, 2, 77, StreamId::MAX_INDEX] {
                    let id = StreamId::new(opener, direction, index).unwrap();
                    assert_eq!((id.opener(), id.direction(), id.index()), (opener, direction, index));
                    assert_eq!(StreamId::from_wire(id.as_u64()), Some(id));
                }
                assert_eq!(StreamId::new(opener, direction, 0), None);
                assert_eq!(StreamId::new(opener, direction, StreamId::MAX_INDEX + 1), None);
            }
        }
    }

    #[test]
    fn the_protocols_own_numbers_and_those_out_of_range_are_no_streams() {
        for number in [0, 1, 2, 3, 1 << 62, u64::MAX] {
            assert_eq!(StreamId::from_wire(number), None);
        }
        assert!(StreamId::from_wire((1 << 62) - 1).is_some());
    }
}
