//! Payloads straight into the caller's buffer, in one fixed layout out of the many that a reader takes.
//!
//! ```text
//!  0  root offset | vtable (14 bytes) | 2 bytes of padding
//! 20  table: vtable offset | fragments | data | controls
//! 36  [controls: length, structs of 32 bytes]
//!     [data: length, bytes]
//!     [padding to 4 modulo 8] [fragments: length, structs of 24 bytes]
//! ```
//!
//! The bytes of fragments are written in place by whoever has them. How many fragments there will be is not known until the end; so
//! their structs wait at the far end of the buffer, last one first, and move up to the data when the payload is finished.
#![forbid(unsafe_code)]

use super::{Close, Control, Fragment, tables};
use crate::event::CloseSource;

/// Length of the part that every payload begins with.
const PREFIX: usize = 36;
const CONTROL: usize = size_of::<tables::Control>();
const FRAGMENT: usize = size_of::<tables::Fragment>();
/// Length of a vector's length, and of an offset.
const WORD: usize = 4;

/// Writes one payload: controls first, then fragments.
pub(crate) struct PayloadWriter<'a> {
    /// No longer than a packet's `length` can say, so that positions always fit an offset.
    buf: &'a mut [u8],
    controls: usize,
    data_len: usize,
    fragments: usize,
}

impl<'a> PayloadWriter<'a> {
    /// `None` if not even an empty payload fits.
    pub(crate) fn new(buf: &'a mut [u8]) -> Option<Self> {
        let len = buf.len().min(usize::from(u16::MAX));
        let buf = buf.get_mut(..len)?;
        (len >= PREFIX).then_some(Self { buf, controls: 0, data_len: 0, fragments: 0 })
    }

    /// Adds a control; false, and nothing changed, if there is no room or a fragment has been written already.
    #[must_use]
    pub(crate) fn control(&mut self, control: &Control) -> bool {
        if self.fragments > 0 {
            return false;
        }
        let at = PREFIX.saturating_add(WORD).saturating_add(self.controls.saturating_mul(CONTROL));
        let Some(place) = self.buf.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) else {
            return false;
        };
        *place = control.encode().0;
        self.controls = self.controls.saturating_add(1);
        true
    }

    /// Whether [`Self::control`] has room for one more.
    pub(crate) fn has_control_space(&self) -> bool {
        let taken = PREFIX.saturating_add(WORD).saturating_add(self.controls.saturating_mul(CONTROL));
        self.fragments == 0 && self.buf.len().saturating_sub(taken) >= CONTROL
    }

    /// The place for the next fragment's bytes, all that there is room for; `None` if that is not even one.
    ///
    /// What is written there counts once [`Self::commit_fragment`] says how much of it there is.
    pub(crate) fn fragment_space(&mut self) -> Option<&mut [u8]> {
        let structs_len = self.fragments.saturating_add(1).saturating_mul(FRAGMENT);
        let structs_at = self.buf.len().checked_sub(structs_len)? & !7;
        let space = self.data_end()..structs_at.checked_sub(WORD)?;
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
            self.fragments = self.fragments.saturating_add(1);
            self.data_len = self.data_len.saturating_add(len);
        }
    }

    /// Whether there is neither a control nor a fragment.
    pub(crate) fn is_empty(&self) -> bool {
        self.controls == 0 && self.fragments == 0
    }

    /// Puts everything in its place and returns the length of the payload.
    pub(crate) fn finish(mut self) -> usize {
        let data_vector = self.data_vector();
        let (fragment_vector, end) = if self.fragments == 0 { (0, data_vector) } else { self.gather_fragments() };

        let fragments_and_data = if self.fragments > 0 { 4 | 8 << 16 } else { 0 };
        let controls = if self.controls > 0 { 12 } else { 0 };
        put_words(
            self.buf,
            0,
            &[
                20,
                14 | 16 << 16, // lengths of vtable and table
                fragments_and_data,
                0,                                        // acks, ack_delay
                controls,                                 // and padding
                16,                                       // from the table back to the vtable
                word(fragment_vector.saturating_sub(24)), // from each offset on to its vector
                word(data_vector.saturating_sub(28)),
                word(PREFIX.saturating_sub(32)),
            ],
        );
        if self.controls > 0 {
            put_words(self.buf, PREFIX, &[word(self.controls)]);
        }
        if self.fragments > 0 {
            put_words(self.buf, data_vector, &[word(self.data_len)]);
            put_words(self.buf, fragment_vector, &[word(self.fragments)]);
        }
        end
    }

    /// Moves the fragments' structs from the far end up to the data; where their vector begins and ends.
    fn gather_fragments(&mut self) -> (usize, usize) {
        let data_end = self.data_end();
        let structs_at = data_end.saturating_add(WORD).next_multiple_of(8);
        let waiting_at = self.waiting_at();
        if let Some(waiting) = self.buf.get_mut(waiting_at..) {
            waiting.as_chunks_mut::<FRAGMENT>().0.reverse();
        }
        self.buf.copy_within(waiting_at.., structs_at);
        // Whatever lies between was left there by an earlier packet.
        let vector = structs_at.saturating_sub(WORD);
        if let Some(gap) = self.buf.get_mut(data_end..vector) {
            gap.fill(0);
        }
        (vector, structs_at.saturating_add(self.fragments.saturating_mul(FRAGMENT)))
    }

    /// Where the data's vector begins, or would.
    fn data_vector(&self) -> usize {
        match self.controls {
            0 => PREFIX,
            count => PREFIX.saturating_add(WORD).saturating_add(count.saturating_mul(CONTROL)),
        }
    }

    fn data_end(&self) -> usize {
        self.data_vector().saturating_add(WORD).saturating_add(self.data_len)
    }

    /// Where the structs of the fragments so far begin.
    fn waiting_at(&self) -> usize {
        self.buf.len().saturating_sub(self.fragments.saturating_mul(FRAGMENT))
    }
}

