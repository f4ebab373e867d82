//! What became of what packets carried, on a carrier that can lose it. Nothing here comes from the peer but which packets it has got.

#![forbid(unsafe_code)]

use super::Streams;
use super::events::StreamNews;
use super::index::Index;
use super::schedule::Turn;
use crate::session::carried::Carried;
use crate::stream_id::Direction;

impl Streams {
    /// The peer's session has got it: acknowledgement says what Credit says on ordered carriers (R-8.5-8).
    pub(crate) fn on_acknowledged(&mut self, carried: Carried) {
        match carried {
            Carried::Fragment { stream: 0, offset, offsets, .. } => {
                if let Some(link) = &mut self.link {
                    link.on_acknowledged(offset, offsets.into());
                }
            }
            Carried::Fragment { stream, offset, offsets, end_of_stream, .. } => {
                if let Some(index) = self.table.find(stream) {
                    self.fragment_acknowledged(index, offset, offsets.into(), end_of_stream);
                }
            }
            Carried::Reset(stream) => {
                let Some(index) = self.table.find(stream) else { return };
                let Some(half) = self.table.get_mut(index).and_then(|stream| stream.send.as_mut()) else { return };
                half.on_reset_acknowledged();
                self.settle(index, Turn::Keeps);
            }
            _ => {}
        }
    }

    /// It was lost, or may have been: it is sent again, as far as it still matters and in its present form (R-8.5-9).
    pub(crate) fn on_lost(&mut self, carried: Carried) {
        let number = match carried {
            Carried::SessionCredit => return self.credit_again = true,
            Carried::StreamCredit { unidirectional: true } => {
                return self.opening.tell_again(Direction::Unidirectional);
            }
            Carried::StreamCredit { unidirectional: false } => {
                return self.opening.tell_again(Direction::Bidirectional);
            }
            Carried::Shutdown | Carried::Acks(_) => return,
            Carried::Fragment { stream: 0, offset, offsets, .. } => {
                if let Some(link) = &mut self.link {
                    link.on_lost(offset, offsets.into());
                }
                return;
            }
            Carried::Fragment { stream, .. } => stream,
            Carried::Credit(stream) | Carried::Reset(stream) | Carried::Stop(stream) => stream,
        };
        let Some(index) = self.table.find(number) else { return };
        let Some(stream) = self.table.get_mut(index) else { return };
        match carried {
            Carried::Fragment { offset, offsets, end_of_stream, compressed, .. } => {
                if let Some(half) = &mut stream.send {
                    half.on_lost(&self.pool, (offset, offsets.into()), end_of_stream, compressed);
                }
            }
            Carried::Credit(_) => {
                stream.controls.credit |= stream.recv.as_ref().is_some_and(|half| half.has_credit_to_tell());
            }
            Carried::Reset(_) => stream.controls.reset |= stream.send.as_ref().is_some_and(|half| half.on_reset_lost()),
            _ => stream.controls.stop |= stream.recv.as_ref().is_some_and(|half| half.stop_under_way().is_some()),
        }
        self.settle(index, Turn::Keeps);
    }

    fn fragment_acknowledged(&mut self, index: Index, offset: u64, offsets: u64, end_of_stream: bool) {
        let Some(stream) = self.table.get_mut(index) else { return };
        let Some(half) = &mut stream.send else { return };
        let was_done = half.is_done();
        let freed = half.on_acknowledged(&mut self.pool, offset, offsets, end_of_stream);
        if half.is_done() && !was_done {
            stream.events.insert(StreamNews::Finished); // R-8.4-11
        }
        self.make_room(index, freed);
        self.settle(index, Turn::Keeps);
    }

    /// `freed` offsets of a stream left its ring: whoever waits for that can go on.
    pub(super) fn make_room(&mut self, index: Index, freed: u64) {
        if freed > 0 {
            self.tell_writable(index);
            self.room.remove(&mut self.table, index);
        }
        self.release(freed);
    }
}
