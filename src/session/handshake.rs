//! From the first packet to an established session: policy, verdicts, external signers (specification, section 6.6).
#![forbid(unsafe_code)]

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::datagram::DeliverySetup;
use super::resumption::Resumption;
use super::streams::PeerLimits;
use super::{Config, Link, Phase, Session, Timer};
use crate::config::{Admission, Suite, Verdict};
use crate::error::SignatureRejected;
use crate::event::{CloseReason, ProtocolCode};
use crate::identity::PeerId;
use crate::link::{DataKeys, Epilogue, Established, Progress, Rejection, VerifiedPeer};
use crate::role::Role;
use crate::time::Instant;
use crate::wire::{Framing, Params};

/// What the handshake found out: the peer, and what both ends agreed on.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeInfo {
    /// Who the peer is. It has proved it.
    pub peer: PeerId,
    /// What the peer showed beside its identity; empty if nothing. The protocol gives it no meaning.
    pub credentials: Vec<u8>,
    /// What the applications speak.
    pub app_protocol: String,
    /// In which realm.
    pub realm: String,
    /// The key exchange and the packet cipher.
    pub suite: Suite,
    /// Whether an earlier session's ticket took the place of signatures.
    pub resumed: bool,
}

impl core::fmt::Debug for HandshakeInfo {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("HandshakeInfo")
            .field("peer", &self.peer)
            .field("credentials", &format_args!("{} bytes", self.credentials.len()))
            .field("app_protocol", &self.app_protocol)
            .field("realm", &self.realm)
            .field("suite", &self.suite)
            .field("resumed", &self.resumed)
            .finish()
    }
}

impl Session {
    /// What the handshake found out, from the moment the peer has proved its identity: with
    /// [`Event::PeerIdentified`](crate::Event::PeerIdentified) for whoever has to decide, else with
    /// [`Event::Established`](crate::Event::Established). It stays when the session ends.
    #[must_use]
    pub fn handshake(&self) -> Option<&HandshakeInfo> {
        self.info.as_deref()
    }

    /// Answers [`Event::PeerIdentified`](crate::Event::PeerIdentified). Without effect when no verdict is wanted.
    ///
    /// An initiator that accepts reveals its own identity only now; one that refuses ends the session without a word (R-6.2-4). A
    /// responder that refuses tells the peer so (R-6.3-7).
    pub fn decide(&mut self, now: Instant, verdict: Verdict) {
        self.advance(now);
        let Some(peer) = self.info.as_ref().map(|info| info.peer) else { return };
        match (&mut self.phase, verdict) {
            (Phase::Handshake(handshake), Verdict::Accept) if handshake.peer_in_question().is_some() => {
                self.news.question_answered();
                let progress = handshake.accept_peer(&mut self.generator, self.outbox.tail());
                self.advance_handshake(progress);
            }
            (Phase::Handshake(handshake), Verdict::Refuse) if handshake.peer_in_question().is_some() => {
                self.news.question_answered();
                let progress = handshake.refuse_peer(&mut self.generator, self.outbox.tail());
                self.advance_handshake(progress);
            }
            (Phase::Undecided(_), Verdict::Accept) => {
                self.news.question_answered();
                self.admit();
            }
            (Phase::Undecided(_), Verdict::Refuse) => self.turn_away(peer),
            _ => {}
        }
    }

    /// What an external signer is to sign with Ed25519, as it is: 121 bytes, while
    /// [`Event::SignatureWanted`](crate::Event::SignatureWanted) is unanswered.
    #[must_use]
    pub fn to_sign(&self) -> Option<&[u8]> {
        match &self.phase {
            Phase::Handshake(handshake) => handshake.to_sign(),
            _ => None,
        }
    }

    /// Answers [`Event::SignatureWanted`](crate::Event::SignatureWanted).
    ///
    /// # Errors
    /// [`SignatureRejected`] if no signature is wanted, or it is not one over [`to_sign`](Self::to_sign) by the configured identity
    /// (R-6.6-2). The session waits on, until its deadline.
    pub fn provide_signature(&mut self, now: Instant, signature: &[u8; 64]) -> Result<(), SignatureRejected> {
        self.advance(now);
        let Phase::Handshake(handshake) = &mut self.phase else { return Err(SignatureRejected::NotWanted) };
        let progress = handshake.provide_signature(signature, self.outbox.tail())?;
        self.news.question_answered();
        self.advance_handshake(Ok(progress));
        Ok(())
    }

    /// Acts on how far the handshake has come, or on why it failed: then the carrier ends without another packet (R-6.2-4, R-6.3-6),
    /// but for a Refuse that waits in the outbox (R-6.4-2).
    pub(super) fn advance_handshake(&mut self, progress: Result<Progress, Rejection>) {
        match progress {
            Ok(Progress::Waiting | Progress::Repeat | Progress::Refused(_)) | Err(Rejection::Discarded(_)) => {}
            Ok(Progress::SignatureWanted) => self.news.signature_wanted(),
            Ok(Progress::TicketPresented) => self.news.ticket_presented(),
            Ok(Progress::VerdictWanted) => self.ask(),
            Ok(Progress::Done(established)) => self.authenticated(*established),
            Err(Rejection::Ends(reason)) => self.end(reason, None),
        }
        self.schedule_flight();
    }

