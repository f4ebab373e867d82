//! Datagrams out.
#![forbid(unsafe_code)]

use core::ops::RangeInclusive;

use super::fates::Fates;
use super::{Closing, Delivery, PathId};
use crate::crypto::provider::TAG_LEN;
use crate::ecn::EcnCodepoint;
use crate::error::BufferTooSmall;
use crate::event::{CloseReason, ProtocolCode};
use crate::session::carried::Carried;
use crate::session::datagram_queue::DatagramQueue;
use crate::session::recovery::{AckRanges, AckTiming, BASE_MTU, Departure, Leave};
use crate::session::transmit::{Due, Transmit, write_fragments};
use crate::session::{Link, Phase, Session};
use crate::time::Instant;
use crate::wire::HEADER_LEN;
use crate::wire::payload::{Close, Control, PayloadWriter, write_close};

/// What a packet has besides its payload.
const PACKET_OVERHEAD: usize = HEADER_LEN + TAG_LEN;

/// One datagram that was written.
#[derive(Clone, Copy, Debug)]
struct Written {
    len: usize,
    path: PathId,
    ecn: EcnCodepoint,
    /// Another one of the same size, path and mark may follow it in the same call.
    may_go_on: bool,
}

/// What the next datagram is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// What the session has to say, acknowledgements included.
    Ordinary,
    /// Acknowledgements and nothing else: the window is used up, or there is nothing more.
    Acknowledge,
    /// A Ping and nothing else but acknowledgements: the window is used up, and the peer is to know all the same that this end lives
    /// (R-9.3-3). The answer also tells what has become of the packets before it.
    Ping,
    /// Answers to challenges on a path, at once and whatever is in flight: the peer may be about to give it up. There is nothing else in
    /// them: they are no longer than what they answer, or not by much, so that nobody is flooded with them (R-9.7-1).
    Answer(PathId),
    /// To learn whether the peer is where packets go to. What is in flight on another path is no reason to wait: there are a few of
    /// these for each path, and none may be longer than what has come from there allows.
    Challenge,
    /// To learn whether datagrams of this size pass.
    MtuProbe(u16),
}

/// A payload that was written.
#[derive(Clone, Copy, Debug)]
struct Filled {
    len: usize,
    ack_eliciting: bool,
    is_padded: bool,
}

impl Session {
    /// Writes datagrams: one or, of the same size but for the last, several.
    pub(in crate::session) fn poll_transmit_datagrams(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        if !self.outbox.is_empty() {
            return self.transmit_handshake(buf);
        }
        let Some(first) = self.write_datagram(buf)? else { return Ok(None) };
        let (mut total, mut packets) = (first.len, 1_u64);
        let mut last = first;
        while last.may_go_on && last.len == first.len {
            let room = buf.get_mut(total..).unwrap_or_default();
            if room.len() < first.len {
                break;
            }
            match self.write_datagram(room.get_mut(..first.len).unwrap_or_default()) {
                Ok(Some(written)) => {
                    total = total.saturating_add(written.len);
                    packets = packets.saturating_add(1);
                    last = written;
                }
                Ok(None) | Err(_) => break,
            }
        }
        self.counters.sent(packets, total);
        self.told_peer();
        let segment = (packets > 1).then_some(first.len);
        Ok(Some(Transmit { len: total, segment, path: first.path, ecn: first.ecn }))
    }

    /// One datagram of handshake packets, if the peer may be sent as much (R-9.7-1).
    fn transmit_handshake(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let Some(side) = &mut self.datagrams else { return Ok(None) };
        let available = usize::try_from(side.paths.available()).unwrap_or(usize::MAX);
        if self.outbox.front_len() > available {
            return Ok(None);
        }
        let most = buf.len().min(side.handshake_mtu()).min(available);
        let (len, packets) = self.outbox.take(buf.get_mut(..most).unwrap_or_default())?;
        let path = side.paths.active();
        side.paths.on_sent(path, len);
        self.counters.sent(packets, len);
        Ok(Some(Transmit { len, segment: None, path, ecn: EcnCodepoint::NotEct }))
    }

