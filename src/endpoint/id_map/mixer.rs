//! Where ids lie in a table.

#![forbid(unsafe_code)]

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::crypto::generator::Generator;

/// Spreads ids over the table, by a secret key.
///
/// Two rounds of multiply and xor-shift between key additions. That is no cipher, and needs not be: ids are random numbers of ours or
/// prefixes of SHA-256, and what this decides is seen only as time.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Mixer {
    add: u64,
    pub(super) multiply: u64,
}

impl Mixer {
    /// Draws a key from the generator's secret domain.
    pub(super) fn new(generator: &mut Generator) -> Self {
        let mut draw = || {
            let mut bytes = [0; 8];
            generator.secret(&mut bytes);
            u64::from_le_bytes(bytes)
        };
        // Odd, or else multiplying would lose bits.
        Self { add: draw(), multiply: draw() | 1 }
    }

    pub(super) const fn mix(&self, id: u64) -> u64 {
        let mut mixed = (id ^ self.add).wrapping_mul(self.multiply);
        mixed ^= mixed >> 32;
        mixed = mixed.wrapping_mul(self.multiply);
        mixed ^ (mixed >> 32)
    }
}
