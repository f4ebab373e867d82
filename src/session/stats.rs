//! Figures about a session.
#![forbid(unsafe_code)]

use super::Session;

/// What a session has done so far, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Packets given to the carrier.
    pub packets_sent: u64,
    /// Their bytes, headers and tags included.
    pub bytes_sent: u64,
    /// Packets taken from the carrier: authentic ones, and those of the handshake.
    pub packets_received: u64,
    /// Their bytes, headers and tags included.
    pub bytes_received: u64,
    /// Streams that are not done.
    pub streams: usize,
    /// Bytes taken from the application that the peer's session is not yet known to hold. The end of a message counts as one.
    pub unacknowledged: u64,
    /// Bytes received that the application has not read, counted in the same way.
    pub unread: u64,
    /// Heap taken by the buffers of streams, in bytes.
    pub buffer_bytes: usize,
}

/// The part that is counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) packets_sent: u64,
    pub(super) bytes_sent: u64,
    pub(super) packets_received: u64,
    pub(super) bytes_received: u64,
}

impl Counters {
    pub(super) fn sent(&mut self, packets: u64, bytes: usize) {
        self.packets_sent = self.packets_sent.saturating_add(packets);
        self.bytes_sent = self.bytes_sent.saturating_add(bytes as u64);
    }

    pub(super) fn received(&mut self, bytes: usize) {
        self.packets_received = self.packets_received.saturating_add(1);
        self.bytes_received = self.bytes_received.saturating_add(bytes as u64);
    }
}

impl Session {
    /// Figures for dashboards and tests. Costs nothing worth mentioning.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let usage = self.streams.usage();
        let Counters { packets_sent, bytes_sent, packets_received, bytes_received } = self.counters;
        Stats {
            packets_sent,
            bytes_sent,
            packets_received,
            bytes_received,
            streams: usage.streams,
            unacknowledged: usage.buffered,
            unread: usage.held,
            buffer_bytes: usage.buffer_bytes,
        }
    }
}
