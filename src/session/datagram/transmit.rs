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
use crate::session::recovery::{Departure, Leave};
use crate::session::transmit::{Due, Transmit, write_fragments};
use crate::session::{Link, Phase, Session};
use crate::time::Instant;
use crate::wire::HEADER_LEN;
use crate::wire::payload::{Control, PayloadWriter, write_close};

/// What a packet has besides its payload.
const PACKET_OVERHEAD: usize = HEADER_LEN + TAG_LEN;
/// The smallest room that is worth a try: a packet with one control fits.
const MIN_DATAGRAM: usize = 128;
/// The smallest payload in which acknowledgements leave room for something else.
const MIN_SHARED: usize = 400;
/// Every carrier takes a datagram of this length, and any close fits it.
const MAX_CLOSE: usize = crate::config::MIN_MTU as usize;

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
    /// The answer to a challenge on a path that is not the active one.
    Answer(PathId, u64),
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
        if let Some((path, data)) = side.paths.response().filter(|(path, _)| has_room && *path != side.paths.active()) {
            return Some(Purpose::Answer(path, data));
        }
        // A path that is not proven has other worries than its length.
        let may_probe = |size: &u16| u64::from(*size) <= side.paths.available();
        if let Some(size) = delivery.recovery.mtu_probe_due(now).filter(may_probe) {
            return Some(Purpose::MtuProbe(size));
        }
        let is_about_paths = side.paths.response().is_some() || side.paths.is_challenge_due(now);
        let wants = has_output || is_about_paths || !side.best_effort.outgoing.is_empty();
        let probes = delivery.recovery.probes_due() > 0;
        let size = delivery.recovery.packet_size();
        if (wants || probes) && delivery.recovery.may_send(size, now) == Leave::Now {
            return Some(Purpose::Ordinary);
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
        (size >= MIN_DATAGRAM).then_some(size)
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
        // Where little may be sent, acknowledgements would leave no room for the question that would lift the limit.
        let shares = delivery.timing.is_wanted() && most >= MIN_SHARED;
        if shares || purpose == Purpose::Acknowledge {
            write_acks(&mut payload, delivery, now);
        }
        let mut pads_to = None;
        match purpose {
            Purpose::Acknowledge => {}
            Purpose::Answer(..) => side.paths.write_response(&mut payload),
            Purpose::MtuProbe(_) => {
                pads_to = Some(most);
                let _ = payload.control(&Control::Ping);
            }
            Purpose::Ordinary => {
                side.paths.write_response(&mut payload);
                // The path has to carry whole datagrams as well (R-9.7-6).
                pads_to = side.paths.write_challenge(&mut payload, &mut self.generator, now).then_some(most);
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
            Purpose::Answer(path, _) => path,
            _ => side.paths.active(),
        };
        side.paths.on_sent(path, len);
        let may_go_on = purpose == Purpose::Ordinary && ecn == delivery.recovery.ecn();
        Some(Written { len, path, ecn, may_go_on })
    }

    /// Where probes are due and there is nothing new to say, what has waited longest for its acknowledgement is said once more
    /// (RFC 9002, section 6.2.4).
    fn repeat_what_waits_longest(&mut self, purpose: Purpose) {
        let has_output = self.has_output();
        let delivery = self.datagrams.as_mut().and_then(|side| side.delivery.as_mut());
        if let Some(delivery) = delivery
            && purpose == Purpose::Ordinary
            && !has_output
            && delivery.recovery.probes_due() > 0
        {
            let mut fates = Fates::new(&mut self.streams, &mut self.shutdown, &mut delivery.received);
            delivery.recovery.repeat_oldest(&mut fates);
        }
    }

    /// The close, once, and again when packets come that show that the peer has not got it (R-9.7-7).
    fn write_datagram_close(&mut self, room: &mut [u8]) -> Result<Option<Written>, BufferTooSmall> {
        let (Phase::Closing(link, close), Some(side)) = (&mut self.phase, &mut self.datagrams) else { return Ok(None) };
        let closing = side.closing.get_or_insert(Closing { packets: 0, is_due: true });
        if !closing.is_due || link.keys.packets_left() == 0 {
            return Ok(None);
        }
        let limit = usize::try_from(side.paths.available()).unwrap_or(usize::MAX).min(MAX_CLOSE);
        let room = room.get_mut(..limit).ok_or(BufferTooSmall { needed: limit })?;
        let written = seal_close(link, room, |plaintext| write_close(plaintext, &close.as_close()));
        let Some(len) = written else { return Ok(None) };
        closing.is_due = false;
        let path = side.paths.active();
        side.paths.on_sent(path, len);
        Ok(Some(Written { len, path, ecn: EcnCodepoint::NotEct, may_go_on: false }))
    }
}

fn seal_close(link: &mut Link, room: &mut [u8], write: impl FnOnce(&mut [u8]) -> Option<usize>) -> Option<usize> {
    let plaintext_end = room.len().checked_sub(TAG_LEN)?;
    let len = write(room.get_mut(HEADER_LEN..plaintext_end)?)?.saturating_add(PACKET_OVERHEAD);
    link.keys.seal_datagram(room.get_mut(..len)?)?;
    Some(len)
}

/// Acknowledges what has come, the newest first.
fn write_acks(payload: &mut PayloadWriter<'_>, delivery: &mut Delivery, now: Instant) {
    let ranges = delivery.received.iter().map(|range| RangeInclusive::new(range.first, range.last));
    let delay = u32::try_from(delivery.timing.ack_delay(now).as_micros()).unwrap_or(u32::MAX);
    let marks = (!delivery.marks.is_zero()).then_some(delivery.marks);
    if payload.acks(ranges, delay, marks) > 0 {
        delivery.timing.sent();
        delivery.carried.extend(delivery.received.largest().map(Carried::Acks));
    }
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
