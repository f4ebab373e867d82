//! Payloads straight into the caller's buffer, in one fixed [`layout`](super::layout) out of the many that a reader takes.
//!
//! The bytes of fragments are written in place by whoever has them. How many fragments there will be is not known until the end; so
//! their structs wait at the far end of the buffer, last one first, and move up to the data when the payload is finished.
#![forbid(unsafe_code)]

use core::ops::RangeInclusive;

use super::layout::{CONTROL, FRAGMENT, Layout, NARROW, WIDE, WORD};
use super::{Control, Fragment, acks, datagrams};
use crate::ecn::EcnCounts;

/// Writes one payload: acknowledgements first, then controls, then datagrams, then fragments.
pub(crate) struct PayloadWriter<'a> {
    /// No longer than a packet's `length` can say, so that positions always fit an offset.
    buf: &'a mut [u8],
    layout: Layout,
}

impl<'a> PayloadWriter<'a> {
    /// How much longer than a datagram a payload is that has nothing else.
    pub(crate) const DATAGRAM_OVERHEAD: usize = WIDE + WORD + datagrams::LENGTH;

    /// `None` if not even an empty payload fits.
    pub(crate) fn new(buf: &'a mut [u8]) -> Option<Self> {
        let len = buf.len().min(usize::from(u16::MAX));
        let buf = buf.get_mut(..len)?;
        (len >= NARROW).then(|| Self { buf, layout: Layout::default() })
    }

    /// Acknowledges packets: the first of `ranges`, which come from the highest down, disjoint and not adjacent. Returns how many of
    /// them were written: at most [`MAX_ACK_RANGES`](super::MAX_ACK_RANGES), and as many as there is room for. If it is 0, nothing has changed; so it is when
    /// anything has been written already.
    ///
    /// `delay_micros` is how long ago the packet with the highest number came.
    pub(crate) fn acks(
        &mut self,
        ranges: impl IntoIterator<Item = RangeInclusive<u64>>,
        delay_micros: u32,
        ecn: Option<EcnCounts>,
    ) -> usize {
        if !self.is_empty() {
            return 0;
        }
        let mut layout = Layout { ack_delay: delay_micros, ecn, acks: 1, ..self.layout };
        let structs = self.buf.get_mut(layout.acks_vector().saturating_add(WORD)..).unwrap_or_default();
        layout.acks = acks::write_ranges(structs, ranges);
        if layout.acks > 0 {
            self.layout = layout;
        }
        layout.acks
    }

    /// Adds a control; false, and nothing changed, if there is no room or a datagram or fragment has been written already.
    #[must_use]
    pub(crate) fn control(&mut self, control: &Control) -> bool {
        if !self.has_control_space() {
            return false;
        }
        let at = self.layout.controls_vector().saturating_add(WORD);
        let structs = self.buf.get_mut(at..).unwrap_or_default();
        let Some(place) = structs.as_chunks_mut::<CONTROL>().0.get_mut(self.layout.controls) else {
            return false;
        };
        *place = control.encode().0;
        self.layout.controls = self.layout.controls.saturating_add(1);
        true
    }

    /// Whether [`Self::control`] has room for one more.
    pub(crate) fn has_control_space(&self) -> bool {
        let with_one_more = Layout { controls: self.layout.controls.saturating_add(1), ..self.layout };
        let is_in_order = self.layout.datagrams_len == 0 && self.layout.fragments == 0;
        is_in_order && with_one_more.controls_end() <= self.buf.len()
    }

