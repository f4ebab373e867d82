//! What changes for an endpoint when a session has changed; how sessions leave.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use super::slab::Handle;
use super::{Address, Endpoint};
use crate::error::TooManyRevoked;
use crate::identity::PeerId;
use crate::time::Instant;

impl<A: Address> Endpoint<A> {
    /// Closes every living session with `peer` as one that is not admitted, and takes none of it from now on, until it is
    /// [reinstated](Self::reinstate). How many were closed is returned.
    ///
    /// # Errors
    /// [`TooManyRevoked`] if as many are revoked as [`EndpointLimits::revoked`](super::EndpointLimits::revoked) allows; nothing changed.
    pub fn revoke(&mut self, now: Instant, peer: PeerId) -> Result<usize, TooManyRevoked> {
        self.advance(now);
        let is_full = self.revoked.len() >= self.config.limits.revoked as usize;
        if is_full && !self.revoked.contains(&peer) {
            return Err(TooManyRevoked);
        }
        self.revoked.insert(peer);
        let handles: Vec<_> = self.peers.of(peer).filter_map(|place| self.sessions.handle_at(place)).collect();
        for handle in handles.iter().copied() {
            if let Some(hosted) = self.sessions.get_mut(handle) {
                hosted.session.refuse_peer(self.now);
                self.touched(handle);
            }
        }
        Ok(handles.len())
    }

    /// Takes back [`revoke`](Self::revoke). Whether the peer was revoked.
    pub fn reinstate(&mut self, peer: PeerId) -> bool {
        self.revoked.remove(&peer)
    }

    /// Begins no more sessions, and shuts down all that there are ([`Session::shutdown`](crate::Session::shutdown)); handshakes are given
    /// up. The endpoint [is idle](Self::is_idle) when all have ended.
    pub fn shutdown(&mut self, now: Instant) {
        self.advance(now);
        self.is_shutting_down = true;
        let handles: Vec<Handle> = self.sessions.iter().map(|(handle, _)| handle).collect();
        for handle in handles {
            if let Some(hosted) = self.sessions.get_mut(handle) {
                hosted.session.shutdown(self.now);
                self.touched(handle);
            }
        }
    }

    /// Keeps a session when it is over, until it is [released](Self::release): what came before the end can be received from it as long
    /// as it is there. It counts as a session meanwhile. Whether there is such a session.
    ///
    /// A session on a stream carrier stays in any case until [`poll_stream`](Self::poll_stream) says to end its carrier.
    pub fn hold(&mut self, handle: Handle) -> bool {
        self.sessions.get_mut(handle).map(|hosted| hosted.is_held = true).is_some()
    }

    /// Takes back [`hold`](Self::hold): the session goes, now or once it is over.
    pub fn release(&mut self, handle: Handle) {
        if let Some(hosted) = self.sessions.get_mut(handle) {
            hosted.is_held = false;
            self.settle(handle);
        }
    }

    /// Something was done to a session: it may have anything to do.
    pub(super) fn touched(&mut self, handle: Handle) {
        if let Some(hosted) = self.sessions.get(handle) {
            self.agenda.wake(handle.index, &hosted.session);
        }
        self.settle(handle);
    }

    /// Brings what the endpoint keeps about a session up to date, after anything that may have changed it. It goes if it is over.
    pub(super) fn settle(&mut self, handle: Handle) {
        self.meet(handle);
        self.count(handle);
        let Some(hosted) = self.sessions.get(handle) else { return };
        let (place, session) = (handle.index, &hosted.session);
        self.agenda.schedule(place, session);
        let is_unheard_of = session.has_failed() && !hosted.is_announced;
        let is_over = session.is_finished() || is_unheard_of;
        let has_carrier = !session.is_on_datagrams() && !hosted.has_ended_carrier;
        if is_over && has_carrier {
            self.agenda.streams.push(place); // to be ended first
        } else if is_over && !hosted.is_held {
            self.remove(handle);
        } else if session.has_end_to_tell() {
            self.agenda.events.push(place);
        }
    }

    /// Turns away a peer that was revoked, and one that has too many sessions already (R-6.11-6).
    pub(super) fn meet(&mut self, handle: Handle) {
        let Some(hosted) = self.sessions.get(handle) else { return };
        let session = &hosted.session;
        let asked = session.peer_in_question().map(|info| info.peer);
        let Some(peer) = session.living_peer().or(asked).filter(|peer| hosted.peer != Some(*peer)) else { return };
        let is_new = session.is_accepted();
        let has_too_many = is_new && !self.may_have_one_more(peer, session.most_bytes());
        if !has_too_many && !self.revoked.contains(&peer) {
            return;
        }
        self.stats.turned_away = self.stats.turned_away.saturating_add(1);
        if let Some(hosted) = self.sessions.get_mut(handle) {
            hosted.session.refuse_peer(self.now);
            self.agenda.output(handle.index, &hosted.session);
        }
    }

    /// Counts a session as what it is now.
    fn count(&mut self, handle: Handle) {
        let Some(hosted) = self.sessions.get_mut(handle) else { return };
        if hosted.is_half_open && !hosted.session.is_in_handshake() {
            hosted.is_half_open = false;
            self.gate.leave(hosted.begun_at);
        }
        let peer = hosted.session.living_peer();
        if peer != hosted.peer {
            let (former, bytes) = (core::mem::replace(&mut hosted.peer, peer), hosted.session.most_bytes());
            if let Some(former) = former {
                self.peers.remove(former, handle.index, bytes);
            }
            if let Some(peer) = peer {
                self.peers.insert(peer, handle.index, bytes);
            }
        }
    }

    /// Whether a peer may have another session, which may take so many bytes (R-6.11-6).
    fn may_have_one_more(&self, peer: PeerId, bytes: u64) -> bool {
        let (limits, has) = (&self.config.limits, self.peers.use_of(peer));
        has.sessions < limits.sessions_per_peer
            && has.bytes.saturating_add(bytes) <= limits.bytes_per_peer
            && self.peers.bytes().saturating_add(bytes) <= limits.bytes
    }

    /// A session goes, and everything that leads to it.
    pub(super) fn remove(&mut self, handle: Handle) {
        let Some(hosted) = self.sessions.remove(handle) else { return };
        let place = handle.index;
        self.agenda.forget(place);
        if let Some(id) = hosted.connection_id {
            self.routes.remove_connection_id(id);
        }
        if let Some(hello) = hosted.hello {
            self.routes.remove_hello(&hello, place);
        }
        if hosted.is_half_open {
            self.gate.leave(hosted.begun_at);
        }
        if let Some(peer) = hosted.peer {
            self.peers.remove(peer, place, hosted.session.most_bytes());
        }
    }
}
