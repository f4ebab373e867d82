//! Everything that applications and carriers can do, as values.

use std::time::Duration;

use aitcp::{Direction, Ending, Role, Verdict};

/// One thing that an application, a driver or a carrier does. [`CheckedPair::apply`](crate::CheckedPair::apply) does it.
///
/// Any six bytes are an operation, so that tests written by hand, property tests and fuzzers share one vocabulary, and what one of
/// them finds can be given to the others:
///
/// ```
/// use aitcp_testkit::{CheckedPair, Op, Setup};
///
/// let input: &[u8] = b"whatever a fuzzer comes up with";
/// let mut pair = CheckedPair::new(&Setup::default());
/// for op in Op::decode_all(input) {
///     pair.apply(&op);
/// }
/// pair.wind_down();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Opens a stream.
    Open {
        /// Which end does it.
        by: Role,
        /// In one or both directions.
        direction: Direction,
    },
    /// Sends bytes of a message.
    Send {
        /// Which end does it.
        by: Role,
        /// Which of the latest streams, modulo their number.
        stream: u8,
        /// How many bytes.
        len: u16,
        /// Whether the message ends with them.
        ending: Ending,
    },
    /// Receives.
    Recv {
        /// Which end does it.
        by: Role,
        /// Which of the latest streams, modulo their number.
        stream: u8,
        /// The length of the buffer.
        len: u16,
    },
    /// Ends the sending side of a stream.
    Finish {
        /// Which end does it.
        by: Role,
        /// Which of the latest streams, modulo their number.
        stream: u8,
    },
    /// Gives the sending side of a stream up.
    Reset {
        /// Which end does it.
        by: Role,
        /// Which of the latest streams, modulo their number.
        stream: u8,
        /// The application's reason.
        code: u8,
    },
    /// Wants no more of the receiving side of a stream.
    Stop {
        /// Which end does it.
        by: Role,
        /// Which of the latest streams, modulo their number.
        stream: u8,
        /// The application's reason.
        code: u8,
    },
    /// Sets how urgent a stream is.
    Priority {
        /// Which end does it.
        by: Role,
        /// Which of the latest streams, modulo their number.
        stream: u8,
        /// The urgency.
        urgency: u8,
    },
    /// Takes the events.
    Events {
        /// Which end does it.
        by: Role,
    },
    /// Moves what one call gives to the link.
    Transmit {
        /// Which end does it.
        by: Role,
        /// The length of the buffer.
        room: u16,
    },
    /// Lets bytes arrive, up to so many.
    Deliver {
        /// At which end.
        to: Role,
        /// How many.
        len: u16,
    },
    /// Lets time pass.
    Advance(Duration),
    /// Serves deadlines that are due.
    Timeouts {
        /// Which end does it.
        by: Role,
    },
    /// Answers a question about the peer, asked or not.
    Decide {
        /// Which end does it.
        by: Role,
        /// The answer.
        verdict: Verdict,
    },
    /// Provides a signature, wanted or not.
    Sign {
        /// Which end does it.
        by: Role,
    },
    /// Exports keying material.
    Export {
        /// Which end does it.
        by: Role,
    },
    /// Ends the session in order.
    Shutdown {
        /// Which end does it.
        by: Role,
    },
    /// Ends the session at once.
    Close {
        /// Which end does it.
        by: Role,
        /// The application's reason.
        code: u8,
    },
    /// Ends the carrier, in the direction to one end, with the loss of what is on its way.
    Cut {
        /// To which end.
        to: Role,
    },
}

impl Op {
    /// How many bytes make an operation.
    pub const LEN: usize = 6;

    /// The operation that these bytes stand for. Frequent operations stand for many values of the first byte, those that end the
    /// session for few.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let [what, first, stream, low, high, code] = bytes;
        let by = if first & 1 == 0 { Role::Initiator } else { Role::Responder };
        let flag = first & 2 != 0;
        let number = u16::from_le_bytes([low, high]);
        // Small lengths are where the edges are.
        let len = match first >> 2 & 3 {
            0 | 1 => number % 16,
            2 => number % 3_000,
            _ => number,
        };
        match what {
            0..=19 => {
                Self::Open { by, direction: if flag { Direction::Unidirectional } else { Direction::Bidirectional } }
            }
            20..=69 => Self::Send { by, stream, len, ending: if flag { Ending::End } else { Ending::More } },
            70..=119 => Self::Recv { by, stream, len },
            120..=127 => Self::Finish { by, stream },
            128..=133 => Self::Reset { by, stream, code },
            134..=139 => Self::Stop { by, stream, code },
            140..=145 => Self::Priority { by, stream, urgency: code },
            146..=165 => Self::Events { by },
            166..=200 => Self::Transmit { by, room: if flag { u16::MAX } else { number } },
            201..=235 => Self::Deliver { to: by, len: if flag { u16::MAX } else { len } },
            236..=239 => Self::Advance(Duration::from_micros(u64::from(number) << (code % 16))),
            240..=242 => Self::Timeouts { by },
            243..=245 => Self::Decide { by, verdict: if code == 0 { Verdict::Refuse } else { Verdict::Accept } },
            246..=248 => Self::Sign { by },
            249..=251 => Self::Export { by },
            252..=253 => Self::Shutdown { by },
            254 => Self::Close { by, code },
            255 => Self::Cut { to: by },
        }
    }

    /// As many operations as these bytes stand for; a rest that is too short for one is left out.
    pub fn decode_all(bytes: &[u8]) -> impl Iterator<Item = Self> {
        bytes.as_chunks().0.iter().copied().map(Self::from_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_byte_is_an_operation_and_every_operation_has_one() {
        let names: std::collections::BTreeSet<_> = (0..=u8::MAX)
            .map(|what| format!("{:?}", Op::from_bytes([what, 0, 0, 0, 0, 0])))
            .map(|text| text.split([' ', '(']).next().unwrap().to_owned())
            .collect();
        assert_eq!(names.len(), 18);
    }
}
