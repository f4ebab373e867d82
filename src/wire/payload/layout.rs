//! Where everything lies in a payload that we write.
//!
//! A payload has the **narrow** head unless it has acknowledgements or datagrams:
//!
//! ```text
//!  0  root offset | vtable (14 bytes) | 2 bytes of padding
//! 20  table: vtable offset | fragments | data | controls
//! ```
//!
//! Then it has the **wide** head; counts of marks make it wider, since they stand in the table itself:
//!
//! ```text
//!  0  root offset | vtable (16 bytes)
//! 20  table: vtable offset | fragments | data | acks | ack_delay | controls | datagrams
//! 48  4 bytes of padding
//!
//!  0  root offset | vtable (24 bytes)
//! 28  table: vtable offset | ecn (24 bytes) | fragments | data | acks | ack_delay | controls | datagrams
//! 80  4 bytes of padding
//! ```
//!
//! The vectors that there are follow a head, each with its length in front, so that structs are aligned to 8 bytes:
//!
//! ```text
//! [acks: length, structs of 16 bytes] [4 bytes of padding, before controls]
//! [controls: length, structs of 32 bytes]
//! [datagrams: length, bytes] [padding to 4, before data]
//! [data: length, bytes]
//! [padding to 4 modulo 8] [fragments: length, structs of 24 bytes]
//! ```
#![forbid(unsafe_code)]

use super::{acks, tables};
use crate::ecn::EcnCounts;

/// Length of a vector's length, and of an offset.
pub(super) const WORD: usize = 4;
pub(super) const ACK: usize = size_of::<tables::AckRange>();
pub(super) const CONTROL: usize = size_of::<tables::Control>();
pub(super) const FRAGMENT: usize = size_of::<tables::Fragment>();

/// Length of the narrow head, and so of the shortest payload.
pub(super) const NARROW: usize = 36;
/// Length of the wide head without counts of marks.
pub(super) const WIDE: usize = 52;
const WIDE_WITH_ECN: usize = 84;
/// Where the counts of marks stand, if there are any.
const ECN_AT: usize = 32;

/// How much of each there is; from that follows where it is.
#[derive(Clone, Copy, Default)]
pub(super) struct Layout {
    /// Ranges of acknowledged packets.
    pub(super) acks: usize,
    /// Microseconds.
    pub(super) ack_delay: u32,
    pub(super) ecn: Option<EcnCounts>,
    pub(super) controls: usize,
    /// Bytes of all datagrams, their lengths included.
    pub(super) datagrams_len: usize,
    pub(super) fragments: usize,
    /// Bytes of all fragments.
    pub(super) data_len: usize,
}

impl Layout {
    fn is_wide(&self) -> bool {
        self.acks > 0 || self.datagrams_len > 0
    }

    /// Where the head ends; 4 modulo 8.
    fn head_end(&self) -> usize {
        match self.ecn {
            Some(_) => WIDE_WITH_ECN,
            None if self.is_wide() => WIDE,
            None => NARROW,
        }
    }

    /// Where the vector of acknowledgements begins, or would.
    pub(super) fn acks_vector(&self) -> usize {
        self.head_end()
    }

    pub(super) fn acks_end(&self) -> usize {
        vector_end(self.acks_vector(), self.acks, ACK)
    }

    /// Where the vector of controls begins, or would.
    pub(super) fn controls_vector(&self) -> usize {
        // Behind acknowledgements stands a multiple of 8.
        if self.acks > 0 { self.acks_end().saturating_add(WORD) } else { self.acks_end() }
    }

    pub(super) fn controls_end(&self) -> usize {
        if self.controls > 0 { vector_end(self.controls_vector(), self.controls, CONTROL) } else { self.acks_end() }
    }

    /// Where the vector of datagrams begins, or would.
    pub(super) fn datagrams_vector(&self) -> usize {
        self.controls_end()
    }

    pub(super) fn datagrams_end(&self) -> usize {
        vector_end(self.datagrams_vector(), self.datagrams_len, 1)
    }

    /// Where the vector of the fragments' bytes begins, or would.
    pub(super) fn data_vector(&self) -> usize {
        self.datagrams_end().next_multiple_of(WORD)
    }

    /// Where the next fragment's bytes go.
    pub(super) fn data_end(&self) -> usize {
        self.data_vector().saturating_add(WORD).saturating_add(self.data_len)
    }

    /// Where the vector of fragments begins.
    pub(super) fn fragments_vector(&self) -> usize {
        self.data_end().saturating_add(WORD).next_multiple_of(8).saturating_sub(WORD)
    }

