//! What one session tells the other besides the bytes of streams.
#![forbid(unsafe_code)]

use super::PayloadError;
use crate::wire::tables::{self, ControlCode as Code, ControlFlags as Flags};

/// A control (specification, section 8.7). Numbers of streams may be any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// Nothing; it keeps a link alive and confirms a handshake.
    Ping,
    /// Credit over all streams together.
    SessionCredit {
        /// How much has been received.
        received: u64,
        /// Up to where may be sent, absolute.
        limit: u64,
    },
    /// Credit on one stream.
    Credit {
        /// The stream; not 0.
        stream: u64,
        /// Up to where everything has been received.
        received: u64,
        /// Up to where may be sent, absolute.
        limit: u64,
        /// The end of the stream, or its reset, has been received.
        done: bool,
    },
    /// How many streams the receiver of this control may open.
    StreamCredit {
        /// Of the streams in one direction, or of those in both.
        unidirectional: bool,
        /// How many, absolute.
        limit: u64,
    },
    /// The sender gives up its side of a stream.
    Reset {
        /// The stream.
        stream: u64,
        /// The application's reason.
        code: u64,
        /// Where the stream ends.
        final_offset: u64,
    },
    /// The sender wants no more of a stream.
    Stop {
        /// The stream.
        stream: u64,
        /// The application's reason.
        code: u64,
    },
    /// The sender opens no more streams, and takes no more.
    Shutdown {
        /// How many bidirectional streams it has opened.
        bidirectional: u64,
        /// How many unidirectional streams it has opened.
        unidirectional: u64,
    },
    /// Asks for the same bytes in a [`Control::PathResponse`]: whoever sends one has received this on its path. Datagram carriers only.
    PathChallenge {
        /// Eight bytes that nobody can guess.
        data: u64,
    },
    /// The answer to a [`Control::PathChallenge`]. Datagram carriers only.
    PathResponse {
        /// The bytes of the challenge.
        data: u64,
    },
}

impl Control {
    /// Reads a control. Fields that its code does not name are not looked at.
    pub(super) fn decode(raw: &tables::Control) -> Result<Self, PayloadError> {
        let (stream, a, b) = (raw.stream(), raw.a(), raw.b());
        let done = raw.flags().contains(Flags::Done);
        let control = match raw.code() {
            Code::Ping => Self::Ping,
            Code::Credit if stream == 0 => Self::SessionCredit { received: a, limit: b },
            Code::Credit => Self::Credit { stream, received: a, limit: b, done },
            Code::StreamCredit => {
                let unidirectional = match stream {
                    0 => false,
                    1 => true,
                    _ => return Err(PayloadError::Malformed), // R-8.6-3
                };
                Self::StreamCredit { unidirectional, limit: a }
            }
            Code::Reset => Self::Reset { stream, code: a, final_offset: b },
            Code::Stop => Self::Stop { stream, code: a },
            Code::Shutdown => Self::Shutdown { bidirectional: a, unidirectional: b },
            Code::PathChallenge => Self::PathChallenge { data: a },
            Code::PathResponse => Self::PathResponse { data: a },
            _ => return Err(PayloadError::UnknownControl), // R-8.7-1
        };
        // Unknown flags (R-8.1-3), and Done where it says nothing (R-8.7-2).
        let is_known = Flags::all().contains(raw.flags()) && raw.reserved0() == 0 && raw.reserved1() == 0;
        let is_misplaced = done && !matches!(control, Self::Credit { .. });
        if is_known && !is_misplaced { Ok(control) } else { Err(PayloadError::Malformed) }
    }

    /// Whether it is about a way that datagrams take: on a stream carrier there is one way, and the carrier's owner knows it.
    pub(super) fn is_about_paths(&self) -> bool {
        matches!(self, Self::PathChallenge { .. } | Self::PathResponse { .. })
    }

    pub(super) fn encode(&self) -> tables::Control {
        let (code, stream, a, b) = match *self {
            Self::Ping => (Code::Ping, 0, 0, 0),
            Self::SessionCredit { received, limit } => (Code::Credit, 0, received, limit),
            Self::Credit { stream, received, limit, .. } => (Code::Credit, stream, received, limit),
            Self::StreamCredit { unidirectional, limit } => (Code::StreamCredit, u64::from(unidirectional), limit, 0),
            Self::Reset { stream, code, final_offset } => (Code::Reset, stream, code, final_offset),
            Self::Stop { stream, code } => (Code::Stop, stream, code, 0),
            Self::Shutdown { bidirectional, unidirectional } => (Code::Shutdown, 0, bidirectional, unidirectional),
            Self::PathChallenge { data } => (Code::PathChallenge, 0, data, 0),
            Self::PathResponse { data } => (Code::PathResponse, 0, data, 0),
        };
        let flags = match self {
            Self::Credit { done: true, .. } => Flags::Done,
            _ => Flags::empty(),
        };
        tables::Control::new(stream, a, b, code, flags, 0, 0)
    }
}
