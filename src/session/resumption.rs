//! Sessions that begin where an earlier one ended: tickets (specification, section 10).
#![forbid(unsafe_code)]

mod ticket_keys;

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

pub use ticket_keys::TicketKeys;

use super::{Config, Phase, Session};
use crate::config::{Carrier, ClientConfig, Expect, Suite};
use crate::crypto::key_schedule::{Psk, ResumptionSecret};
use crate::error::{ConfigError, IssueTicketError};
use crate::event::ProtocolCode;
use crate::identity::PeerId;
use crate::link::Ticket;
use crate::link::ticket::{Facts, OpenedTicket};
use crate::role::Role;
use crate::seed::Seed;
use crate::time::Instant;
use crate::wire::ephemeral_session::EphemeralSession;
use crate::wire::link_message::{LinkMessage, new_ticket};

/// How many tickets an initiator keeps for its owner; of more, the oldest go.
const MAX_KEPT: usize = 4;

/// What a session keeps for tickets, once it is established.
pub(super) struct Resumption {
    secret: ResumptionSecret,
    /// Responder: the nonce of the next ticket.
    next_nonce: u64,
    /// Initiator: tickets that have come.
    tickets: Vec<Ticket>,
}

impl Resumption {
    pub(super) fn new(secret: ResumptionSecret) -> Self {
        Self { secret, next_nonce: 0, tickets: Vec::new() }
    }
}

impl Session {
    /// As [`connect`](Self::connect), with a ticket of an earlier session: if the responder takes it, neither end signs anything, and
    /// [`HandshakeInfo::resumed`](crate::HandshakeInfo::resumed) says so. If not, for whatever reason, the handshake is a full one. A
    /// ticket that is for another peer, identity, protocol or realm, or does not fit a packet, is left out.
    ///
    /// The key exchange is a new one in any case, and the responder asks again whether this agent is let in.
    ///
    /// # Errors
    /// As with [`connect`](Self::connect).
    pub fn resume(
        now: Instant,
        config: Arc<ClientConfig>,
        expect: Expect,
        carrier: Carrier,
        ticket: Ticket,
        seed: Seed,
    ) -> Result<Self, ConfigError> {
        config.validate(carrier)?;
        Ok(Self::initiate(now, config, (expect, Some(ticket)), carrier, seed, None))
    }

    /// Takes the oldest of the tickets that the responder has given, if there is one: after
    /// [`Event::TicketReceived`](crate::Event::TicketReceived). Each is good for one [`resume`](Self::resume), so that nobody can see that
    /// two sessions belong together. Still possible when the session has ended.
    pub fn take_ticket(&mut self) -> Option<Ticket> {
        let tickets = &mut self.resumption.as_mut()?.tickets;
        (!tickets.is_empty()).then(|| tickets.remove(0))
    }

    /// Responder: the ticket that the initiator has presented, while [`Event::TicketPresented`](crate::Event::TicketPresented) is
    /// unanswered.
    #[must_use]
    pub fn presented_ticket(&self) -> Option<&[u8]> {
        match &self.phase {
            Phase::Handshake(handshake) => handshake.presented_ticket(),
            _ => None,
        }
    }

    /// Answers [`Event::TicketPresented`](crate::Event::TicketPresented): the handshake goes on, resumed if the ticket opens with these keys
    /// and is for such a session, and otherwise, or without keys, as a full one. Without effect at any other time.
    pub fn answer_ticket(&mut self, now: Instant, keys: Option<&mut TicketKeys>) {
        let opened = keys.and_then(|keys| self.open_presented_ticket(now, keys));
        self.answer_opened_ticket(now, opened.as_ref());
    }

