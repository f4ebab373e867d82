//! What the core asks of a cryptographic library: small, object-safe, in place on slices.
//!
//! A provider is the only place where primitives with secret keys run; hashing, HMAC and HKDF are the core's own (`sha2`, `hmac`,
//! `hkdf`). Implement these traits to bring other implementations, hardware included. Whatever a provider does, the core has
//! already refused weak public keys and small-order points, so that all providers accept the same inputs.

use alloc::boxed::Box;
use core::fmt;

/// Length of an AEAD tag in bytes.
pub const TAG_LEN: usize = 16;
/// Length of an AEAD nonce in bytes.
pub const NONCE_LEN: usize = 12;
/// Length of the ciphertext sample that a header mask is computed from, in bytes.
pub const SAMPLE_LEN: usize = 16;
/// Length of a header mask in bytes.
pub const MASK_LEN: usize = 5;
/// Length of an ML-KEM-768 encapsulation key in bytes (FIPS 203, table 3).
pub const KEM_KEY_LEN: usize = 1184;
/// Length of an ML-KEM-768 ciphertext in bytes (FIPS 203, table 3).
pub const KEM_CIPHERTEXT_LEN: usize = 1088;

/// A packet cipher. Both take keys of 32 bytes, nonces of 12 and make tags of 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AeadAlgorithm {
    /// ChaCha20-Poly1305 (RFC 8439).
    ChaCha20Poly1305,
    /// AES-256-GCM (NIST SP 800-38D).
    Aes256Gcm,
}

/// An implementation of every primitive that needs a secret key.
///
/// Implementations keep no mutable state: two calls with the same arguments give the same result. What they hold of a secret, here and
/// in the values they hand out, they wipe when it is dropped.
pub trait CryptoProvider: fmt::Debug + Send + Sync {
    /// Whether AES-256-GCM runs in hardware here, so that suites with it should be preferred.
    fn has_fast_aes(&self) -> bool;

    /// Prepares a packet cipher for one key.
    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8; 32]) -> Box<dyn Aead>;

    /// Prepares the header mask that goes with `algorithm` (RFC 9001, sections 5.4.3 and 5.4.4).
    fn header_mask(&self, algorithm: AeadAlgorithm, key: &[u8; 32]) -> Box<dyn HeaderMask>;

    /// X25519 with the base point (RFC 7748, section 5): the public key that belongs to `secret`.
    fn x25519_public(&self, secret: &[u8; 32]) -> [u8; 32];

    /// X25519 (RFC 7748, section 5). The core refuses an all-zero result.
    fn x25519(&self, secret: &[u8; 32], peer_public: &[u8; 32]) -> [u8; 32];

    /// Loads an Ed25519 private key from its 32-byte seed (RFC 8032, section 5.1.5), public key included.
    fn ed25519_key(&self, seed: &[u8; 32]) -> Box<dyn SigningKey>;

    /// Verifies an Ed25519 signature without cofactor (RFC 8032, section 5.1.7, with `S` below the group order).
    ///
    /// # Errors
    /// [`Rejected`] if the signature is not one of `message` under `public_key`.
    fn ed25519_verify(&self, public_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), Rejected>;

    /// ML-KEM-768, if this provider has it; without it hybrid suites are neither offered nor accepted.
    fn ml_kem_768(&self) -> Option<&dyn MlKem768>;
}

/// A packet cipher with its key.
pub trait Aead: Send + Sync {
    /// Encrypts `in_out` in place and returns the tag.
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], in_out: &mut [u8]) -> [u8; TAG_LEN];

    /// Decrypts `in_out` in place.
    ///
    /// # Errors
    /// [`Rejected`] if the tag does not fit; what `in_out` then holds is not specified and must not be used.
    fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], in_out: &mut [u8], tag: &[u8; TAG_LEN])
    -> Result<(), Rejected>;
}

/// A header mask with its key.
pub trait HeaderMask: Send + Sync {
    /// The mask that belongs to a sample of ciphertext.
    fn mask(&self, sample: &[u8; SAMPLE_LEN]) -> [u8; MASK_LEN];
}

/// An Ed25519 private key, ready to sign.
pub trait SigningKey: Send + Sync {
    /// The public key that belongs to it.
    fn public_key(&self) -> [u8; 32];

    /// Signs `message` (RFC 8032, section 5.1.6; no prehash, no context).
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// ML-KEM-768 (FIPS 203), deterministic: the caller brings the randomness.
pub trait MlKem768: Send + Sync {
    /// Writes the encapsulation key that the 64-byte seed `d || z` generates (FIPS 203, algorithm 16).
    fn encapsulation_key(&self, seed: &[u8; 64], key: &mut [u8; KEM_KEY_LEN]);

    /// Makes a shared secret and its ciphertext from the randomness `m` (FIPS 203, algorithm 17).
    ///
    /// # Errors
    /// [`Rejected`] if the key fails the modulus check of FIPS 203, section 7.2.
    fn encapsulate(
        &self,
        key: &[u8; KEM_KEY_LEN],
        m: &[u8; 32],
        ciphertext: &mut [u8; KEM_CIPHERTEXT_LEN],
    ) -> Result<[u8; 32], Rejected>;

    /// Recovers the shared secret (FIPS 203, algorithm 18). A wrong ciphertext gives another secret, not an error.
    fn decapsulate(&self, seed: &[u8; 64], ciphertext: &[u8; KEM_CIPHERTEXT_LEN]) -> [u8; 32];
}

/// A cryptographic check failed. Opaque on purpose: why it failed is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected;

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cryptographic check failed")
    }
}

impl core::error::Error for Rejected {}
