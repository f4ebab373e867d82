//! The errors of calls: one enum per kind of call, each variant something that the caller can act on.
//!
//! An `Err` means that **nothing changed**. A peer's noise never comes out here; a session's death never does either: that is one
//! [`Event::Closed`](crate::Event::Closed).

use core::fmt;

use crate::config::Suite;

/// Implements `Display` from a text per variant, and `Error`.
macro_rules! error_texts {
    ($name:ident { $($pattern:pat => $($text:expr),+;)+ }) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $($pattern => write!(f, $($text),+),)+
                }
            }
        }

        impl core::error::Error for $name {}
    };
}

/// A configuration that cannot work. Mend it and start again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The name of an application protocol is empty or longer than [`MAX_APP_PROTOCOL`](crate::MAX_APP_PROTOCOL) bytes, or a server
    /// has none.
    AppProtocol,
    /// The name of a realm is longer than [`MAX_REALM`](crate::MAX_REALM) bytes, or a server has none.
    Realm,
    /// The credentials are longer than [`MAX_CREDENTIALS`](crate::MAX_CREDENTIALS) bytes.
    Credentials,
    /// The list of suites is empty or names one twice.
    Suites,
    /// The crypto provider cannot do this suite.
    SuiteUnavailable(Suite),
    /// This field of [`Limits`](crate::Limits) is out of its range.
    Limit(&'static str),
    /// This field of [`Timeouts`](crate::Timeouts) is out of its range.
    Timeout(&'static str),
    /// The mtu of a datagram carrier is not within [`MIN_MTU`](crate::MIN_MTU) to [`MAX_MTU`](crate::MAX_MTU).
    Mtu,
    /// Only hybrid suites are configured, and the carrier's mtu is too small for them.
    NoSuiteForMtu,
    /// With these credentials a handshake packet would not fit the carrier's mtu.
    CredentialsForMtu,
    /// An endpoint serves more identities than it can.
    Servers,
    /// Compression was asked for, but the crate was built without it.
    CompressionUnavailable,
}

error_texts!(ConfigError {
    Self::AppProtocol => "an application protocol's name has 1 to 64 bytes, and a server needs one";
    Self::Realm => "a realm's name has at most 64 bytes, and a server needs one";
    Self::Credentials => "credentials have at most 512 bytes";
    Self::Suites => "the list of suites is empty or has a suite twice";
    Self::SuiteUnavailable(suite) => "the crypto provider cannot do suite {suite:?}";
    Self::Limit(field) => "limit out of range: {field}";
    Self::Timeout(field) => "timeout out of range: {field}";
    Self::Mtu => "a datagram carrier's mtu is 512 to 65527 bytes";
    Self::NoSuiteForMtu => "hybrid suites need an mtu of 1232 bytes, and no other is configured";
    Self::CredentialsForMtu => "the credentials are too long for the carrier's mtu";
    Self::Servers => "an endpoint serves at most 64 identities";
    Self::CompressionUnavailable => "built without compression";
});

/// Why an [`Endpoint`](crate::Endpoint) began no session.
#[cfg(feature = "endpoint")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BeginError {
    /// The session's configuration cannot work.
    Config(ConfigError),
    /// There are as many sessions, or handshakes of others, as the endpoint's limits allow.
    Full,
    /// The peer is one that was revoked.
    Revoked,
    /// The endpoint is shutting down.
    ShuttingDown,
}

#[cfg(feature = "endpoint")]
error_texts!(BeginError {
    Self::Config(error) => "{error}";
    Self::Full => "the endpoint has as many sessions as it may";
    Self::Revoked => "the peer was revoked";
    Self::ShuttingDown => "the endpoint is shutting down";
});

#[cfg(feature = "endpoint")]
impl From<ConfigError> for BeginError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// Why [`Endpoint::revoke`](crate::Endpoint::revoke) did nothing: as many identities are revoked as the endpoint's limits allow.
#[cfg(feature = "endpoint")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyRevoked;

#[cfg(feature = "endpoint")]
error_texts!(TooManyRevoked {
    Self => "as many identities are revoked as may be";
});

/// The buffer given to [`Session::poll_transmit`](crate::Session::poll_transmit) cannot hold the next packet. Nothing changed: call
/// again with at least `needed` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferTooSmall {
    /// How many bytes the next packet takes.
    pub needed: usize,
}

error_texts!(BufferTooSmall {
    Self { needed } => "the buffer is too small: {needed} bytes are needed";
});

/// Why [`Session::open`](crate::Session::open) did not open a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// The handshake is still going on. Wait for [`Event::Established`](crate::Event::Established).
    NotEstablished,
    /// As many streams are open as the peer (or [`Limits::own_streams`](crate::Limits::own_streams)) allows. Wait for
    /// [`Event::StreamsAvailable`](crate::Event::StreamsAvailable).
    Blocked,
    /// One of the ends is shutting down: no new streams.
    ShuttingDown,
    /// The session has ended.
    Closed,
}

error_texts!(OpenError {
    Self::NotEstablished => "the session is not established yet";
    Self::Blocked => "as many streams are open as are allowed";
    Self::ShuttingDown => "the session is shutting down";
    Self::Closed => "the session has ended";
});

/// Why [`Session::send`](crate::Session::send) took nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// No room for even one byte. Wait for [`Event::Writable`](crate::Event::Writable).
    Blocked,
    /// The message would be longer than the peer takes. The stream stays as it is: send less, or reset it.
    TooLarge {
        /// The peer's limit on a message, in bytes.
        max: u64,
    },
    /// The stream's sending side was finished or reset, or the stream was opened by the peer as unidirectional.
    NotSending,
    /// The peer asked to stop, with this code; the stream was reset.
    Stopped(u64),
    /// No such stream: never opened, or done with altogether.
    UnknownStream,
    /// The session has ended.
    Closed,
}

