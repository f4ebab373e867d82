//! AI-TCP: a secure message protocol between agents (programs that hold a key), as a pure state machine.
//!
//! Bytes and timestamps go in, bytes and events come out. Nothing in this crate opens a socket, reads a clock, starts a thread or
//! asks an operating system for randomness. It is `no_std` with `alloc`, and runs in any event loop, over any ordered byte stream and over
//! datagrams that get lost.
//!
//! The protocol is specified in `schemas/SPECIFICATION.md`; rule numbers such as R-6.3-2 in this documentation are from there.
//!
//! # The parts
//!
//! | type | what it is |
//! |---|---|
//! | [`PeerId`] | an agent's name: its Ed25519 public key, written `aitcp1...` |
//! | [`IdentityKey`](crypto::keygen::IdentityKey) | the private key behind a name |
//! | [`ClientConfig`], [`ServerConfig`] | who an end is, whom it talks to, how much it takes; immutable, shared between sessions |
//! | [`Session`] | one end of a conversation with one peer. The documentation of the type has the shortest whole program |
//! | `Endpoint` | many sessions behind one socket for datagrams, on any number of streams, or both; it admits who may become one |
//! | [`Event`] | something that the owner of a session can act on |
//! | [`StreamId`] | one of a session's streams: an ordered sequence of messages, in one direction or both |
//!
//! # Embedding it in an event loop
//!
//! A driver moves bytes and tells the time; [`Session`] does the rest. Once per turn, for every session that has something to do:
//!
//! 1. Put what the carrier gave behind what was left of the last time, show both to [`Session::handle_stream`], and keep what it did
//!    not consume: the beginning of a packet. When the carrier has ended, call [`Session::handle_link_lost`].
//! 2. Call [`Session::handle_timeout`], if the time of [`Session::poll_timeout`] has come (or always: it does no harm).
//! 3. Take events with [`Session::poll_event`] until there are none, and act on them.
//! 4. Write what [`Session::poll_transmit`] gives, in order, until it gives nothing or the carrier takes no more. Ask for the next
//!    packets only when the last ones are gone: what waits in the session can still be arranged by priority, what was given cannot.
//! 5. If [`Session::is_drained`], end the carrier and forget the session. Else sleep until there are bytes, or room for them, or until
//!    [`Session::poll_timeout`].
//!
//! A call of the application's at any other time can produce output as well: follow it with step 4. A buffer of
//! [`Session::max_packet`] bytes always suffices for step 1, and one of 1,232 for step 4.
//!
//! # Datagrams
//!
//! Over [`Carrier::Datagram`] (UDP, a radio, frames on a serial line) the loop is the same with other bytes in steps 1 and 4:
//!
//! 1. Show each datagram to [`Session::handle_datagram`], with the [path](PathId) that it came over. What anybody sends, forged, late or
//!    altered, is no more than discarded: the [`Disposition`] is for figures.
//! 4. Send what [`Session::poll_transmit`] gives: one datagram, or several of one length ([`Transmit::segment`]) for one path.
//!
//! Packets that are lost are noticed and what they carried is sent again; the rate follows the path by [CUBIC or
//! NewReno](RateControl), and so does the length of datagrams. Deadlines matter here: a driver that sleeps past
//! [`Session::poll_timeout`] makes the session slow. Beside streams there are best-effort datagrams
//! ([`Session::send_datagram`]), each of which arrives once or not at all.
//!
//! A bare session answers whoever comes first and speaks to one peer. What many peers share, a socket, needs an endpoint.
//!
//! # Ending
//!
//! **Ending a TCP connection.** After the last packet, shut down the writing half and read until the peer ends its own (or for a
//! second). Closing a socket with unread bytes resets the connection, and what the peer has not read yet, your close among it, is lost.
//!
//! **Many sessions.** An `Endpoint` has the same verbs, with a handle or an address besides, and knows whose turn it is. Over datagrams a
//! server needs one: it finds the session of each packet, and keeps strangers from filling the memory.
//!
//! The source has whole drivers as examples: over two buffers, `mio` and a pair of pipes. The crate `aitcp-std` is one for threads,
//! `aitcp-tokio` one for tasks.
//! Drivers whose callers wait in calls have help from an [`Owner`], who answers what a handshake asks, and a [`Ledger`] of streams.
//!
//! # Policies
//!
//! Both ends always authenticate, and both always say whom they accept; there is no default.
//!
//! - An initiator [expects](Expect) one identity, or decides when it sees who answered. Its own identity is revealed only after that.
//! - A responder [admits](Admission) a list, anyone, or decides for each. Before it has, it delivers and sends no byte of an application.
//!
//! Who decides gets [`Event::PeerIdentified`] and looks at [`Session::handshake`], then calls [`Session::decide`] within
//! [`Timeouts::verdict`]. An identity is proof of a key, and of nothing else: what its holder may do is the application's business.
//!
//! # Credentials
//!
//! Either end can show up to [`MAX_CREDENTIALS`] bytes beside its identity ([`ClientConfig::with_credentials`]): a token, a
//! certificate, anything. They are encrypted and bound to the handshake, and opaque to the protocol; whoever decides finds them in
//! [`HandshakeInfo::credentials`].
//!
//! # External signers
//!
//! A key can be in hardware, in an agent process or on another machine. With [`Signer::External`], the handshake raises
//! [`Event::SignatureWanted`] and waits: have [`Session::to_sign`] signed with Ed25519 as it is, and hand the signature to
//! [`Session::provide_signature`]. Other sessions go on meanwhile; [`Timeouts::handshake`] bounds the waiting.
//!
//! # Limits and memory
//!
//! Every queue, table and buffer has a bound in [`Limits`], and [`Limits::max_bytes`] adds them up. Windows are what a peer may have
//! sent and the application has not read, so a slow reader stops the peer and not the program. Buffers come from a pool as they are
//! needed: an idle stream holds none. A message can be longer than all of them; it passes through in pieces.
//!
//! # Errors
//!
//! - [`ConfigError`]: a configuration that cannot work, before anything starts.
//! - `Err` of any other call: what was asked for cannot be done, and **nothing has changed**. Each kind of call has an error of its own;
//!   those that waiting mends are called `Blocked`, and name the event to wait for.
//! - What a peer or an attacker sends is never an `Err`. If it ends the session, that is one [`Event::Closed`] with a [`CloseReason`].
//! - [`CloseReason::LinkLost`] is the end of a carrier without a sealed close: bytes may be missing. It is never a clean end.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `rustcrypto` | yes | the built-in crypto provider; without it, bring one by the traits of [`crypto::provider`] |
//! | `hybrid` | yes | the suites with X25519 and ML-KEM-768 |
//! | `compression` | yes | LZ4 for whole messages, where both ends ask for it |
//! | `endpoint` | yes | `Endpoint`: many sessions behind one socket, and connection ids for load balancers |
//! | `keylog` | no | hands traffic secrets to a log of the caller's, for debugging |
//!
//! # What is not there yet
//!
//! Sessions that outlive their connection, and tickets; new keys within a session; receipts. The README has the list.
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
mod disposition;
mod ecn;
#[cfg(feature = "endpoint")]
mod endpoint;
mod error;
mod event;
mod identity;
#[cfg(feature = "keylog")]
mod keylog;
mod ledger;
mod link;
mod packet;
mod role;
mod secret_bytes;
mod seed;
mod session;
mod stream_id;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
mod time;
mod wire;

