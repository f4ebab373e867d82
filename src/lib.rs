//! AI-TCP: a secure, resumable message protocol between agents, as a pure state machine.
//!
//! Bytes and timestamps go in, bytes and events come out. Nothing in this crate opens a socket, reads a clock, starts a thread or
//! asks an operating system for randomness.
#![no_std]
#![deny(missing_docs, unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

extern crate alloc;

mod config;
pub mod crypto;
mod error;
mod event;
mod identity;
#[cfg(feature = "keylog")]
mod keylog;
mod link;
mod packet;
mod role;
mod seed;
mod session;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
mod time;
mod wire;

pub use config::{
    Admission, Carrier, ClientConfig, Expect, Limits, MAX_APP_PROTOCOL, MAX_CREDENTIALS, MAX_MAX_PACKET, MAX_REALM,
    MIN_MAX_PACKET, ServerConfig, Signer, Suite, Timeouts, Verdict,
};
pub use error::{
    BufferTooSmall, ConfigError, ExportError, FinishError, OpenError, RecvError, SendError, SignatureRejected,
    StreamError,
};
pub use event::{CloseReason, CloseSource, Event, PeerIncompatible, PeerMisbehaved, ProtocolCode, RefuseCode};
pub use identity::{PeerId, PeerIdError};
#[cfg(feature = "keylog")]
pub use keylog::KeyLog;
pub use role::Role;
pub use seed::{Seed, SeedError};
pub use session::{
    Direction, Ending, HandshakeInfo, MIN_TRANSMIT, Received, Session, Stats, StreamId, StreamInput, Transmit,
};
pub use time::Instant;
