//! Figures about a session.
#![forbid(unsafe_code)]

use core::time::Duration;

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
    /// Datagrams that were discarded whole: see [`Discarded`](crate::Discarded).
    pub discarded: u64,
    /// Best-effort datagrams that were dropped because too many waited: to be sent, and to be fetched.
    pub datagrams_dropped: (u64, u64),
    /// How the path is doing, on a datagram carrier and while the session is established.
    pub path: Option<PathStats>,
}

/// What a session knows of the path to its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathStats {
    /// The round trip, as a moving average.
    pub smoothed_rtt: Duration,
    /// The shortest round trip.
    pub min_rtt: Duration,
    /// Bytes that may be in flight: the congestion window.
    pub window: u64,
    /// Bytes that are.
    pub bytes_in_flight: u64,
    /// How many probe timeouts have passed in a row without an answer.
    pub unanswered_probes: u32,
    /// Packets declared lost.
    pub packets_lost: u64,
    /// Those of them that were acknowledged after all.
    pub packets_lost_in_error: u64,
    /// How often the window was reduced.
    pub congestion_events: u64,
    /// The longest datagram that is known to pass.
    pub mtu: u16,
    /// Whether the path carries marks of congestion.
    pub is_ecn_capable: bool,
}

/// The part that is counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    pub(super) packets_sent: u64,
    pub(super) bytes_sent: u64,
    pub(super) packets_received: u64,
    pub(super) bytes_received: u64,
    pub(super) discarded: u64,
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
        let Counters { packets_sent, bytes_sent, packets_received, bytes_received, discarded } = self.counters;
        let datagrams = self.datagrams.as_ref();
        Stats {
            packets_sent,
            bytes_sent,
            packets_received,
            bytes_received,
            streams: usage.streams,
            unacknowledged: usage.buffered,
            unread: usage.held,
            buffer_bytes: usage.buffer_bytes,
            discarded,
            datagrams_dropped: datagrams.map_or((0, 0), |side| side.best_effort.dropped()),
            path: datagrams.and_then(|side| side.path_stats()),
        }
    }
}
