//! Datagrams in. Whatever is wrong with one is no more than a reason to discard it (R-3.4-1, R-6.10-1).
#![forbid(unsafe_code)]

use core::time::Duration;

use super::fates::Fates;
use super::{Delivery, Meta};
use crate::disposition::{Discarded, Disposition};
use crate::ecn::EcnCodepoint;
use crate::event::{CloseReason, PeerMisbehaved, ProtocolCode};
use crate::link;
use crate::link::handshake::{Packet, Progress, Rejection};
use crate::packet::{PacketNumber, coalesced};
use crate::role::Role;
use crate::session::recovery::{AckError, AckRange, Arrival};
use crate::session::{Phase, Session};
use crate::time::Instant;
use crate::wire::payload::{Control, PayloadView};
use crate::wire::{Framing, HEADER_LEN, PacketKind};

impl Session {
    /// Takes a datagram from a datagram carrier, opening packets in place. What they brought is told by
    /// [`poll_event`](Self::poll_event).
    ///
    /// `meta` says where it came from; a peer that moves is followed to its new address once it has shown that it is there (R-9.7-3).
    /// The answer is for figures and debugging: nothing that anybody can send ends a session or is a reason to act.
    pub fn handle_datagram(&mut self, now: Instant, meta: Meta, datagram: &mut [u8]) -> Disposition {
        self.advance(now);
        let len = datagram.len();
        let Some(side) = &mut self.datagrams else { return Disposition::Discarded(Discarded::UnexpectedPacket) };
        side.paths.on_received(meta.path, len);
        let mut disposition = None;
        for packet in coalesced::packets(datagram) {
            let outcome = packet.and_then(|packet| self.handle_packet_of(meta, len, packet));
            disposition = match (disposition, outcome) {
                (_, Ok(())) | (Some(Disposition::Handled), Err(_)) => Some(Disposition::Handled),
                (None, Err(what)) => Some(Disposition::Discarded(what)),
                (first, Err(_)) => first,
            };
        }
        if disposition != Some(Disposition::Handled) {
            self.counters.discarded = self.counters.discarded.saturating_add(1);
        }
        disposition.unwrap_or(Disposition::Discarded(Discarded::PacketLength))
    }

    /// Takes one packet of a datagram of `datagram_len` bytes.
    fn handle_packet_of(&mut self, meta: Meta, datagram_len: usize, bytes: &mut [u8]) -> Result<(), Discarded> {
        let raw = bytes.first_chunk::<HEADER_LEN>().ok_or(Discarded::PacketLength)?;
        if matches!(self.phase, Phase::Closed) {
            return Err(Discarded::Ended);
        }
        let header = self.receiver().validate_datagram(raw)?;
        let is_data = header.kind == PacketKind::Data;
        match &self.phase {
            Phase::Handshake(_) => self.handle_handshake_packet(meta, datagram_len, Packet { header, bytes }),
            _ if is_data => self.handle_data(meta, datagram_len, bytes),
            _ => self.handle_repeated(bytes),
        }
    }

    fn handle_handshake_packet(
        &mut self,
        meta: Meta,
        datagram_len: usize,
        packet: Packet<'_>,
    ) -> Result<(), Discarded> {
        let (kind, len) = (packet.header.kind, packet.bytes.len());
        let Phase::Handshake(handshake) = &mut self.phase else { return Err(Discarded::UnexpectedPacket) };
        let progress = handshake.handle_packet(packet, &mut self.generator, self.outbox.tail());
        if let Ok(progress) = &progress {
            self.note_initiator(meta, datagram_len, kind, progress);
        }
        match progress {
            Err(Rejection::Discarded(what)) => return Err(what.into()),
            Ok(Progress::Refused(what)) => return Err(Discarded::Refused(what)),
            Ok(Progress::Repeat) => self.repeat_flight(1),
            progress => self.advance_handshake(progress),
        }
        self.counters.received(len);
        self.schedule_flight();
        self.open_waiting_data();
        Ok(())
    }

