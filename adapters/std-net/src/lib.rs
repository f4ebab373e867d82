//! AI-TCP over blocking sockets of the standard library: a [`Connection`] over TCP by itself, or an [`Endpoint`] for many of them over UDP,
//! TCP, or both.
//!
//! ```
//! use std::io;
//! use std::net::{TcpListener, TcpStream};
//! use std::sync::Arc;
//! use std::thread;
//!
//! use aitcp::crypto::{keygen::IdentityKey, rustcrypto::RustCrypto};
//! use aitcp::{Admission, ClientConfig, Direction, Expect, ServerConfig};
//! use aitcp_std::Connection;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let alice = IdentityKey::from_seed(&RustCrypto, [1; 32])?; // real seeds come from a key file
//! let bob = IdentityKey::from_seed(&RustCrypto, [2; 32])?;
//! let bob_id = bob.peer_id();
//!
//! let config = Arc::new(ServerConfig::new(bob, Admission::Only([alice.peer_id()].into()), &["echo/1"]));
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let addr = listener.local_addr()?;
//! let server = thread::spawn(move || -> io::Result<()> {
//!     let (socket, _) = listener.accept()?; // a real server gives each connection a thread, from here on
//!     let connection = Connection::accept(socket, config, &mut ())?;
//!     while let Some(mut stream) = connection.accept_stream()? {
//!         while let Some(message) = stream.receiver.recv_message(1 << 20)? {
//!             stream.sender.send(&message)?;
//!         }
//!     }
//!     connection.shutdown()
//! });
//!
//! let config = Arc::new(ClientConfig::new(alice, "echo/1"));
//! let connection = Connection::connect(TcpStream::connect(addr)?, config, Expect::Pinned(bob_id), &mut ())?;
//! let mut stream = connection.open(Direction::Bidirectional)?;
//! stream.sender.send(b"hello")?;
//! assert_eq!(stream.receiver.recv_message(1 << 20)?.as_deref(), Some(&b"hello"[..]));
//! drop(stream);
//! connection.shutdown()?;
//! server.join().unwrap()?;
//! # Ok(())
//! # }
//! ```
//!
//! **A connection by itself has no thread in the background**: whichever threads wait in calls run it between them. An endpoint has threads
//! of its own: it serves sessions whether or not anybody waits, has common limits for all of them, and can revoke and shut down. Errors are
//! [`std::io::Error`]; what is behind one, a [`CloseReason`](aitcp::CloseReason) or the error of a stream, is its
//! [`get_ref`](std::io::Error::get_ref).
#![forbid(unsafe_code)]
#![deny(missing_docs, clippy::arithmetic_side_effects, clippy::indexing_slicing)]
#![deny(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod connection;
mod driver;
mod endpoint;
mod stream;
mod tcp;
mod tickets;

pub use aitcp::Owner;
pub use aitcp_io::close_reason;
pub use connection::Connection;
pub use endpoint::{Endpoint, Incoming};
pub use stream::{RecvStream, SendStream, Stream};
pub use tickets::TicketStore;
