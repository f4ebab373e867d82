//! What the peer takes.

#![forbid(unsafe_code)]

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
