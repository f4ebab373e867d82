//! The randomness that a session starts from, handed in by the caller.

use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Thirty-two bytes of fresh secret randomness, used for one link and wiped after use.
///
/// The core has no randomness of its own: whatever it draws (ephemeral keys, ids, randoms) comes from the seed. **Never use a seed
/// twice**: the same seed and the same inputs give the same keys. A seed does not implement `Clone` for that reason.
///
/// ```
/// use aitcp::Seed;
///
/// assert!(Seed::new([0; 32]).is_err(), "an all-zero seed means that the generator behind it failed");
/// let seed = Seed::new([7; 32])?; // a real one comes from the operating system or a hardware generator
/// # Ok::<(), aitcp::SeedError>(())
/// ```
pub struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    /// Takes 32 bytes that nobody else knows and that were never used before.
    ///
    /// # Errors
    /// [`SeedError`] if all bytes are zero: the generator that should have filled them did not. Do not retry with a made-up value;
    /// repair the generator.
    pub fn new(bytes: [u8; 32]) -> Result<Self, SeedError> {
        Self::checked(Zeroizing::new(bytes))
    }

    /// Draws a seed from a cryptographic generator.
    ///
    /// # Errors
    /// [`SeedError`] if the generator gave nothing but zeros.
    pub fn from_rng(rng: &mut (impl CryptoRng + ?Sized)) -> Result<Self, SeedError> {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *bytes);
        Self::checked(bytes)
    }

    /// Draws a seed from a generator's secret domain.
    #[cfg(feature = "endpoint")]
    pub(crate) fn draw(generator: &mut crate::crypto::generator::Generator) -> Self {
        loop {
            let mut bytes = Zeroizing::new([0; 32]);
            generator.secret(&mut *bytes);
            if let Ok(seed) = Self::checked(bytes) {
                return seed;
            }
        }
    }

    fn checked(bytes: Zeroizing<[u8; 32]>) -> Result<Self, SeedError> {
        if bytes.iter().all(|byte| *byte == 0) { Err(SeedError) } else { Ok(Self(bytes)) }
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// All 32 bytes of a [`Seed`] were zero: its source is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedError;

impl fmt::Display for SeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all-zero seed: the random generator behind it failed")
    }
}

impl core::error::Error for SeedError {}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn an_all_zero_seed_is_refused_and_one_bit_suffices() {
        assert_eq!(Seed::new([0; 32]).unwrap_err(), SeedError);
        for byte in 0..32 {
            let mut bytes = [0; 32];
            bytes[byte] = 0x80;
            assert!(Seed::new(bytes).is_ok());
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(std::format!("{:?}", Seed::new([0xA5; 32]).unwrap()), "Seed(..)");
    }
}