    /// Length of the payload.
    pub(super) fn end(&self) -> usize {
        if self.fragments > 0 {
            vector_end(self.fragments_vector(), self.fragments, FRAGMENT)
        } else {
            self.datagrams_end()
        }
    }

    /// Writes the head, the lengths of all vectors, and zeros where nothing is: whatever was there was left by an earlier packet.
    pub(super) fn write(&self, buf: &mut [u8]) {
        if self.is_wide() {
            self.write_wide_head(buf)
        } else {
            self.write_narrow_head(buf)
        }
        if self.acks > 0 {
            put_words(buf, self.acks_vector(), &[word(self.acks)]);
        }
        if self.controls > 0 {
            clear(buf, self.acks_end(), self.controls_vector());
            put_words(buf, self.controls_vector(), &[word(self.controls)]);
        }
        if self.datagrams_len > 0 {
            put_words(buf, self.datagrams_vector(), &[word(self.datagrams_len)]);
        }
        if self.fragments > 0 {
            clear(buf, self.datagrams_end(), self.data_vector());
            put_words(buf, self.data_vector(), &[word(self.data_len)]);
            clear(buf, self.data_end(), self.fragments_vector());
            put_words(buf, self.fragments_vector(), &[word(self.fragments)]);
        }
    }

    fn write_narrow_head(&self, buf: &mut [u8]) {
        let fragments_and_data = if self.fragments > 0 { 4 | 8 << 16 } else { 0 };
        let controls = if self.controls > 0 { 12 } else { 0 };
        let fragments_vector = if self.fragments > 0 { self.fragments_vector() } else { 0 };
        put_words(
            buf,
            0,
            &[
                20,
                14 | 16 << 16, // lengths of vtable and table
                fragments_and_data,
                0,                                         // acks, ack_delay
                controls,                                  // and padding
                16,                                        // from the table back to the vtable
                word(fragments_vector.saturating_sub(24)), // from each offset on to its vector
                word(self.data_vector().saturating_sub(28)),
                word(NARROW.saturating_sub(32)),
            ],
        );
    }

    fn write_wide_head(&self, buf: &mut [u8]) {
        // Where in the table the offsets of vectors begin, behind the counts of marks.
        let slots = if self.ecn.is_some() { 28 } else { 4 };
        let slot =
            |index: u32, is_there: bool| if is_there { index.saturating_mul(4).saturating_add(slots) } else { 0 };
        let (fragments, data) = (slot(0, self.fragments > 0), slot(1, self.fragments > 0));
        let (acks, ack_delay) = (slot(2, self.acks > 0), slot(3, self.acks > 0));
        let (controls, datagrams) = (slot(4, self.controls > 0), slot(5, self.datagrams_len > 0));
        let fields = [fragments | data << 16, acks | ack_delay << 16, controls | datagrams << 16];
        let slots_at = match self.ecn {
            None => {
                put_words(buf, 0, &[20, 16 | 28 << 16]);
                put_words(buf, 20, &[16]);
                24
            }
            Some(ecn) => {
                put_words(buf, 0, &[28, 24 | 52 << 16]);
                put_words(buf, 20, &[0, 4 << 16, 24]); // close and close_reason, padding and ecn
                if let Some(place) = buf.get_mut(ECN_AT..).and_then(|rest| rest.first_chunk_mut()) {
                    *place = acks::encode_ecn(ecn).0;
                }
                56
            }
        };
        put_words(buf, 8, &fields);
        // From each offset on to its vector.
        let to = |index: usize, vector: usize| {
            word(vector.saturating_sub(index.saturating_mul(WORD).saturating_add(slots_at)))
        };
        put_words(
            buf,
            slots_at,
            &[
                to(0, self.fragments_vector()),
                to(1, self.data_vector()),
                to(2, self.acks_vector()),
                self.ack_delay,
                to(4, self.controls_vector()),
                to(5, self.datagrams_vector()),
                0,
            ],
        );
    }
}

/// Where a vector ends; where it would begin, if nothing is in it.
fn vector_end(start: usize, count: usize, size: usize) -> usize {
    match count {
        0 => start,
        _ => start.saturating_add(WORD).saturating_add(count.saturating_mul(size)),
    }
}

fn clear(buf: &mut [u8], from: usize, to: usize) {
    if let Some(gap) = buf.get_mut(from..to) {
        gap.fill(0);
    }
}

/// Writes words from a position on, which is a multiple of their length.
pub(super) fn put_words(buf: &mut [u8], at: usize, words: &[u32]) {
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
pub(super) fn word(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
