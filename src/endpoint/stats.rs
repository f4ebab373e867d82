//! Figures.
#![forbid(unsafe_code)]

/// What an [`Endpoint`](super::Endpoint) has seen and done so far. Sessions have figures of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Sessions that there are, handshakes included.
    pub sessions: u32,
    /// Handshakes among them that others have begun and whose peer has not proved its identity.
    pub half_opens: u32,
    /// Well-formed Hellos, each copy once.
    pub hellos: u64,
    /// Those of them that had come before and whose handshake is there.
    pub hellos_repeated: u64,
    /// Handshakes that Hellos have begun.
    pub accepted: u64,
    /// Valid cookies in Hellos that began no handshake yet.
    pub cookies_valid: u64,
    /// Cookies that were not valid.
    pub cookies_invalid: u64,
    /// Hellos that were answered with a Retry.
    pub retries: u64,
    /// Hellos for what is not served here.
    pub unserved: u64,
    /// Hellos for which there was no room: too many sessions or handshakes.
    pub busy: u64,
    /// Hellos beyond their rate.
    pub over_rate: u64,
    /// Answers that were dropped because too many waited to be sent.
    pub answers_dropped: u64,
    /// Datagrams for sessions that are not here.
    pub unknown: u64,
    /// Datagrams that are neither for a session nor a well-formed Hello.
    pub noise: u64,
    /// Peers that were turned away although their session's own policy had let them in: revoked, or with too many sessions.
    pub turned_away: u64,
}
