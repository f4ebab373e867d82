//! A payload that has been checked as a whole before any of it is acted on.
#![forbid(unsafe_code)]

use core::ops::RangeInclusive;

use flatbuffers::Vector;

use super::{Close, Control, Fragment, MAX_CLOSE_REASON, PayloadError, acks, datagrams};
use crate::ecn::EcnCounts;
use crate::event::CloseSource;
use crate::wire::packet_parser::{Malformed, verified};
use crate::wire::{Framing, tables};

/// A payload in any valid encoding. Reading it allocates nothing, and takes time linear in its length.
#[derive(Clone, Copy)]
pub(crate) struct PayloadView<'a> {
    fragments: Vector<'a, tables::Fragment>,
    data: &'a [u8],
    acks: Vector<'a, tables::AckRange>,
    ack_delay: u32,
    ecn: Option<EcnCounts>,
    controls: Vector<'a, tables::Control>,
    datagrams: &'a [u8],
    close: Option<Close<'a>>,
}

impl<'a> PayloadView<'a> {
    /// Takes the whole plaintext of a Data packet, and refuses it as a whole or not at all (R-8.1-1). `padding` is not looked at, nor
    /// on a stream carrier `ack_delay` (R-8.1-7).
    pub(crate) fn parse(plaintext: &'a [u8], framing: Framing) -> Result<Self, PayloadError> {
        let payload = verified::<tables::Payload<'_>>(plaintext)?;
        let view = Self {
            fragments: payload.fragments().unwrap_or_default(),
            data: bytes(payload.data()),
            acks: payload.acks().unwrap_or_default(),
            ack_delay: payload.ack_delay(),
            ecn: payload.ecn().map(acks::decode_ecn),
            controls: payload.controls().unwrap_or_default(),
            datagrams: bytes(payload.datagrams()),
            close: close(payload.close(), bytes(payload.close_reason()))?,
        };
        if !view.fragments_fit() {
            return Err(PayloadError::Malformed);
        }
        match framing {
            Framing::Stream => view.check_for_stream()?,
            Framing::Datagram => view.check_for_datagram()?,
        }
        view.controls.iter().try_for_each(|raw| match Control::decode(raw)? {
            control if control.is_about_paths() && framing == Framing::Stream => Err(PayloadError::Forbidden), // R-8.1-6
            _ => Ok(()),
        })?;
        Ok(view)
    }

    /// The fragments in order, each with its bytes.
    pub(crate) fn fragments(&self) -> impl Iterator<Item = (Fragment, &'a [u8])> + use<'a> {
        let mut rest = self.data;
        self.fragments.iter().map_while(move |raw| {
            let (data, after) = rest.split_at_checked(usize::from(raw.length()))?;
            rest = after;
            Some((Fragment::decode(raw)?, data))
        })
    }

    /// The controls in order.
    pub(crate) fn controls(&self) -> impl Iterator<Item = Control> + use<'a> {
        self.controls.iter().map_while(|raw| Control::decode(raw).ok())
    }

    /// Which packets the sender has received: ranges of numbers from the highest down, disjoint and not adjacent, at most
    /// [`MAX_ACK_RANGES`](super::MAX_ACK_RANGES). Numbers that were never sent may be among them.
    pub(crate) fn acks(&self) -> impl Iterator<Item = RangeInclusive<u64>> + Clone + use<'a> {
        let ranges = self.acks;
        (0..ranges.len()).map(move |at| acks::numbers(ranges.get(at)))
    }

    /// For how long the sender had the highest of these packets before it sent this, in microseconds.
    pub(crate) fn ack_delay(&self) -> u32 {
        self.ack_delay
    }

    /// How many packets the sender has received with each mark, if it can tell. Never without [`Self::acks`].
    pub(crate) fn ecn(&self) -> Option<EcnCounts> {
        self.ecn
    }

    /// The best-effort datagrams in order. They may be empty.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        datagrams::split(self.datagrams)
    }

    /// Whether the packet has to be acknowledged (R-8.1-11; RFC 9002, section 2): not for acknowledgements, padding and a close alone.
    pub(crate) fn is_ack_eliciting(&self) -> bool {
        !(self.fragments.is_empty() && self.controls.is_empty() && self.datagrams.is_empty())
    }

    /// The sender's last word, if this is it.
    pub(crate) fn close(&self) -> Option<Close<'a>> {
        self.close
    }

    /// Without reordering and loss there is nothing to acknowledge by number and no use for datagrams (R-8.1-6).
    fn check_for_stream(&self) -> Result<(), PayloadError> {
        let is_allowed = self.acks.is_empty() && self.ecn.is_none() && self.datagrams.is_empty();
        if is_allowed { Ok(()) } else { Err(PayloadError::Forbidden) }
    }

    fn check_for_datagram(&self) -> Result<(), Malformed> {
        let says_when = self.ack_delay != 0 || self.ecn.is_some(); // R-8.1-9
        let is_well_formed = (!self.acks.is_empty() || !says_when)
            && acks::are_in_order(self.acks)
            && datagrams::are_whole(self.datagrams);
        if is_well_formed { Ok(()) } else { Err(Malformed) }
    }

    /// Whether each fragment is one and together they use up `data` (R-8.1-2).
    fn fragments_fit(&self) -> bool {
        let mut used = 0_usize;
        for raw in self.fragments.iter() {
            if Fragment::decode(raw).is_none() {
                return false;
            }
            used = used.saturating_add(usize::from(raw.length()));
        }
        used == self.data.len()
    }
}

/// A close and its text, which has to be text and cannot come alone (R-8.1-5).
fn close<'a>(raw: Option<&tables::Close>, reason: &'a [u8]) -> Result<Option<Close<'a>>, Malformed> {
    let Some(raw) = raw else {
        return if reason.is_empty() { Ok(None) } else { Err(Malformed) };
    };
    let source = match raw.source() {
        tables::CloseSource::Protocol => CloseSource::Protocol,
        tables::CloseSource::Application => CloseSource::Application,
        _ => return Err(Malformed),
    };
    let is_clear = raw.reserved0() == 0 && raw.reserved1() == 0 && raw.reserved2() == 0;
    if !is_clear || reason.len() > MAX_CLOSE_REASON {
        return Err(Malformed);
    }
    let reason = core::str::from_utf8(reason).map_err(|_| Malformed)?;
    Ok(Some(Close { source, code: raw.code(), reason }))
}

/// The bytes of a vector, absent and empty being the same.
fn bytes(vector: Option<Vector<'_, u8>>) -> &[u8] {
    vector.map_or(&[], |vector| vector.bytes())
}

impl From<Malformed> for PayloadError {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}
