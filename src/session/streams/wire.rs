//! What the two ends of a session tell each other about streams, apart from its encoding.

#![forbid(unsafe_code)]

use super::id::{Direction, StreamId};

/// A fragment without its bytes (specification, section 8.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// As it travels: what comes in is judged by [`Streams::on_fragment`](super::Streams::on_fragment).
    pub(crate) stream: u64,
    pub(crate) offset: u64,
    pub(crate) end_of_message: bool,
    pub(crate) end_of_stream: bool,
    pub(crate) compressed: bool,
}

/// A control that goes out (section 8.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// Asks for the Credit of every stream whose bytes the peer has and has not reported.
    Ping,
    /// The session's credit.
    SessionCredit {
        received: u64,
        limit: u64,
    },
    /// A stream's credit; `done` once its end or its reset is among what was received.
    Credit {
        stream: StreamId,
        received: u64,
        limit: u64,
        done: bool,
    },
    /// How many streams of a direction the peer may open in all.
    StreamCredit {
        direction: Direction,
        limit: u64,
    },
    Reset {
        stream: StreamId,
        code: u64,
        final_offset: u64,
    },
    Stop {
        stream: StreamId,
        code: u64,
    },
}

/// What the peer grants from the start, and what both have agreed on: from the parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PeerLimits {
    pub(crate) session_credit: u64,
    pub(crate) stream_credit: u64,
    pub(crate) bidirectional_streams: u64,
    pub(crate) unidirectional_streams: u64,
    pub(crate) max_message: u64,
    /// Both ends take compressed messages.
    pub(crate) compression: bool,
}

impl From<crate::wire::payload::Fragment> for Fragment {
    fn from(fragment: crate::wire::payload::Fragment) -> Self {
        let crate::wire::payload::Fragment { stream, offset, end_of_message, end_of_stream, compressed } = fragment;
        Self { stream, offset, end_of_message, end_of_stream, compressed }
    }
}
impl From<Fragment> for crate::wire::payload::Fragment {
    fn from(fragment: Fragment) -> Self {
        let Fragment { stream, offset, end_of_message, end_of_stream, compressed } = fragment;
        Self { stream, offset, end_of_message, end_of_stream, compressed }
    }
}
impl From<Control> for crate::wire::payload::Control {
    fn from(control: Control) -> Self {
        match control {
            Control::Ping => Self::Ping,
            Control::SessionCredit { received, limit } => Self::SessionCredit { received, limit },
            Control::Credit { stream, received, limit, done } => {
                Self::Credit { stream: stream.as_u64(), received, limit, done }
            }
            Control::StreamCredit { direction, limit } => {
                Self::StreamCredit { unidirectional: direction == Direction::Unidirectional, limit }
            }
            Control::Reset { stream, code, final_offset } => {
                Self::Reset { stream: stream.as_u64(), code, final_offset }
            }
            Control::Stop { stream, code } => Self::Stop { stream: stream.as_u64(), code },
        }
    }
}
