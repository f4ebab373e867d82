//! How packets lie on their carrier.
#![forbid(unsafe_code)]

/// What a packet came in, or goes out in. The forms of packets and payloads are alike on both; what they may say is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Packets follow each other in a stream of bytes; all of them come, in order.
    Stream,
    /// A packet is in one datagram, alone or with a few more; it may be lost, late, early or doubled.
    Datagram,
}
