//! The receiving half of a stream (RFC 9000, section 3.2). On carriers that keep the order, the end comes when all before it has come;
//! on others, what comes beyond a gap is kept in its place ([`out_of_order`]) until the gap is closed.
//!
//! ```text
//!             all, and its end              read to the end
//!   Receiving -----------------> Ended ------------------------> Done
//!     |   |                        |   stop                       ^
//!     |   |                        +------------------------------+
//!     |   |  Reset                                                |
//!     |   +----------> Reset -------------------------------------+
//!     |                          told to the application, or stop |
//!     |  stop                                                     |
//!     +----------> Stopped ---------------------------------------+
//!                              end of stream, or Reset
//! ```

#![forbid(unsafe_code)]

mod out_of_order;

use super::block_pool::{BlockPool, Piece, Ring};
use super::packing::MAX_PLAIN;
use crate::event::ProtocolCode;
use crate::session::flow_control::RecvCredit;
use crate::wire::payload::Fragment;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Receiving,
    /// Everything has come; something, be it only the end itself, is unread.
    Ended,
    /// The peer reset with this code; the application does not know yet.
    Reset(u64),
    /// The application wants no more, with this code; what comes is dropped until the peer ends or resets.
    Stopped(u64),
    /// Everything has come and the application has heard of the end, or does not care.
    Done,
}

/// What a fragment brings that was not there before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// How many of the fragment's bytes are known already.
    skip: usize,
    bytes: u64,
    end_of_message: bool,
    pub(super) end_of_stream: bool,
    /// A packed message begins.
    packed: bool,
    /// How many offsets more there are than were known of.
    growth: u64,
    /// It does not simply go on where everything before has come.
    out_of_order: bool,
}

/// What a message may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) max_message: u64,
    /// Both ends have agreed on compression.
    pub(super) compression: bool,
    /// The carrier keeps the order, so that a gap breaks a rule.
    pub(super) in_order: bool,
}

impl News {
    pub(super) const fn offsets(self) -> u64 {
        self.growth
    }

    pub(super) const fn is_empty(self) -> bool {
        self.growth == 0 && !self.end_of_stream && !self.out_of_order
    }
}

/// What reading gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    Piece {
        piece: Piece,
        end_of_stream: bool,
    },
    /// The next message is here, and packed.
    Packed,
    Blocked,
    Reset(u64),
    NotReceiving,
}

pub(super) struct RecvHalf {
    state: State,
    ring: Ring,
    credit: RecvCredit,
    /// Where the stream ends, once that is known.
    final_offset: Option<u64>,
    /// Up to where the peer knows that this side has received.
    acknowledged: u64,
    /// Bytes of the message that has begun and not ended; 0 between messages.
    message: u64,
    /// That message is packed.
    message_packed: bool,
    /// The message at the front of the ring is packed, and the application has got this many bytes of it.
    front_packed: Option<usize>,
}

impl RecvHalf {
    pub(super) fn new(window: u64) -> Self {
        Self {
            state: State::Receiving,
            ring: Ring::default(),
            credit: RecvCredit::new(window),
            final_offset: None,
            acknowledged: 0,
            message: 0,
            message_packed: false,
            front_packed: None,
        }
    }

    // What comes in.

    /// Judges a fragment of `len` bytes, and finds what is new in it.
    ///
    /// # Errors
    /// The rule that the fragment breaks.
    pub(super) fn check(
        &self,
        pool: &BlockPool,
        fragment: &Fragment,
        len: usize,
        rules: Rules,
    ) -> Result<News, ProtocolCode> {
        if len == 0 && !fragment.end_of_message && !fragment.end_of_stream {
            return Err(ProtocolCode::MalformedPayload);
        }
        if fragment.compressed && !rules.compression {
            return Err(ProtocolCode::Forbidden); // R-8.9-1
        }
        let received = self.credit.received();
        // Bytes end here, and the fragment with its end of message there.
        let bytes_end = fragment.offset.checked_add(len as u64).ok_or(ProtocolCode::FlowControl)?;
        let end = bytes_end.checked_add(fragment.end_of_message.into()).ok_or(ProtocolCode::FlowControl)?;
        // R-8.4-5
        if self.final_offset.is_some_and(|last| end > last || (fragment.end_of_stream && end != last)) {
            return Err(ProtocolCode::FinalOffset);
        }
        if fragment.end_of_stream && end < received {
            return Err(ProtocolCode::FinalOffset);
        }
        if self.has_ended() {
            return Ok(News::default());
        }
        if rules.in_order && fragment.offset > received {
            return Err(ProtocolCode::Forbidden); // R-8.3-3
        }
        let growth = end.saturating_sub(received);
        self.credit.check(growth, ProtocolCode::FlowControl)?; // R-8.5-1
        if !rules.in_order && self.is_out_of_order(fragment) {
            return self.check_out_of_order(pool, fragment, len, growth);
        }
        // R-8.3-4: what is held already is skipped.
        let bytes = bytes_end.saturating_sub(received);
        let news = News {
            skip: usize::try_from(received.saturating_sub(fragment.offset)).unwrap_or(usize::MAX).min(len),
            bytes,
            end_of_message: fragment.end_of_message && end > received,
            end_of_stream: fragment.end_of_stream,
            packed: fragment.compressed && fragment.offset == received,
            growth,
            out_of_order: false,
        };
        let message = self.message.saturating_add(bytes);
        if message > rules.max_message {
            return Err(ProtocolCode::MessageTooLarge); // R-8.3-6
        }
        if news.packed && (len == 0 || self.message > 0) {
            return Err(ProtocolCode::Forbidden); // R-8.9-1
        }
        if (news.packed || self.message_packed) && message > MAX_PLAIN as u64 {
            // What is packed is shorter than what it unpacks to (R-8.9-4).
            return Err(ProtocolCode::Compression);
        }
        let is_between_messages = news.end_of_message || message == 0;
        if news.end_of_stream && (!is_between_messages || (len > 0 && !fragment.end_of_message)) {
            return Err(ProtocolCode::StreamState); // R-8.3-2
        }
        Ok(news)
    }

