//! A payload that is the sender's last word. Nothing of the sender's follows it, so no stream and no control needs to come with it; but
//! on datagram carriers it is also the last chance to say what has come.
//!
//! ```text
//!  0  root offset | vtable (20 bytes) | 4 bytes of padding
//! 28  table: vtable offset | close (16 bytes) | close_reason
//! 52  [close_reason: length, bytes]
//! ```
//!
//! With acknowledgements:
//!
//! ```text
//! 28  table: vtable offset | close (16 bytes) | close_reason | acks | ack_delay
//! 60  [acks: length, structs of 16 bytes]
//!     [close_reason: length, bytes]
//! ```
#![forbid(unsafe_code)]

use core::ops::RangeInclusive;

use super::layout::{ACK, WORD, put_words, word};
use super::{Close, acks, tables};
use crate::event::CloseSource;

const STRUCT_AT: usize = 32;
/// Where the offset of the text stands; the others follow.
const TEXT_OFFSET_AT: usize = 48;
const NARROW_END: usize = 52;
const ACKS_AT: usize = 60;

/// Writes a close, and as many of the `received` packets as there is room for (R-9.1-5); they come from the highest down, and the highest
/// came `delay_micros` ago. Returns the length of the payload; `None` if the close does not fit.
///
/// The text is at most [`MAX_CLOSE_REASON`](super::MAX_CLOSE_REASON) bytes long.
pub(crate) fn write_close(
    buf: &mut [u8],
    close: &Close<'_>,
    received: impl IntoIterator<Item = RangeInclusive<u64>>,
    delay_micros: u32,
) -> Option<usize> {
    debug_assert!(close.reason.len() <= super::MAX_CLOSE_REASON, "the caller cuts the text");
    let text = WORD.saturating_add(close.reason.len());
    let room = buf.len().checked_sub(text)?;
    let structs = buf.get_mut(ACKS_AT.saturating_add(WORD)..room).unwrap_or_default();
    let ranges = acks::write_ranges(structs, received);
    let text_at = match ranges {
        0 => NARROW_END,
        ranges => ACKS_AT.saturating_add(WORD).saturating_add(ranges.saturating_mul(ACK)),
    };
    let end = text_at.saturating_add(text);
    let buf = buf.get_mut(..end)?;
    write_head(buf, ranges > 0);
    *buf.get_mut(STRUCT_AT..)?.first_chunk_mut()? = encode(close).0;
    put_words(buf, TEXT_OFFSET_AT, &[word(text_at.saturating_sub(TEXT_OFFSET_AT))]);
    if ranges > 0 {
        let acks_offset = word(ACKS_AT.saturating_sub(NARROW_END));
        put_words(buf, NARROW_END, &[acks_offset, delay_micros, word(ranges)]);
    }
    put_words(buf, text_at, &[word(close.reason.len())]);
    buf.get_mut(text_at.saturating_add(WORD)..)?.copy_from_slice(close.reason.as_bytes());
    Some(end)
}

/// Writes everything before the table's fields.
fn write_head(buf: &mut [u8], has_acks: bool) {
    let (table_len, acks) = if has_acks { (32, 24 | 28 << 16) } else { (24, 0) };
    put_words(
        buf,
        0,
        &[
            28,
            20 | table_len << 16, // lengths of vtable and table
            0,                    // fragments, data
            acks,                 // acks, ack_delay
            0,                    // controls, datagrams
            4 | 20 << 16,         // close, close_reason
            0,                    // padding
            24,                   // from the table back to the vtable
        ],
    );
}

fn encode(close: &Close<'_>) -> tables::Close {
    let source = match close.source {
        CloseSource::Protocol => tables::CloseSource::Protocol,
        CloseSource::Application => tables::CloseSource::Application,
    };
    tables::Close::new(close.code, source, 0, 0, 0)
}
