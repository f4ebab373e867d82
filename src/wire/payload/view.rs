//! A payload that has been checked as a whole before any of it is acted on.
#![forbid(unsafe_code)]

use flatbuffers::Vector;

use super::{Close, Control, Fragment, MAX_CLOSE_REASON, PayloadError};
use crate::event::CloseSource;
use crate::wire::packet_parser::{Malformed, verified};
use crate::wire::tables;

/// A payload in any valid encoding. Reading it allocates nothing, and takes time linear in its length.
#[derive(Clone, Copy)]
pub(crate) struct PayloadView<'a> {
    fragments: Vector<'a, tables::Fragment>,
    data: &'a [u8],
    controls: Vector<'a, tables::Control>,
    close: Option<Close<'a>>,
}

impl<'a> PayloadView<'a> {
    /// Takes the whole plaintext of a Data packet that came over a stream carrier, and refuses it as a whole or not at all (R-8.1-1).
    /// `padding` and `ack_delay` are not looked at (R-8.1-7).
    pub(crate) fn parse(plaintext: &'a [u8]) -> Result<Self, PayloadError> {
        let payload = verified::<tables::Payload<'_>>(plaintext)?;
        let view = Self {
            fragments: payload.fragments().unwrap_or_default(),
            data: bytes(payload.data()),
            controls: payload.controls().unwrap_or_default(),
            close: close(payload.close(), bytes(payload.close_reason()))?,
        };
        if !view.fragments_fit() {
            return Err(PayloadError::Malformed);
        }
        // Without reordering and loss there is nothing to acknowledge by number and no use for datagrams (R-8.1-6).
        if payload.acks().is_some_and(|acks| !acks.is_empty()) || !bytes(payload.datagrams()).is_empty() {
            return Err(PayloadError::Forbidden);
        }
        view.controls.iter().try_for_each(|raw| Control::decode(raw).map(drop))?;
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

    /// The sender's last word, if this is it.
    pub(crate) fn close(&self) -> Option<Close<'a>> {
        self.close
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