    /// Responder: what the handshake shows of where the initiator is.
    fn note_initiator(&mut self, meta: Meta, datagram_len: usize, kind: PacketKind, progress: &Progress) {
        let (role, now) = (self.role(), self.now);
        let Some(side) = self.datagrams.as_mut().filter(|_| role == Role::Responder) else { return };
        let pto = side.pto();
        match (progress, kind) {
            (Progress::Done(_), _) => side.paths.on_authenticated(meta.path, datagram_len, pto, now),
            (Progress::Repeat, _) => side.paths.on_hello_again(meta.path, datagram_len),
            (_, PacketKind::Hello) => side.paths.on_hello(meta.path, datagram_len),
            _ => {}
        }
    }

    /// A handshake packet after the handshake. If the initiator says again what was taken before, it waits to hear from this end
    /// (R-6.10-5).
    fn handle_repeated(&mut self, bytes: &[u8]) -> Result<(), Discarded> {
        let epilogue = self.datagrams.as_ref().and_then(|side| side.epilogue.as_ref());
        if !epilogue.is_some_and(|epilogue| epilogue.is_repetition(bytes)) {
            return Err(Discarded::UnexpectedPacket);
        }
        self.ping_due |= matches!(self.phase, Phase::Open(_));
        Ok(())
    }

    /// A Data packet that came before the end of the handshake (R-6.10-11).
    fn open_waiting_data(&mut self) {
        let Some(side) = &mut self.datagrams else { return };
        if side.delivery.is_none() {
            return;
        }
        let meta = Meta { path: side.paths.active(), ..Meta::default() };
        if let Some(mut packet) = side.take_waiting_data() {
            let len = packet.len();
            // It may be anybody's, and if it does not open, that is all.
            let _ = self.handle_data(meta, len, &mut packet);
        }
    }

    fn handle_data(&mut self, meta: Meta, datagram_len: usize, bytes: &mut [u8]) -> Result<(), Discarded> {
        let len = bytes.len();
        let (number, plaintext) = match &mut self.phase {
            Phase::Undecided(link) | Phase::Open(link) => match link.keys.open_datagram(bytes) {
                Ok(opened) => opened,
                Err(what) => {
                    if link.keys.is_exhausted() {
                        self.end(CloseReason::KeysExhausted, Some(ProtocolCode::KeysExhausted)); // R-5.3-9
                    }
                    return Err(what.into());
                }
            },
            Phase::Closing(link, _) => {
                let (_, plaintext) = link.keys.open_datagram(bytes)?;
                let payload = PayloadView::parse(plaintext, Framing::Datagram);
                // R-9.7-7: two ends that close at once do not go on telling each other.
                if payload.is_ok_and(|payload| payload.close().is_some()) {
                    self.over();
                } else {
                    self.repeat_close();
                }
                return Ok(());
            }
            Phase::Handshake(_) | Phase::Closed => return Err(Discarded::UnexpectedPacket),
        };
        self.counters.received(len);
        self.heard_from_peer();
        let outcome = PayloadView::parse(plaintext, Framing::Datagram)
            .map_err(ProtocolCode::from)
            .and_then(|payload| self.handle_datagram_payload(meta, (number, datagram_len), &payload));
        if let Err(code) = outcome {
            self.end_for_rule(code);
        }
        Ok(())
    }

