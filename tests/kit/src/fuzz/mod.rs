//! What the fuzz targets do with their input, and the inputs that they start from.
//!
//! Each target is a function of bytes that panics when it finds something. The wrappers in `fuzz/` give it to libFuzzer;
//! `tests/fuzz_corpus.rs` replays the committed corpora with it. Inputs are cut up in a way that is easy to mutate: choices first, one
//! byte each, then what they are about.

mod datagram;
mod endpoint;
mod input;
mod pair_ops;
mod recovery;
mod seeds;
mod session_sealed;
mod unauthenticated;

pub use datagram::datagram;
pub use endpoint::endpoint;
pub use pair_ops::pair_ops;
pub use recovery::recovery;
pub use session_sealed::session_sealed;
pub use unauthenticated::{hello, packet, stream};

/// A fuzz target: its name, what it does with an input, and the inputs that it starts from, by name.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, in `fuzz/fuzz_targets/` and `fuzz/corpus/`.
    pub name: &'static str,
    /// What it does with an input.
    pub run: fn(&[u8]),
    /// The inputs that it starts from, by name.
    pub seeds: fn() -> Vec<(String, Vec<u8>)>,
    /// How many inputs a full [campaign](crate::campaign) tries: more of those that cost less.
    pub cases: u32,
}

/// Every target.
pub const TARGETS: [Target; 8] = [
    Target { name: "packet", run: packet, seeds: seeds::packet, cases: 10_000 },
    Target { name: "hello", run: hello, seeds: seeds::hello, cases: 10_000 },
    Target { name: "stream", run: stream, seeds: seeds::stream, cases: 10_000 },
    Target { name: "session_sealed", run: session_sealed, seeds: seeds::session_sealed, cases: 10_000 },
    Target { name: "datagram", run: datagram, seeds: datagram::seeds, cases: 10_000 },
    Target { name: "endpoint", run: endpoint, seeds: endpoint::seeds, cases: 50_000 },
    Target { name: "recovery", run: recovery, seeds: recovery::seeds, cases: 1_000_000 },
    Target { name: "pair_ops", run: pair_ops, seeds: seeds::pair_ops, cases: 10_000 },
];
