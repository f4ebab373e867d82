//! What streams tell the application: at most one event of a kind is pending per stream, so that no flood makes them more.

#![forbid(unsafe_code)]

use crate::stream_id::{Direction, StreamId};

/// An event about streams. See [`Event`](crate::Event) for what each means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamEvent {
    Opened(StreamId),
    Readable(StreamId),
    Writable(StreamId),
    Stopped { stream: StreamId, code: u64 },
    Finished(StreamId),
    StreamsAvailable(Direction),
}

/// What can be pending for a stream, in the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamNews {
    Opened,
    Readable,
    Writable,
    Stopped,
    Finished,
}

impl StreamNews {
    const ALL: [Self; 5] = [Self::Opened, Self::Readable, Self::Writable, Self::Stopped, Self::Finished];
}

/// What is pending for one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct EventSet(u8);

impl EventSet {
    pub(super) fn insert(&mut self, news: StreamNews) {
        self.0 |= 1 << (news as u8);
    }

    pub(super) fn remove(&mut self, news: StreamNews) {
        self.0 &= !(1 << (news as u8));
    }

    pub(super) const fn contains(self, news: StreamNews) -> bool {
        self.0 & 1 << (news as u8) != 0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn pop(&mut self) -> Option<StreamNews> {
        let news = StreamNews::ALL.into_iter().find(|news| self.contains(*news))?;
        self.remove(news);
        Some(news)
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) const fn bits(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_kind_is_pending_and_they_come_in_order() {
        let mut set = EventSet::default();
        for news in [StreamNews::Finished, StreamNews::Opened, StreamNews::Readable, StreamNews::Opened] {
            set.insert(news);
        }
        assert_eq!(set.pop(), Some(StreamNews::Opened));
        set.insert(StreamNews::Finished);
        assert_eq!(set.pop(), Some(StreamNews::Readable));
        assert_eq!(set.pop(), Some(StreamNews::Finished));
        assert!(set.is_empty());
        assert_eq!(set.pop(), None);
    }
}
