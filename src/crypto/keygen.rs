//! Identity keys.
#![forbid(unsafe_code)]

use alloc::boxed::Box;
use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::crypto::provider::{CryptoProvider, SigningKey};
use crate::identity::PeerId;

/// The private key of an agent: an Ed25519 key pair, ready to sign.
///
/// There is no way to bring a public key of one's own: it always comes from the private one, since a signature under a public key
/// that does not belong to it gives the private key away. Wiped when dropped; `Debug` shows the public half.
///
#[cfg_attr(feature = "rustcrypto", doc = "```")]
#[cfg_attr(not(feature = "rustcrypto"), doc = "```ignore")]
/// use aitcp::crypto::keygen::IdentityKey;
/// use aitcp::crypto::rustcrypto::RustCrypto;
///
/// let key = IdentityKey::from_seed(&RustCrypto, [7; 32])?; // a real seed comes from `generate`, and back out of a key file
/// assert!(key.peer_id().to_string().starts_with("aitcp1"));
/// # Ok::<(), aitcp::crypto::keygen::KeyError>(())
/// ```
pub struct IdentityKey {
    seed: Zeroizing<[u8; 32]>,
    key: Box<dyn SigningKey>,
    peer_id: PeerId,
}

impl IdentityKey {
    /// Draws a new key.
    ///
    /// # Errors
    /// [`KeyError`] if the generator, or the provider, is broken.
    pub fn generate(provider: &dyn CryptoProvider, rng: &mut (impl CryptoRng + ?Sized)) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        Self::load(provider, seed)
    }

    /// Loads a key from its seed, the 32 secret bytes that RFC 8032 calls the private key. Wipe the caller's copy.
    ///
    /// # Errors
    /// [`KeyError`] if the seed is all zeros, or the provider is broken.
    pub fn from_seed(provider: &dyn CryptoProvider, seed: [u8; 32]) -> Result<Self, KeyError> {
        Self::load(provider, Zeroizing::new(seed))
    }

    fn load(provider: &dyn CryptoProvider, seed: Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        if seed.iter().all(|byte| *byte == 0) {
            return Err(KeyError::ZeroSeed);
        }
        let key = provider.ed25519_key(&seed);
        let peer_id = PeerId::from_bytes(key.public_key()).map_err(|_| KeyError::BrokenProvider)?;
        Ok(Self { seed, key, peer_id })
    }

    /// The public half: what peers know this agent by.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// The secret half, to be written to a key file. Whoever reads it **is** this agent.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// Signs `message` with Ed25519.
    ///
    /// For keys that live apart from the session (see [`Signer::External`](crate::Signer::External)): sign only what
    /// [`Session::to_sign`](crate::Session::to_sign) shows.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message)
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityKey").field("peer_id", &self.peer_id).finish_non_exhaustive()
    }
}

/// Why there is no [`IdentityKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The seed is all zeros: the generator that should have filled it did not.
    ZeroSeed,
    /// The provider gave a weak public key, which no private key has.
    BrokenProvider,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroSeed => "all-zero key: the random generator behind it failed",
            Self::BrokenProvider => "the crypto provider gave a weak public key",
        })
    }
}

impl core::error::Error for KeyError {}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    extern crate std;

    use hex_literal::hex;
    use rand_core::{TryCryptoRng, TryRng};

    use super::*;
    use crate::crypto::rustcrypto::RustCrypto;

    /// RFC 8032, section 7.1, test 1. No constructor takes a public key beside the private one (ed25519-dalek, RUSTSEC-2022-0093).
    #[test]
    fn the_public_key_comes_from_the_seed() {
        let seed = hex!("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let key = IdentityKey::from_seed(&RustCrypto, seed).unwrap();
        let public = hex!("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(key.peer_id().as_bytes(), &public);
        assert_eq!(key.seed(), &seed);
    }

    /// A generator that fails silently gives zeros (libcrux, RUSTSEC-2026-0075).
    #[test]
    fn an_all_zero_seed_is_refused() {
        assert_eq!(IdentityKey::from_seed(&RustCrypto, [0; 32]).unwrap_err(), KeyError::ZeroSeed);
        assert_eq!(IdentityKey::generate(&RustCrypto, &mut Constant(0)).unwrap_err(), KeyError::ZeroSeed);
        let key = IdentityKey::generate(&RustCrypto, &mut Constant(7)).unwrap();
        assert_eq!(key.seed(), &[7; 32]);
    }

    #[test]
    fn debug_shows_the_public_half_alone() {
        let key = IdentityKey::from_seed(&RustCrypto, [0xA5; 32]).unwrap();
        assert_eq!(std::format!("{key:?}"), std::format!("IdentityKey {{ peer_id: {:?}, .. }}", key.peer_id()));
    }

    struct Constant(u8);

    impl TryRng for Constant {
        type Error = core::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(u32::from_ne_bytes([self.0; 4]))
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(u64::from_ne_bytes([self.0; 8]))
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(self.0);
            Ok(())
        }
    }

    impl TryCryptoRng for Constant {}
}
