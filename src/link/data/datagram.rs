//! Data packets on datagram carriers: numbers travel, and each is taken once (specification, sections 5.3 and 5.6).
#![forbid(unsafe_code)]

use super::DataKeys;
use crate::link::Discarded;
use crate::packet::replay_guard::ReplayGuard;
use crate::packet::{PacketNumber, protection};

/// How many packets may fail to open before the keys are used up (R-5.3-10).
const MAX_FAILED_OPENS: u64 = 1 << 36;

/// Which packet numbers of the peer's have been seen, and how often a packet did not open.
#[derive(Debug)]
pub(super) struct Seen {
    /// The first number after the handshake's.
    first: u64,
    guard: ReplayGuard,
    failed: u64,
}

impl Seen {
    /// Has seen the handshake, and nothing after it.
    pub(super) fn from(first: Option<PacketNumber>) -> Self {
        Self { first: first.map_or(u64::MAX, PacketNumber::get), guard: ReplayGuard::new(), failed: 0 }
    }

    /// Whether a packet with this number may be opened (R-5.6-1, R-5.6-3).
    fn check(&self, number: PacketNumber) -> bool {
        number.get() >= self.first && self.guard.check(number.get())
    }
}

impl DataKeys {
    /// Seals a Data packet in place as [`seal`](Self::seal) does, with its number masked in the header, and says under which one.
    /// `None` if the keys are used up: then `packet` is wiped.
    pub(crate) fn seal_datagram(&mut self, packet: &mut [u8]) -> Option<PacketNumber> {
        self.seal_next(packet)
    }

    /// The number of the next packet to be sealed; `None` if the keys are used up.
    pub(crate) fn next_number(&self) -> Option<PacketNumber> {
        self.send.next.filter(|_| self.send.left > 0)
    }

    /// Leaves out the next number, so that a peer that acknowledges it betrays that it acknowledges what it has not got. `None` if
    /// there would be no number left for a close.
    pub(crate) fn skip_number(&mut self) -> Option<PacketNumber> {
        let skipped = self.next_number()?;
        let next = skipped.next()?;
        self.send.next = Some(next);
        self.send.left = self.send.left.min(next.remaining());
        Some(skipped)
    }

    /// Opens a Data packet in place and gives its number and its plaintext. Its number is looked at before, and taken note of after
    /// (R-5.6-2).
    ///
    /// # Errors
    /// Why it was dropped. Nothing has changed (R-5.3-8) but the count of those that did not open.
    pub(crate) fn open_datagram<'a>(
        &mut self,
        packet: &'a mut [u8],
    ) -> Result<(PacketNumber, &'a mut [u8]), Discarded> {
        let Some(seen) = self.seen.as_mut().filter(|seen| seen.failed < MAX_FAILED_OPENS && self.receive.left > 0)
        else {
            return Err(Discarded::DoesNotOpen);
        };
        let Some(number) = protection::unmask(&self.receive.keys, packet) else {
            seen.failed = seen.failed.saturating_add(1);
            return Err(Discarded::DoesNotOpen);
        };
        if !seen.check(number) {
            return Err(Discarded::Replayed);
        }
        let Ok(plaintext) = protection::open(&self.receive.keys, number, packet) else {
            seen.failed = seen.failed.saturating_add(1);
            return Err(Discarded::DoesNotOpen);
        };
        seen.guard.mark(number.get());
        self.receive.left = self.receive.left.saturating_sub(1);
        Ok((number, plaintext))
    }

    /// Whether so many packets did not open that the next one might be a forgery that does: the link has to close (R-5.3-10).
    pub(crate) fn is_exhausted(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.failed >= MAX_FAILED_OPENS)
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests;
