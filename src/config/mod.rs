//! What a session is told before it starts. Configurations are immutable and shared between sessions behind an `Arc`.
#![forbid(unsafe_code)]

mod client;
mod limits;
mod rate_control;
mod server;
mod suite;

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU64;

pub use client::ClientConfig;
pub use limits::{Limits, MAX_MAX_PACKET, MIN_MAX_PACKET, Timeouts};
pub use rate_control::RateControl;
pub use server::ServerConfig;
pub use suite::Suite;

use crate::crypto::key_schedule::{Exporter, TrafficSecret};
use crate::crypto::keygen::IdentityKey;
use crate::crypto::provider::CryptoProvider;
use crate::error::ConfigError;
use crate::identity::PeerId;
#[cfg(feature = "keylog")]
use crate::keylog::KeyLog;
use crate::packet::validator::MAX_HANDSHAKE_PACKET;
use crate::role::Role;
use crate::wire::packet_builder::{Auth, Identity};
use crate::wire::{Framing, Params};

/// The longest name of an application protocol, in bytes of UTF-8.
pub const MAX_APP_PROTOCOL: usize = 64;
/// The longest name of a realm, in bytes of UTF-8.
pub const MAX_REALM: usize = 64;
/// The longest credentials, in bytes.
pub const MAX_CREDENTIALS: usize = 512;

/// What carries a session's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Carrier {
    /// Ordered, reliable bytes in arbitrary chunks: TCP, a Unix socket, a pipe, a WebSocket.
    Stream,
    /// Datagrams that may be lost, repeated, reordered or altered: UDP, radio, frames on a serial line.
    Datagram {
        /// The longest datagram that the carrier takes for sure, in bytes: [`MIN_MTU`] to [`MAX_MTU`], the same at both ends. Hybrid
        /// suites need 1,232; with less only the others are offered and accepted.
        mtu: u16,
    },
}

/// The smallest mtu of a datagram carrier, in bytes.
pub const MIN_MTU: u16 = 512;
/// The largest mtu of a datagram carrier, in bytes: what UDP over IPv4 and IPv6 takes.
pub const MAX_MTU: u16 = 65_527;

impl Carrier {
    /// On datagram carriers: the longest handshake packet. A Hello is padded to it (R-4.1-7), no other is longer (R-6.10-2).
    pub(crate) fn handshake_mtu(self) -> Option<u16> {
        match self {
            Self::Stream => None,
            Self::Datagram { mtu } => Some(mtu.min(MAX_HANDSHAKE_PACKET)),
        }
    }

    pub(crate) fn is_datagram(self) -> bool {
        matches!(self, Self::Datagram { .. })
    }

    /// Whether the handshake packets of this suite fit: a KemOffer has 1,224 bytes whatever the configuration (R-5.1-4).
    pub(crate) fn takes(self, suite: Suite) -> bool {
        !suite.is_hybrid() || self.handshake_mtu().is_none_or(|mtu| mtu >= MAX_HANDSHAKE_PACKET)
    }
}

/// What the initiator demands of the identity at the other end. There is no default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Exactly this agent; the session ends with [`CloseReason::WrongPeer`](crate::CloseReason::WrongPeer) if another answers.
    Pinned(PeerId),
    /// Whoever answers: the session raises [`Event::PeerIdentified`](crate::Event::PeerIdentified) and waits for
    /// [`Session::decide`](crate::Session::decide) **before** it reveals its own identity.
    Ask,
}

/// Whom the responder lets in. There is no default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Only these agents.
    Only(BTreeSet<PeerId>),
    /// Any agent that proves an identity. For services that are open to the public.
    Any,
    /// Each agent is put to the owner: [`Event::PeerIdentified`](crate::Event::PeerIdentified), then
    /// [`Session::decide`](crate::Session::decide).
    Ask,
}

/// The owner's word on a peer that has proved its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Accept,
    /// End the session. A responder tells the peer with
    /// [`ProtocolCode::NotAdmitted`](crate::ProtocolCode::NotAdmitted); an initiator says nothing.
    Refuse,
}

/// Who signs for this agent.
#[derive(Debug)]
pub enum Signer {
    /// A private key in memory.
    Key(IdentityKey),
    /// A key elsewhere (hardware, an agent process, another machine): the handshake raises
    /// [`Event::SignatureWanted`](crate::Event::SignatureWanted) and waits.
    External(PeerId),
}

impl Signer {
    /// The identity that is signed for.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        match self {
            Self::Key(key) => key.peer_id(),
            Self::External(peer) => *peer,
        }
    }
}

