//! One packet at a time: its number, its protection, and what its header may say.

#[cfg_attr(not(test), expect(dead_code, reason = "waits for sessions on datagram carriers"))]
pub(crate) mod coalesced;
mod number;
pub(crate) mod protection;
#[cfg_attr(not(test), expect(dead_code, reason = "waits for sessions on datagram carriers"))]
pub(crate) mod replay_guard;
pub(crate) mod validator;

pub(crate) use number::PacketNumber;
