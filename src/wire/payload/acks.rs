//! What a payload says about the packets that its sender has received. Datagram carriers only.
#![forbid(unsafe_code)]

use core::ops::RangeInclusive;

use flatbuffers::Vector;

use super::layout::ACK;
use crate::ecn::EcnCounts;
use crate::packet::PacketNumber;
use crate::wire::tables;

/// The most ranges of packet numbers in a payload (R-8.1-8).
pub(crate) const MAX_ACK_RANGES: usize = 32;

/// Reads the counts of marks.
pub(super) fn decode_ecn(raw: &tables::EcnCounts) -> EcnCounts {
    EcnCounts { ect0: raw.ect0(), ect1: raw.ect1(), ce: raw.ce() }
}

pub(super) fn encode_ecn(counts: EcnCounts) -> tables::EcnCounts {
    tables::EcnCounts::new(counts.ect0, counts.ect1, counts.ce)
}

/// The packets of a range, both ends included.
pub(super) fn numbers(raw: &tables::AckRange) -> RangeInclusive<u64> {
    raw.first()..=raw.last()
}

/// Writes the structs of as many ranges as there is room for in `structs`, and as are allowed; how many that was.
pub(super) fn write_ranges(structs: &mut [u8], ranges: impl IntoIterator<Item = RangeInclusive<u64>>) -> usize {
    let places = structs.as_chunks_mut::<ACK>().0.iter_mut();
    let written = places.zip(ranges).take(MAX_ACK_RANGES);
    written.map(|(place, range)| *place = tables::AckRange::new(*range.start(), *range.end()).0).count()
}

/// Whether these are few ranges of packet numbers, from the highest down, with at least one number between each two (R-8.1-8).
pub(super) fn are_in_order(ranges: Vector<'_, tables::AckRange>) -> bool {
    let mut below = PacketNumber::END;
    ranges.len() <= MAX_ACK_RANGES
        && ranges.iter().all(|range| {
            let is_in_order = range.first() <= range.last() && range.last() < below;
            // What is next ends below the number in the gap.
            below = range.first().saturating_sub(1);
            is_in_order
        })
}