    /// Takes in what [`check`](Self::check) found. Returns how many offsets were dropped because the application wants no more.
    ///
    /// # Errors
    /// The rule that is broken, as shows only when a gap is closed: then something was taken in.
    pub(super) fn accept(
        &mut self,
        pool: &mut BlockPool,
        fragment: &Fragment,
        news: News,
        data: &[u8],
        rules: Rules,
    ) -> Result<u64, ProtocolCode> {
        self.credit.receive(news.offsets());
        if news.end_of_stream {
            self.final_offset = Some(self.credit.received());
        }
        if news.out_of_order {
            return self.accept_out_of_order(pool, fragment, news, data, rules);
        }
        self.message = if news.end_of_message { 0 } else { self.message.saturating_add(news.bytes) };
        self.message_packed = self.message > 0 && (self.message_packed || news.packed);
        if self.is_stopped() {
            self.credit.consume(news.offsets());
            if news.end_of_stream {
                self.state = State::Done;
            }
            return Ok(news.offsets());
        }
        if news.packed {
            if self.ring.is_empty() {
                self.front_packed = Some(0);
            } else {
                self.ring.then_packed(pool);
            }
        }
        self.ring.push_bytes(pool, data.get(news.skip..).unwrap_or_default());
        if news.end_of_message {
            self.ring.push_end(pool);
        }
        if news.end_of_stream {
            self.state = State::Ended;
        }
        self.debug_conserved();
        Ok(0)
    }

    /// Judges a reset and finds how many offsets it counts that did not come (R-8.4-5).
    ///
    /// # Errors
    /// The rule that the reset breaks.
    pub(super) fn check_reset(&self, final_offset: u64) -> Result<u64, ProtocolCode> {
        let received = self.credit.received();
        if final_offset < received || self.final_offset.is_some_and(|last| final_offset != last) {
            return Err(ProtocolCode::FinalOffset);
        }
        let missing = final_offset.saturating_sub(received);
        self.credit.check(missing, ProtocolCode::FlowControl)?;
        Ok(missing)
    }

    /// Takes in a reset that passed [`check_reset`](Self::check_reset) and came before the end of the stream: what is unread goes
    /// (R-8.4-6). Returns how many offsets it gives back to the session, those counted in `missing` included.
    pub(super) fn accept_reset(&mut self, pool: &mut BlockPool, missing: u64, code: u64) -> u64 {
        self.credit.receive(missing);
        self.final_offset = Some(self.credit.received());
        let dropped = self.drop_held(pool);
        self.state = if self.is_stopped() { State::Done } else { State::Reset(code) };
        dropped
    }

    // What the application does.

    /// Copies up to the end of a message or of `out`: every offset in order and once (R-8.3-7), a reset once (R-8.4-6).
    pub(super) fn read(&mut self, pool: &mut BlockPool, out: &mut [u8]) -> Read {
        match self.state {
            State::Receiving | State::Ended if self.front_packed.is_some() => {
                return if self.front_is_whole() { Read::Packed } else { Read::Blocked };
            }
            State::Receiving if self.ring.is_empty() => return Read::Blocked,
            State::Receiving | State::Ended => {}
            State::Reset(code) => {
                self.state = State::Done;
                return Read::Reset(code);
            }
            State::Stopped(_) | State::Done => return Read::NotReceiving,
        }
        let piece = self.peek(pool, out);
        let end_of_stream = self.consume(pool, piece);
        Read::Piece { piece, end_of_stream }
    }

