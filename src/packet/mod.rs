//! One packet at a time: its number, its protection, and what its header may say.

pub(crate) mod coalesced;
mod number;
pub(crate) mod protection;
pub(crate) mod replay_guard;
pub(crate) mod validator;

pub(crate) use number::PacketNumber;
