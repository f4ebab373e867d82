//! The streams of a session that are not done: a slab, and a map from their numbers.

#![forbid(unsafe_code)]

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::events::{EventSet, StreamNews};
use super::index::Index;
use super::queue::Links;
use super::recv_half::RecvHalf;
use super::schedule::Urgency;
use super::send_half::{Output, SendHalf};
use crate::stream_id::StreamId;

/// How many vacant entries a table without streams may keep.
const IDLE_CAPACITY: usize = 2;

/// One stream.
pub(super) struct Stream {
    pub(super) id: StreamId,
    pub(super) send: Option<SendHalf>,
    pub(super) recv: Option<RecvHalf>,
    pub(super) urgency: Urgency,
    /// Where the schedule has it.
    pub(super) scheduled: (Output, Urgency),
    pub(super) events: EventSet,
    pub(super) controls: ControlSet,
    pub(super) links: Links,
}

impl Stream {
    pub(super) fn new(id: StreamId, send: Option<SendHalf>, recv: Option<RecvHalf>) -> Self {
        let urgency = Urgency::default();
        Self {
            id,
            send,
            recv,
            urgency,
            scheduled: (Output::Nothing, urgency),
            events: EventSet::default(),
            controls: ControlSet::default(),
            links: Links::default(),
        }
    }

    /// Has the application told that there is something to read for as long as there is, and no longer.
    pub(super) fn tell_readable(&mut self) {
        if self.recv.as_ref().is_some_and(RecvHalf::is_readable) {
            self.events.insert(StreamNews::Readable);
        } else {
            self.events.remove(StreamNews::Readable);
        }
    }

    /// Whether nothing more can happen on it: its place can be given back.
    pub(super) fn is_done(&self) -> bool {
        self.send.as_ref().is_none_or(SendHalf::is_done)
            && self.recv.as_ref().is_none_or(RecvHalf::is_done)
            && self.events.is_empty()
            && self.controls.is_empty()
    }
}

/// Which controls a stream has for the next packet: one bit each, so that no flood makes them more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ControlSet {
    pub(super) credit: bool,
    pub(super) reset: bool,
    pub(super) stop: bool,
}

impl ControlSet {
    pub(super) const fn is_empty(self) -> bool {
        !(self.credit || self.reset || self.stop)
    }
}

#[derive(Default)]
pub(super) struct Table {
    entries: Vec<Entry>,
    vacant: Option<Index>,
    by_number: BTreeMap<u64, Index>,
}

/// A stream, or a place for one in the chain of vacant places.
struct Entry {
    stream: Option<Stream>,
    next_vacant: Option<Index>,
}

impl Table {
    /// The most memory that a table of `streams` streams takes. The slab grows by doubling and is copied as it grows, hence three
    /// times; nodes of the map are at least half full.
    pub(super) const fn max_bytes(streams: usize) -> usize {
        let entry = size_of::<Entry>().saturating_mul(3).saturating_add(64);
        streams.saturating_add(8).saturating_mul(entry)
    }

    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.by_number.len() * 64
    }

    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    pub(super) fn find(&self, number: u64) -> Option<Index> {
        self.by_number.get(&number).copied()
    }

    pub(super) fn get(&self, index: Index) -> Option<&Stream> {
        self.entries.get(index.position())?.stream.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: Index) -> Option<&mut Stream> {
        self.entries.get_mut(index.position())?.stream.as_mut()
    }

    /// Adds a stream whose number is not there yet.
    pub(super) fn insert(&mut self, stream: Stream) -> Index {
        let number = stream.id.as_u64();
        let index = self.vacant.unwrap_or_else(|| Index::at(self.entries.len()));
        match self.entries.get_mut(index.position()) {
            Some(entry) => {
                self.vacant = entry.next_vacant.take();
                entry.stream = Some(stream);
            }
            None => self.entries.push(Entry { stream: Some(stream), next_vacant: None }),
        }
        self.by_number.insert(number, index);
        index
    }

    /// Takes a stream out that is in no queue any more.
    pub(super) fn remove(&mut self, index: Index) {
        let Some(entry) = self.entries.get_mut(index.position()) else { return };
        if let Some(stream) = entry.stream.take() {
            self.by_number.remove(&stream.id.as_u64());
            entry.next_vacant = self.vacant.replace(index);
        }
        if self.by_number.is_empty() && self.entries.capacity() > IDLE_CAPACITY {
            (self.entries, self.vacant) = (Vec::new(), None);
        }
    }

    /// In the order of the numbers.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.by_number.values().filter_map(|index| self.get(*index))
    }
}
