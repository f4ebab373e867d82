//! The state as a string of bytes, for digests in tests.
#![forbid(unsafe_code)]

use super::stats::Counters;
use super::{Phase, Session};
use crate::time::Instant;

impl Session {
    pub(crate) fn digest_link(&self, sink: &mut dyn FnMut(&[u8])) {
        let (name, keys) = match &self.phase {
            Phase::Handshake(handshake) => {
                sink(&handshake.digest());
                (0, None)
            }
            Phase::Undecided(link) => (1, Some(&link.keys)),
            Phase::Open(link) => (2, Some(&link.keys)),
            Phase::Closing(link, close) => {
                sink(&close.as_close().code.to_le_bytes());
                sink(close.as_close().reason.as_bytes());
                (3, Some(&link.keys))
            }
            Phase::Closed => (4, None),
        };
        sink(&[name, self.ping_due.into()]);
        sink(&[self.shutdown.by_self, self.shutdown.to_announce, self.shutdown.by_peer].map(u8::from));
        for number in keys.into_iter().flat_map(|keys| keys.numbers()) {
            sink(&number.to_le_bytes());
        }
        for deadline in self.timers.deadlines() {
            sink(&deadline.map_or(u64::MAX, Instant::as_micros).to_le_bytes());
        }
        if let Some(side) = &self.datagrams {
            side.digest(sink);
        }
        sink(self.outbox.waiting());
        sink(alloc::format!("{:?}", self.news).as_bytes());
        // That something was discarded decides nothing.
        sink(alloc::format!("{:?}", Counters { discarded: 0, ..self.counters.clone() }).as_bytes());
        sink(self.close_text.as_bytes());
    }

    pub(crate) fn digest_streams(&self, mut sink: &mut dyn FnMut(&[u8])) {
        self.streams.digest(&mut sink);
    }

    pub(crate) fn skip_packets(&mut self, sent: u64, received: u64) {
        if let Phase::Undecided(link) | Phase::Open(link) = &mut self.phase {
            link.keys.skip(sent, received);
        }
    }
}