    fn write_datagram(&mut self, room: &mut [u8]) -> Result<Option<Written>, BufferTooSmall> {
        if matches!(self.phase, Phase::Closing(..)) {
            return self.write_datagram_close(room);
        }
        let Some(purpose) = self.next_purpose() else { return Ok(None) };
        if let Phase::Open(link) = &self.phase
            && link.keys.packets_left() <= 1
        {
            // R-5.3-5: the keys' last packet says why there are no more.
            self.end(CloseReason::KeysExhausted, Some(ProtocolCode::KeysExhausted));
            return self.write_datagram_close(room);
        }
        let Some(size) = self.datagram_size(purpose) else { return Ok(None) };
        let room = room.get_mut(..size).ok_or(BufferTooSmall { needed: size })?;
        Ok(self.write_data(purpose, room))
    }

    /// What there is reason for a datagram to say, and leave to say it.
    fn next_purpose(&mut self) -> Option<Purpose> {
        let now = self.now;
        let has_output = self.has_output();
        if !matches!(self.phase, Phase::Open(_)) {
            return None;
        }
        let side = self.datagrams.as_mut()?;
        let delivery = side.delivery.as_mut()?;
        let has_room = delivery.recovery.has_room();
        if let Some(path) = side.paths.answers_to().filter(|_| has_room) {
            return Some(Purpose::Answer(path));
        }
        if side.paths.is_challenge_due(now) && side.paths.available() >= MIN_CHALLENGE as u64 {
            return Some(Purpose::Challenge);
        }
        if let Some(size) = delivery.recovery.mtu_probe_due(now).filter(|_| side.paths.is_proven()) {
            return Some(Purpose::MtuProbe(size));
        }
        let wants = has_output || !side.best_effort.outgoing.is_empty();
        let probes = delivery.recovery.probes_due() > 0;
        let size = delivery.recovery.packet_size();
        if wants || probes {
            match delivery.recovery.may_send(size, now) {
                Leave::Now => return Some(Purpose::Ordinary),
                Leave::Blocked if self.ping_due => return Some(Purpose::Ping),
                Leave::Blocked | Leave::At(_) => {}
            }
        }
        (delivery.timing.is_due(now) && has_room).then_some(Purpose::Acknowledge)
    }

    /// How long a datagram may be; `None` if nothing may go to a path that is not proven.
    fn datagram_size(&self, purpose: Purpose) -> Option<usize> {
        let side = self.datagrams.as_ref()?;
        let size = match purpose {
            Purpose::MtuProbe(size) => size,
            _ => side.delivery.as_ref()?.recovery.packet_size(),
        };
        let available = usize::try_from(side.paths.available()).unwrap_or(usize::MAX);
        let size = usize::from(size).min(available);
        (size >= MIN_CHALLENGE).then_some(size)
    }

    /// Writes a Data packet for this purpose, and takes note of what it carries.
    fn write_data(&mut self, purpose: Purpose, room: &mut [u8]) -> Option<Written> {
        self.repeat_what_waits_longest(purpose);
        let plaintext_end = room.len().checked_sub(TAG_LEN)?;
        let filled = self.fill(purpose, room.get_mut(HEADER_LEN..plaintext_end)?)?;
        self.seal_data(purpose, filled, room)
    }

