//! Packets out.
#![forbid(unsafe_code)]

use super::carried::Carried;
use super::datagram::PathId;
use super::streams::{Opened, Streams};
use super::{Link, Phase, Session};
use crate::crypto::provider::TAG_LEN;
use crate::ecn::EcnCodepoint;
use crate::error::BufferTooSmall;
use crate::event::{CloseReason, ProtocolCode};
use crate::time::Instant;
use crate::wire::HEADER_LEN;
use crate::wire::payload::{Control, PayloadWriter, write_close};

/// The smallest buffer that [`Session::poll_transmit`] never refuses, once the handshake's packets (of up to 1,232 bytes) are out.
pub const MIN_TRANSMIT: usize = 512;

/// What [`Session::poll_transmit`] wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what was written has to be sent"]
#[non_exhaustive]
pub struct Transmit {
    /// The length of it, from the front of the buffer. On a stream carrier: bytes to write, all of them and in order.
    pub len: usize,
    /// On a datagram carrier: that is several datagrams of this length each, the last one perhaps shorter, to be sent one by one or
    /// as segments by the operating system. `None`: it is one datagram.
    pub segment: Option<usize>,
    /// On a datagram carrier: where to.
    pub path: PathId,
    /// On a datagram carrier: what to mark it with, if the operating system lets one. Only marks that are really set are counted: an
    /// adapter that cannot may ignore this, and the session finds out.
    pub ecn: EcnCodepoint,
}

impl Session {
    /// Writes what has to be sent to the front of `buf`: one packet or, if there is room, several. `None` if there is nothing.
    ///
    /// What was written counts as sent. Packets are made for the room there is, so a buffer that holds several of the peer's longest
    /// ones (64 KiB, say) keeps the number of calls and of writes to the carrier low. On a datagram carrier that is one datagram, or
    /// several of one length for the same path ([`Transmit::segment`]).
    ///
    /// # Errors
    /// [`BufferTooSmall`] if `buf` cannot hold the next packet. Nothing has changed; call again with as much as is needed. 1,232 bytes
    /// always suffice on a stream carrier, and after the handshake [`MIN_TRANSMIT`]; on a datagram carrier as many as the carrier takes.
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.advance(now);
        self.settle_shutdown();
        if self.datagrams.is_some() {
            return self.poll_transmit_datagrams(buf);
        }
        let (mut len, mut packets) = self.outbox.take(buf)?;
        while self.outbox.is_empty() {
            let room = buf.get_mut(len..).unwrap_or_default();
            match self.write_packet(room, packets == 0) {
                Ok(0) => break,
                Ok(packet) => {
                    len = len.saturating_add(packet);
                    packets = packets.saturating_add(1);
                }
                Err(_) if packets > 0 => break,
                Err(error) => return Err(error),
            }
        }
        if packets == 0 {
            return Ok(None);
        }
        self.counters.sent(packets, len);
        self.told_peer();
        Ok(Some(Transmit { len, segment: None, path: PathId::default(), ecn: EcnCodepoint::NotEct }))
    }

    /// Writes one Data packet; 0 if there is nothing to send, or not enough room to be worth it for a packet that is not the first.
    fn write_packet(&mut self, room: &mut [u8], is_first: bool) -> Result<usize, BufferTooSmall> {
        let has_output = self.has_output();
        match &mut self.phase {
            Phase::Closing(link, _) if link.keys.packets_left() == 0 => {
                self.over();
                Ok(0)
            }
            Phase::Closing(link, close) => {
                let close = close.as_close();
                let sealed = seal_packet(link, room, |plaintext| write_close(plaintext, &close, [], 0));
                let len = sealed.ok_or(BufferTooSmall { needed: MIN_TRANSMIT })?;
                self.over();
                Ok(len)
            }
            Phase::Open(_) if has_output && room.len() < MIN_TRANSMIT => {
                if is_first {
                    Err(BufferTooSmall { needed: MIN_TRANSMIT })
                } else {
                    Ok(0)
                }
            }
            Phase::Open(link) if has_output && link.keys.packets_left() <= 1 => {
                // R-5.3-5: the keys' last packet says why there are no more.
                self.end(CloseReason::KeysExhausted, Some(ProtocolCode::KeysExhausted));
                self.write_packet(room, is_first)
            }
            Phase::Open(link) if has_output => {
                if !is_first && room.len() < link.peer_max_packet {
                    return Ok(0);
                }
                let due = Due { ping: &mut self.ping_due, shutdown: &mut self.shutdown.to_announce };
                let streams = &mut self.streams;
                let sealed = seal_packet(link, room, |plaintext| write_payload(plaintext, due, streams));
                Ok(sealed.unwrap_or(0))
            }
            _ => Ok(0),
        }
    }

    /// Whether there is something to say, by controls or on streams.
    pub(super) fn has_output(&self) -> bool {
        self.ping_due || self.shutdown.to_announce || self.streams.has_output()
    }
}

