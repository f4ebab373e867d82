//! Why packets from datagram carriers are dropped.
#![forbid(unsafe_code)]

use crate::event::{CloseReason, PeerMisbehaved};
use crate::wire::packet_parser::Malformed;

/// Why a packet from a datagram carrier was dropped. Anybody can have sent it, so it has no effect on the link (R-5.3-8, R-6.10-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discarded {
    /// A packet number that has been seen, or is too old to tell.
    Replayed,
    /// Not sealed with the keys of this link.
    DoesNotOpen,
    /// Of a kind that has no place now.
    Unexpected,
    /// The same packet has been taken before.
    Repeated,
    /// As many of its kind have been taken as are.
    TooMany,
    /// It breaks this rule, or shows that its sender does.
    Invalid(CloseReason),
}

impl From<CloseReason> for Discarded {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::Misbehaved(PeerMisbehaved::DoesNotOpen) => Self::DoesNotOpen,
            CloseReason::Misbehaved(PeerMisbehaved::UnexpectedPacket) => Self::Unexpected,
            reason => Self::Invalid(reason),
        }
    }
}

impl From<Malformed> for Discarded {
    fn from(malformed: Malformed) -> Self {
        Self::Invalid(malformed.into())
    }
}
