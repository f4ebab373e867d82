//! Virtual time, a link emulator, pairs of sessions, and what crypto providers have to pass.

pub mod provider_vectors;
