//! What an endpoint is told before it starts.
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::connection_id::ServerId;
use crate::config::{Carrier, MAX_MTU, MIN_MTU, ServerConfig};
use crate::error::ConfigError;

/// The mtu unless another is set: what UDP carries over IPv6 on an Ethernet, in bytes.
const DEFAULT_MTU: u16 = 1_452;

/// What an [`Endpoint`](super::Endpoint) serves, and how much it takes. Immutable once the endpoint is there.
///
/// ```
/// use aitcp::{EndpointConfig, EndpointLimits, Retry};
///
/// let mut limits = EndpointLimits::default();
/// limits.sessions = 1_000;
/// limits.retry = Retry::Always;
/// let config = EndpointConfig::new().with_mtu(1_232).with_limits(limits);
/// ```
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    pub(super) servers: Vec<Arc<ServerConfig>>,
    pub(super) mtu: u16,
    pub(super) limits: EndpointLimits,
    pub(super) server_id: Option<ServerId>,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl EndpointConfig {
    /// An endpoint that serves nobody and only connects: Hellos are dropped. Datagrams have up to 1,452 bytes.
    #[must_use]
    pub fn new() -> Self {
        Self { servers: Vec::new(), mtu: DEFAULT_MTU, limits: EndpointLimits::default(), server_id: None }
    }

    /// Adds an identity that is served on the datagram carrier.
    ///
    /// An initiator that names an identity gets that one, if it is here; one that names none gets the first that does not
    /// [require to be named](ServerConfig::with_required_tag) (R-6.11-1).
    #[must_use]
    pub fn with_server(mut self, server: Arc<ServerConfig>) -> Self {
        self.servers.push(server);
        self
    }

    /// Sets the longest datagram that the carrier takes for sure, in bytes: see [`Carrier::Datagram`].
    #[must_use]
    pub fn with_mtu(mut self, mtu: u16) -> Self {
        self.mtu = mtu;
        self
    }

    /// Sets how much the endpoint takes.
    #[must_use]
    pub fn with_limits(mut self, limits: EndpointLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Makes connection ids carry the number of this machine, for a load balancer.
    #[must_use]
    pub fn with_server_id(mut self, server_id: ServerId) -> Self {
        self.server_id = Some(server_id);
        self
    }

    pub(super) fn carrier(&self) -> Carrier {
        Carrier::Datagram { mtu: self.mtu }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if !(MIN_MTU..=MAX_MTU).contains(&self.mtu) {
            return Err(ConfigError::Mtu);
        }
        self.limits.validate()?;
        if self.servers.len() > MAX_SERVERS {
            return Err(ConfigError::Servers);
        }
        self.servers.iter().try_for_each(|server| server.validate(self.carrier()))
    }
}

/// The most identities that one endpoint serves: for each of them a Hello may take an HMAC.
const MAX_SERVERS: usize = 64;

/// When the sender of a Hello has to show, before anything is kept for it, that it receives what is sent to its address. That costs it a
/// round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Never. Whoever forges addresses can use up what there is room for.
    Never,
    /// While so many handshakes or more have begun and are not finished, or more Hellos come than
    /// [`EndpointLimits::without_cookie`] allows.
    WhenBusy {
        /// That many. Those above it, up to [`EndpointLimits::half_opens`], are kept for who has shown its address.
        half_opens: u32,
    },
    /// Always.
    Always,
}

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many times a second in the long run.
    pub per_second: u32,
    /// So many at once.
    pub burst: u32,
}

/// Bounds on what an [`Endpoint`](super::Endpoint) keeps and does for strangers.
///
/// Each session has the bounds of its own configuration besides ([`Limits`](crate::Limits)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointLimits {
    /// Sessions at a time, handshakes included: 1 to 16,777,216.
    pub sessions: u32,
    /// Handshakes at a time that others have begun and whose peer has not proved its identity, on both kinds of carriers: at least 1. Each
    /// takes some 3 KiB, and some 4.3 KiB with a hybrid suite.
    pub half_opens: u32,
    /// Those of them that one address has begun, on the datagram carrier: at least 1.
    pub half_opens_per_address: u32,
    /// Sessions at a time with one peer, above which one that the peer begins is not admitted: at least 1.
    pub sessions_per_peer: u32,
    /// How much heap all sessions together may take whose peers have proved who they are, in bytes. A session counts as
    /// [`Limits::max_bytes`](crate::Limits::max_bytes) of its configuration says, whatever it takes at the moment; handshakes do not, for which
    /// there is `half_opens`. One more session than that is not begun, or not admitted. [`u64::MAX`], as by default: as much as `sessions`
    /// allows.
    pub bytes: u64,
    /// How much of that the sessions with one peer may take, above which one that the peer begins is not admitted.
    pub bytes_per_peer: u64,
    /// Identities that can be [revoked](super::Endpoint::revoke) at a time.
    pub revoked: u32,
    /// When Hellos are answered with a Retry.
    pub retry: Retry,
    /// Hellos for which a handshake begins although they have no valid cookie. Those above it are answered with a Retry, or with nothing
    /// under [`Retry::Never`].
    pub without_cookie: Rate,
    /// Hellos for which a handshake begins and which have a valid cookie. Those above it are dropped; their senders try again.
    pub with_cookie: Rate,
}

impl Default for EndpointLimits {
    /// For a host: 65,536 sessions, 64 of them with one peer; 2,048 half-open handshakes, 64 from one address, and cookies from 512 of them
    /// on. 1,000 handshakes a second without cookies and 4,000 with.
    fn default() -> Self {
        Self {
            sessions: 65_536,
            half_opens: 2_048,
            half_opens_per_address: 64,
            sessions_per_peer: 64,
            bytes: u64::MAX,
            bytes_per_peer: u64::MAX,
            revoked: 65_536,
            retry: Retry::WhenBusy { half_opens: 512 },
            without_cookie: Rate { per_second: 1_000, burst: 500 },
            with_cookie: Rate { per_second: 4_000, burst: 2_000 },
        }
    }
}

impl EndpointLimits {
    fn validate(&self) -> Result<(), ConfigError> {
        let checks = [
            ((1..=1 << 24).contains(&self.sessions), "sessions"),
            (self.half_opens >= 1, "half_opens"),
            (self.half_opens_per_address >= 1, "half_opens_per_address"),
            (self.sessions_per_peer >= 1, "sessions_per_peer"),
        ];
        checks.into_iter().try_for_each(|(ok, field)| if ok { Ok(()) } else { Err(ConfigError::Limit(field)) })
    }
}