/// Writes a payload that is a close and nothing else, and returns its length; `None` if it does not fit.
///
/// Nothing of the sender's follows a close, so nothing needs to come with it. The text is at most
/// [`MAX_CLOSE_REASON`](super::MAX_CLOSE_REASON) bytes long.
pub(crate) fn write_close(buf: &mut [u8], close: &Close<'_>) -> Option<usize> {
    const STRUCT_AT: usize = 32;
    const TEXT_AT: usize = 56;
    debug_assert!(close.reason.len() <= super::MAX_CLOSE_REASON, "the caller cuts the text");
    let end = TEXT_AT.saturating_add(close.reason.len());
    let buf = buf.get_mut(..end)?;
    let source = match close.source {
        CloseSource::Protocol => tables::CloseSource::Protocol,
        CloseSource::Application => tables::CloseSource::Application,
    };
    put_words(
        buf,
        0,
        &[
            28,
            20 | 24 << 16, // lengths of vtable and table
            0,             // fragments, data
            0,             // acks, ack_delay
            0,             // controls, datagrams
            4 | 20 << 16,  // close, close_reason
            0,             // padding
            24,            // from the table back to the vtable
        ],
    );
    *buf.get_mut(STRUCT_AT..)?.first_chunk_mut()? = tables::Close::new(close.code, source, 0, 0, 0).0;
    put_words(buf, 48, &[4, word(close.reason.len())]);
    buf.get_mut(TEXT_AT..)?.copy_from_slice(close.reason.as_bytes());
    Some(end)
}

/// Writes words from a position on, which is a multiple of their length.
fn put_words(buf: &mut [u8], at: usize, words: &[u32]) {
    let places = buf.get_mut(at..).unwrap_or_default().as_chunks_mut().0;
    debug_assert!(
        at.is_multiple_of(WORD) && places.len() >= words.len(),
        "the layout has room for what is put into it"
    );
    for (place, word) in places.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
}

/// A length or a distance in a buffer that is no longer than 64 KiB.
fn word(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
