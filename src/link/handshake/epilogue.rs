//! What a datagram link keeps of its handshake until both ends know that it is over.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::fmt;

use crate::crypto::hash::sha256;

/// The last flight of the handshake, as the end that sent it and the end that took it keep it. To be dropped at the first Data packet
/// of the peer's that shows that it needs no repetition any more.
pub(crate) enum Epilogue {
    /// Initiator: KemReply and InitiatorAuth, to be sent again until a Data packet of the responder's opens (R-6.10-3).
    Unconfirmed(Vec<u8>),
    /// Responder: how the initiator's last flight looks. If it comes again, the initiator has not been confirmed yet (R-6.10-5).
    Answered {
        /// SHA-256 of KemReply, in hybrid suites, and of InitiatorAuth, as they came.
        flight: [Option<[u8; 32]>; 2],
        /// A Data packet that came before InitiatorAuth and has still to be opened.
        data: Option<Vec<u8>>,
    },
}

impl Epilogue {
    /// The packets that are to be sent again, one behind the other.
    pub(crate) fn flight(&self) -> &[u8] {
        match self {
            Self::Unconfirmed(flight) => flight,
            Self::Answered { .. } => &[],
        }
    }

    /// Whether this handshake packet is one that was taken before: a sign that the peer waits for an answer.
    pub(crate) fn is_repetition(&self, packet: &[u8]) -> bool {
        match self {
            Self::Unconfirmed(_) => false,
            Self::Answered { flight, .. } => flight.contains(&Some(sha256(packet))),
        }
    }

    /// The Data packet that waited for the end of the handshake. It goes the way of any that comes now.
    pub(crate) fn take_data(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Unconfirmed(_) => None,
            Self::Answered { data, .. } => data.take(),
        }
    }
}

impl fmt::Debug for Epilogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unconfirmed(_) => "Unconfirmed(..)",
            Self::Answered { .. } => "Answered(..)",
        })
    }
}
