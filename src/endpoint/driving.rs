//! Datagrams, time and events, by whose turn it is.
#![forbid(unsafe_code)]

use super::route::Route;
use super::slab::Handle;
use super::{Address, Endpoint};
use crate::disposition::{Discarded, Disposition};
use crate::ecn::EcnCodepoint;
use crate::error::BufferTooSmall;
use crate::event::Event;
use crate::session::{Meta, Transmit};
use crate::time::Instant;
use crate::wire::Header;

impl<A: Address> Endpoint<A> {
    /// Takes a datagram, opening packets in place. What it brought is told by [`poll_event`](Self::poll_event).
    ///
    /// `from` is its sender's address, or a [`Route`] where the driver knows to which of one's own it came: answers then leave from
    /// there. `ecn` is how it was marked, [`EcnCodepoint::NotEct`] where the operating system does not tell. The answer is for figures
    /// and debugging: nothing that anybody can send ends a session or is a reason to act.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        from: impl Into<Route<A>>,
        ecn: EcnCodepoint,
        datagram: &mut [u8],
    ) -> Disposition {
        self.advance(now);
        let from = from.into();
        let addressee = match Header::addressee(datagram) {
            Err(_) => {
                self.stats.noise = self.stats.noise.saturating_add(1);
                return Disposition::Discarded(Discarded::NotAiTcp);
            }
            Ok(0) => {
                let hellos = self.stats.hellos;
                let disposition = self.handle_hello(from, ecn, datagram);
                if self.stats.hellos == hellos {
                    self.stats.noise = self.stats.noise.saturating_add(1);
                }
                return disposition;
            }
            // R-6.11-7
            Ok(id) => self.routes.by_connection_id(id).and_then(|place| self.sessions.handle_at(place)),
        };
        match addressee {
            Some(handle) => self.deliver(handle, from, ecn, datagram),
            None => {
                self.stats.unknown = self.stats.unknown.saturating_add(1);
                Disposition::Discarded(Discarded::UnknownConnection)
            }
        }
    }

    /// Gives a datagram to the session that it is for.
    pub(super) fn deliver(
        &mut self,
        handle: Handle,
        from: Route<A>,
        ecn: EcnCodepoint,
        datagram: &mut [u8],
    ) -> Disposition {
        let Some(hosted) = self.sessions.get_mut(handle) else {
            return Disposition::Discarded(Discarded::UnknownConnection);
        };
        let path = hosted.paths.of(&from);
        let disposition = hosted.session.handle_datagram(self.now, Meta { path, ecn }, datagram);
        hosted.paths.learn(path, from, &hosted.session);
        self.answer_ticket(handle);
        self.touched(handle);
        disposition
    }

    /// Writes what has to be sent on the datagram carrier to the front of `buf`, and says where to: one datagram, or several of one length
    /// to the same address ([`Transmit::segment`]). `None` if there is nothing. Sessions take turns.
    ///
    /// What was written counts as sent.
    ///
    /// # Errors
    /// [`BufferTooSmall`] if `buf` cannot hold the next datagram. Nothing has changed. As many bytes as the endpoint's mtu always suffice.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        buf: &mut [u8],
    ) -> Result<Option<(Route<A>, Transmit)>, BufferTooSmall> {
        self.advance(now);
        if let Some(answer) = self.answers.take(buf)? {
            return Ok(Some(answer));
        }
        while let Some(place) = self.agenda.datagrams.front() {
            let handle = self.sessions.handle_at(place);
            if let Some(handle) = handle {
                // The application may have accepted one that was revoked meanwhile.
                self.meet(handle);
            }
            let Some((handle, hosted)) = handle.and_then(|handle| Some((handle, self.sessions.get_mut(handle)?)))
            else {
                self.agenda.forget(place);
                continue;
            };
            let written = hosted.session.poll_transmit(self.now, buf)?;
            self.agenda.datagrams.pop();
            let Some(transmit) = written else {
                self.settle(handle);
                continue;
            };
            self.agenda.datagrams.push(place);
            let to = hosted.paths.route(transmit.path);
            debug_assert!(to.is_some(), "paths that a session sends to are kept");
            self.settle(handle);
            if let Some(to) = to {
                return Ok(Some((to, transmit)));
            }
        }
        Ok(None)
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called at the latest, if ever. Exact: nothing happens before, and a
    /// deadline that was served is gone.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.agenda.deadlines.peek().map(|(deadline, _)| deadline)
    }

    /// Serves every deadline that is due at `now`, in their order. Calling it early, late or for nothing does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        // Each session's are served at once, and those that it then has lie behind `now`.
        for _ in 0..self.agenda.deadlines.len() {
            let Some(place) = self.agenda.deadlines.pop_due(self.now) else { break };
            let Some(handle) = self.sessions.handle_at(place) else { continue };
            if let Some(hosted) = self.sessions.get_mut(handle) {
                hosted.session.handle_timeout(self.now);
                self.touched(handle);
            }
        }
    }

    /// The next event of any session, and whose it is; sessions take turns. A handle that is new is that of a session which a peer has
    /// begun.
    #[must_use = "an event that is not acted on is lost"]
    pub fn poll_event(&mut self) -> Option<(Handle, Event)> {
        while let Some(place) = self.agenda.events.front() {
            let handle = self.sessions.handle_at(place);
            if let Some(handle) = handle {
                // What an application did with its own hands has not been seen to yet.
                self.settle(handle);
            }
            self.agenda.events.remove(place);
            let Some((handle, hosted)) = handle.and_then(|handle| Some((handle, self.sessions.get_mut(handle)?)))
            else {
                continue;
            };
            if let Some(event) = hosted.session.poll_event() {
                hosted.is_announced = true;
                if event == Event::Established {
                    self.issue_tickets(handle);
                }
                self.touched(handle);
                return Some((handle, event));
            }
        }
        None
    }
}
