//! Handshake packets that are sent again: by the initiator at intervals, by the responder when it is asked (R-6.10-3, R-6.10-4).
#![forbid(unsafe_code)]

use crate::link::Epilogue;
use crate::link::handshake::{RETRANSMIT_AFTER, RETRANSMIT_COPIES};
use crate::role::Role;
use crate::session::timers::Timer;
use crate::session::{Phase, Session};

impl Session {
    /// Has the initiator's last flight sent again after a while, if there is one that waits for an answer. Only a flight that is about
    /// to leave sets the time anew: otherwise whoever sends something that looks like an answer could put it off for ever.
    pub(in crate::session) fn schedule_flight(&mut self) {
        if self.datagrams.is_none() {
            return;
        }
        if self.role() == Role::Responder || self.flight().is_empty() {
            self.timers.stop(Timer::Retransmit);
        } else if !self.outbox.is_empty() || !self.timers.is_running(Timer::Retransmit) {
            self.timers.set(Timer::Retransmit, self.now + RETRANSMIT_AFTER);
        }
    }

    /// Sends the last flight again, byte for byte. What has not even left the first time is not doubled.
    pub(in crate::session) fn repeat_flight(&mut self, copies: usize) {
        if self.outbox.is_empty() {
            let flight = self.flight().to_vec();
            for _ in 0..copies {
                self.outbox.tail().extend_from_slice(&flight);
            }
        }
        self.schedule_flight();
    }

    /// The time to send the last flight again has come.
    pub(in crate::session) fn retransmit(&mut self) {
        if let Phase::Handshake(handshake) = &mut self.phase {
            handshake.on_repeat();
        }
        self.repeat_flight(RETRANSMIT_COPIES);
    }

    fn flight(&self) -> &[u8] {
        match &self.phase {
            Phase::Handshake(handshake) => handshake.flight(),
            Phase::Open(_) => {
                let epilogue = self.datagrams.as_ref().and_then(|side| side.epilogue.as_ref());
                epilogue.map_or(&[], Epilogue::flight)
            }
            Phase::Undecided(_) | Phase::Closing(..) | Phase::Closed => &[],
        }
    }
}