/// What both roles' configurations hold.
pub(crate) struct Shared {
    pub(crate) provider: Arc<dyn CryptoProvider>,
    pub(crate) signer: Signer,
    pub(crate) credentials: Vec<u8>,
    pub(crate) suites: Vec<Suite>,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) compression: bool,
    pub(crate) rate_control: RateControl,
    #[cfg(feature = "keylog")]
    pub(crate) key_log: Option<Arc<dyn KeyLog>>,
}

impl fmt::Debug for Shared {
    /// Credentials may be a token: only their length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("provider", &self.provider)
            .field("signer", &self.signer)
            .field("credentials", &format_args!("{} bytes", self.credentials.len()))
            .field("suites", &self.suites)
            .field("limits", &self.limits)
            .field("timeouts", &self.timeouts)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn new(provider: Arc<dyn CryptoProvider>, signer: Signer) -> Self {
        let suites = Suite::preferred(provider.as_ref());
        Self {
            provider,
            signer,
            credentials: Vec::new(),
            suites,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            compression: false,
            rate_control: RateControl::default(),
            #[cfg(feature = "keylog")]
            key_log: None,
        }
    }

    /// What this end announces that it can take over such a carrier.
    pub(crate) fn params(&self, framing: Framing) -> Params {
        let limits = &self.limits;
        let idle = match framing {
            Framing::Stream => self.timeouts.idle,
            Framing::Datagram => self.timeouts.datagram_idle,
        };
        let idle = idle.map_or(0, |idle| u32::try_from(idle.as_millis()).unwrap_or(u32::MAX));
        // Rounded up: it promises to be no later.
        let ack_delay = self.timeouts.max_ack_delay.as_micros().div_ceil(1_000);
        Params {
            max_packet: limits.max_packet,
            session_credit: limits.session_window.into(),
            stream_credit: limits.stream_window.into(),
            bidirectional_streams: limits.peer_bidirectional_streams.into(),
            unidirectional_streams: limits.peer_unidirectional_streams.into(),
            max_message: limits.max_message,
            idle_timeout_ms: idle,
            compression: self.compression,
            max_datagram: match framing {
                Framing::Stream => 0, // there is no use for them (R-8.1-6)
                Framing::Datagram => limits.max_datagram,
            },
            max_ack_delay_ms: u16::try_from(ack_delay).unwrap_or(u16::MAX),
        }
    }

    /// Hands a secret to the key log, if there is one (R-5.7-1).
    #[cfg_attr(
        not(feature = "keylog"),
        expect(unused_variables, clippy::unused_self, reason = "built without key logs")
    )]
    pub(crate) fn log_secret(&self, label: &'static str, random: &[u8; 32], secret: &TrafficSecret) {
        #[cfg(feature = "keylog")]
        if let Some(log) = &self.key_log {
            log.log(label, random, secret.as_bytes());
        }
    }

    /// The same for the exporter's secret.
    #[cfg_attr(
        not(feature = "keylog"),
        expect(unused_variables, clippy::unused_self, reason = "built without key logs")
    )]
    pub(crate) fn log_exporter(&self, random: &[u8; 32], exporter: &Exporter) {
        #[cfg(feature = "keylog")]
        if let Some(log) = &self.key_log {
            log.log("EXPORTER", random, exporter.as_bytes());
        }
    }

    /// The suites that can be used on this carrier, in order of preference.
    pub(crate) fn suites_on(&self, carrier: Carrier) -> Vec<Suite> {
        self.suites.iter().copied().filter(|suite| carrier.takes(*suite)).collect()
    }

    fn validate(&self, carrier: Carrier, role: Role) -> Result<(), ConfigError> {
        if self.credentials.len() > MAX_CREDENTIALS {
            return Err(ConfigError::Credentials);
        }
        if self.compression && cfg!(not(feature = "compression")) {
            return Err(ConfigError::CompressionUnavailable);
        }
        validate_suites(&self.suites, self.provider.as_ref())?;
        self.limits.validate()?;
        self.timeouts.validate()?;
        match carrier {
            Carrier::Stream => Ok(()),
            Carrier::Datagram { mtu } => self.validate_mtu(carrier, mtu, role),
        }
    }

    /// Every handshake packet has to fit one datagram (R-6.10-2). Only the suites and the credentials can make one too long.
    fn validate_mtu(&self, carrier: Carrier, mtu: u16, role: Role) -> Result<(), ConfigError> {
        if !(MIN_MTU..=MAX_MTU).contains(&mtu) {
            return Err(ConfigError::Mtu);
        }
        if self.suites_on(carrier).is_empty() {
            return Err(ConfigError::NoSuiteForMtu);
        }
        let identity = self.signer.peer_id();
        let identity = Identity { key: identity.as_bytes(), credentials: &self.credentials };
        let auth = Auth { params: self.params(Framing::Datagram), identity: Some(identity) };
        let longest = auth.build(role, NonZeroU64::MAX, 0).packet_len();
        let fits = carrier.handshake_mtu().is_none_or(|most| longest <= usize::from(most));
        if fits { Ok(()) } else { Err(ConfigError::CredentialsForMtu) }
    }
}

