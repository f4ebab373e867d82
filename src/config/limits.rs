//! How much a session may take, and how long.
#![forbid(unsafe_code)]

use core::time::Duration;

use crate::crypto::provider::TAG_LEN;
use crate::error::ConfigError;
use crate::session::Streams;
use crate::wire::HEADER_LEN;
use crate::wire::payload::PayloadWriter;

/// What a session takes besides its streams: see [`Limits::max_bytes`].
const FIXED_BYTES: usize = 16 << 10;
/// What a packet has besides a best-effort datagram that is alone in it.
const DATAGRAM_OVERHEAD: usize = HEADER_LEN + PayloadWriter::DATAGRAM_OVERHEAD + TAG_LEN;
/// The longest that an acknowledgement may be told to wait (R-7.1-1).
const MAX_ACK_DELAY: Duration = Duration::from_millis((1 << 14) - 1);

/// The smallest packet size that may be agreed on: room for every handshake packet and then some.
pub const MIN_MAX_PACKET: u16 = 2_048 + 40;
/// The largest packet size that may be agreed on: 16 KiB of payload, header and tag.
pub const MAX_MAX_PACKET: u16 = 16_384 + 40;

/// Bounds on what a session keeps in memory and what it takes from a peer.
///
/// Everything that grows has a limit here; [`Limits::max_bytes`] adds them up.
///
/// ```
/// let mut limits = aitcp::Limits::default();
/// limits.max_message = 64 << 10;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest packet taken, header and tag included: [`MIN_MAX_PACKET`] to [`MAX_MAX_PACKET`] bytes. The caller's receive
    /// buffer must hold one.
    pub max_packet: u16,
    /// Bytes that the peer may have in flight or unread over all streams. At least `stream_window`.
    pub session_window: u32,
    /// Bytes that the peer may have in flight or unread on one stream.
    pub stream_window: u32,
    /// Bytes taken from the application over all streams and not yet known to have reached the peer's session.
    pub send_buffer: u32,
    /// The same for one stream. At least 2: the last byte of a message is taken together with its end.
    pub stream_send_buffer: u32,
    /// Bidirectional streams that the peer may have open at a time.
    pub peer_bidirectional_streams: u16,
    /// Unidirectional streams that the peer may have open at a time.
    pub peer_unidirectional_streams: u16,
    /// Streams that this side may have open at a time, in both directions together, whatever the peer allows.
    pub own_streams: u16,
    /// The longest message taken, in bytes. Never a buffer size: longer messages than any buffer pass through in pieces.
    pub max_message: u64,
    /// The longest best-effort datagram, in bytes, from the peer or to it; 0 = none. It has to fit a packet of `max_packet` bytes, 98
    /// of which are the packet's own. Only on datagram carriers.
    pub max_datagram: u16,
    /// Best-effort datagrams that are kept each way: received and not taken by the application, or given by it and not sent. At least 1,
    /// if there are any.
    pub datagram_queue: u16,
    /// Packets that are kept track of until they are acknowledged or lost: at least 16. With as many on their way, nothing more is sent.
    /// A path of 1 Gbit/s and 100 ms holds 10,000. Only on datagram carriers.
    pub packets_in_flight: u16,
}

impl Default for Limits {
    /// For hosts: 16 KiB packets, 1 MiB each way, 256 KiB a stream, 128 streams of each kind, messages of 16 MiB, and
    /// 64 best-effort datagrams of 1,200 bytes each way.
    fn default() -> Self {
        Self {
            max_packet: MAX_MAX_PACKET,
            session_window: 1 << 20,
            stream_window: 256 << 10,
            send_buffer: 1 << 20,
            stream_send_buffer: 256 << 10,
            peer_bidirectional_streams: 128,
            peer_unidirectional_streams: 128,
            own_streams: 256,
            max_message: 16 << 20,
            max_datagram: 1_200,
            datagram_queue: 64,
            packets_in_flight: 2_048,
        }
    }
}

impl Limits {
    /// For small devices: 2 KiB packets, windows of a few KiB, and no best-effort datagrams.
    #[must_use]
    pub const fn small() -> Self {
        Self {
            max_packet: MIN_MAX_PACKET,
            session_window: 8 << 10,
            stream_window: 4 << 10,
            send_buffer: 8 << 10,
            stream_send_buffer: 4 << 10,
            peer_bidirectional_streams: 4,
            peer_unidirectional_streams: 4,
            own_streams: 8,
            max_message: 1 << 20,
            max_datagram: 0,
            datagram_queue: 0,
            packets_in_flight: 32,
        }
    }
}

impl Limits {
    /// The most heap that a session takes with these limits, its configuration and what the crypto provider keeps for its keys aside:
    /// - the fixed part (the handshake's packets, what the peer said of itself, the texts of a close): 16 KiB;
    /// - each stream that may be open: some 400 bytes;
    /// - what is received and not read, or sent and not acknowledged: `session_window` + `send_buffer` bytes in blocks of 256 to 2,048
    ///   bytes (an eighth of the larger stream buffer), and two blocks more for each direction of a stream, of which it may use
    ///   one byte;
    /// - a quarter of that, to tell bytes from the ends of messages and, on datagram carriers, from gaps; a message's end counts as a
    ///   byte in all limits;
    /// - on a datagram carrier, some 300 bytes for each of `packets_in_flight`, and twice `datagram_queue` datagrams of
    ///   `max_datagram` bytes each way.
    ///
    /// A session that has agreed on compression takes up to [`COMPRESSION_BYTES`](Self::COMPRESSION_BYTES) more.
    #[must_use]
    pub const fn max_bytes(&self) -> usize {
        FIXED_BYTES.saturating_add(Streams::max_bytes(self)).saturating_add(crate::session::datagram_max_bytes(self))
    }

