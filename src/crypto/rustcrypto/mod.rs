//! The built-in provider: RustCrypto's ciphers, dalek's curves and libcrux's ML-KEM. Pure Rust, `no_std`.
#![forbid(unsafe_code)]

mod aead;
mod ed25519;
mod header_mask;
#[cfg(feature = "hybrid")]
mod ml_kem;
mod x25519;

use alloc::boxed::Box;

use crate::crypto::provider::{Aead, AeadAlgorithm, CryptoProvider, HeaderMask, MlKem768, Rejected, SigningKey};

/// The built-in [`CryptoProvider`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RustCrypto;

impl CryptoProvider for RustCrypto {
    fn has_fast_aes(&self) -> bool {
        aead::has_fast_aes()
    }

    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8; 32]) -> Box<dyn Aead> {
        match algorithm {
            AeadAlgorithm::ChaCha20Poly1305 => Box::new(aead::ChaCha20Poly1305::new(key)),
            AeadAlgorithm::Aes256Gcm => Box::new(aead::Aes256Gcm::new(key)),
        }
    }

    fn header_mask(&self, algorithm: AeadAlgorithm, key: &[u8; 32]) -> Box<dyn HeaderMask> {
        match algorithm {
            AeadAlgorithm::ChaCha20Poly1305 => Box::new(header_mask::ChaCha20::new(key)),
            AeadAlgorithm::Aes256Gcm => Box::new(header_mask::Aes256::new(key)),
        }
    }

    fn x25519_public(&self, secret: &[u8; 32]) -> [u8; 32] {
        x25519::public(secret)
    }

    fn x25519(&self, secret: &[u8; 32], peer_public: &[u8; 32]) -> [u8; 32] {
        x25519::agree(secret, peer_public)
    }

    fn ed25519_key(&self, seed: &[u8; 32]) -> Box<dyn SigningKey> {
        Box::new(ed25519::Key::new(seed))
    }

    fn ed25519_verify(&self, public_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), Rejected> {
        ed25519::verify(public_key, message, signature)
    }

    fn ml_kem_768(&self) -> Option<&dyn MlKem768> {
        #[cfg(feature = "hybrid")]
        return Some(&ml_kem::Libcrux);
        #[cfg(not(feature = "hybrid"))]
        None
    }
}
