//! What packets bring for streams. The peer is authenticated, and may be hostile all the same.

#![forbid(unsafe_code)]

use super::events::StreamNews;
use super::index::Index;
use super::recv_half::Rules;
use super::schedule::Turn;
use super::{MAX_OFFSET, Opened, Streams};
use crate::event::ProtocolCode;
use crate::stream_id::{Direction, StreamId};
use crate::wire::payload::Fragment;

/// Which side of a stream, seen from here, something on the wire is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Sending,
    Receiving,
}

impl Streams {
    /// A fragment with its bytes.
    pub(crate) fn on_fragment(&mut self, fragment: &Fragment, data: &[u8]) -> Result<(), ProtocolCode> {
        if fragment.stream == 0 {
            return self.link_stream().on_fragment(fragment, data);
        }
        let rules =
            Rules { max_message: self.limits.max_message, compression: self.peer.compression, in_order: self.in_order };
        let Some(index) = self.find(fragment.stream, Side::Receiving)? else { return Ok(()) };
        let Some(stream) = self.table.get_mut(index) else { return Ok(()) };
        let Some(half) = &mut stream.recv else { return Ok(()) };
        let news = half.check(&self.pool, fragment, data.len(), rules)?;
        self.receiving.check(news.offsets(), ProtocolCode::FlowControl)?; // R-8.5-2
        if news.is_empty() {
            return Ok(());
        }
        let dropped = half.accept(&mut self.pool, fragment, news, data, rules)?;
        self.receiving.receive(news.offsets());
        self.receiving.consume(dropped);
        self.unacknowledged = self.unacknowledged.saturating_add(news.offsets());
        if half.has_ended() {
            stream.controls.credit = self.in_order; // R-8.4-9
            stream.controls.stop = false;
        }
        stream.tell_readable();
        self.settle(index, Turn::Keeps);
        Ok(())
    }

    /// A Credit: `number` 0 is the session's.
    pub(crate) fn on_credit(&mut self, number: u64, received: u64, limit: u64, done: bool) -> Result<(), ProtocolCode> {
        let limit = limit.min(MAX_OFFSET);
        if number == 0 {
            if done {
                return Err(ProtocolCode::MalformedPayload);
            }
            if received > self.sending.spent() {
                return Err(ProtocolCode::FlowControl); // R-8.5-4
            }
            self.sending.raise(limit);
            return Ok(());
        }
        let Some(index) = self.find(number, Side::Sending)? else { return Ok(()) };
        let Some(stream) = self.table.get_mut(index) else { return Ok(()) };
        let Some(half) = &mut stream.send else { return Ok(()) };
        let finished = half.is_finished();
        let freed = half.acknowledge(&mut self.pool, received, limit, done)?;
        if done {
            // A reset that was to replace the end has come too late to matter.
            stream.controls.reset = false;
        }
        if finished && half.is_done() {
            stream.events.insert(StreamNews::Finished); // R-8.4-11
        }
        self.make_room(index, freed);
        self.settle(index, Turn::Keeps);
        Ok(())
    }

    /// A StreamCredit.
    pub(crate) fn on_stream_credit(&mut self, unidirectional: bool, limit: u64) {
        let direction = if unidirectional { Direction::Unidirectional } else { Direction::Bidirectional };
        self.opening.raise(direction, limit);
    }

    /// A Reset of the peer's sending side.
    pub(crate) fn on_reset(&mut self, number: u64, code: u64, final_offset: u64) -> Result<(), ProtocolCode> {
        let Some(index) = self.find(number, Side::Receiving)? else { return Ok(()) };
        let Some(stream) = self.table.get_mut(index) else { return Ok(()) };
        let Some(half) = &mut stream.recv else { return Ok(()) };
        let missing = half.check_reset(final_offset)?;
        self.receiving.check(missing, ProtocolCode::FlowControl)?;
        if half.has_ended() {
            return Ok(()); // R-8.4-7
        }
        let dropped = half.accept_reset(&mut self.pool, missing, code);
        self.receiving.receive(missing);
        self.receiving.consume(dropped); // R-8.5-6
        self.unacknowledged = self.unacknowledged.saturating_add(missing);
        stream.controls.credit = self.in_order; // R-8.4-9
        stream.controls.stop = false;
        stream.tell_readable();
        self.settle(index, Turn::Keeps);
        Ok(())
    }

    /// A Stop: the peer wants no more of what this side sends, and gets a Reset (R-8.4-8).
    pub(crate) fn on_stop(&mut self, number: u64, code: u64) -> Result<(), ProtocolCode> {
        let Some(index) = self.find(number, Side::Sending)? else { return Ok(()) };
        let Some(stream) = self.table.get_mut(index) else { return Ok(()) };
        let Some(half) = &mut stream.send else { return Ok(()) };
        if half.can_reset() {
            half.stop(code);
            stream.events.insert(StreamNews::Stopped);
            self.reset_sending(index, code);
        }
        Ok(())
    }

    /// A Ping: the peer waits to hear of what has come.
    pub(crate) fn on_ping(&mut self) {
        self.asked_by_peer = self.in_order && !self.acknowledge.is_empty();
    }

    /// The peer says how many streams it has opened: those that it has not named yet are open from now on (R-9.4-3).
    pub(crate) fn open_all(&mut self, opened: Opened) -> Result<(), ProtocolCode> {
        let counts =
            [(Direction::Bidirectional, opened.bidirectional), (Direction::Unidirectional, opened.unidirectional)];
        for (direction, count) in counts {
            if !self.opening.peer_may_open(direction, count) {
                return Err(ProtocolCode::StreamLimit);
            }
            if let Some(last) = StreamId::new(self.role.peer(), direction, count) {
                self.open_by_peer(last);
            }
        }
        Ok(())
    }

    /// The stream that the peer names, opened if need be; `None` if it is done, and whatever comes for it is out of date (R-8.2-4).
    fn find(&mut self, number: u64, side: Side) -> Result<Option<Index>, ProtocolCode> {
        let id = StreamId::from_wire(number).ok_or(ProtocolCode::Forbidden)?; // R-8.2-2
        let own = id.opener() == self.role;
        if id.direction() == Direction::Unidirectional && own != (side == Side::Sending) {
            return Err(ProtocolCode::StreamState); // R-8.4-1
        }
        if own {
            if !self.opening.has_opened(id.direction(), id.index()) {
                return Err(ProtocolCode::StreamState); // R-8.4-2
            }
        } else {
            if !self.opening.peer_may_open(id.direction(), id.index()) {
                return Err(ProtocolCode::StreamLimit); // R-8.6-1
            }
            self.open_by_peer(id);
        }
        Ok(self.table.find(number))
    }

    /// Opens all streams of a kind up to `id` that the peer has not opened before (R-8.2-3).
    fn open_by_peer(&mut self, id: StreamId) {
        while let Some(index) = self.opening.open_by_peer(id.direction(), id.index()) {
            let Some(opened) = StreamId::new(id.opener(), id.direction(), index) else { return };
            let place = self.insert(opened);
            if let Some(stream) = self.table.get_mut(place) {
                stream.events.insert(StreamNews::Opened);
            }
            self.settle(place, Turn::Keeps);
        }
    }
}
