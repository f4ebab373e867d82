//! One direction of a stream carrier, as TCP or a pipe would be: ordered bytes, cut anywhere, late, stalled, ended.

use std::collections::VecDeque;
use std::time::Duration;

use aitcp::Instant;

use crate::Rng;

/// How a [`StreamLink`] cuts what it carries.
#[derive(Clone, Debug, Default)]
pub enum Chunks {
    /// Not at all: everything that has arrived is read at once.
    #[default]
    Whole,
    /// Into pieces of so many bytes at most.
    UpTo(usize),
    /// Into pieces of random lengths, up to so many bytes.
    Random(Rng, usize),
}

/// What is read from a [`StreamLink`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Some bytes, at least one.
    Bytes(Vec<u8>),
    /// The carrier has ended. Told once.
    End,
}

/// One direction of an emulated stream carrier.
#[derive(Clone, Debug, Default)]
pub struct StreamLink {
    latency: Duration,
    chunks: Chunks,
    /// What was written and not read, with the time from which it can be read.
    in_flight: VecDeque<(Instant, Vec<u8>)>,
    stalled: bool,
    /// After how many bytes in all the carrier ends, and whether the reader knows.
    ends_after: Option<u64>,
    end_told: bool,
    read: u64,
    written: Vec<u8>,
    writes: Vec<(Instant, usize)>,
}

impl StreamLink {
    /// A link without latency that cuts nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets bytes arrive so much later than they were written.
    #[must_use]
    pub fn with_latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Sets how bytes are cut.
    #[must_use]
    pub fn with_chunks(mut self, chunks: Chunks) -> Self {
        self.chunks = chunks;
        self
    }

    /// Takes bytes. Those that lie beyond the end of the carrier are lost.
    pub fn write(&mut self, now: Instant, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.written.extend_from_slice(bytes);
            self.writes.push((now, bytes.len()));
            self.in_flight.push_back((now + self.latency, bytes.to_vec()));
        }
    }

    /// Gives what has arrived, cut as configured.
    pub fn read(&mut self, now: Instant) -> Option<Arrival> {
        let limit = match &mut self.chunks {
            Chunks::Whole => usize::MAX,
            Chunks::UpTo(limit) => (*limit).max(1),
            Chunks::Random(rng, limit) => rng.below((*limit).max(1)) + 1,
        };
        self.read_up_to(now, limit)
    }

    /// Gives up to `limit` bytes of what has arrived.
    pub fn read_up_to(&mut self, now: Instant, limit: usize) -> Option<Arrival> {
        if self.stalled || self.end_told {
            return None;
        }
        let left = self.ends_after.map_or(u64::MAX, |end| end.saturating_sub(self.read));
        let limit = limit.min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut bytes = Vec::new();
        while bytes.len() < limit
            && let Some((_, chunk)) = self.in_flight.front_mut().filter(|(at, _)| *at <= now)
        {
            let take = chunk.len().min(limit - bytes.len());
            bytes.extend(chunk.drain(..take));
            if chunk.is_empty() {
                self.in_flight.pop_front();
            }
        }
        if bytes.is_empty() {
            self.end_told = left == 0;
            return self.end_told.then_some(Arrival::End);
        }
        self.read += bytes.len() as u64;
        Some(Arrival::Bytes(bytes))
    }

    /// When there is something to read next: a time that may have passed. `None` if nothing is on its way.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Instant> {
        if self.stalled || self.end_told {
            return None;
        }
        if self.ends_after.is_some_and(|end| end <= self.read) {
            return Some(Instant::ORIGIN);
        }
        self.in_flight.front().map(|(at, _)| *at)
    }

    /// Lets nothing be read until [`Self::resume`]. What is written waits.
    pub fn stall(&mut self) {
        self.stalled = true;
    }

    /// Ends a stall.
    pub fn resume(&mut self) {
        self.stalled = false;
    }

    /// Ends the carrier behind what was written so far, as closing a socket does.
    pub fn close(&mut self) {
        self.close_after(self.written.len() as u64);
    }

    /// Ends the carrier after `offset` bytes, counted from its beginning, or now if more than that were read. An earlier end holds.
    pub fn close_after(&mut self, offset: u64) {
        self.ends_after = Some(self.ends_after.map_or(offset, |end| end.min(offset)));
    }

    /// Ends the carrier now: whatever is on its way is lost.
    pub fn cut(&mut self) {
        self.close_after(self.read);
    }

    /// Whether nothing is on its way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.next_arrival().is_none()
    }

    /// Every byte that was ever written.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        &self.written
    }

    /// When so many bytes were written at once.
    #[must_use]
    pub fn writes(&self) -> &[(Instant, usize)] {
        &self.writes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::ORIGIN;

    fn bytes(bytes: &[u8]) -> Option<Arrival> {
        Some(Arrival::Bytes(bytes.to_vec()))
    }

    #[test]
    fn bytes_arrive_in_order_after_the_latency_and_cut() {
        let mut link = StreamLink::new().with_latency(Duration::from_micros(5)).with_chunks(Chunks::UpTo(2));
        link.write(NOW, b"ab");
        link.write(NOW + Duration::from_micros(1), b"c");
        assert_eq!(link.read(NOW), None);
        assert_eq!(link.next_arrival(), Some(NOW + Duration::from_micros(5)));
        let later = NOW + Duration::from_micros(6);
        assert_eq!(link.read_up_to(later, 1), bytes(b"a"));
        assert_eq!(link.read(later), bytes(b"bc"));
        assert_eq!((link.read(later), link.is_idle()), (None, true));
    }

    #[test]
    fn a_close_comes_after_what_was_written_and_a_cut_at_once() {
        let mut link = StreamLink::new();
        link.write(NOW, b"abc");
        link.close();
        link.write(NOW, b"lost");
        assert_eq!(link.read_up_to(NOW, 2), bytes(b"ab"));
        let mut cut = link.clone();
        cut.cut();
        assert_eq!([cut.read(NOW), cut.read(NOW)], [Some(Arrival::End), None]);
        assert_eq!(link.read(NOW), bytes(b"c"));
        assert_eq!([link.read(NOW), link.read(NOW)], [Some(Arrival::End), None]);
    }

    #[test]
    fn a_stalled_link_gives_nothing_and_loses_nothing() {
        let mut link = StreamLink::new();
        link.stall();
        link.write(NOW, b"abc");
        assert_eq!((link.read(NOW), link.next_arrival()), (None, None));
        link.resume();
        assert_eq!(link.read(NOW), bytes(b"abc"));
    }

    #[test]
    fn random_cuts_are_the_same_for_a_seed() {
        let lens = |seed| {
            let mut link = StreamLink::new().with_chunks(Chunks::Random(Rng::new(seed), 9));
            link.write(NOW, &[0; 1000]);
            std::iter::from_fn(|| link.read(NOW)).collect::<Vec<_>>()
        };
        assert_eq!(lens(1), lens(1));
        assert_ne!(lens(1), lens(2));
    }
}