    /// Initiator: puts the responder to the owner (R-6.2-3).
    fn ask(&mut self) {
        let (Phase::Handshake(handshake), Config::Client(config)) = (&self.phase, &self.config) else { return };
        let Some((peer, suite)) = handshake.peer_in_question() else { return };
        let info = describe(peer, suite, config.app_protocol.clone(), config.realm.clone());
        self.news.peer_identified(info.peer);
        self.info = Some(Box::new(info));
    }

    /// The peer has proved its identity, and there are keys to talk to it.
    fn authenticated(&mut self, established: Established) {
        let Established { peer, suite, app_protocol, realm, keys, exporter, resumption, epilogue } = established;
        self.resumption = Some(Box::new(Resumption::new(resumption)));
        let params = *peer.params();
        self.info = Some(Box::new(describe(&peer, suite, app_protocol, realm)));
        self.streams.set_peer(&self.peer_limits(&params));
        let framing = if self.datagrams.is_some() { Framing::Datagram } else { Framing::Stream };
        let own_params = self.config.shared().params(framing);
        self.establish_datagrams(&keys, &params, epilogue);
        let link = Box::new(Link {
            keys,
            exporter,
            peer_max_packet: params.max_packet.into(),
            idle: shorter_idle(own_params.idle_timeout_ms, params.idle_timeout_ms),
        });
        self.timers.stop(Timer::Handshake);
        match &self.config {
            Config::Client(_) => self.establish(link),
            Config::Server(config) => {
                // R-10.3-5: a ticket makes no difference.
                let verdict = match &config.admission {
                    Admission::Any => Some(Verdict::Accept),
                    Admission::Only(admitted) if admitted.contains(&peer.id()) => Some(Verdict::Accept),
                    Admission::Only(_) => Some(Verdict::Refuse),
                    Admission::Ask => None,
                };
                let deadline = self.now + config.shared.timeouts.verdict;
                // Until the verdict, what comes fills the streams up to the first credit, and no grant goes out (R-6.6-1).
                self.phase = Phase::Undecided(link);
                match verdict {
                    Some(Verdict::Accept) => self.admit(),
                    Some(Verdict::Refuse) => self.turn_away(peer.id()),
                    None => {
                        self.timers.set(Timer::Verdict, deadline);
                        self.news.peer_identified(peer.id());
                    }
                }
            }
        }
    }

    /// From now on there are Data packets.
    fn establish_datagrams(&mut self, keys: &DataKeys, peer: &Params, epilogue: Option<Epilogue>) {
        let Some(side) = &mut self.datagrams else { return };
        let mut random = [0; 8];
        self.generator.secret(&mut random);
        let shared = self.config.shared();
        let setup = DeliverySetup {
            rate_control: shared.rate_control,
            max_ack_delay: shared.timeouts.max_ack_delay,
            waits_for_confirmation: matches!(self.config, Config::Client(_)),
            max_packets: shared.limits.packets_in_flight.into(),
            random: u64::from_le_bytes(random),
        };
        side.establish(keys, peer, &setup);
        side.keep_epilogue(epilogue);
    }

    fn peer_limits(&self, params: &Params) -> PeerLimits {
        PeerLimits {
            session_credit: params.session_credit,
            stream_credit: params.stream_credit,
            bidirectional_streams: params.bidirectional_streams,
            unidirectional_streams: params.unidirectional_streams,
            max_message: params.max_message,
            compression: params.compression && self.config.shared().compression,
        }
    }

    /// Responder: lets the initiator in, and says so with a packet of its own (R-6.7-1).
    fn admit(&mut self) {
        if let Phase::Undecided(link) = core::mem::replace(&mut self.phase, Phase::Closed) {
            self.timers.stop(Timer::Verdict);
            self.ping_due = true;
            self.establish(link);
        }
    }

    /// Responder: tells the initiator that it is not let in (R-6.3-7).
    pub(super) fn turn_away(&mut self, peer: PeerId) {
        self.end(CloseReason::NotAdmitted(peer), Some(ProtocolCode::NotAdmitted));
    }

    fn establish(&mut self, link: Box<Link>) {
        self.phase = Phase::Open(link);
        self.news.established();
        match self.role() {
            // The responder may take its time for a verdict and say nothing meanwhile: silence counts from its first packet on.
            Role::Initiator => {
                let deadline = self.now + self.config.shared().timeouts.confirmation;
                self.timers.set(Timer::Confirmation, deadline);
            }
            Role::Responder => self.heard_from_peer(),
        }
        self.told_peer();
    }
}

/// The shorter of the two idle timeouts in milliseconds, 0 being none (R-9.3-1).
fn shorter_idle(own: u32, peer: u32) -> Option<Duration> {
    let shorter = [own, peer].into_iter().filter(|idle| *idle > 0).min()?;
    Some(Duration::from_millis(shorter.into()))
}

fn describe(peer: &VerifiedPeer, suite: Suite, app_protocol: String, realm: String) -> HandshakeInfo {
    HandshakeInfo {
        peer: peer.id(),
        credentials: peer.credentials().to_vec(),
        app_protocol,
        realm,
        suite,
        resumed: peer.is_resumed(),
    }
}
