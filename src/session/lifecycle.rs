//! Timers, shutdown, and how sessions end.
#![forbid(unsafe_code)]

use alloc::string::String;
use core::time::Duration;

use super::streams::Opened;
use super::{Phase, Session, Timer};
use crate::event::{CloseReason, CloseSource, PeerMisbehaved, ProtocolCode};
use crate::time::Instant;
use crate::wire::payload::{Close, MAX_CLOSE_REASON};

/// A close that is to be sealed and sent.
#[derive(Debug)]
pub(super) struct OutgoingClose {
    source: CloseSource,
    code: u64,
    text: String,
}

impl OutgoingClose {
    pub(super) fn protocol(code: ProtocolCode) -> Self {
        Self { source: CloseSource::Protocol, code: code.code(), text: String::new() }
    }

    pub(super) fn as_close(&self) -> Close<'_> {
        Close { source: self.source, code: self.code, reason: &self.text }
    }
}

/// Who has asked for no more new streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shutdown {
    /// This side has, and closes when the open streams are done (R-9.4-2).
    pub(super) by_self: bool,
    /// The peer has been told, or is about to be, that this side opens no more (R-9.4-1).
    announced: bool,
    /// It has still to be told.
    pub(super) to_announce: bool,
    /// The peer has.
    pub(super) by_peer: bool,
}

