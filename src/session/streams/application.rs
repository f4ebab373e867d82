//! What the application does with streams.

#![forbid(unsafe_code)]

use super::events::{StreamEvent, StreamNews};
use super::index::Index;
use super::recv_half::Read;
use super::schedule::{Turn, Urgency};
use super::table::Stream;
use super::{Received, Streams};
use crate::error::{FinishError, RecvError, SendError, StreamError};
use crate::event::ProtocolCode;
use crate::stream_id::{Direction, StreamId};

impl Streams {
    /// Opens a stream; `None` while the peer's limit or one's own allows no more. The peer hears of it with the first that is sent.
    pub(crate) fn open(&mut self, direction: Direction) -> Option<StreamId> {
        let index = self.opening.open(direction)?;
        let id = StreamId::new(self.role, direction, index)?;
        self.insert(id);
        Some(id)
    }

    /// Takes bytes of a message, as many as there is room for, and with `end` the message's end.
    ///
    /// `Ok(bytes.len())` with `end` means that the message has ended; whenever its end does not fit, fewer bytes are taken.
    pub(crate) fn send(&mut self, id: StreamId, bytes: &[u8], end: bool) -> Result<usize, SendError> {
        let index = self.table.find(id.as_u64()).ok_or(SendError::UnknownStream)?;
        let stream = self.table.get_mut(index).ok_or(SendError::UnknownStream)?;
        let half = stream.send.as_mut().ok_or(SendError::NotSending)?;
        if let Some(code) = half.stopped() {
            return Err(SendError::Stopped(code));
        }
        if !half.is_open() {
            return Err(SendError::NotSending);
        }
        let max = self.peer.max_message;
        if half.message().saturating_add(bytes.len() as u64) > max {
            return Err(SendError::TooLarge { max }); // R-8.3-5
        }
        if bytes.is_empty() && !end {
            return Ok(0);
        }
        let stream_room = u64::from(self.limits.stream_send_buffer).saturating_sub(half.buffered());
        let session_room = u64::from(self.limits.send_buffer).saturating_sub(self.buffered);
        let room = stream_room.min(session_room);
        let packed = if end { self.send_packed(index, bytes, room) } else { None };
        let half = self.table.get_mut(index).and_then(|stream| stream.send.as_mut()).ok_or(SendError::UnknownStream)?;
        let written = match packed {
            Some(offsets) => Some((bytes.len(), offsets)),
            None => half.write(&mut self.pool, bytes, end, room),
        };
        let waits_for_session = half.is_waiting() && session_room <= stream_room;
        self.room.set(&mut self.table, index, waits_for_session);
        self.buffered = self.buffered.saturating_add(written.map_or(0, |(_, offsets)| offsets));
        self.settle(index, Turn::Keeps);
        written.map(|(len, _)| len).ok_or(SendError::Blocked)
    }

    /// Takes a whole message in its packed form, if that is shorter and can go at once: with room for all of it, and credit, which is
    /// kept for it (R-8.9-5). Returns how many offsets it takes.
    fn send_packed(&mut self, index: Index, plain: &[u8], room: u64) -> Option<u64> {
        let half = self.table.get_mut(index)?.send.as_mut()?;
        if !self.peer.compression || !half.takes_packed(0) {
            return None;
        }
        let packed = self.packing.pack(plain)?;
        let offsets = (packed.len() as u64).saturating_add(1);
        // R-8.9-6: the peer may hold back as much as half of its window before it grants more (R-8.5-5), and what is ahead of the
        // message on its stream needs credit too.
        let quarter = self.peer.session_credit / 4;
        let left = self.sending.available().saturating_sub(self.reserved);
        if offsets > room
            || !half.takes_packed(offsets)
            || offsets > left
            || self.reserved.saturating_add(offsets) > quarter
        {
            return None;
        }
        let taken = half.write_packed(&mut self.pool, packed);
        self.reserved = self.reserved.saturating_add(taken);
        Some(taken)
    }

    /// Ends the sending side after the last message.
    pub(crate) fn finish(&mut self, id: StreamId) -> Result<(), FinishError> {
        let index = self.table.find(id.as_u64()).ok_or(FinishError::UnknownStream)?;
        let stream = self.table.get_mut(index).ok_or(FinishError::UnknownStream)?;
        let half = stream.send.as_mut().filter(|half| half.is_open()).ok_or(FinishError::NotSending)?;
        if half.message() > 0 {
            return Err(FinishError::MessageOpen); // R-8.3-2
        }
        half.finish();
        self.room.remove(&mut self.table, index);
        self.settle(index, Turn::Keeps);
        Ok(())
    }

    /// Ends the sending side at once, and drops what is not delivered.
    pub(crate) fn reset(&mut self, id: StreamId, code: u64) -> Result<(), StreamError> {
        let index = self.table.find(id.as_u64()).ok_or(StreamError::UnknownStream)?;
        let stream = self.table.get_mut(index).ok_or(StreamError::UnknownStream)?;
        if !stream.send.as_ref().is_some_and(|half| half.can_reset()) {
            return Err(StreamError::WrongState);
        }
        self.reset_sending(index, code);
        Ok(())
    }

