//! Many sessions behind one socket: what finds, admits and counts them.

mod address;
mod budget;
mod connection_id;
mod cookie;
mod counts;
mod deadline_heap;
mod id_map;
mod ready_queue;
mod routes;
mod slab;

pub use address::{Address, StableBytes};
pub use connection_id::{ServerId, ServerIdCodec, ServerIdError};
