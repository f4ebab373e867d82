//! What becomes of what packets carried: told by recovery, acted on by whoever sent it.
#![forbid(unsafe_code)]

use crate::session::carried::Carried;
use crate::session::lifecycle::Shutdown;
use crate::session::recovery::{AckRanges, Visitor};
use crate::session::streams::Streams;

/// Passes on what was acknowledged and what was lost (R-8.5-8, R-8.5-9).
pub(super) struct Fates<'a> {
    streams: &'a mut Streams,
    shutdown: &'a mut Shutdown,
    received: &'a mut AckRanges,
}

impl<'a> Fates<'a> {
    pub(super) fn new(streams: &'a mut Streams, shutdown: &'a mut Shutdown, received: &'a mut AckRanges) -> Self {
        Self { streams, shutdown, received }
    }
}

impl Visitor<Carried> for Fates<'_> {
    fn acked(&mut self, carried: Carried) {
        match carried {
            // R-8.10-3
            Carried::Acks(largest) => self.received.forget_below(largest.saturating_add(1)),
            carried => self.streams.on_acknowledged(carried),
        }
    }

    fn lost(&mut self, carried: Carried) {
        match carried {
            Carried::Shutdown => self.shutdown.to_announce = true,
            carried => self.streams.on_lost(carried),
        }
    }
}
