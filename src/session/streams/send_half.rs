//! The sending half of a stream (RFC 9000, section 3.1, with acknowledgements by offset; [`again`] is about packets that are lost).
//!
//! ```text
//!            finish            end sent     Done, or all acknowledged
//!   Open ------------> Finished --------> Finished ------> Done
//!     |                   |     (sent)       |              ^
//!     |  reset, or Stop   |                  |              |
//!     +-------------------+------------------+--> Reset ----+
//!                                                      Done
//! ```
//!
//! Offsets: `ring.base()` is what the peer's session holds, `next` what was sent, `ring.end()` what the application wrote. What
//! was sent stays in the ring until the peer's session holds it.

#![forbid(unsafe_code)]

mod again;

use again::LostRanges;

use super::block_pool::{BlockPool, Piece, Ring};
use super::index::Index;
use crate::event::ProtocolCode;
use crate::session::flow_control::SendCredit;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The application has finished; `sent` once the end of the stream is on its way.
    Finished {
        sent: bool,
    },
    /// Reset with this code, by the application or because the peer asked to stop.
    Reset(u64),
    /// The peer has acknowledged the end or the reset.
    Done,
}

/// What a half has for the next packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Nothing,
    /// The end of the stream and nothing before it: costs no credit.
    End,
    Data,
    /// Data that needs no more of the session's credit: of a packed message, for which it is kept, or sent before.
    Paid,
}

/// In which form the message of the next offset travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    /// `begun` once its first fragment, which says so, is sent.
    Packed {
        begun: bool,
    },
}

/// A fragment's place and bounds, as it goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) offset: u64,
    pub(super) piece: Piece,
    pub(super) end_of_stream: bool,
    /// It begins a packed message.
    pub(super) compressed: bool,
    /// How many of its offsets were kept credit for.
    pub(super) paid: u64,
    /// It was sent before, and its credit spent then.
    pub(super) is_again: bool,
}

pub(super) struct SendHalf {
    state: State,
    ring: Ring,
    credit: SendCredit,
    /// The block of the next offset to send; `None` while everything is sent.
    cursor: Option<Index>,
    /// The form of the message of the next offset to send.
    form: Form,
    /// Offsets of packed messages that are to be sent: the session keeps credit for them.
    reserved: u64,
    /// Bytes of the message that is open; 0 between messages.
    message: u64,
    /// What is to be sent again.
    lost: LostRanges,
    /// The peer has been told where the stream ends, by its end or by a reset.
    end_told: bool,
    /// A packet with the end of the stream was acknowledged.
    end_acknowledged: bool,
    /// The code with which the peer asked to stop.
    stopped: Option<u64>,
    /// The application was refused room and waits for it.
    waiting: bool,
    /// The peer has been asked to acknowledge, since it last did.
    asked: bool,
}

