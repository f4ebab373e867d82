//! One handshake's worth of keys and packet numbers over one carrier.
//!
//! [`handshake::Handshake`] turns the first packets into an [`Established`] link: a peer that has proved who it is, and
//! [`DataKeys`] to talk to it. On a stream carrier whatever is wrong with a packet ends the link; on a datagram carrier the packet is
//! [`Discarded`].

mod data;
mod discarded;
pub(crate) mod handshake;
pub(crate) mod ticket;

pub(crate) use data::DataKeys;
pub(crate) use discarded::Discarded;
pub(crate) use handshake::{Epilogue, Established, Handshake, Progress, Rejection, VerifiedPeer};
pub use ticket::Ticket;
