//! What a session is told before it starts. Configurations are immutable and shared between sessions behind an `Arc`.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::crypto::keygen::IdentityKey;
use crate::crypto::provider::CryptoProvider;
use crate::error::ConfigError;
use crate::identity::PeerId;
#[cfg(feature = "keylog")]
use crate::keylog::KeyLog;

/// The longest name of an application protocol, in bytes of UTF-8.
pub const MAX_APP_PROTOCOL: usize = 64;
/// The longest name of a realm, in bytes of UTF-8.
pub const MAX_REALM: usize = 64;
/// The longest credentials, in bytes.
pub const MAX_CREDENTIALS: usize = 512;
/// The smallest packet size that may be agreed on: room for every handshake packet and then some.
pub const MIN_MAX_PACKET: u16 = 2_048 + 40;
/// The largest packet size that may be agreed on: 16 KiB of payload, header and tag.
pub const MAX_MAX_PACKET: u16 = 16_384 + 40;

/// What carries a session's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Carrier {
    /// Ordered, reliable bytes in arbitrary chunks: TCP, a Unix socket, a pipe, a WebSocket.
    Stream,
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

/// A key exchange with a packet cipher (specification, section 5.1). SHA-256 in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// X25519 and ML-KEM-768, ChaCha20-Poly1305.
    HybridChaCha20Poly1305,
    /// X25519, ChaCha20-Poly1305. The one that every implementation has.
    X25519ChaCha20Poly1305,
    /// X25519 and ML-KEM-768, AES-256-GCM.
    HybridAes256Gcm,
    /// X25519, AES-256-GCM.
    X25519Aes256Gcm,
}

/// Bounds on what a session keeps in memory and what it takes from a peer.
///
/// Everything that grows has a limit here; [`Limits::max_bytes`] adds them up.
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
    /// The same for one stream.
    pub stream_send_buffer: u32,
    /// Bidirectional streams that the peer may have open at a time.
    pub peer_bidirectional_streams: u16,
    /// Unidirectional streams that the peer may have open at a time.
    pub peer_unidirectional_streams: u16,
    /// Streams that this side may have open at a time, in both directions together, whatever the peer allows.
    pub own_streams: u16,
    /// The longest message taken, in bytes. Never a buffer size: longer messages than any buffer pass through in pieces.
    pub max_message: u64,
}

impl Default for Limits {
    /// For hosts: 16 KiB packets, 1 MiB each way, 256 KiB a stream, 128 streams of each kind, messages of 16 MiB.
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
        }
    }
}

impl Limits {
    /// For small devices: 2 KiB packets and windows of a few KiB.
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
        }
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// From the first byte to an authenticated peer. An initiator's own waiting for a verdict or a signature counts.
    pub handshake: Duration,
    /// How long a responder waits for [`Session::decide`](crate::Session::decide) once the peer is authenticated.
    pub verdict: Duration,
    /// Silence from the peer after which the session ends; `None` = never. The shorter of both ends' holds. Liveness of the
    /// session, never the time to an answer: a peer that thinks for an hour keeps the session alive by `keepalive`.
    pub idle: Option<Duration>,
    /// Own silence after which an empty packet is sent to keep the session (and boxes on the way) awake; `None` = never.
    pub keepalive: Option<Duration>,
}

impl Default for Timeouts {
    /// For stream carriers: 10 s for the handshake, 30 s for a verdict, no idle timeout, no keepalive.
    fn default() -> Self {
        Self { handshake: Duration::from_secs(10), verdict: Duration::from_secs(30), idle: None, keepalive: None }
    }
}

/// What both roles' configurations hold.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) provider: Arc<dyn CryptoProvider>,
    pub(crate) signer: Signer,
    pub(crate) credentials: Vec<u8>,
    pub(crate) suites: Vec<Suite>,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) compression: bool,
    #[cfg(feature = "keylog")]
    pub(crate) key_log: Option<Arc<dyn KeyLog>>,
}
