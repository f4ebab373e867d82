//! The lasting relation of two identities.

mod flow_control;
mod streams;

pub use streams::{Direction, StreamId};