/// Fills a payload with controls and then with fragments, as many as fit; `None` if there were none.
fn write_payload(plaintext: &mut [u8], due: Due<'_>, streams: &mut Streams) -> Option<usize> {
    let mut payload = PayloadWriter::new(plaintext)?;
    // What is written on an ordered carrier arrives, or the link is lost.
    due.write(&mut payload, streams, |_| {});
    write_fragments(&mut payload, streams, |_| {});
    if payload.is_empty() { None } else { Some(payload.finish()) }
}

/// What is due besides streams.
pub(super) struct Due<'a> {
    pub(super) ping: &'a mut bool,
    pub(super) shutdown: &'a mut bool,
}

impl Due<'_> {
    /// Adds controls, these and those of streams, as many as fit; each that has to arrive is told to `note`.
    pub(super) fn write(self, payload: &mut PayloadWriter<'_>, streams: &mut Streams, mut note: impl FnMut(Carried)) {
        let mut write = |payload: &mut PayloadWriter<'_>, control: &Control| {
            let written = payload.control(control);
            debug_assert!(written, "room was asked for before");
            if let Some(carried) = Carried::control(control) {
                note(carried);
            }
        };
        if payload.has_control_space() && core::mem::take(self.ping) {
            write(payload, &Control::Ping);
        }
        if payload.has_control_space() && core::mem::take(self.shutdown) {
            let Opened { bidirectional, unidirectional } = streams.opened();
            write(payload, &Control::Shutdown { bidirectional, unidirectional });
        }
        while payload.has_control_space() {
            let Some(control) = streams.poll_control() else { break };
            write(payload, &control);
        }
    }
}

/// Adds fragments, as many as fit; each is told to `note`.
pub(super) fn write_fragments(payload: &mut PayloadWriter<'_>, streams: &mut Streams, mut note: impl FnMut(Carried)) {
    while let Some(space) = payload.fragment_space() {
        let Some((fragment, len)) = streams.poll_fragment(space) else { break };
        payload.commit_fragment(&fragment, len);
        note(Carried::fragment(&fragment, len));
    }
}

/// Makes a packet at the front of `room`, no longer than the peer takes, of the payload that `write` writes; `None` if it wrote none.
fn seal_packet(link: &mut Link, room: &mut [u8], write: impl FnOnce(&mut [u8]) -> Option<usize>) -> Option<usize> {
    let limit = room.len().min(link.peer_max_packet);
    let plaintext_end = limit.checked_sub(TAG_LEN)?;
    let plaintext = room.get_mut(HEADER_LEN..plaintext_end)?;
    let plaintext_len = write(plaintext)?;
    let len = HEADER_LEN.saturating_add(plaintext_len).saturating_add(TAG_LEN);
    link.keys.seal(room.get_mut(..len)?);
    Some(len)
}