impl Session {
    /// When [`handle_timeout`](Self::handle_timeout) has to be called at the latest, if ever. Exact: nothing happens before, and a
    /// deadline that was served is gone.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let datagrams = self.datagrams.as_ref().and_then(|side| side.deadline(self.now));
        self.timers.next().into_iter().chain(datagrams).min()
    }

    /// Serves every deadline that is due at `now`. Calling it early, late or for nothing does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    /// Takes the caller's clock, which stands still where it would run backward, and serves what has fallen due **before** anything
    /// else happens at `now`. So it makes no difference whether a deadline's own wake-up came first.
    pub(super) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(timer) = self.timers.expire(self.now) {
            match timer {
                Timer::Handshake => self.give_up_handshake(),
                Timer::Verdict => self.end(CloseReason::VerdictTimeout, Some(ProtocolCode::VerdictTimeout)),
                Timer::Confirmation => self.end(CloseReason::Unconfirmed, Some(ProtocolCode::VerdictTimeout)),
                Timer::Idle => self.end(CloseReason::IdleTimeout, Some(ProtocolCode::IdleTimeout)), // R-9.3-4
                Timer::Keepalive => self.ping_due = true,
                Timer::Drain => self.over(),
                Timer::Retransmit => self.retransmit(),
            }
        }
        self.advance_datagrams();
    }

    /// The deadline of the handshake has come. On a datagram carrier it may be known what failed (R-6.10-10).
    fn give_up_handshake(&mut self) {
        let reason = match &self.phase {
            Phase::Handshake(handshake) => handshake.timeout_reason(),
            _ => CloseReason::HandshakeTimeout,
        };
        self.end(reason, None);
    }

    /// The carrier has ended, in whatever way: end of stream, reset, error. Without a close from the peer this is
    /// [`CloseReason::LinkLost`], never a clean end (R-9.5-1). What was received stays readable.
    pub fn handle_link_lost(&mut self, now: Instant) {
        self.advance(now);
        self.outbox.clear();
        self.news.closed(CloseReason::LinkLost);
        self.over();
    }

    /// Ends the session in order: no new streams on either side, and a close once those that are open are done in both directions.
    /// Without effect on a session that has ended; a handshake that still goes on, or a verdict that is pending, is given up as by
    /// [`close`](Self::close).
    ///
    /// It waits for the applications of both ends to finish their streams and to hear of it ([`poll_event`](Self::poll_event));
    /// [`close`](Self::close) does not wait.
    pub fn shutdown(&mut self, now: Instant) {
        self.advance(now);
        match self.phase {
            Phase::Handshake(_) => self.end(CloseReason::Local, None),
            Phase::Undecided(_) => self.end(CloseReason::Local, Some(ProtocolCode::NotAdmitted)),
            Phase::Open(_) => {
                self.shutdown.by_self = true;
                self.announce_shutdown();
                self.settle_shutdown();
            }
            Phase::Closing(..) | Phase::Closed => {}
        }
    }

    /// Whether one of the ends has asked for no more new streams: [`shutdown`](Self::shutdown) was called, or
    /// [`Event::PeerShutdown`](crate::Event::PeerShutdown) is out or pending. Stays so when the session ends.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.shutdown.by_self || self.shutdown.by_peer
    }

    /// The peer opens no more streams than it has opened (R-9.4-1); those that it has not named yet count among the open ones.
    pub(super) fn peer_shuts_down(&mut self, opened: Opened) -> Result<(), ProtocolCode> {
        self.streams.open_all(opened)?;
        if !self.shutdown.by_peer {
            self.shutdown.by_peer = true;
            self.news.peer_shutdown();
            self.announce_shutdown();
        }
        Ok(())
    }

    /// Tells the peer, once, that this side opens no more streams: it has decided so, or it answers.
    fn announce_shutdown(&mut self) {
        if !self.shutdown.announced {
            self.shutdown.announced = true;
            self.shutdown.to_announce = true;
        }
    }

    /// Ends the session at once: the peer is told `code` and up to 256 bytes of `text` (longer text is cut between characters).
    /// What it has not received is lost. During the handshake the peer is told nothing, and while a verdict on it is pending only that
    /// it is not admitted. Without effect on a session that has ended.
    pub fn close(&mut self, now: Instant, code: u64, text: &str) {
        self.advance(now);
        let close = match self.phase {
            // R-6.3-5: not a byte of the application's to a peer that has not been let in.
            Phase::Undecided(_) => OutgoingClose::protocol(ProtocolCode::NotAdmitted),
            _ => OutgoingClose { source: CloseSource::Application, code, text: cut(text, MAX_CLOSE_REASON).into() },
        };
        self.end_with(CloseReason::Local, Some(close));
    }

    /// Closes a session that shuts down, once the peer has said which streams there are and all of them are done (R-9.4-2).
    pub(super) fn settle_shutdown(&mut self) {
        let is_due = self.shutdown.by_self && self.shutdown.by_peer && !self.shutdown.to_announce;
        if is_due && matches!(self.phase, Phase::Open(_)) && self.streams.is_empty() {
            self.end(CloseReason::ShutDown, Some(ProtocolCode::None));
        }
    }

    /// A packet of the peer's has opened: it lives (R-9.3-2).
    pub(super) fn heard_from_peer(&mut self) {
        if let Phase::Open(link) = &self.phase
            && let Some(idle) = link.idle
        {
            // R-9.3-5: a few answers may be lost before the peer is.
            let least = self.datagrams.as_ref().map_or(Duration::ZERO, |side| side.pto().saturating_mul(3));
            self.timers.set(Timer::Idle, self.now + idle.max(least));
        }
    }

    /// A packet has been sent: the peer knows that this end lives (R-9.3-3).
    pub(super) fn told_peer(&mut self) {
        if matches!(self.phase, Phase::Open(_))
            && let Some(keepalive) = self.config.shared().timeouts.keepalive
        {
            self.timers.set(Timer::Keepalive, self.now + keepalive);
        }
    }

    /// The peer broke a rule that has a close code: it is told (R-9.1-3).
    pub(super) fn end_for_rule(&mut self, code: ProtocolCode) {
        self.end(CloseReason::Misbehaved(PeerMisbehaved::Rule(code)), Some(code));
    }

    /// Ends the session for `reason` and tells the peer `code`, if there is one and there are keys to tell it with.
    pub(super) fn end(&mut self, reason: CloseReason, code: Option<ProtocolCode>) {
        self.end_with(reason, code.map(OutgoingClose::protocol));
    }

    fn end_with(&mut self, reason: CloseReason, close: Option<OutgoingClose>) {
        self.news.closed(reason);
        if matches!(self.phase, Phase::Closing(..)) {
            return; // the first close stands, and the time that it has
        }
        self.timers.clear();
        self.ping_due = false;
        let drained = self.now + self.drain();
        if let Some(side) = &mut self.datagrams {
            side.close();
        }
        self.phase = match (core::mem::replace(&mut self.phase, Phase::Closed), close) {
            // An initiator whose InitiatorAuth still waits has not revealed itself, and does not now (R-6.2-4).
            (Phase::Open(link) | Phase::Undecided(link), Some(close)) if self.outbox.is_empty() => {
                self.timers.set(Timer::Drain, drained);
                Phase::Closing(link, close)
            }
            (Phase::Closed, _) => Phase::Closed,
            // Without a packet (R-6.2-4, R-6.8-1), be it one that waits; but a Refuse is the answer that says why.
            _ if matches!(reason, CloseReason::Incompatible(_)) => Phase::Closed,
            _ => {
                self.outbox.clear();
                Phase::Closed
            }
        };
    }

    /// How long a close may take to get out; on a datagram carrier, how long packets of a peer that has not got it are answered with
    /// it again (R-9.7-7).
    fn drain(&self) -> Duration {
        let least = self.datagrams.as_ref().map_or(Duration::ZERO, |side| side.pto().saturating_mul(3));
        self.config.shared().timeouts.drain.max(least)
    }

    /// Nothing will be sent any more (R-9.1-1): keys go.
    pub(super) fn over(&mut self) {
        if let Some(side) = &mut self.datagrams {
            side.end();
        }
        self.timers.clear();
        self.ping_due = false;
        self.phase = Phase::Closed;
    }

    /// The peer's last word (R-9.1-2), whatever its code (R-9.2-1): it is not answered, and what it sent before stays readable
    /// (R-9.1-4).
    pub(super) fn closed_by_peer(&mut self, close: &Close<'_>) {
        self.news.closed(CloseReason::Peer { source: close.source, code: close.code });
        self.close_text = close.reason.into();
        self.over();
    }
}

/// As much of `text` as fits into `max` bytes, cut between characters.
fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut("abc", 256), "abc");
        assert_eq!(cut("abc", 2), "ab");
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("é", 1), "");
        assert_eq!(cut("", 0), "");
    }
}