    /// Takes off the ring what was read; returns whether that was the last of the stream.
    pub(super) fn consume(&mut self, pool: &mut BlockPool, piece: Piece) -> bool {
        self.ring.advance(pool, piece.offsets());
        self.credit.consume(piece.offsets());
        self.front_packed = piece.then_packed.then_some(0);
        self.debug_conserved();
        let end_of_stream = self.state == State::Ended && self.ring.is_empty();
        if end_of_stream {
            self.state = State::Done;
        }
        end_of_stream
    }

    /// Copies up to the end of a message or of `out`, as it came, and leaves it there.
    pub(super) fn peek(&self, pool: &BlockPool, out: &mut [u8]) -> Piece {
        let mut block = self.ring.head();
        self.ring.copy(pool, &mut block, self.ring.base(), u64::MAX, out)
    }

    /// How many plain bytes the application has got of the packed message at the front.
    pub(super) fn given(&self) -> usize {
        self.front_packed.unwrap_or(0)
    }

    /// The application got `len` plain bytes more of it, not the last.
    pub(super) fn give(&mut self, len: usize) {
        self.front_packed = self.front_packed.map(|given| given.saturating_add(len));
    }

    /// Whether the message at the front has come to its end, not just its beginning.
    const fn front_is_whole(&self) -> bool {
        self.message < self.ring.len()
    }

    /// The application wants no more. Returns how many offsets were dropped, or `None` if there is nothing to stop.
    pub(super) fn stop(&mut self, pool: &mut BlockPool, code: u64) -> Option<u64> {
        self.state = match self.state {
            State::Receiving => State::Stopped(code),
            State::Ended | State::Reset(_) => State::Done,
            State::Stopped(_) | State::Done => return None,
        };
        Some(self.drop_held(pool))
    }

    fn drop_held(&mut self, pool: &mut BlockPool) -> u64 {
        let dropped = self.credit.held();
        self.ring.clear(pool);
        self.credit.consume(dropped);
        dropped
    }

    // What goes out.

    /// Whether the peer should hear of new credit (R-8.5-5) without being asked.
    pub(super) fn wants_credit_announced(&self) -> bool {
        self.has_credit_to_tell() && self.credit.wants_update()
    }

    /// Whether a limit still matters to the peer.
    pub(super) fn has_credit_to_tell(&self) -> bool {
        self.state == State::Receiving && self.final_offset.is_none()
    }

    /// Whether the peer should hear of what has come (R-8.5-7) without asking.
    pub(super) fn wants_receipt_announced(&self) -> bool {
        !self.has_ended() && self.unacknowledged() >= self.credit.quarter()
    }

    /// What has come and the peer does not know of.
    pub(super) const fn unacknowledged(&self) -> u64 {
        self.credit.received().saturating_sub(self.acknowledged)
    }

    /// What the peer is told now: received, limit, and whether the end or the reset is among what was received.
    pub(super) fn announce(&mut self) -> (u64, u64, bool) {
        self.acknowledged = if self.state == State::Receiving { self.ring.end() } else { self.credit.received() };
        let limit = if self.state == State::Receiving { self.credit.announce() } else { self.credit.limit() };
        (self.acknowledged, limit, self.has_ended())
    }

    /// The code of a stop that the peer has not answered.
    pub(super) const fn stop_under_way(&self) -> Option<u64> {
        match self.state {
            State::Stopped(code) => Some(code),
            _ => None,
        }
    }

    // Where it stands.

    /// Whether the end or the reset has come: `received` is the final offset.
    pub(super) const fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended | State::Reset(_) | State::Done)
    }

    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped(_))
    }

    /// Whether the application has something to fetch: bytes, an end or a reset.
    pub(super) fn is_readable(&self) -> bool {
        match self.state {
            State::Receiving if self.front_packed.is_some() => self.front_is_whole(),
            State::Receiving => !self.ring.is_empty(),
            State::Ended | State::Reset(_) => true,
            State::Stopped(_) | State::Done => false,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    pub(super) const fn held(&self) -> u64 {
        self.ring.len()
    }

    fn debug_conserved(&self) {
        let known = self.ring.high().max(self.final_offset.unwrap_or(0));
        debug_assert_eq!(known.saturating_sub(self.ring.base()), self.credit.held(), "held by credit has its place");
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) fn digest(&self, pool: &BlockPool, sink: &mut impl FnMut(&[u8])) {
        let (state, code) = match self.state {
            State::Receiving => (0, 0),
            State::Ended => (1, 0),
            State::Reset(code) => (2, code),
            State::Stopped(code) => (3, code),
            State::Done => (4, 0),
        };
        sink(&[state, self.message_packed.into(), self.front_packed.is_some().into()]);
        for number in [
            code,
            self.credit.received(),
            self.credit.consumed(),
            self.credit.limit(),
            self.final_offset.unwrap_or(u64::MAX),
            self.ring.high(),
            self.acknowledged,
            self.message,
            self.given() as u64,
        ] {
            sink(&number.to_le_bytes());
        }
        self.ring.digest(pool, sink);
    }
}

#[cfg(test)]
mod tests;
