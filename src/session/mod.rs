//! The lasting relation of two identities.

mod streams;

pub use streams::{Direction, StreamId};
