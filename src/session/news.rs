//! What the application is to hear about the session as a whole; streams keep their own.
#![forbid(unsafe_code)]

use super::streams::StreamEvent;
use super::{Phase, Session};
use crate::event::{CloseReason, Event};
use crate::identity::PeerId;

/// Session-level events: at most one of each is pending, and the end of the session comes last and once.
#[derive(Debug, Default)]
pub(super) struct News {
    peer_identified: Option<PeerId>,
    signature_wanted: bool,
    ticket_presented: bool,
    ticket_received: bool,
    established: Told,
    confirmed: Told,
    peer_shutdown: bool,
    closed: Option<CloseReason>,
    closed_told: bool,
}

/// Something that happens at most once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Told {
    /// It has not happened.
    #[default]
    Never,
    /// It has, and the application has not heard of it.
    Pending,
    Done,
}

impl Told {
    /// Whether it had not happened before.
    fn happen(&mut self) -> bool {
        let is_first = *self == Self::Never;
        if is_first {
            *self = Self::Pending;
        }
        is_first
    }

    fn take(&mut self) -> bool {
        let pending = *self == Self::Pending;
        if pending {
            *self = Self::Done;
        }
        pending
    }
}

impl News {
    pub(super) fn peer_identified(&mut self, peer: PeerId) {
        self.peer_identified = Some(peer);
    }

    pub(super) fn signature_wanted(&mut self) {
        self.signature_wanted = true;
    }

    pub(super) fn ticket_presented(&mut self) {
        self.ticket_presented = true;
    }

    pub(super) fn ticket_received(&mut self) {
        self.ticket_received = true;
    }

    /// What was asked for has been given: asking for it would be out of date.
    pub(super) fn question_answered(&mut self) {
        self.peer_identified = None;
        self.signature_wanted = false;
        self.ticket_presented = false;
    }

    pub(super) fn established(&mut self) {
        self.established.happen();
    }

    /// Takes back [`established`](Self::established), unless the application has heard of it.
    #[cfg(feature = "endpoint")]
    pub(super) fn not_established(&mut self) {
        if self.established == Told::Pending {
            self.established = Told::Never;
        }
    }

    /// Whether the application has heard that the session is over.
    #[cfg(feature = "endpoint")]
    pub(super) fn closed_was_told(&self) -> bool {
        self.closed_told
    }

    /// Whether the session was ever established.
    pub(super) fn was_established(&self) -> bool {
        self.established != Told::Never
    }

    /// Whether that is news.
    pub(super) fn confirmed(&mut self) -> bool {
        self.confirmed.happen()
    }

    pub(super) fn peer_shutdown(&mut self) {
        self.peer_shutdown = true;
    }

    /// Whether the responder ever confirmed the handshake.
    pub(super) fn was_confirmed(&self) -> bool {
        self.confirmed != Told::Never
    }

    /// The session is over. Only the first reason counts.
    pub(super) fn closed(&mut self, reason: CloseReason) {
        self.question_answered();
        self.closed.get_or_insert(reason);
    }

    /// What comes before events of streams.
    fn poll_first(&mut self) -> Option<Event> {
        if let Some(peer) = self.peer_identified.take() {
            return Some(Event::PeerIdentified(peer));
        }
        if core::mem::take(&mut self.ticket_presented) {
            return Some(Event::TicketPresented);
        }
        if core::mem::take(&mut self.signature_wanted) {
            return Some(Event::SignatureWanted);
        }
        if self.established.take() {
            return Some(Event::Established);
        }
        self.confirmed.take().then_some(Event::Confirmed)
    }

    /// What comes after them.
    fn poll_last(&mut self) -> Option<Event> {
        if self.was_established() && core::mem::take(&mut self.ticket_received) {
            return Some(Event::TicketReceived);
        }
        if self.was_established() && core::mem::take(&mut self.peer_shutdown) {
            return Some(Event::PeerShutdown);
        }
        let reason = self.closed.filter(|_| !self.closed_told)?;
        self.closed_told = true;
        Some(Event::Closed(reason))
    }
}

impl Session {
    /// The next event, if there is one. Events of one stream come in the order in which they make sense; [`Event::Closed`] comes
    /// last of all, and only once.
    #[must_use = "an event that is not acted on is lost"]
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.news.closed_told {
            return None;
        }
        if let Some(event) = self.news.poll_first() {
            return Some(event);
        }
        if self.is_admitted()
            && let Some(event) = self.streams.poll_event()
        {
            self.settle_shutdown();
            return Some(event.into());
        }
        if self.is_admitted()
            && let Some(side) = &mut self.datagrams
            && side.best_effort.take_news()
        {
            return Some(Event::DatagramsReadable);
        }
        self.news.poll_last()
    }

    /// Why the session ended, once it has.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.news.closed
    }

    /// The text that the peer sent with its close: at most 256 bytes, empty if it sent none. Authentic, but the peer's own words: do
    /// not show it as one's own.
    #[must_use]
    pub fn close_text(&self) -> &str {
        &self.close_text
    }

    /// Whether the session is over and nothing of it has to be sent any more: the carrier can be ended.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        matches!(self.phase, Phase::Closed) && self.outbox.is_empty()
    }
}

impl From<StreamEvent> for Event {
    fn from(event: StreamEvent) -> Self {
        match event {
            StreamEvent::Opened(stream) => Self::Opened(stream),
            StreamEvent::Readable(stream) => Self::Readable(stream),
            StreamEvent::Writable(stream) => Self::Writable(stream),
            StreamEvent::Finished(stream) => Self::Finished(stream),
            StreamEvent::Stopped { stream, code } => Self::Stopped { stream, code },
            StreamEvent::StreamsAvailable(direction) => Self::StreamsAvailable(direction),
        }
    }
}
