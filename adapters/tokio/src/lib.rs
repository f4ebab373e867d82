//! AI-TCP for tokio: sessions over TCP, over anything that is [`AsyncRead`](tokio::io::AsyncRead) and
//! [`AsyncWrite`](tokio::io::AsyncWrite), and over UDP.
//!
//! - [`Connection`] and its [`Stream`]s are the same over all of them. [`TcpListener`] accepts connections over TCP.
//! - [`Endpoint`] is a UDP socket for any number of connections, accepted and one's own.
//!
//! ```
//! use std::io;
//! use std::sync::Arc;
//!
//! use aitcp::crypto::{keygen::IdentityKey, rustcrypto::RustCrypto};
//! use aitcp::{Admission, ClientConfig, Direction, Expect, ServerConfig};
//! use aitcp_tokio::{Connection, TcpListener};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let alice = IdentityKey::from_seed(&RustCrypto, [1; 32])?; // real seeds come from a key file
//! let bob = IdentityKey::from_seed(&RustCrypto, [2; 32])?;
//! let bob_id = bob.peer_id();
//!
//! let config = Arc::new(ServerConfig::new(bob, Admission::Only([alice.peer_id()].into()), &["echo/1"]));
//! let mut listener = TcpListener::bind("127.0.0.1:0", config, ()).await?;
//! let addr = listener.local_addr()?;
//! let server = tokio::spawn(async move {
//!     let (connection, _) = listener.accept().await?; // a real server gives each connection a task, from here on
//!     while let Some(mut stream) = connection.accept_stream().await? {
//!         while let Some(message) = stream.receiver.recv_message(1 << 20).await? {
//!             stream.sender.send(&message).await?;
//!         }
//!     }
//!     connection.shutdown().await
//! });
//!
//! let config = Arc::new(ClientConfig::new(alice, "echo/1"));
//! let connection = Connection::connect_tcp(addr, config, Expect::Pinned(bob_id), &mut ()).await?;
//! let mut stream = connection.open(Direction::Bidirectional).await?;
//! stream.sender.send(b"hello").await?;
//! assert_eq!(stream.receiver.recv_message(1 << 20).await?.as_deref(), Some(&b"hello"[..]));
//! drop(stream);
//! connection.shutdown().await?;
//! server.await??;
//! # Ok(())
//! # }
//! ```
//!
//! **Tasks.** Each connection over a stream carrier has one task, and so has each UDP socket. It moves bytes, keeps time and wakes those
//! whom an event concerns, and nobody else. It ends by itself when the last handle is gone and the end has been said to the peers: after
//! [`Timeouts::drain`](aitcp::Timeouts::drain) and a second at the latest. Connecting and
//! accepting need a tokio runtime with IO and time enabled, and panic without one, as `tokio::spawn` does.
//!
//! **Cancellation.** Every future can be dropped at any time. What that means for the call is said with each of them; mostly that the
//! call has not been made.
//!
//! **Backpressure.** What the peer may have sent and the application has not read is bounded by [`Limits`](aitcp::Limits), and what the
//! application has sent and the peer has not got as well: a slow reader stops the peer's senders, which wait in their calls.
//!
//! **Errors** are [`std::io::Error`]; what is behind one, a [`CloseReason`](aitcp::CloseReason) or the error of a stream, is its
//! [`get_ref`](std::io::Error::get_ref).
//!
//! **Tracing.** Each connection has a span `session` with its `role` and, once it is known, the `peer`. In it are events at the levels
//! debug (the end of the session) and trace (everything that the session tells). Nothing of what is sent or received is shown.
#![forbid(unsafe_code)]
#![deny(missing_docs, clippy::arithmetic_side_effects, clippy::indexing_slicing)]
#![deny(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod connection;
mod driver;
mod endpoint;
mod handle;
mod listener;
mod news;
mod recv_stream;
mod send_stream;

pub use aitcp::Owner;
pub use aitcp_io::close_reason;
pub use connection::{Connection, Stream};
pub use endpoint::{Endpoint, Incoming};
pub use listener::TcpListener;
pub use recv_stream::RecvStream;
pub use send_stream::SendStream;
