//! Bytes to valid values and back: no keys, no protocol state.
//!
//! A packet is a fixed [`Header`] and a body. The tables in bodies are FlatBuffers; they are read through generated code, and only
//! after verification with limits of our own (R-3.3-2). What a parser returns cannot be invalid: whoever holds a view need not check
//! again.

mod framing;
mod header;
mod params;

pub(crate) mod ephemeral_session;
pub(crate) mod link_message;
pub(crate) mod packet_builder;
pub(crate) mod packet_parser;
pub(crate) mod payload;

// Made by `schemas/generate` and compared by it; not ours to format or to lint. It reads unchecked, so nothing but this folder may
// see it, and only behind `packet_parser::verified`.
#[rustfmt::skip]
#[allow(
    unsafe_code,
    missing_docs,
    dead_code,
    unreachable_pub,
    unused_imports,
    unused_qualifications,
    clippy::all,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
)]
mod generated;

use generated::aitcp::wire as tables;

pub(crate) use framing::Framing;
pub(crate) use header::{HEADER_LEN, Header, HeaderError, PacketKind, VERSION};
pub(crate) use params::{BadParams, Params};