impl SendHalf {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            state: State::Open,
            ring: Ring::default(),
            credit: SendCredit::new(limit),
            cursor: None,
            form: Form::Plain,
            reserved: 0,
            message: 0,
            lost: LostRanges::default(),
            end_told: false,
            end_acknowledged: false,
            stopped: None,
            waiting: false,
            asked: false,
        }
    }

    // What the application does.

    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    pub(super) const fn stopped(&self) -> Option<u64> {
        self.stopped
    }

    /// Bytes of the message that is open.
    pub(super) const fn message(&self) -> u64 {
        self.message
    }

    /// Offsets in the ring.
    pub(super) const fn buffered(&self) -> u64 {
        self.ring.len()
    }

    /// Takes what fits into `room` offsets. With `end`, either everything and the end of the message, or fewer bytes than given.
    /// Returns how many bytes it took and how many offsets that is; `None` if it could take nothing.
    pub(super) fn write(&mut self, pool: &mut BlockPool, bytes: &[u8], end: bool, room: u64) -> Option<(usize, u64)> {
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let whole = if end { bytes.len() < room } else { bytes.len() <= room };
        // The last byte waits for its end, so that "took everything" says that the message has ended.
        let most = if end { bytes.len().saturating_sub(1) } else { bytes.len() };
        let len = if whole { bytes.len() } else { most.min(room) };
        self.waiting = !whole;
        if len == 0 && !(whole && (end || bytes.is_empty())) {
            return None;
        }
        let before = self.ring.end();
        let mut landed = self.ring.push_bytes(pool, bytes.get(..len).unwrap_or_default());
        self.message = self.message.saturating_add(len as u64);
        if end && whole {
            let block = self.ring.push_end(pool);
            landed = landed.or(Some(block));
            self.message = 0;
        }
        self.cursor = self.cursor.or(landed);
        Some((len, self.ring.end().saturating_sub(before)))
    }

    /// Whether a packed message could go after what is written: between messages, and within the stream's credit.
    pub(super) const fn takes_packed(&self, offsets: u64) -> bool {
        self.message == 0 && self.credit.limit().saturating_sub(self.ring.end()) >= offsets
    }

    /// Takes a packed message and its end, for which [`takes_packed`](Self::takes_packed) and there is room. Returns how many offsets
    /// that is; the session has to keep as much credit.
    pub(super) fn write_packed(&mut self, pool: &mut BlockPool, packed: &[u8]) -> u64 {
        if self.unsent() == 0 {
            self.form = Form::Packed { begun: false };
        } else {
            self.ring.then_packed(pool);
        }
        let before = self.ring.end();
        let landed = self.ring.push_bytes(pool, packed);
        self.ring.push_end(pool);
        self.cursor = self.cursor.or(landed);
        let offsets = self.ring.end().saturating_sub(before);
        self.reserved = self.reserved.saturating_add(offsets);
        self.waiting = false;
        offsets
    }

    /// The credit that is kept for packed messages.
    #[cfg(test)]
    pub(super) const fn reserved(&self) -> u64 {
        self.reserved
    }

    /// The credit that is kept for packed messages, when they are not going to be sent.
    pub(super) fn take_reserved(&mut self) -> u64 {
        core::mem::take(&mut self.reserved)
    }

    /// Nothing follows what was written. Only between messages.
    pub(super) fn finish(&mut self) {
        self.state = State::Finished { sent: false };
        self.waiting = false;
    }

    /// Whether a reset would tell the peer something: not once the end or a reset is acknowledged, or a reset is under way.
    pub(super) fn can_reset(&self) -> bool {
        matches!(self.state, State::Open | State::Finished { .. })
    }

    /// Drops what is in the ring; returns how many offsets that was.
    pub(super) fn reset(&mut self, pool: &mut BlockPool, code: u64) -> u64 {
        let dropped = self.ring.len();
        self.ring.clear(pool);
        self.lost.clear();
        self.cursor = None;
        self.form = Form::Plain;
        self.state = State::Reset(code);
        self.waiting = false;
        dropped
    }

    // What goes out.

    /// Nothing after the end of the stream or a reset (R-8.4-3).
    pub(super) fn output(&self) -> Output {
        match self.state {
            State::Open | State::Finished { .. } if !self.lost.is_empty() => Output::Paid,
            State::Open | State::Finished { .. } if self.unsent() > 0 => match self.form {
                _ if self.credit.available() == 0 => Output::Nothing,
                Form::Plain => Output::Data,
                Form::Packed { .. } => Output::Paid,
            },
            State::Finished { sent: false } => Output::End,
            _ => Output::Nothing,
        }
    }

    /// Copies the next fragment's bytes into `out`, within the stream's credit (R-8.5-1) and using up to `session_credit` offsets
    /// besides those that credit is kept for. `None` if `out` cannot take even one.
    pub(super) fn send(&mut self, pool: &BlockPool, session_credit: u64, out: &mut [u8]) -> Option<Sent> {
        if !self.lost.is_empty() {
            return self.send_again(pool, out);
        }
        let offset = self.credit.spent();
        let is_packed = self.form != Form::Plain;
        let max = if is_packed { self.credit.available() } else { self.credit.available().min(session_credit) };
        let piece = self.ring.copy(pool, &mut self.cursor, offset, max, out);
        self.credit.spend(piece.offsets());
        if self.unsent() == 0 {
            // The block can go with the next acknowledgement.
            self.cursor = None;
        }
        let compressed = self.form == Form::Packed { begun: false } && piece.len > 0;
        let paid = if is_packed { piece.offsets() } else { 0 };
        self.reserved = self.reserved.saturating_sub(paid);
        if piece.end_of_message {
            self.form = if piece.then_packed { Form::Packed { begun: false } } else { Form::Plain };
        } else if compressed {
            self.form = Form::Packed { begun: true };
        }
        let end_of_stream = self.state == State::Finished { sent: false } && self.unsent() == 0;
        if end_of_stream {
            self.tell_end();
        }
        let sent = Sent { offset, piece, end_of_stream, compressed, paid, is_again: false };
        (piece.offsets() > 0 || end_of_stream).then_some(sent)
    }

    fn tell_end(&mut self) {
        self.state = State::Finished { sent: true };
        self.end_told = true;
    }

    /// The code and the final offset, behind the last that was sent (R-8.4-4), of a reset that goes out now.
    pub(super) fn announce_reset(&mut self) -> Option<(u64, u64)> {
        let State::Reset(code) = self.state else { return None };
        self.end_told = true;
        Some((code, self.credit.spent()))
    }

    // What comes in.

    /// The peer's session holds everything below `received`, grants up to `limit` and, if `done`, has the end of the stream or
    /// its reset. Returns how many offsets left the ring.
    ///
    /// # Errors
    /// What was not sent cannot have been received.
    pub(super) fn acknowledge(
        &mut self,
        pool: &mut BlockPool,
        received: u64,
        limit: u64,
        done: bool,
    ) -> Result<u64, ProtocolCode> {
        if received > self.credit.spent() {
            return Err(ProtocolCode::FlowControl); // R-8.5-4
        }
        if done {
            // R-8.4-10
            if !self.end_told {
                return Err(ProtocolCode::StreamState);
            }
            if received != self.credit.spent() {
                return Err(ProtocolCode::FinalOffset);
            }
        }
        self.credit.raise(limit);
        let freed = self.ring.release(pool, self.ring.base(), received);
        self.lost.remove_below(self.ring.base());
        self.asked &= freed == 0;
        if done {
            self.state = State::Done;
        }
        self.settle_end();
        Ok(freed)
    }

    /// The peer asked to stop.
    pub(super) fn stop(&mut self, code: u64) {
        self.stopped = Some(code);
    }

    pub(super) fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished { .. })
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    // Waiting for room.

    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Returns whether the application waited.
    pub(super) fn stop_waiting(&mut self) -> bool {
        core::mem::take(&mut self.waiting)
    }

    /// Whether the peer is to be asked for an acknowledgement: the application waits, and all that it wrote is on its way, so that
    /// nothing else can make room. True once until the peer acknowledges something.
    pub(super) fn asks(&mut self) -> bool {
        let asks = !self.asked && self.waiting && self.unsent() == 0 && !self.ring.is_empty();
        self.asked |= asks;
        asks
    }

    fn unsent(&self) -> u64 {
        self.ring.end().saturating_sub(self.credit.spent())
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) fn digest(&self, pool: &BlockPool, sink: &mut impl FnMut(&[u8])) {
        let (state, code) = match self.state {
            State::Open => (0, 0),
            State::Finished { sent } => (1, u64::from(sent)),
            State::Reset(code) => (2, code),
            State::Done => (3, 0),
        };
        sink(&[state, self.end_told.into(), self.waiting.into(), self.asked.into(), self.stopped.is_some().into()]);
        sink(&[(self.form != Form::Plain).into(), (self.form == Form::Packed { begun: true }).into()]);
        sink(&[self.end_acknowledged.into(), self.lost.is_empty().into()]);
        for number in [
            code,
            self.ring.base(),
            self.ring.end(),
            self.credit.spent(),
            self.credit.limit(),
            self.message,
            self.reserved,
            self.stopped.unwrap_or(0),
        ] {
            sink(&number.to_le_bytes());
        }
        self.ring.digest(pool, sink);
    }
}

#[cfg(test)]
mod tests;
