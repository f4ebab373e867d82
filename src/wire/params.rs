//! What each side can take (specification, section 7).
#![forbid(unsafe_code)]

use flatbuffers::{FlatBufferBuilder, WIPOffset};

use super::tables;

/// Bounds of [`Params::max_packet`].
const PACKET_RANGE: core::ops::RangeInclusive<u16> = 2_088..=16_424;
/// The largest absolute credit: offsets stay below it.
const MAX_CREDIT: u64 = 1 << 62;
/// The largest absolute count of streams of a kind: stream numbers stay below 2^62.
const MAX_STREAMS: u64 = 1 << 60;
/// The end of what [`Params::max_ack_delay_ms`] may be, as in RFC 9000, section 18.2.
const ACK_DELAY_END_MS: u16 = 1 << 14;

/// What one end announced in its Auth packet. Read from the wire it is within the ranges of R-7.1-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Params {
    /// The longest packet taken, header and tag included.
    pub(crate) max_packet: u16,
    /// Absolute limit over all streams to begin with.
    pub(crate) session_credit: u64,
    /// Absolute limit of each stream to begin with.
    pub(crate) stream_credit: u64,
    /// How many bidirectional streams may be opened to begin with, absolute.
    pub(crate) bidirectional_streams: u64,
    /// The same for unidirectional streams.
    pub(crate) unidirectional_streams: u64,
    /// The longest message taken, in bytes before compression.
    pub(crate) max_message: u64,
    /// Silence after which the session ends, in milliseconds; 0 = never.
    pub(crate) idle_timeout_ms: u32,
    /// Messages may arrive compressed.
    pub(crate) compression: bool,
    /// The longest best-effort datagram taken, in bytes; 0 = none. Of use on datagram carriers only.
    pub(crate) max_datagram: u16,
    /// How long an acknowledgement may wait for more to acknowledge, in milliseconds. Of use on datagram carriers only.
    pub(crate) max_ack_delay_ms: u16,
}

/// A parameter is outside its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadParams;

impl Params {
    /// Takes a verified table, whose values may still be anything. What is absent has its default (R-7.1-2); a parameter that is
    /// reserved is not looked at (R-7.1-3).
    pub(super) fn from_table(table: tables::Params<'_>) -> Result<Self, BadParams> {
        let params = Self {
            max_packet: table.max_packet(),
            session_credit: table.session_credit(),
            stream_credit: table.stream_credit(),
            bidirectional_streams: table.bidirectional_streams(),
            unidirectional_streams: table.unidirectional_streams(),
            max_message: table.max_message(),
            idle_timeout_ms: table.idle_timeout_ms(),
            compression: table.compression(),
            max_datagram: table.max_datagram(),
            max_ack_delay_ms: table.max_ack_delay_ms(),
        };
        if params.is_in_range() { Ok(params) } else { Err(BadParams) }
    }

    pub(super) fn write<'a>(&self, builder: &mut FlatBufferBuilder<'a>) -> WIPOffset<tables::Params<'a>> {
        let args = tables::ParamsArgs {
            max_packet: self.max_packet,
            session_credit: self.session_credit,
            stream_credit: self.stream_credit,
            bidirectional_streams: self.bidirectional_streams,
            unidirectional_streams: self.unidirectional_streams,
            max_message: self.max_message,
            idle_timeout_ms: self.idle_timeout_ms,
            compression: self.compression,
            max_datagram: self.max_datagram,
            max_ack_delay_ms: self.max_ack_delay_ms,
            ..tables::ParamsArgs::default()
        };
        tables::Params::create(builder, &args)
    }

    /// The ranges of R-7.1-1.
    fn is_in_range(&self) -> bool {
        PACKET_RANGE.contains(&self.max_packet)
            && self.session_credit <= MAX_CREDIT
            && self.stream_credit <= MAX_CREDIT
            && self.bidirectional_streams <= MAX_STREAMS
            && self.unidirectional_streams <= MAX_STREAMS
            && self.max_message >= 1
            && self.max_ack_delay_ms < ACK_DELAY_END_MS
    }
}
