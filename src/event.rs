//! What a session tells its owner: events, and why sessions end.

use core::fmt;

use crate::identity::PeerId;
use crate::stream_id::{Direction, StreamId};

/// Something that its owner can act on. Small, `Copy`, borrows nothing: bytes are fetched, not carried.
///
/// Events are level-style and coalesced: at most one of a kind is pending per stream, so that their queue is bounded. An event can
/// be out of date when it is polled (a `Readable` stream may have been read empty in the meantime); the call that it suggests then
/// says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The peer has proved who it is; the session waits for [`Session::decide`](crate::Session::decide).
    PeerIdentified(PeerId),
    /// The handshake waits for a signature over [`Session::to_sign`](crate::Session::to_sign), to be given to
    /// [`Session::provide_signature`](crate::Session::provide_signature).
    SignatureWanted,
    /// Responder only: the initiator wants to resume a session, and the handshake waits for
    /// [`Session::answer_ticket`](crate::Session::answer_ticket).
    TicketPresented,
    /// Both ends are authenticated and, at the responder, admitted: streams can be opened.
    Established,
    /// Initiator only: the responder's first packet under the session's keys has come, so it has admitted this peer.
    Confirmed,
    /// The peer opened a stream.
    Opened(StreamId),
    /// The stream has bytes, the end of a message, the end of the stream or a reset to [`recv`](crate::Session::recv).
    Readable(StreamId),
    /// The stream takes bytes again, after a `send` that was refused or cut short.
    Writable(StreamId),
    /// The peer's session holds everything sent on the stream, its end included. Nothing follows for its sending side.
    Finished(StreamId),
    /// The peer asked this side to stop sending on the stream, which has been reset in consequence.
    Stopped {
        /// The stream that was stopped.
        stream: StreamId,
        /// The peer application's reason.
        code: u64,
    },
    /// The peer's limit has grown: [`open`](crate::Session::open) in this direction, refused before, can succeed.
    StreamsAvailable(Direction),
    /// Initiator only: the responder has given a ticket: fetch it with [`take_ticket`](crate::Session::take_ticket).
    TicketReceived,
    /// Best-effort datagrams have come: fetch them with [`recv_datagram`](crate::Session::recv_datagram).
    DatagramsReadable,
    /// The peer takes no new streams and closes once the open ones are done.
    PeerShutdown,
    /// The session has ended, for this reason. Raised exactly once, and nothing comes after it.
    Closed(CloseReason),
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// This side called [`close`](crate::Session::close).
    Local,
    /// An orderly end after [`shutdown`](crate::Session::shutdown): every stream that either end had opened was done first.
    ShutDown,
    /// The peer closed, with this code of its application or of the protocol (see [`ProtocolCode`]). Authentic. The text that came
    /// with it is in [`Session::close_text`](crate::Session::close_text).
    Peer {
        /// Whose code it is.
        source: CloseSource,
        /// The code.
        code: u64,
    },
    /// The responder, or somebody in between, refused the handshake. Not authenticated: a hint.
    Refused(RefuseCode),
    /// The peer, or somebody in between, broke a rule of the protocol.
    Misbehaved(PeerMisbehaved),
    /// There is nothing that both ends can do.
    Incompatible(PeerIncompatible),
    /// Not the pinned identity but this one was named at the other end. Somebody else answers at this address.
    WrongPeer(PeerId),
    /// This side's policy or its owner's verdict turned the peer away.
    NotAdmitted(PeerId),
    /// The carrier ended without a close from the peer: bytes may be missing. Never a clean end.
    LinkLost,
    /// The handshake did not finish in [`Timeouts::handshake`](crate::Timeouts::handshake).
    HandshakeTimeout,
    /// No verdict was given in [`Timeouts::verdict`](crate::Timeouts::verdict).
    VerdictTimeout,
    /// The responder did not confirm the handshake in [`Timeouts::confirmation`](crate::Timeouts::confirmation): it may never have
    /// admitted this agent.
    Unconfirmed,
    /// Nothing was heard from the peer for the idle timeout that both ends agreed on.
    IdleTimeout,
    /// The link's keys have protected as many packets as they may.
    KeysExhausted,
}

impl CloseReason {
    /// Whether one of the ends shut down, and every stream was done first: nothing is lost.
    ///
    /// A peer that shuts down closes with [`ProtocolCode::None`]; that all streams were done is then its word.
    #[must_use]
    pub fn is_orderly(self) -> bool {
        self == Self::ShutDown || self.is_by_peer(ProtocolCode::None)
    }

    /// Whether one of the ends did not want to talk to the other.
    #[must_use]
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Refused(_) | Self::WrongPeer(_) | Self::NotAdmitted(_))
            || self.is_by_peer(ProtocolCode::NotAdmitted)
    }

    fn is_by_peer(self, protocol: ProtocolCode) -> bool {
        self == Self::Peer { source: CloseSource::Protocol, code: protocol.code() }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("closed by this side"),
            Self::ShutDown => f.write_str("shut down in order"),
            Self::Peer { source: CloseSource::Application, code } => {
                write!(f, "closed by the peer's application with code {code}")
            }
            Self::Peer { source: CloseSource::Protocol, code } => match ProtocolCode::from_code(*code) {
                Some(known) => write!(f, "closed by the peer: {known}"),
                None => write!(f, "closed by the peer with unknown protocol code {code}"),
            },
            Self::Refused(code) => write!(f, "handshake refused: {code}"),
            Self::Misbehaved(what) => write!(f, "the peer broke a rule: {what}"),
            Self::Incompatible(what) => write!(f, "nothing in common with the peer: {what}"),
            Self::WrongPeer(peer) => write!(f, "another agent answered: {peer}"),
            Self::NotAdmitted(peer) => write!(f, "peer not admitted: {peer}"),
            Self::LinkLost => f.write_str("the carrier ended without a close"),
            Self::HandshakeTimeout => f.write_str("the handshake took too long"),
            Self::VerdictTimeout => f.write_str("no verdict on the peer was given in time"),
            Self::Unconfirmed => f.write_str("the responder did not confirm the handshake in time"),
            Self::IdleTimeout => f.write_str("nothing heard from the peer for too long"),
            Self::KeysExhausted => f.write_str("the link's keys are used up"),
        }
    }
}