fn validate_suites(suites: &[Suite], provider: &dyn CryptoProvider) -> Result<(), ConfigError> {
    let mut seen = Vec::with_capacity(suites.len());
    for suite in suites {
        if seen.contains(suite) {
            return Err(ConfigError::Suites);
        }
        if !suite.available(provider) {
            return Err(ConfigError::SuiteUnavailable(*suite));
        }
        seen.push(*suite);
    }
    if seen.is_empty() { Err(ConfigError::Suites) } else { Ok(()) }
}

fn validate_app_protocol(name: &str) -> Result<(), ConfigError> {
    if name.is_empty() || name.len() > MAX_APP_PROTOCOL { Err(ConfigError::AppProtocol) } else { Ok(()) }
}

fn validate_realm(name: &str) -> Result<(), ConfigError> {
    if name.len() > MAX_REALM { Err(ConfigError::Realm) } else { Ok(()) }
}

/// The setters that both roles' configurations have.
macro_rules! shared_setters {
    () => {
        /// Sets what is shown to the peer beside the identity, once the peer has proved its own (an initiator) or before (a
        /// responder): a token, a certificate, anything of up to [`MAX_CREDENTIALS`](crate::MAX_CREDENTIALS) bytes. Opaque to the
        /// protocol; none by default.
        #[must_use]
        pub fn with_credentials(mut self, credentials: &[u8]) -> Self {
            self.shared.credentials = credentials.to_vec();
            self
        }

        /// Sets the suites that may be used. By default all that the provider can do: hybrid ones first, AES-256-GCM first where it
        /// runs in hardware.
        ///
        /// An initiator offers them in this order. A responder takes a hybrid one before others whatever the order, and AES-256-GCM
        /// only if it is fast here and the initiator has put it first (R-5.1-2, R-5.1-3).
        #[must_use]
        pub fn with_suites(mut self, suites: &[Suite]) -> Self {
            self.shared.suites = suites.to_vec();
            self
        }

        /// Sets the bounds on memory and on what is taken from the peer.
        #[must_use]
        pub fn with_limits(mut self, limits: Limits) -> Self {
            self.shared.limits = limits;
            self
        }

        /// Sets how long things may take.
        #[must_use]
        pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
            self.shared.timeouts = timeouts;
            self
        }

        /// Compresses messages of up to 64 KiB that are given whole, if the peer asks for it too. Off by default: where an attacker
        /// can mix text of its own into a secret message, the compressed length betrays the secret.
        #[must_use]
        pub fn with_compression(mut self, compression: bool) -> Self {
            self.shared.compression = compression;
            self
        }

        /// Sets how the rate of packets is found on datagram carriers; CUBIC by default.
        #[must_use]
        pub fn with_rate_control(mut self, rate_control: crate::config::RateControl) -> Self {
            self.shared.rate_control = rate_control;
            self
        }

        /// Hands every traffic secret to `key_log`. Whoever reads that log reads the sessions.
        #[cfg(feature = "keylog")]
        #[must_use]
        pub fn with_key_log(mut self, key_log: Arc<dyn KeyLog>) -> Self {
            self.shared.key_log = Some(key_log);
            self
        }
    };
}

use shared_setters;

impl From<IdentityKey> for Signer {
    fn from(key: IdentityKey) -> Self {
        Self::Key(key)
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::crypto::rustcrypto::RustCrypto;

    fn announced(framing: Framing, max_ack_delay: Duration) -> (u16, u16) {
        let key = IdentityKey::from_seed(&RustCrypto, [1; 32]).unwrap();
        let timeouts = Timeouts { max_ack_delay, ..Timeouts::default() };
        let params = ClientConfig::new(key, "app").with_timeouts(timeouts).shared.params(framing);
        (params.max_datagram, params.max_ack_delay_ms)
    }

    #[test]
    fn datagrams_are_announced_where_there_are_any_and_delays_are_rounded_up() {
        let default = Timeouts::default().max_ack_delay;
        assert_eq!(announced(Framing::Datagram, default), (1_200, 25));
        assert_eq!(announced(Framing::Stream, default), (0, 25));
        for (micros, millis) in [(0, 0), (1, 1), (1_000, 1), (1_001, 2), (16_383_000, 16_383)] {
            assert_eq!(announced(Framing::Datagram, Duration::from_micros(micros)).1, millis, "{micros} us");
        }
    }
}
