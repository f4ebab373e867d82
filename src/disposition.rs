//! What becomes of a datagram. Unlike the bytes of a stream, datagrams may come from anyone, late, twice or altered; none of that is the
//! peer's fault or the end of anything.
#![forbid(unsafe_code)]

use core::fmt;

use crate::event::PeerIncompatible;

/// What became of a datagram that was handed in. There is nothing to do about either; it is for figures and for debugging.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// A packet in it took effect.
    Handled,
    /// None did. Nothing has changed. This is what was wrong with the first one.
    Discarded(Discarded),
}

/// Why a datagram, or a packet in one, was discarded.
///
/// All of these happen without an attack: networks lose, double and reorder datagrams, and deliver what was meant for somebody who had
/// the address before. One of them once in a while means nothing; many of one kind are worth a line in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Discarded {
    /// The first byte is not this protocol's version: this is not an AI-TCP packet.
    NotAiTcp,
    /// A packet of a kind or epoch that has no place in this state, or one packet too many in a datagram.
    UnexpectedPacket,
    /// A packet longer than its datagram or than was agreed, or too short for its kind.
    PacketLength,
    /// A packet number where there can be none.
    BadHeader,
    /// A packet for another link: one that is over, or another end's.
    UnknownConnection,
    /// A packet sealed with keys that are not there yet. The peer sends it again.
    NoKeysYet,
    /// The number of the packet was seen before, or is too old to tell.
    Replayed,
    /// A packet that does not open or does not verify: altered, or made with other keys.
    DoesNotOpen,
    /// A handshake packet whose body is not well formed, or says what this end cannot have asked for.
    Malformed,
    /// A Hello that asks for what is not served here. Its sender has been told, unless only those are answered who know the identity.
    Refused(PeerIncompatible),
    /// A Hello whose sender was asked to show first that it receives what is sent to its address. It sends it again with a cookie.
    CookieWanted,
    /// A Hello that there is no room or no time for now.
    Busy,
    /// The session has ended.
    Ended,
}

impl fmt::Display for Discarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused(what) => return write!(f, "a Hello that was refused: {what}"),
            Self::NotAiTcp => "not an AI-TCP packet",
            Self::UnexpectedPacket => "a packet that has no place here",
            Self::PacketLength => "a packet of a length that is not allowed",
            Self::BadHeader => "a packet number where there can be none",
            Self::UnknownConnection => "a packet for another link",
            Self::NoKeysYet => "a packet sealed with keys that are not there yet",
            Self::Replayed => "a packet seen before, or too old to tell",
            Self::DoesNotOpen => "a sealed packet that does not open",
            Self::Malformed => "a handshake packet that is not well formed",
            Self::CookieWanted => "a Hello that has to come again with a cookie",
            Self::Busy => "a Hello that there is no room or no time for",
            Self::Ended => "a packet after the end of the session",
        })
    }
}
