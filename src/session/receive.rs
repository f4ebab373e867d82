//! Packets in (specification, sections 3 and 8.1).
#![forbid(unsafe_code)]

use super::streams::Opened;
use super::timers::Timer;
use super::{Phase, Session};
use crate::event::{PeerMisbehaved, ProtocolCode};
use crate::link::handshake::Packet;
use crate::packet::validator::{MAX_HANDSHAKE_PACKET, Receiver};
use crate::role::Role;
use crate::time::Instant;
use crate::wire::payload::{Control, PayloadView};
use crate::wire::{Framing, HEADER_LEN, Header, PacketKind, VERSION};

/// What [`Session::handle_stream`] made of the bytes it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the bytes that were not consumed have to be shown again"]
#[non_exhaustive]
pub struct StreamInput {
    /// How many bytes are done with. The rest, the beginning of a packet, stays with the caller.
    pub consumed: usize,
    /// How many bytes more, behind that rest, the next packet needs at least. With the rest never more than
    /// [`Session::max_packet`]. 0 once the session has ended: it needs no more.
    pub needed: usize,
}

impl Session {
    /// Takes bytes from a stream carrier, in order, cut anywhere.
    ///
    /// Every whole packet in `bytes` is opened in place and takes effect; the beginning of another one at the end stays untouched, so
    /// that it does not matter where the bytes are cut (R-3.2-4). The caller keeps it, adds what comes next and shows both together. What the packets brought is told by
    /// [`poll_event`](Self::poll_event).
    ///
    /// A packet that breaks a rule ends the link, since on an ordered carrier nobody but the peer or an attacker can have made it
    /// (R-3.2-5); whatever comes after it is consumed without a look.
    pub fn handle_stream(&mut self, now: Instant, bytes: &mut [u8]) -> StreamInput {
        self.advance(now);
        debug_assert!(self.datagrams.is_none(), "bytes of a stream on a datagram carrier");
        let mut rest = &mut *bytes;
        let mut consumed = 0_usize;
        while self.takes_packets() && self.datagrams.is_none() {
            let header = match self.next_packet(rest) {
                Ok(Next::Whole(header)) => header,
                Ok(Next::Needs(needed)) => return StreamInput { consumed, needed },
                Err(what) => {
                    self.end(what.into(), None);
                    break;
                }
            };
            let len = header.packet_len();
            let Some((packet, after)) = core::mem::take(&mut rest).split_at_mut_checked(len) else { break };
            rest = after;
            consumed = consumed.saturating_add(len);
            self.handle_packet(Packet { header, bytes: packet });
        }
        StreamInput { consumed: bytes.len(), needed: 0 }
    }

    /// The longest packet that this side takes: the size of a receive buffer that always suffices.
    #[must_use]
    pub fn max_packet(&self) -> usize {
        self.config.shared().limits.max_packet.into()
    }

    /// Whether what the peer sends is still looked at.
    fn takes_packets(&self) -> bool {
        matches!(self.phase, Phase::Handshake(_) | Phase::Undecided(_) | Phase::Open(_))
    }

    /// Looks at a header as soon as it is there, and at its first byte even before (R-3.1-1, R-3.2-1): no byte of a body is awaited
    /// that could not be taken.
    fn next_packet(&self, bytes: &[u8]) -> Result<Next, PeerMisbehaved> {
        if bytes.first().is_some_and(|version| *version != VERSION) {
            return Err(PeerMisbehaved::NotAiTcp);
        }
        let Some(raw) = bytes.first_chunk::<HEADER_LEN>() else {
            return Ok(Next::Needs(HEADER_LEN.saturating_sub(bytes.len())));
        };
        let header = self.receiver().validate(raw)?;
        let is_data = header.kind == PacketKind::Data;
        if is_data == matches!(self.phase, Phase::Handshake(_)) {
            return Err(PeerMisbehaved::UnexpectedPacket);
        }
        match header.packet_len().saturating_sub(bytes.len()) {
            0 => Ok(Next::Whole(header)),
            missing => Ok(Next::Needs(missing)),
        }
    }

    pub(super) fn receiver(&self) -> Receiver {
        let connection_id = match &self.phase {
            Phase::Handshake(handshake) => handshake.local_id(),
            Phase::Undecided(link) | Phase::Open(link) | Phase::Closing(link, _) => link.keys.local_id().get(),
            Phase::Closed => 0,
        };
        let max_packet = match self.phase {
            Phase::Handshake(_) => MAX_HANDSHAKE_PACKET,
            _ => self.config.shared().limits.max_packet,
        };
        Receiver { role: self.role(), connection_id, max_packet }
    }

    fn handle_packet(&mut self, packet: Packet<'_>) {
        let len = packet.bytes.len();
        let link = match &mut self.phase {
            Phase::Handshake(handshake) => {
                self.counters.received(len);
                let progress = handshake.handle_packet(packet, &mut self.generator, self.outbox.tail());
                return self.advance_handshake(progress);
            }
            Phase::Undecided(link) | Phase::Open(link) => link,
            Phase::Closing(..) | Phase::Closed => return,
        };
        match link.keys.open(packet.bytes) {
            Ok(plaintext) => {
                self.counters.received(len);
                self.heard_from_peer();
                if let Err(code) = self.handle_payload(plaintext) {
                    self.end_for_rule(code);
                }
            }
            Err(what) => self.end(what.into(), None),
        }
    }

    /// Acts on an authentic payload: controls, then fragments, then the close, if it is one.
    fn handle_payload(&mut self, plaintext: &[u8]) -> Result<(), ProtocolCode> {
        let payload = PayloadView::parse(plaintext, Framing::Stream)?;
        for control in payload.controls() {
            self.handle_control(control)?;
        }
        for (fragment, data) in payload.fragments() {
            self.streams.on_fragment(&fragment, data)?;
        }
        self.handle_link_messages()?;
        match payload.close() {
            Some(close) => self.closed_by_peer(&close),
            None => self.confirm(),
        }
        Ok(())
    }

    pub(super) fn handle_control(&mut self, control: Control) -> Result<(), ProtocolCode> {
        match control {
            Control::Ping => self.streams.on_ping(),
            Control::SessionCredit { received, limit } => self.streams.on_credit(0, received, limit, false)?,
            Control::Credit { stream, received, limit, done } => {
                self.streams.on_credit(stream, received, limit, done)?;
            }
            Control::StreamCredit { unidirectional, limit } => {
                self.streams.on_stream_credit(unidirectional, limit);
            }
            Control::Reset { stream, code, final_offset } => self.streams.on_reset(stream, code, final_offset)?,
            Control::Stop { stream, code } => self.streams.on_stop(stream, code)?,
            Control::Shutdown { bidirectional, unidirectional } => {
                self.peer_shuts_down(Opened { bidirectional, unidirectional })?;
            }
            // Read on datagram carriers only.
            Control::PathChallenge { .. } | Control::PathResponse { .. } => {}
        }
        Ok(())
    }

    /// A packet of the responder's that is not a close: it has admitted this end (R-6.7-2).
    pub(super) fn confirm(&mut self) {
        if self.role() == Role::Initiator && self.news.confirmed() {
            self.confirm_datagrams();
            self.timers.stop(Timer::Confirmation);
        }
    }
}

/// What stands at the front of the bytes that came.
enum Next {
    /// A packet, all of it.
    Whole(Header),
    /// The beginning of one; this many bytes are missing at least.
    Needs(usize),
}
