//! The transcript hash (specification, section 6.5): what both ends have seen, byte for byte.
#![forbid(unsafe_code)]

use sha2::{Digest, Sha256};

use crate::crypto::key_schedule::TranscriptHash;
#[cfg(any(test, feature = "hybrid"))]
use crate::crypto::provider::TAG_LEN;

/// A running SHA-256 over headers and plaintext bodies, in the order of the handshake (R-6.5-1).
#[derive(Clone)]
pub(super) struct Transcript(Sha256);

impl Transcript {
    /// Nothing has been seen.
    pub(super) fn new() -> Self {
        Self(Sha256::new())
    }

    /// Takes in the bytes that come next, exactly as they travel (sealed ones: as they were before sealing).
    pub(super) fn absorb(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Takes in a packet of this end's that is about to be sealed: everything but the room for its tag.
    #[cfg(any(test, feature = "hybrid"))]
    pub(super) fn absorb_unsealed(&mut self, packet: &[u8]) {
        let without_tag = packet.len().saturating_sub(TAG_LEN);
        self.absorb(packet.get(..without_tag).unwrap_or_default());
    }

    /// TH over all that was taken in so far.
    pub(super) fn hash(&self) -> TranscriptHash {
        self.0.clone().finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::sha256;

    #[test]
    fn the_hash_is_over_the_concatenation_and_can_go_on() {
        let mut transcript = Transcript::new();
        assert_eq!(transcript.hash(), sha256(b""));
        transcript.absorb(b"one");
        assert_eq!(transcript.hash(), sha256(b"one"));
        transcript.absorb(b" and two");
        assert_eq!(transcript.hash(), sha256(b"one and two"));
    }

    #[test]
    fn the_room_for_a_tag_stays_out() {
        let mut transcript = Transcript::new();
        transcript.absorb_unsealed(b"packet0123456789abcdef");
        assert_eq!(transcript.hash(), sha256(b"packet"));
    }
}
