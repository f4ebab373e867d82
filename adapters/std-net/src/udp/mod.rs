//! Many sessions over one UDP socket.
//!
//! - [`endpoint`], [`datagrams`]: what callers see, besides connections and streams.
//! - [`hub`]: the socket, and the thread that serves it. [`session`]: one session, as its handles drive it.

mod datagrams;
mod endpoint;
mod hub;
mod session;

pub use endpoint::{Incoming, UdpEndpoint};
pub(crate) use session::UdpSession;