    /// Resets a sending half that can be, and settles the stream.
    pub(super) fn reset_sending(&mut self, index: Index, code: u64) {
        let Some(stream) = self.table.get_mut(index) else { return };
        let Some(half) = &mut stream.send else { return };
        let dropped = half.reset(&mut self.pool, code);
        self.reserved = self.reserved.saturating_sub(half.take_reserved());
        stream.controls.reset = true;
        stream.events.remove(StreamNews::Writable);
        self.room.remove(&mut self.table, index);
        self.release(dropped);
        self.settle(index, Turn::Keeps);
    }

    /// Copies up to the end of a message or of `out`.
    ///
    /// An `out` without room is a way to take an end that follows bytes already read.
    pub(crate) fn recv(&mut self, id: StreamId, out: &mut [u8]) -> Result<Received, RecvError> {
        let index = self.table.find(id.as_u64()).ok_or(RecvError::UnknownStream)?;
        let stream = self.table.get_mut(index).ok_or(RecvError::UnknownStream)?;
        let half = stream.recv.as_mut().ok_or(RecvError::NotReceiving)?;
        let read = half.read(&mut self.pool, out);
        if let Read::Piece { piece, .. } = read {
            self.receiving.consume(piece.offsets());
        }
        if read == Read::Packed {
            return self.recv_packed(index, out);
        }
        stream.tell_readable();
        self.settle(index, Turn::Keeps);
        match read {
            Read::Piece { piece, end_of_stream } => {
                Ok(Received { len: piece.len, end_of_message: piece.end_of_message, end_of_stream })
            }
            Read::Blocked | Read::Packed => Err(RecvError::Blocked),
            Read::Reset(code) => Err(RecvError::Reset(code)),
            Read::NotReceiving => Err(RecvError::NotReceiving),
        }
    }

    /// Reads on in the packed message at the front of a stream.
    fn recv_packed(&mut self, index: Index, out: &mut [u8]) -> Result<Received, RecvError> {
        let stream = self.table.get_mut(index).ok_or(RecvError::UnknownStream)?;
        let half = stream.recv.as_mut().ok_or(RecvError::NotReceiving)?;
        let plain = match self.packing.read(stream.id, half, &self.pool, self.limits.max_message, out) {
            Ok(plain) => plain,
            Err(code) => {
                self.fault = Some(code);
                return Err(RecvError::Closed);
            }
        };
        let mut received = Received { len: plain.len, ..Received::default() };
        match plain.end {
            None => half.give(plain.len),
            Some(piece) => {
                received.end_of_message = true;
                received.end_of_stream = half.consume(&mut self.pool, piece);
                self.receiving.consume(piece.offsets());
            }
        }
        stream.tell_readable();
        self.settle(index, Turn::Keeps);
        Ok(received)
    }

    /// The rule that the peer was found to have broken when a message was unpacked for [`recv`](Self::recv), which said `Closed`: the
    /// session is to be closed with it.
    pub(crate) fn take_fault(&mut self) -> Option<ProtocolCode> {
        self.fault.take()
    }

    /// Drops what was received and is not read, and asks the peer to send no more.
    pub(crate) fn stop(&mut self, id: StreamId, code: u64) -> Result<(), StreamError> {
        let index = self.table.find(id.as_u64()).ok_or(StreamError::UnknownStream)?;
        let stream = self.table.get_mut(index).ok_or(StreamError::UnknownStream)?;
        let half = stream.recv.as_mut().ok_or(StreamError::WrongState)?;
        let dropped = half.stop(&mut self.pool, code).ok_or(StreamError::WrongState)?;
        stream.controls.stop = half.stop_under_way().is_some();
        stream.events.remove(StreamNews::Readable);
        self.receiving.consume(dropped);
        self.settle(index, Turn::Keeps);
        Ok(())
    }

    /// Sets how soon the stream's data should go: 0 (first) to 7 (last), larger values counting as 7.
    pub(crate) fn set_priority(&mut self, id: StreamId, urgency: u8) -> Result<(), StreamError> {
        let index = self.table.find(id.as_u64()).ok_or(StreamError::UnknownStream)?;
        let stream = self.table.get_mut(index).ok_or(StreamError::UnknownStream)?;
        if !stream.send.as_ref().is_some_and(|half| half.can_reset()) {
            return Err(StreamError::WrongState);
        }
        stream.urgency = Urgency::new(urgency);
        self.settle(index, Turn::Keeps);
        Ok(())
    }

    /// The next event about streams.
    pub(crate) fn poll_event(&mut self) -> Option<StreamEvent> {
        if let Some(direction) = self.opening.poll_available() {
            return Some(StreamEvent::StreamsAvailable(direction));
        }
        let index = self.events.front()?;
        let stream = self.table.get_mut(index)?;
        let event = next_event(stream);
        self.settle(index, Turn::Keeps);
        event
    }
}

fn next_event(stream: &mut Stream) -> Option<StreamEvent> {
    let id = stream.id;
    Some(match stream.events.pop()? {
        StreamNews::Opened => StreamEvent::Opened(id),
        StreamNews::Readable => StreamEvent::Readable(id),
        StreamNews::Writable => StreamEvent::Writable(id),
        StreamNews::Stopped => {
            let code = stream.send.as_ref().and_then(|half| half.stopped()).unwrap_or_default();
            StreamEvent::Stopped { stream: id, code }
        }
        StreamNews::Finished => StreamEvent::Finished(id),
    })
}
