//! Tickets: an endpoint has the keys, opens what initiators present, and gives each that it lets in new ones.
#![forbid(unsafe_code)]

use alloc::sync::Arc;

use super::route::Route;
use super::slab::Handle;
use super::{Address, Endpoint};
use crate::config::{ClientConfig, Expect};
use crate::error::BeginError;
use crate::link::Ticket;
use crate::session::TicketKeys;
use crate::time::Instant;

/// How many tickets an initiator is given with each session: if one is lost or used in vain, there is another.
const TICKETS: usize = 2;

impl<A: Address> Endpoint<A> {
    /// As [`connect`](Self::connect), with a ticket of an earlier session: see [`Session::resume`](crate::Session::resume).
    ///
    /// # Errors
    /// [`BeginError`]; nothing changed, but the ticket is gone.
    pub fn resume(
        &mut self,
        now: Instant,
        config: Arc<ClientConfig>,
        expect: Expect,
        ticket: Ticket,
        to: impl Into<Route<A>>,
    ) -> Result<Handle, BeginError> {
        self.connect_with(now, config, (expect, Some(ticket)), to.into())
    }

    /// As [`connect_stream`](Self::connect_stream), with a ticket of an earlier session.
    ///
    /// # Errors
    /// [`BeginError`]; nothing changed, but the ticket is gone.
    pub fn resume_stream(
        &mut self,
        now: Instant,
        config: Arc<ClientConfig>,
        expect: Expect,
        ticket: Ticket,
    ) -> Result<Handle, BeginError> {
        self.connect_stream_with(now, config, (expect, Some(ticket)))
    }

    /// The keys of the tickets that are given here, to be [shared](TicketKeys::dangerous_export).
    #[must_use]
    pub fn ticket_keys(&self) -> &TicketKeys {
        &self.ticket_keys
    }

    /// Puts other keys in the place of those of the tickets that are given here: those that several machines share.
    pub fn set_ticket_keys(&mut self, keys: TicketKeys) {
        self.ticket_keys = keys;
    }

    /// Opens a ticket that was presented to a session. One of a peer that was revoked is as none.
    pub(super) fn answer_ticket(&mut self, handle: Handle) {
        let Self { sessions, ticket_keys, revoked, now, .. } = self;
        let Some(hosted) = sessions.get_mut(handle) else { return };
        if hosted.session.presented_ticket().is_none() {
            return;
        }
        let opened = hosted.session.open_presented_ticket(*now, ticket_keys);
        let opened = opened.filter(|ticket| !revoked.contains(&ticket.facts.initiator));
        hosted.session.answer_opened_ticket(*now, opened.as_ref());
    }

    /// Gives tickets to an initiator that was let in, if the configuration allows them.
    pub(super) fn issue_tickets(&mut self, handle: Handle) {
        let Self { sessions, ticket_keys, now, .. } = self;
        let Some(hosted) = sessions.get_mut(handle) else { return };
        for _ in 0..TICKETS {
            let _ = hosted.session.issue_ticket(*now, ticket_keys); // without one, the next handshake is a full one
        }
    }
}
