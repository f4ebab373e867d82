//! What every crypto provider has to pass: the vectors of the standards, Project Wycheproof's, and agreement with the built-in one.
//!
//! A provider's own tests are one call:
//!
//! ```
//! use aitcp::crypto::rustcrypto::RustCrypto;
//! use aitcp_testkit::provider_vectors::{COUNTS, check_all};
//!
//! assert_eq!(check_all(&RustCrypto), COUNTS);
//! ```

mod aead;
mod ed25519;
mod header_mask;
mod ml_kem;
mod x25519;

use aitcp::crypto::provider::CryptoProvider;

/// How many vectors were run, so that a set that shrinks or is not reached at all shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// ChaCha20-Poly1305.
    pub chacha20_poly1305: usize,
    /// AES-256-GCM.
    pub aes_256_gcm: usize,
    /// Header masks.
    pub header_mask: usize,
    /// X25519.
    pub x25519: usize,
    /// Ed25519.
    pub ed25519: usize,
    /// ML-KEM-768; zero if the provider has none.
    pub ml_kem_768: usize,
}

/// What [`check_all`] runs on a provider that has everything.
pub const COUNTS: Counts =
    Counts { chacha20_poly1305: 922, aes_256_gcm: 670, header_mask: 8_202, x25519: 526, ed25519: 144, ml_kem_768: 506 };

/// Runs every vector on `provider`.
///
/// # Panics
/// At the first one that fails, with what it was.
pub fn check_all(provider: &dyn CryptoProvider) -> Counts {
    Counts {
        chacha20_poly1305: aead::check_chacha20_poly1305(provider),
        aes_256_gcm: aead::check_aes_256_gcm(provider),
        header_mask: header_mask::check(provider),
        x25519: x25519::check(provider),
        ed25519: ed25519::check(provider),
        ml_kem_768: provider.ml_kem_768().map_or(0, ml_kem::check),
    }
}
