//! What packets carry that has to arrive: kept for each packet on a datagram carrier until its fate is known, so that what was lost
//! is sent again, by stream and offset and never as the same packet (RFC 9000, section 13.3).

#![forbid(unsafe_code)]

use crate::wire::payload::{Control, Fragment};

/// One thing that a packet carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// A part of a stream.
    Fragment {
        stream: u64,
        offset: u64,
        /// How many offsets, the end of a message included.
        offsets: u32,
        end_of_stream: bool,
        /// It began a compressed message.
        compressed: bool,
    },
    /// The session's credit. Only that there was one: what is sent again is up to date.
    SessionCredit,
    /// The credit of this stream.
    Credit(u64),
    StreamCredit {
        unidirectional: bool,
    },
    /// A reset of this stream.
    Reset(u64),
    /// A stop of this stream.
    Stop(u64),
    Shutdown,
    /// Acknowledgements up to this packet number, which need no repetition once the peer has these.
    Acks(u64),
}

impl Carried {
    /// What there is to remember of a control; nothing of those that are out of date by the time they could be missed.
    pub(crate) const fn control(control: &Control) -> Option<Self> {
        match *control {
            Control::SessionCredit { .. } => Some(Self::SessionCredit),
            Control::Credit { stream, .. } => Some(Self::Credit(stream)),
            Control::StreamCredit { unidirectional, .. } => Some(Self::StreamCredit { unidirectional }),
            Control::Reset { stream, .. } => Some(Self::Reset(stream)),
            Control::Stop { stream, .. } => Some(Self::Stop(stream)),
            Control::Shutdown { .. } => Some(Self::Shutdown),
            Control::Ping | Control::PathChallenge { .. } | Control::PathResponse { .. } => None,
        }
    }

    /// What there is to remember of a fragment of `len` bytes.
    pub(crate) fn fragment(fragment: &Fragment, len: usize) -> Self {
        let Fragment { stream, offset, end_of_message, end_of_stream, compressed } = *fragment;
        let offsets = u32::try_from(len).unwrap_or(u32::MAX).saturating_add(end_of_message.into());
        Self::Fragment { stream, offset, offsets, end_of_stream, compressed }
    }
}