    /// Acts on an authentic payload: acknowledgements, controls, datagrams, fragments, then the close, if it is one.
    fn handle_datagram_payload(
        &mut self,
        meta: Meta,
        (number, datagram_len): (PacketNumber, usize),
        payload: &PayloadView<'_>,
    ) -> Result<(), ProtocolCode> {
        self.note_arrival(meta, (number, datagram_len), payload.is_ack_eliciting());
        self.handle_acks(payload)?;
        for control in payload.controls() {
            self.handle_path_control(meta, control);
            self.handle_control(control)?;
        }
        if let Some(side) = &mut self.datagrams {
            let limits = &self.config.shared().limits;
            payload.datagrams().try_for_each(|datagram| side.best_effort.receive(datagram, limits))?;
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

    /// Takes note of a packet: it is to be acknowledged, and if it is the newest one, it shows where the peer is.
    fn note_arrival(&mut self, meta: Meta, (number, datagram_len): (PacketNumber, usize), ack_eliciting: bool) {
        let (now, role) = (self.now, self.role());
        let Some(side) = &mut self.datagrams else { return };
        let pto = side.pto();
        let Some(delivery) = &mut side.delivery else { return };
        if delivery.note(meta, number, ack_eliciting, now) && role == Role::Responder {
            side.paths.on_newest(meta.path, datagram_len, pto, now);
        }
    }

    fn handle_acks(&mut self, payload: &PayloadView<'_>) -> Result<(), ProtocolCode> {
        let ranges = payload.acks().map(|range| AckRange { first: *range.start(), last: *range.end() });
        if ranges.clone().next().is_none() {
            return Ok(());
        }
        let now = self.now;
        let Some(side) = &mut self.datagrams else { return Ok(()) };
        let Some(delivery) = &mut side.delivery else { return Ok(()) };
        let delay = Duration::from_micros(payload.ack_delay().into());
        let mut fates = Fates::new(&mut self.streams, &mut self.shutdown, &mut delivery.received);
        let outcome = delivery.recovery.on_ack(ranges, delay, payload.ecn(), now, &mut fates);
        outcome.map_err(|error| match error {
            AckError::Malformed => ProtocolCode::MalformedPayload,
            AckError::NeverSent | AckError::Skipped => ProtocolCode::Forbidden, // R-8.10-4
        })?;
        // The initiator knows of a Data packet of this end's, and says its last words of the handshake no more.
        if self.role() == Role::Responder {
            self.confirm_datagrams();
        }
        Ok(())
    }

    fn handle_path_control(&mut self, meta: Meta, control: Control) {
        let now = self.now;
        let Some(side) = &mut self.datagrams else { return };
        match control {
            Control::PathChallenge { data } => side.paths.on_challenge(meta.path, data), // R-9.7-5
            Control::PathResponse { data } => {
                if side.paths.on_response(data, now)
                    && let Some(delivery) = &mut side.delivery
                {
                    delivery.recovery.on_new_path(side.rate_control, side.max_mtu, now);
                }
            }
            _ => {}
        }
    }

    /// Both ends know that the handshake is over: nothing of it is needed any more.
    pub(in crate::session) fn confirm_datagrams(&mut self) {
        let now = self.now;
        if let Some(side) = &mut self.datagrams {
            side.confirm(now);
            self.schedule_flight();
        }
    }

    /// A packet came although this end has closed (R-9.7-7).
    fn repeat_close(&mut self) {
        if let Some(closing) = self.datagrams.as_mut().and_then(|side| side.closing.as_deref_mut()) {
            closing.packets = closing.packets.saturating_add(1);
            closing.is_due |= closing.packets.is_power_of_two();
        }
    }
}

impl Delivery {
    /// Takes note of a packet that has opened. Whether it is newer than all before.
    fn note(&mut self, meta: Meta, number: PacketNumber, ack_eliciting: bool, now: Instant) -> bool {
        self.received.insert(number.get());
        self.marks.count(meta.ecn);
        let congestion_marked = meta.ecn == EcnCodepoint::Ce;
        let arrival = Arrival { number: number.get(), ack_eliciting, congestion_marked };
        self.timing.on_received(arrival, &self.received, now);
        let is_newest = self.newest < Some(number);
        if is_newest {
            self.newest = Some(number);
        }
        is_newest
    }
}

impl From<link::Discarded> for Discarded {
    fn from(what: link::Discarded) -> Self {
        match what {
            link::Discarded::Replayed | link::Discarded::Repeated => Self::Replayed,
            link::Discarded::DoesNotOpen => Self::DoesNotOpen,
            link::Discarded::Unexpected | link::Discarded::TooMany => Self::UnexpectedPacket,
            link::Discarded::Invalid(CloseReason::Misbehaved(
                PeerMisbehaved::BadFinished | PeerMisbehaved::BadSignature,
            )) => Self::DoesNotOpen,
            link::Discarded::Invalid(_) => Self::Malformed,
        }
    }
}
