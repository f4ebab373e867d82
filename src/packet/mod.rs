//! One packet at a time: its number, its protection, and what its header may say.

mod number;
pub(crate) mod protection;
#[cfg(test)] // for datagram carriers, which no session runs over yet
mod replay_guard;
pub(crate) mod validator;

pub(crate) use number::PacketNumber;
