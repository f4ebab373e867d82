//! Recovery in plain numbers, for tests that drive it without a session: no keys, no packets, and any order of calls.
//!
//! What is asked here is what a session asks, by the same names. There is no logic that could hide a fault, or be one: the crate's own
//! types are taken apart, so that they stay its own.
#![forbid(unsafe_code)]

mod path_check;
mod receiver;
mod sender;

pub use path_check::PathCheck;
pub use receiver::Receiver;
pub use sender::{Fate, MaySend, Outgoing, Sender, SenderStart};
