//! Cipher suites.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::fmt;

use crate::crypto::provider::{AeadAlgorithm, CryptoProvider};

/// A key exchange with a packet cipher (specification, section 5.1). SHA-256 in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// X25519 and ML-KEM-768, ChaCha20-Poly1305.
    HybridChaCha20Poly1305,
    /// X25519, ChaCha20-Poly1305. The one that every implementation has.
    X25519ChaCha20Poly1305,
    /// X25519 and ML-KEM-768, AES-256-GCM.
    HybridAes256Gcm,
    /// X25519, AES-256-GCM.
    X25519Aes256Gcm,
}

impl Suite {
    /// Its number on the wire.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::HybridChaCha20Poly1305 => 1,
            Self::X25519ChaCha20Poly1305 => 2,
            Self::HybridAes256Gcm => 3,
            Self::X25519Aes256Gcm => 4,
        }
    }

    /// The suite with this number.
    #[must_use]
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            1 => Some(Self::HybridChaCha20Poly1305),
            2 => Some(Self::X25519ChaCha20Poly1305),
            3 => Some(Self::HybridAes256Gcm),
            4 => Some(Self::X25519Aes256Gcm),
            _ => None,
        }
    }

    /// Whether ML-KEM-768 takes part in the key exchange.
    #[must_use]
    pub const fn is_hybrid(self) -> bool {
        matches!(self, Self::HybridChaCha20Poly1305 | Self::HybridAes256Gcm)
    }

    /// The packet cipher.
    #[must_use]
    pub const fn aead(self) -> AeadAlgorithm {
        match self {
            Self::HybridChaCha20Poly1305 | Self::X25519ChaCha20Poly1305 => AeadAlgorithm::ChaCha20Poly1305,
            Self::HybridAes256Gcm | Self::X25519Aes256Gcm => AeadAlgorithm::Aes256Gcm,
        }
    }

    /// Whether a session with this provider can use it. X25519 and ChaCha20-Poly1305 are what every provider has (R-5.1-1).
    pub(super) fn available(self, provider: &dyn CryptoProvider) -> bool {
        !self.is_hybrid() || (cfg!(feature = "hybrid") && provider.ml_kem_768().is_some())
    }

    pub(super) fn preferred(provider: &dyn CryptoProvider) -> Vec<Self> {
        let all = if provider.has_fast_aes() {
            [Self::HybridAes256Gcm, Self::HybridChaCha20Poly1305, Self::X25519Aes256Gcm, Self::X25519ChaCha20Poly1305]
        } else {
            [Self::HybridChaCha20Poly1305, Self::HybridAes256Gcm, Self::X25519ChaCha20Poly1305, Self::X25519Aes256Gcm]
        };
        all.into_iter().filter(|suite| suite.available(provider)).collect()
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HybridChaCha20Poly1305 => "X25519 + ML-KEM-768, ChaCha20-Poly1305",
            Self::X25519ChaCha20Poly1305 => "X25519, ChaCha20-Poly1305",
            Self::HybridAes256Gcm => "X25519 + ML-KEM-768, AES-256-GCM",
            Self::X25519Aes256Gcm => "X25519, AES-256-GCM",
        })
    }
}
