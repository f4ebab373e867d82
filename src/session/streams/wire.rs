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

/// What the peer grants from the start: its parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PeerLimits {
    pub(crate) session_credit: u64,
    pub(crate) stream_credit: u64,
    pub(crate) bidirectional_streams: u64,
    pub(crate) unidirectional_streams: u64,
    pub(crate) max_message: u64,
}