    /// Adds a best-effort datagram; false, and nothing changed, if there is no room or a fragment has been written already.
    #[must_use]
    pub(crate) fn datagram(&mut self, datagram: &[u8]) -> bool {
        let Ok(len) = u16::try_from(datagram.len()) else { return false };
        let added = datagrams::LENGTH.saturating_add(datagram.len());
        let layout = Layout { datagrams_len: self.layout.datagrams_len.saturating_add(added), ..self.layout };
        if self.layout.fragments > 0 || layout.datagrams_end() > self.buf.len() {
            return false;
        }
        // The first one may make the head wider: the controls make room.
        self.buf.copy_within(self.layout.acks_end()..self.layout.controls_end(), layout.acks_end());
        let start = layout.datagrams_end().saturating_sub(added);
        if let Some((length, bytes)) = self.buf.get_mut(start..).and_then(|rest| rest.split_first_chunk_mut()) {
            *length = len.to_le_bytes();
            bytes.iter_mut().zip(datagram).for_each(|(place, byte)| *place = *byte);
        }
        self.layout = layout;
        true
    }

    /// The place for the next fragment's bytes, all that there is room for; `None` if that is not even one.
    ///
    /// What is written there counts once [`Self::commit_fragment`] says how much of it there is.
    pub(crate) fn fragment_space(&mut self) -> Option<&mut [u8]> {
        let structs_len = self.layout.fragments.saturating_add(1).saturating_mul(FRAGMENT);
        let structs_at = self.buf.len().checked_sub(structs_len)? & !7;
        let space = self.layout.data_end()..structs_at.checked_sub(WORD)?;
        self.buf.get_mut(space).filter(|space| !space.is_empty())
    }

    /// Makes a fragment of the first `len` bytes of the place that [`Self::fragment_space`] gave.
    pub(crate) fn commit_fragment(&mut self, fragment: &Fragment, len: usize) {
        let Some(space) = self.fragment_space().map(|space| space.len()) else {
            debug_assert!(false, "a fragment without a space");
            return;
        };
        debug_assert!(len <= space, "a fragment of {len} bytes in a space of {space}");
        let len = len.min(space);
        let encoded = fragment.encode(u16::try_from(len).unwrap_or(u16::MAX)).0;
        let waiting_at = self.waiting_at();
        if let Some(place) = self.buf.get_mut(..waiting_at).and_then(|free| free.last_chunk_mut()) {
            *place = encoded;
            self.layout.fragments = self.layout.fragments.saturating_add(1);
            self.layout.data_len = self.layout.data_len.saturating_add(len);
        }
    }

    /// Whether nothing has been written.
    pub(crate) fn is_empty(&self) -> bool {
        self.layout.acks == 0 && !self.is_ack_eliciting()
    }

    /// Whether the peer will have to acknowledge the packet (R-8.1-11).
    pub(crate) fn is_ack_eliciting(&self) -> bool {
        self.layout.controls > 0 || self.layout.datagrams_len > 0 || self.layout.fragments > 0
    }

    /// Puts everything in its place and returns the length of the payload.
    pub(crate) fn finish(self) -> usize {
        self.finish_padded(0)
    }

    /// The same for a payload of exactly `len` bytes. Behind everything come zeros that nothing refers to (R-3.3-1), so there is no
    /// length that cannot be had. A payload that is longer already stays as it is, and none outgrows the buffer.
    pub(crate) fn finish_padded(mut self, len: usize) -> usize {
        self.gather_fragments();
        self.layout.write(self.buf);
        let end = self.layout.end();
        let padded = len.min(self.buf.len()).max(end);
        if let Some(padding) = self.buf.get_mut(end..padded) {
            padding.fill(0);
        }
        padded
    }

    /// Moves the fragments' structs from the far end up to the data.
    fn gather_fragments(&mut self) {
        if self.layout.fragments == 0 {
            return;
        }
        let waiting_at = self.waiting_at();
        if let Some(waiting) = self.buf.get_mut(waiting_at..) {
            waiting.as_chunks_mut::<FRAGMENT>().0.reverse();
        }
        self.buf.copy_within(waiting_at.., self.layout.fragments_vector().saturating_add(WORD));
    }

    /// Where the structs of the fragments so far begin.
    fn waiting_at(&self) -> usize {
        self.buf.len().saturating_sub(self.layout.fragments.saturating_mul(FRAGMENT))
    }
}