impl core::error::Error for CloseReason {}

impl From<PeerMisbehaved> for CloseReason {
    fn from(what: PeerMisbehaved) -> Self {
        Self::Misbehaved(what)
    }
}

/// Whose close code it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseSource {
    /// The protocol's own ([`ProtocolCode`]).
    Protocol,
    /// The application's: its meaning is agreed by the applications.
    Application,
}

/// Declares a fieldless enum with a text per variant and, where the variants travel, their codes.
macro_rules! named_codes {
    (
        $(#[$meta:meta])*
        pub enum $name:ident : $int:ty {
            $($(#[$variant_meta:meta])* $variant:ident = $code:literal, $text:literal;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(#[doc = $text] $(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// Every variant, in the order of the codes.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code that stands for it on the wire.
            #[must_use]
            pub const fn code(self) -> $int {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// The variant that `code` stands for, if this version knows it.
            #[must_use]
            pub const fn from_code(code: $int) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $text,)+
                })
            }
        }
    };
}

named_codes! {
    /// Why a responder refused a Hello (specification, section 6.4). It travels unauthenticated: a hint for people.
    pub enum RefuseCode: u16 {
        Unspecified = 0, "no reason given";
        NoCommonVersion = 1, "no protocol version in common";
        NoCommonSuite = 2, "no cipher suite in common";
        UnknownAppProtocol = 3, "application protocol not served";
        UnknownRealm = 4, "realm not served";
        UnknownIdentity = 5, "the identity asked for is not here";
        Busy = 6, "too busy";
    }
}

named_codes! {
    /// The protocol's own close codes (specification, section 9.2).
    pub enum ProtocolCode: u64 {
        None = 0, "an orderly end";
        Internal = 1, "an internal error";
        MalformedPayload = 2, "a payload that is not well formed";
        Forbidden = 3, "a field that is not allowed here";
        FlowControl = 4, "more bytes than the credit given";
        StreamLimit = 5, "more streams than the limit given";
        StreamState = 6, "not allowed in the state of the stream";
        FinalOffset = 7, "the end of a stream moved";
        MessageTooLarge = 8, "a message longer than the limit given";
        UnknownControl = 9, "an unknown control code";
        Compression = 10, "a compressed message that does not unpack within bounds";
        NotAdmitted = 11, "this peer is not admitted";
        VerdictTimeout = 12, "no verdict on this peer was given in time";
        IdleTimeout = 13, "idle for too long";
        KeysExhausted = 14, "the link's keys are used up";
        MalformedMessage = 15, "a message of the link's own stream that is not well formed";
    }
}

/// Which rule the peer, or somebody between, broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// The first byte of a packet is not this protocol's version: these are not AI-TCP packets.
    NotAiTcp,
    /// A packet of a kind or epoch that has no place in this state.
    UnexpectedPacket,
    /// A packet longer than was agreed, or too short for its kind.
    PacketLength,
    /// A header field has a value that is not allowed on this carrier or in this kind of packet.
    BadHeader,
    /// A sealed packet did not open: altered, replayed, reordered, or under other keys.
    DoesNotOpen,
    /// A handshake packet whose body is not well formed.
    MalformedPacket,
    /// The responder chose what was not offered.
    ChoseUnoffered,
    /// A key share or encapsulation key that would make a secret predictable.
    WeakKeyShare,
    /// An identity that is not a proper Ed25519 public key.
    WeakIdentity,
    /// The signature of the peer does not verify.
    BadSignature,
    /// The handshake's MAC does not verify.
    BadFinished,
    /// A transport parameter outside its range.
    BadParams,
    /// After the handshake, a rule that has a code of its own; the peer was told.
    Rule(ProtocolCode),
}

impl fmt::Display for PeerMisbehaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAiTcp => "not an AI-TCP packet",
            Self::UnexpectedPacket => "a packet that has no place here",
            Self::PacketLength => "a packet of a length that is not allowed",
            Self::BadHeader => "a packet header that is not allowed here",
            Self::DoesNotOpen => "a sealed packet that does not open",
            Self::MalformedPacket => "a handshake packet that is not well formed",
            Self::ChoseUnoffered => "a choice that was not offered",
            Self::WeakKeyShare => "a weak key share",
            Self::WeakIdentity => "a weak identity key",
            Self::BadSignature => "a signature that does not verify",
            Self::BadFinished => "a handshake MAC that does not verify",
            Self::BadParams => "a parameter out of its range",
            Self::Rule(code) => return write!(f, "{code}"),
        })
    }
}

/// What both ends do not have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerIncompatible {
    /// No protocol version.
    Version,
    /// No suite.
    Suite,
    /// The application protocol that was asked for is not served here.
    AppProtocol,
    /// The realm that was asked for is not served here.
    Realm,
    /// The identity that was asked for is not here.
    Identity,
}

impl fmt::Display for PeerIncompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "no protocol version in common",
            Self::Suite => "no cipher suite in common",
            Self::AppProtocol => "application protocol not served",
            Self::Realm => "realm not served",
            Self::Identity => "the identity asked for is not here",
        })
    }
}
