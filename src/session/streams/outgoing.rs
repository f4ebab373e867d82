//! What streams have for the next packet. Taking it is sending it: on an ordered carrier it will arrive, or the link is lost; on
//! others, what is lost comes back by way of [`fate`](super::fate).

#![forbid(unsafe_code)]

use super::Streams;
use super::schedule::Turn;
use super::table::Stream;
use crate::stream_id::Direction;
use crate::wire::payload::{Control, Fragment};

impl Streams {
    /// Whether there is reason for a packet.
    pub(crate) fn has_output(&self) -> bool {
        self.credit_again
            || self.receiving.wants_update()
            || self.opening.wants_update()
            || !self.controls.is_empty()
            || self.acknowledgements_are_due()
            || self.asks()
            || self.has_fragment()
            || self.link.as_ref().is_some_and(|link| link.has_output())
    }

    /// The next control for a packet. Acknowledgements that are not due come last, to share a packet that goes out anyway.
    pub(crate) fn poll_control(&mut self) -> Option<Control> {
        if self.receiving.wants_update() || core::mem::take(&mut self.credit_again) {
            self.credit_again = false;
            let limit = self.receiving.announce();
            return Some(Control::SessionCredit { received: self.receiving.received(), limit });
        }
        if let Some((direction, limit)) = self.opening.poll_update() {
            return Some(Control::StreamCredit { unidirectional: direction == Direction::Unidirectional, limit });
        }
        if self.asks() {
            self.asking.due = false;
            self.asking.asked_for_room = true;
            return Some(Control::Ping);
        }
        let Some(index) = self.controls.front().or(self.acknowledge.front()) else {
            self.asked_by_peer = false;
            return None;
        };
        let stream = self.table.get_mut(index)?;
        let before = stream.recv.as_ref().map_or(0, |half| half.unacknowledged());
        let control = next_control(stream);
        if let Some(Control::Credit { .. }) = control {
            self.unacknowledged = self.unacknowledged.saturating_sub(before);
        }
        self.settle(index, Turn::Keeps);
        control
    }

    /// Copies the bytes of the next fragment to the front of `out`; returns the fragment and how many bytes it has.
    pub(crate) fn poll_fragment(&mut self, out: &mut [u8]) -> Option<(Fragment, usize)> {
        if let Some(link) = self.link.as_mut().filter(|link| link.has_output()) {
            return link.poll_fragment(out);
        }
        let credit = self.unreserved(); // R-8.5-2
        let index = self.schedule.next(credit)?;
        let stream = self.table.get_mut(index)?;
        let id = stream.id;
        let sent = stream.send.as_mut()?.send(&self.pool, credit, out)?;
        if !sent.is_again {
            self.sending.spend(sent.piece.offsets());
        }
        self.reserved = self.reserved.saturating_sub(sent.paid);
        self.asking.asked_for_room = false;
        self.settle(index, Turn::Over);
        let fragment = Fragment {
            stream: id.as_u64(),
            offset: sent.offset,
            end_of_message: sent.piece.end_of_message,
            end_of_stream: sent.end_of_stream,
            compressed: sent.compressed,
        };
        Some((fragment, sent.piece.len))
    }

    fn has_fragment(&self) -> bool {
        self.schedule.next(self.unreserved()).is_some()
    }

    /// Whether what was received is to be acknowledged without waiting for a packet to share (R-8.5-7).
    fn acknowledgements_are_due(&self) -> bool {
        !self.acknowledge.is_empty() && (self.asked_by_peer || self.unacknowledged >= self.receiving.quarter())
    }

    /// Whether a Ping is due: an application waits for room that only acknowledgements can make.
    fn asks(&self) -> bool {
        self.asking.due
            || (self.in_order && !self.room.is_empty() && !self.asking.asked_for_room && !self.has_fragment())
    }
}

/// Takes a control from a stream that has one: a reset, a stop, or its credit.
fn next_control(stream: &mut Stream) -> Option<Control> {
    let number = stream.id.as_u64();
    if core::mem::take(&mut stream.controls.reset) {
        let (code, final_offset) = stream.send.as_mut()?.announce_reset()?;
        return Some(Control::Reset { stream: number, code, final_offset });
    }
    if core::mem::take(&mut stream.controls.stop) {
        let code = stream.recv.as_ref()?.stop_under_way()?;
        return Some(Control::Stop { stream: number, code });
    }
    stream.controls.credit = false;
    let (received, limit, done) = stream.recv.as_mut()?.announce();
    Some(Control::Credit { stream: number, received, limit, done })
}