    /// Fills the payload of a packet; `None` if there is nothing to say.
    fn fill(&mut self, purpose: Purpose, plaintext: &mut [u8]) -> Option<Filled> {
        let now = self.now;
        let side = self.datagrams.as_mut()?;
        let delivery = side.delivery.as_mut()?;
        let most = plaintext.len();
        let mut payload = PayloadWriter::new(plaintext)?;
        delivery.carried.clear();
        // Where little may be sent, it is for the question whether more may.
        let is_cramped = purpose == Purpose::Challenge && most < MIN_DATAGRAM.saturating_sub(PACKET_OVERHEAD);
        let acknowledges = delivery.timing.is_wanted() && !is_cramped && !matches!(purpose, Purpose::Answer(_));
        if acknowledges || purpose == Purpose::Acknowledge {
            write_acks(&mut payload, delivery, now);
        }
        let mut pads_to = None;
        match purpose {
            Purpose::Acknowledge => {}
            Purpose::Ping => {
                self.ping_due = false;
                let _ = payload.control(&Control::Ping);
            }
            Purpose::Answer(to) => {
                side.paths.take_responses(to, |data| payload.control(&Control::PathResponse { data }));
            }
            Purpose::Challenge => {
                side.paths.write_challenge(&mut payload, &mut self.generator, now);
                // R-9.7-6: the path has to carry whole datagrams as well.
                pads_to = Some(most.min(usize::from(BASE_MTU).saturating_sub(PACKET_OVERHEAD)));
            }
            Purpose::MtuProbe(_) => {
                let _ = payload.control(&Control::Ping);
                pads_to = Some(most);
            }
            Purpose::Ordinary => {
                let path = side.paths.active();
                side.paths.take_responses(path, |data| payload.control(&Control::PathResponse { data }));
                let due = Due { ping: &mut self.ping_due, shutdown: &mut self.shutdown.to_announce };
                due.write(&mut payload, &mut self.streams, |carried| delivery.carried.push(carried));
                write_best_effort(&mut payload, &mut side.best_effort.outgoing);
                write_fragments(&mut payload, &mut self.streams, |carried| delivery.carried.push(carried));
                if delivery.recovery.probes_due() > 0 && !payload.is_ack_eliciting() {
                    let _ = payload.control(&Control::Ping);
                }
            }
        }
        if payload.is_empty() {
            return None;
        }
        let ack_eliciting = payload.is_ack_eliciting();
        let len = match pads_to {
            Some(len) => payload.finish_padded(len),
            None => payload.finish(),
        };
        Some(Filled { len, ack_eliciting, is_padded: pads_to.is_some() })
    }

    /// Seals a packet whose payload is in its place, under the next number.
    fn seal_data(&mut self, purpose: Purpose, filled: Filled, room: &mut [u8]) -> Option<Written> {
        let now = self.now;
        let (Phase::Open(link), Some(side)) = (&mut self.phase, &mut self.datagrams) else { return None };
        let delivery = side.delivery.as_mut()?;
        let len = filled.len.saturating_add(PACKET_OVERHEAD);
        let generator = &mut self.generator;
        let number = delivery.recovery.next_number(now, || {
            let mut random = [0; 8];
            generator.secret(&mut random);
            u64::from_le_bytes(random)
        });
        // R-8.10-5: recovery leaves one out now and then, and so do the keys.
        while link.keys.next_number().is_some_and(|next| next.get() < number) {
            let _ = link.keys.skip_number();
        }
        link.keys.seal_datagram(room.get_mut(..len)?)?;
        let ecn = delivery.recovery.ecn();
        let departure = Departure {
            size: u16::try_from(len).unwrap_or(u16::MAX),
            ack_eliciting: filled.ack_eliciting,
            is_padded: filled.is_padded,
            is_mtu_probe: matches!(purpose, Purpose::MtuProbe(_)),
        };
        delivery.recovery.on_sent(departure, delivery.carried.drain(..), now);
        let path = match purpose {
            Purpose::Answer(path) => path,
            _ => side.paths.active(),
        };
        side.paths.on_sent(path, len);
        let may_go_on = purpose == Purpose::Ordinary && ecn == delivery.recovery.ecn();
        Some(Written { len, path, ecn, may_go_on })
    }

