//! What an endpoint asks of the sessions that it owns.
#![forbid(unsafe_code)]

use super::{PathId, Phase, Session};
use crate::config::Verdict;
use crate::identity::PeerId;
use crate::role::Role;
use crate::time::Instant;

impl Session {
    /// Whether its carrier is one of datagrams.
    pub(crate) fn is_on_datagrams(&self) -> bool {
        self.datagrams.is_some()
    }

    /// Whether the peer has still to prove who it is.
    pub(crate) fn is_in_handshake(&self) -> bool {
        matches!(self.phase, Phase::Handshake(_))
    }

    /// The peer, while the session lives and the peer has proved who it is. It may not have been admitted yet.
    pub(crate) fn living_peer(&self) -> Option<PeerId> {
        match self.phase {
            Phase::Undecided(_) | Phase::Open(_) => self.info.as_ref().map(|info| info.peer),
            Phase::Handshake(_) | Phase::Closing(..) | Phase::Closed => None,
        }
    }

    /// Turns away the peer, whatever this end's own policy says of it. An application that has not heard of the session as an established
    /// one never does.
    pub(crate) fn refuse_peer(&mut self, now: Instant) {
        match self.living_peer() {
            Some(peer) => {
                self.advance(now);
                self.news.not_established();
                self.turn_away(peer);
            }
            None => self.decide(now, Verdict::Refuse),
        }
    }

    /// Whether something may still be sent to this path.
    pub(crate) fn uses_path(&self, path: PathId) -> bool {
        self.datagrams.as_ref().is_some_and(|side| side.uses_path(path))
    }

    /// Whether nothing will come of it any more: it is drained, and its end was told.
    pub(crate) fn is_finished(&self) -> bool {
        self.is_drained() && self.news.closed_was_told()
    }

    /// Whether it has ended, in whatever way, and its owner has still to hear of it.
    pub(crate) fn has_end_to_tell(&self) -> bool {
        self.close_reason().is_some() && !self.news.closed_was_told()
    }

    /// Whether it has ended without the peer's having proved who it is.
    pub(crate) fn has_failed(&self) -> bool {
        self.is_drained() && self.info.is_none()
    }

    /// How much heap it may take at the most.
    pub(crate) fn most_bytes(&self) -> u64 {
        self.config.shared().limits.max_bytes() as u64
    }

    /// Whether the peer began it.
    pub(crate) fn is_accepted(&self) -> bool {
        self.role() == Role::Responder
    }
}
