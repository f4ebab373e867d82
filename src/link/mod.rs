//! One handshake's worth of keys and packet numbers over one carrier.
//!
//! [`handshake::Handshake`] turns the first packets into an [`Established`] link: a peer that has proved who it is, and
//! [`DataKeys`] to talk to it.

mod data;
pub(crate) mod handshake;

pub(crate) use data::DataKeys;
pub(crate) use handshake::{Established, Handshake, Progress, VerifiedPeer};