    /// Where probes are due, or a Ping that does not wait, there has to be room for them; and where there is nothing new to say in a
    /// probe, what has waited longest for its acknowledgement is said once more (RFC 9002, section 6.2.4).
    fn repeat_what_waits_longest(&mut self, purpose: Purpose) {
        let (has_output, now) = (self.has_output(), self.now);
        let delivery = self.datagrams.as_mut().and_then(|side| side.delivery.as_mut());
        let Some(delivery) = delivery else { return };
        let probes = purpose == Purpose::Ordinary && delivery.recovery.probes_due() > 0;
        if probes || purpose == Purpose::Ping {
            let mut fates = Fates::new(&mut self.streams, &mut self.shutdown, &mut delivery.received);
            delivery.recovery.make_room(now, &mut fates);
            if probes && !has_output {
                delivery.recovery.repeat_oldest(&mut fates);
            }
        }
    }

    /// The close, once, and again when packets come that show that the peer has not got it (R-9.7-7).
    fn write_datagram_close(&mut self, room: &mut [u8]) -> Result<Option<Written>, BufferTooSmall> {
        let (Phase::Closing(link, close), Some(side)) = (&mut self.phase, &mut self.datagrams) else { return Ok(None) };
        let Some(closing) = side.closing.as_deref_mut() else { return Ok(None) };
        if !closing.is_due || link.keys.packets_left() == 0 {
            return Ok(None);
        }
        let limit = usize::try_from(side.paths.available()).unwrap_or(usize::MAX).min(MIN_DATAGRAM);
        if limit < MIN_DATAGRAM {
            return Ok(None);
        }
        let room = room.get_mut(..MIN_DATAGRAM).ok_or(BufferTooSmall { needed: MIN_DATAGRAM })?;
        let written = seal_close(link, room, &close.as_close(), closing, self.now);
        let Some(len) = written else { return Ok(None) };
        closing.is_due = false;
        let path = side.paths.active();
        side.paths.on_sent(path, len);
        Ok(Some(Written { len, path, ecn: EcnCodepoint::NotEct, may_go_on: false }))
    }
}

/// Every carrier takes such a datagram, and any close fits.
const MIN_DATAGRAM: usize = crate::config::MIN_MTU as usize;

/// The smallest datagram that is worth a try: a challenge fits, and a single packet of the peer's, which has 96 bytes at least, gives
/// leave for so many.
const MIN_CHALLENGE: usize = 256;

fn seal_close(link: &mut Link, room: &mut [u8], close: &Close<'_>, closing: &Closing, now: Instant) -> Option<usize> {
    let plaintext_end = room.len().checked_sub(TAG_LEN)?;
    let plaintext = room.get_mut(HEADER_LEN..plaintext_end)?;
    let len = write_close(plaintext, close, numbers(&closing.received), ack_delay(&closing.timing, now))?;
    let len = len.saturating_add(PACKET_OVERHEAD);
    link.keys.seal_datagram(room.get_mut(..len)?)?;
    Some(len)
}

/// Acknowledges what has come, the newest first.
fn write_acks(payload: &mut PayloadWriter<'_>, delivery: &mut Delivery, now: Instant) {
    let marks = (!delivery.marks.is_zero()).then_some(delivery.marks);
    if payload.acks(numbers(&delivery.received), ack_delay(&delivery.timing, now), marks) > 0 {
        delivery.timing.sent();
        delivery.carried.extend(delivery.received.largest().map(Carried::Acks));
    }
}

/// What has come, as the wire has it.
fn numbers(received: &AckRanges) -> impl Iterator<Item = RangeInclusive<u64>> + '_ {
    received.iter().map(|range| range.first..=range.last)
}

/// In microseconds.
fn ack_delay(timing: &AckTiming, now: Instant) -> u32 {
    u32::try_from(timing.ack_delay(now).as_micros()).unwrap_or(u32::MAX)
}

/// Adds best-effort datagrams, as many as fit. One that cannot fit even a packet of its own is of no use any more.
fn write_best_effort(payload: &mut PayloadWriter<'_>, queue: &mut DatagramQueue) {
    while let Some(datagram) = queue.front() {
        if payload.datagram(datagram) {
            queue.remove_front();
        } else if payload.is_empty() {
            queue.drop_front();
        } else {
            break;
        }
    }
}
