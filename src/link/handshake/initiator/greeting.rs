//! A Hello that has been sent, and what its answers are checked against.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::num::NonZeroU64;

use super::candidate::Candidate;
use crate::config::{Carrier, ClientConfig, Expect, Suite};
use crate::crypto::generator::Generator;
use crate::crypto::hash::{hmac, sha256};
use crate::crypto::key_exchange::EphemeralSecret;
use crate::crypto::key_schedule::EarlySecret;
use crate::event::{CloseReason, PeerMisbehaved, RefuseCode};
use crate::link::Ticket;
use crate::link::handshake::Packet;
use crate::link::handshake::keyed::{ConnectionIds, Keyed};
use crate::link::handshake::transcript::Transcript;
use crate::packet::validator::MAX_HANDSHAKE_PACKET;
use crate::wire::VERSION;
use crate::wire::packet_builder::Hello;
use crate::wire::packet_parser::{AcceptView, Malformed, RefuseView, RetryView};

/// What an initiator waits with for an Accept.
pub(super) struct Greeting {
    carrier: Carrier,
    ephemeral: EphemeralSecret,
    local_id: NonZeroU64,
    random: [u8; 32],
    /// What it offers to resume.
    ticket: Option<Ticket>,
    /// Of the latest Hello.
    transcript: Transcript,
    hello_hash: [u8; 32],
}

impl Greeting {
    /// Draws what is this handshake's own, the connection id as well if none is given, and builds the Hello. A ticket that is for another
    /// session, or too long for a Hello on this carrier, is left out.
    pub(super) fn new(
        config: &ClientConfig,
        expect: Expect,
        ticket: Option<Ticket>,
        carrier: Carrier,
        local_id: Option<NonZeroU64>,
        generator: &mut Generator,
    ) -> (Self, Vec<u8>) {
        let ephemeral = EphemeralSecret::generate(generator);
        let local_id = local_id.unwrap_or_else(|| generator.nonzero_u64());
        let mut random = [0; 32];
        generator.public(&mut random);
        let transcript = Transcript::new();
        let ticket = ticket.filter(|ticket| ticket.fits(config, expect, carrier));
        let mut greeting = Self { carrier, ephemeral, local_id, random, ticket, transcript, hello_hash: [0; 32] };
        let mut hello = greeting.hello(config, expect, None);
        let most = usize::from(carrier.handshake_mtu().unwrap_or(MAX_HANDSHAKE_PACKET));
        if hello.len() > most && greeting.ticket.take().is_some() {
            hello = greeting.hello(config, expect, None);
        }
        (greeting, hello)
    }

    /// Builds the Hello, now with this cookie and otherwise the same (R-4.1-8). Only answers to it count from here on.
    pub(super) fn hello(&mut self, config: &ClientConfig, expect: Expect, cookie: Option<&[u8; 32]>) -> Vec<u8> {
        let suites: Vec<u8> = config.shared.suites_on(self.carrier).into_iter().map(Suite::id).collect();
        let hello = Hello {
            versions: &[u16::from(VERSION)],
            suites: &suites,
            random: &self.random,
            key_share: &self.ephemeral.public(config.shared.provider.as_ref()),
            connection_id: self.local_id,
            app_protocol: &config.app_protocol,
            realm: &config.realm,
            ticket: self.ticket.as_ref().map_or(&[], Ticket::sealed),
            cookie,
            padded_to: self.carrier.handshake_mtu(), // R-4.1-7
        }
        .build();
        let peer_tag = match expect {
            Expect::Pinned(peer) => Some(hmac(peer.as_bytes(), &[hello.tagged()])), // R-4.1-5
            Expect::Ask => None,
        };
        let hello = hello.tag(peer_tag.as_ref());
        let binder = self.ticket.as_ref().map(|ticket| {
            EarlySecret::with_psk(ticket.psk()).binder(&sha256(hello.bound())) // R-10.3-1
        });
        let packet = hello.bind(binder.as_ref());
        self.transcript = Transcript::new();
        self.transcript.absorb(&packet);
        self.hello_hash = sha256(&packet);
        packet
    }

    /// What the responder writes into its packets.
    pub(super) fn local_id(&self) -> NonZeroU64 {
        self.local_id
    }

    /// Checks the choice against the offer (R-4.4-1, R-4.4-2) and derives epoch 1.
    pub(super) fn answered(&self, config: &ClientConfig, packet: &Packet<'_>) -> Result<Candidate, CloseReason> {
        let shared = &config.shared;
        let accept = AcceptView::parse(packet.body())?;
        let offered = |suite: &Suite| shared.suites.contains(suite) && self.carrier.takes(*suite);
        let suite = Suite::from_id(accept.suite).filter(offered);
        let (Some(suite), true) = (suite, accept.version == u16::from(VERSION)) else {
            return Err(PeerMisbehaved::ChoseUnoffered.into());
        };
        // R-4.4-3
        let resumed = self.ticket.as_ref().filter(|_| accept.resumed);
        let has_offered = !accept.resumed || resumed.is_some_and(|ticket| ticket.suite() == suite);
        if !has_offered || accept.early_accepted {
            return Err(PeerMisbehaved::ChoseUnoffered.into());
        }
        let agreed = self.ephemeral.agree(shared.provider.as_ref(), accept.key_share);
        let agreed = agreed.map_err(|_| PeerMisbehaved::WeakKeyShare)?;
        let mut transcript = self.transcript.clone();
        transcript.absorb(&packet.raw_header());
        transcript.absorb(packet.body());
        let ids = ConnectionIds { local: self.local_id, peer: accept.connection_id };
        let early = resumed.map_or_else(EarlySecret::without_psk, |ticket| EarlySecret::with_psk(ticket.psk()));
        let keyed = Keyed::new(shared, suite, ids, transcript, (early, agreed), &self.random, self.carrier);
        Ok(Candidate::new(keyed, resumed.map(Ticket::peer)))
    }

    /// Why the responder did not accept: a hint, if it is an answer to this Hello at all (R-4.3-1, R-4.3-2).
    pub(super) fn refused(&self, packet: &Packet<'_>) -> Result<RefuseCode, Malformed> {
        let refuse = RefuseView::parse(packet.body())?;
        if *refuse.hello_hash == self.hello_hash { Ok(refuse.code) } else { Err(Malformed) }
    }

    /// The cookie that is asked for, if it is for this Hello (R-4.2-2).
    pub(super) fn retry(&self, packet: &Packet<'_>) -> Result<[u8; 32], Malformed> {
        let retry = RetryView::parse(packet.body())?;
        if *retry.hello_hash == self.hello_hash { Ok(*retry.cookie) } else { Err(Malformed) }
    }

    /// For state digests.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn hello_hash(&self) -> [u8; 32] {
        self.hello_hash
    }
}

impl From<Malformed> for CloseReason {
    fn from(Malformed: Malformed) -> Self {
        Self::Misbehaved(PeerMisbehaved::MalformedPacket)
    }
}