pub use config::{
    Admission, Carrier, ClientConfig, Expect, Limits, MAX_APP_PROTOCOL, MAX_CREDENTIALS, MAX_MAX_PACKET, MAX_MTU,
    MAX_REALM, MIN_MAX_PACKET, MIN_MTU, RateControl, ServerConfig, Signer, Suite, Timeouts, Verdict,
};
pub use disposition::{Discarded, Disposition};
pub use ecn::EcnCodepoint;
#[cfg(feature = "endpoint")]
pub use endpoint::{
    Address, Endpoint, EndpointConfig, EndpointLimits, EndpointStats, Handle, Rate, Retry, Route, ServerId,
    ServerIdCodec, ServerIdError, SessionMut, StableBytes, StreamTask,
};
#[cfg(feature = "endpoint")]
pub use error::{BeginError, TooManyRevoked};
pub use error::{
    BufferTooSmall, ConfigError, ExportError, FinishError, IssueTicketError, OpenError, RecvDatagramError, RecvError,
    SendDatagramError, SendError, SignatureRejected, StreamError, TicketError,
};
pub use event::{CloseReason, CloseSource, Event, PeerIncompatible, PeerMisbehaved, ProtocolCode, RefuseCode};
pub use identity::{PeerId, PeerIdError};
#[cfg(feature = "keylog")]
pub use keylog::KeyLog;
pub use ledger::Ledger;
pub use link::Ticket;
pub use role::Role;
pub use secret_bytes::SecretBytes;
pub use seed::{Seed, SeedError};
pub use session::{
    Ending, HandshakeInfo, MIN_TRANSMIT, Meta, Owner, PathId, PathStats, Received, Session, Stats, StreamInput,
    TicketKeys, Transmit,
};
pub use stream_id::{Direction, StreamId};
pub use time::Instant;

#[cfg(all(doctest, feature = "rustcrypto"))]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