    /// The most heap that a session takes beyond [`max_bytes`](Self::max_bytes) to pack and unpack messages.
    pub const COMPRESSION_BYTES: usize = Streams::COMPRESSION_BYTES;

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let checks = [
            ((MIN_MAX_PACKET..=MAX_MAX_PACKET).contains(&self.max_packet), "max_packet"),
            (self.stream_window >= 1, "stream_window"),
            (self.session_window >= self.stream_window, "session_window"),
            // One byte and the end of its message have to fit, or a message could never go.
            (self.stream_send_buffer >= 2, "stream_send_buffer"),
            (self.send_buffer >= self.stream_send_buffer, "send_buffer"),
            (self.max_message >= 1, "max_message"),
            (
                usize::from(self.max_datagram).saturating_add(DATAGRAM_OVERHEAD) <= self.max_packet.into(),
                "max_datagram",
            ),
            (self.max_datagram == 0 || self.datagram_queue >= 1, "datagram_queue"),
            (self.packets_in_flight >= 16, "packets_in_flight"),
        ];
        checks.into_iter().try_for_each(|(ok, field)| if ok { Ok(()) } else { Err(ConfigError::Limit(field)) })
    }
}

/// How long things may take.
///
/// ```
/// use core::time::Duration;
///
/// let mut timeouts = aitcp::Timeouts::default();
/// timeouts.keepalive = Some(Duration::from_secs(20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// On stream carriers: from the first byte to an authenticated peer. An initiator's own waiting for a verdict or a signature
    /// counts.
    pub handshake: Duration,
    /// The same on datagram carriers, where packets have to be sent again and the responder may be reached late.
    pub datagram_handshake: Duration,
    /// How long a responder waits for [`Session::decide`](crate::Session::decide) once the peer is authenticated.
    pub verdict: Duration,
    /// How long an initiator waits, once it has proved itself, for the responder to confirm that it is admitted. Longer than responders
    /// take for their verdicts.
    pub confirmation: Duration,
    /// How long a close may wait for the carrier to take it, before the session is over without. On a datagram carrier: how long
    /// packets of a peer that has not got the close are answered with it again, or three probe timeouts if that is longer.
    pub drain: Duration,
    /// Silence from the peer after which the session ends; `None` = never. The shorter of both ends' holds. Liveness of the
    /// session, never the time to an answer: a peer that thinks for an hour keeps the session alive by `keepalive`.
    pub idle: Option<Duration>,
    /// The same on datagram carriers, where nothing else tells that the peer has gone.
    pub datagram_idle: Option<Duration>,
    /// Own silence after which an empty packet is sent to keep the session (and boxes on the way) awake; `None` = never.
    pub keepalive: Option<Duration>,
    /// How long a packet may wait for its acknowledgement, so that one acknowledges several: less than 2^14 ms, and announced in whole
    /// milliseconds, rounded up. Only on datagram carriers.
    pub max_ack_delay: Duration,
}

impl Default for Timeouts {
    /// 10 s for the handshake on a stream carrier and 60 s on a datagram carrier, 30 s for a verdict, 60 s for a confirmation, 3 s for a
    /// close to get out; no idle timeout on a stream carrier and 30 s on a datagram carrier, no keepalive. Acknowledgements wait up to 25 ms, as in QUIC.
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            datagram_handshake: Duration::from_secs(60),
            verdict: Duration::from_secs(30),
            confirmation: Duration::from_secs(60),
            drain: Duration::from_secs(3),
            idle: None,
            datagram_idle: Some(Duration::from_secs(30)),
            keepalive: None,
            max_ack_delay: Duration::from_millis(25),
        }
    }
}

impl Timeouts {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let some_time = |timeout: Option<Duration>| timeout.is_none_or(|duration| duration >= Duration::from_millis(1));
        let idle_fits =
            |idle: Option<Duration>| some_time(idle) && idle.is_none_or(|idle| u32::try_from(idle.as_millis()).is_ok());
        let checks = [
            (!self.handshake.is_zero(), "handshake"),
            (!self.datagram_handshake.is_zero(), "datagram_handshake"),
            (!self.verdict.is_zero(), "verdict"),
            (!self.confirmation.is_zero(), "confirmation"),
            (idle_fits(self.idle), "idle"),
            (idle_fits(self.datagram_idle), "datagram_idle"),
            (some_time(self.keepalive), "keepalive"),
            (self.max_ack_delay <= MAX_ACK_DELAY, "max_ack_delay"),
        ];
        checks.into_iter().try_for_each(|(ok, field)| if ok { Ok(()) } else { Err(ConfigError::Timeout(field)) })
    }
}
