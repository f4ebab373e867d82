//! Streams of messages.

mod id;

pub use id::{Direction, StreamId};