error_texts!(SendError {
    Self::Blocked => "the stream takes nothing now";
    Self::TooLarge { max } => "the peer takes messages of at most {max} bytes";
    Self::NotSending => "the stream's sending side is closed";
    Self::Stopped(code) => "the peer stopped the stream with code {code}";
    Self::UnknownStream => "no such stream";
    Self::Closed => "the session has ended";
});

/// Why [`Session::recv`](crate::Session::recv) gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// Nothing has come. Wait for [`Event::Readable`](crate::Event::Readable).
    Blocked,
    /// The peer reset the stream with this code; what was not yet read is gone. Reported once, then the receiving side is done.
    Reset(u64),
    /// The stream's receiving side has been read to its end or stopped, or the stream is unidirectional and one's own.
    NotReceiving,
    /// No such stream: never opened, or done with altogether.
    UnknownStream,
    /// The session has ended and nothing is left to read.
    Closed,
}

error_texts!(RecvError {
    Self::Blocked => "nothing to read now";
    Self::Reset(code) => "the peer reset the stream with code {code}";
    Self::NotReceiving => "the stream's receiving side is done";
    Self::UnknownStream => "no such stream";
    Self::Closed => "the session has ended";
});

/// Why [`Session::finish`](crate::Session::finish) did not end the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishError {
    /// A message is open: end it with `send(.., End)`, or reset the stream.
    MessageOpen,
    /// The stream's sending side was finished or reset already, or the stream has none.
    NotSending,
    /// No such stream: never opened, or done with altogether.
    UnknownStream,
    /// The session has ended.
    Closed,
}

error_texts!(FinishError {
    Self::MessageOpen => "a message is still open on the stream";
    Self::NotSending => "the stream's sending side is closed";
    Self::UnknownStream => "no such stream";
    Self::Closed => "the session has ended";
});

/// Why a call about a stream ([`reset`](crate::Session::reset), [`stop`](crate::Session::stop),
/// [`set_priority`](crate::Session::set_priority)) did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// The side of the stream that the call is about is done already or does not exist.
    WrongState,
    /// No such stream: never opened, or done with altogether.
    UnknownStream,
    /// The session has ended.
    Closed,
}

error_texts!(StreamError {
    Self::WrongState => "that side of the stream is done";
    Self::UnknownStream => "no such stream";
    Self::Closed => "the session has ended";
});

/// Why [`Session::send_datagram`](crate::Session::send_datagram) took nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendDatagramError {
    /// The handshake is still going on. Wait for [`Event::Established`](crate::Event::Established).
    NotEstablished,
    /// The carrier is a stream, or one of the ends takes no datagrams. Use streams.
    Unsupported,
    /// Longer than the peer or the path takes. Send less, or use a stream.
    TooLarge {
        /// How many bytes would do.
        max: usize,
    },
    /// The session has ended.
    Closed,
}

error_texts!(SendDatagramError {
    Self::NotEstablished => "the session is not established yet";
    Self::Unsupported => "no datagrams on this session";
    Self::TooLarge { max } => "a datagram of at most {max} bytes can be sent";
    Self::Closed => "the session has ended";
});

/// Why [`Session::recv_datagram`](crate::Session::recv_datagram) gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvDatagramError {
    /// Nothing has come. Wait for [`Event::DatagramsReadable`](crate::Event::DatagramsReadable).
    Blocked,
    /// The datagram that is next is longer than the buffer. It stays.
    BufferTooSmall {
        /// How long it is.
        needed: usize,
    },
    /// None will come: the carrier is a stream, or this end's [`Limits`](crate::Limits) allow none. Use streams.
    Unsupported,
    /// The session has ended and nothing is left to fetch.
    Closed,
}

error_texts!(RecvDatagramError {
    Self::Blocked => "no datagram has come";
    Self::Unsupported => "no datagrams on this session";
    Self::BufferTooSmall { needed } => "the buffer is too small: {needed} bytes are needed";
    Self::Closed => "the session has ended";
});

/// Bytes that are no ticket, or no ticket keys. Begin without, or with new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketError;

error_texts!(TicketError {
    Self => "no ticket, or no ticket keys, in these bytes";
});

/// Why [`Session::issue_ticket`](crate::Session::issue_ticket) gave none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssueTicketError {
    /// The session is not established, or not any more.
    NotEstablished,
    /// Tickets are given by responders whose configuration [allows them](crate::ServerConfig::with_tickets).
    Unsupported,
    /// The peer has not taken earlier ones yet. Try later, or leave it.
    Blocked,
}

error_texts!(IssueTicketError {
    Self::NotEstablished => "the session is not established";
    Self::Unsupported => "no tickets are given here";
    Self::Blocked => "earlier tickets are still on their way";
});

/// Why [`Session::export`](crate::Session::export) gave no keying material.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportError {
    /// The handshake is still going on.
    NotEstablished,
    /// More than 255 x 32 bytes, or a label longer than 200 bytes.
    TooLong,
    /// The session has ended and its secrets are gone.
    Closed,
}

error_texts!(ExportError {
    Self::NotEstablished => "the session is not established yet";
    Self::TooLong => "more keying material, or a longer label, than can be had";
    Self::Closed => "the session has ended";
});

/// Why [`Session::provide_signature`](crate::Session::provide_signature) did not take a signature. The session waits on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureRejected {
    /// No signature is wanted now.
    NotWanted,
    /// It is not a signature over [`to_sign`](crate::Session::to_sign) by the configured identity.
    Wrong,
}

error_texts!(SignatureRejected {
    Self::NotWanted => "no signature is wanted";
    Self::Wrong => "not a signature of what was to be signed by the configured identity";
});