    /// What is in the ticket that was presented, if it opens with these keys.
    pub(crate) fn open_presented_ticket(&self, now: Instant, keys: &mut TicketKeys) -> Option<OpenedTicket> {
        let provider = self.config.shared().provider.as_ref();
        let session = keys.open(now, provider, self.presented_ticket()?)?;
        let session = EphemeralSession::parse(&session).ok()?;
        Some(OpenedTicket {
            psk: Psk::from_bytes(session.psk),
            facts: Facts {
                initiator: PeerId::from_bytes(*session.initiator).ok()?,
                responder: PeerId::from_bytes(*session.responder).ok()?,
                app_protocol: session.app_protocol.to_string(),
                realm: session.realm.to_string(),
                suite: Suite::from_id(session.suite)?,
            },
            policy_epoch: session.policy_epoch,
        })
    }

    pub(crate) fn answer_opened_ticket(&mut self, now: Instant, ticket: Option<&OpenedTicket>) {
        self.advance(now);
        let Phase::Handshake(handshake) = &mut self.phase else { return };
        if handshake.presented_ticket().is_none() {
            return;
        }
        self.news.question_answered();
        let progress = handshake.answer_ticket(ticket, &mut self.generator, self.outbox.tail());
        self.advance_handshake(progress);
    }

    /// Responder: gives the initiator one more ticket. Two or so after [`Event::Established`](crate::Event::Established) are enough: the
    /// next session gives new ones.
    ///
    /// # Errors
    /// [`IssueTicketError`].
    pub fn issue_ticket(&mut self, now: Instant, keys: &mut TicketKeys) -> Result<(), IssueTicketError> {
        self.advance(now);
        let Config::Server(config) = &self.config else { return Err(IssueTicketError::Unsupported) };
        let policy_epoch = config.tickets.ok_or(IssueTicketError::Unsupported)?;
        let (Phase::Open(_), Some(resumption), Some(info)) = (&self.phase, &mut self.resumption, &self.info) else {
            return Err(IssueTicketError::NotEstablished);
        };
        let (mut ticket_id, mut salt) = ([0; 32], [0; 32]);
        self.generator.secret(&mut ticket_id);
        self.generator.public(&mut salt);
        let nonce = resumption.next_nonce;
        let session = EphemeralSession {
            ticket_id: &ticket_id,
            psk: resumption.secret.psk(nonce).as_bytes(),
            initiator: info.peer.as_bytes(),
            responder: config.shared.signer.peer_id().as_bytes(),
            realm: &info.realm,
            app_protocol: &info.app_protocol,
            suite: info.suite.id(),
            policy_epoch,
        }
        .build();
        let ticket = keys.seal(now, config.shared.provider.as_ref(), &salt, &session);
        let ticket = ticket.ok_or(IssueTicketError::Unsupported)?;
        if !self.streams.send_link_message(&new_ticket(&ticket, nonce)) {
            return Err(IssueTicketError::Blocked);
        }
        resumption.next_nonce = nonce.saturating_add(1);
        Ok(())
    }

    /// Acts on what the peer's session says on the link's own stream.
    pub(super) fn handle_link_messages(&mut self) -> Result<(), ProtocolCode> {
        while let Some(message) = self.streams.poll_link_message() {
            match LinkMessage::parse(&message).map_err(|_| ProtocolCode::MalformedMessage)? {
                LinkMessage::NewTicket { ticket, nonce } => self.keep_ticket(ticket, nonce)?,
                LinkMessage::Unknown => {}
            }
        }
        Ok(())
    }

    fn keep_ticket(&mut self, ticket: &[u8], nonce: u64) -> Result<(), ProtocolCode> {
        let (Config::Client(config), Role::Initiator) = (&self.config, self.role()) else {
            return Err(ProtocolCode::Forbidden); // R-10.2-2
        };
        let (Some(resumption), Some(info)) = (&mut self.resumption, &self.info) else { return Ok(()) };
        let facts = Facts {
            initiator: config.shared.signer.peer_id(),
            responder: info.peer,
            app_protocol: info.app_protocol.clone(),
            realm: info.realm.clone(),
            suite: info.suite,
        };
        if resumption.tickets.len() >= MAX_KEPT {
            resumption.tickets.remove(0);
        }
        resumption.tickets.push(Ticket::new(ticket.to_vec(), resumption.secret.psk(nonce), facts));
        self.news.ticket_received();
        Ok(())
    }
}
