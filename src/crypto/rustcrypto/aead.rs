//! ChaCha20-Poly1305 and AES-256-GCM.
#![forbid(unsafe_code)]

use ::chacha20poly1305::{AeadInOut, KeyInit};

use crate::crypto::provider::{Aead, NONCE_LEN, Rejected, TAG_LEN};

/// ChaCha20-Poly1305 (RFC 8439).
pub(super) struct ChaCha20Poly1305(::chacha20poly1305::ChaCha20Poly1305);

impl ChaCha20Poly1305 {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(KeyInit::new(key.into()))
    }
}

/// AES-256-GCM (NIST SP 800-38D).
pub(super) struct Aes256Gcm(::aes_gcm::Aes256Gcm);

impl Aes256Gcm {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(KeyInit::new(key.into()))
    }
}

macro_rules! impl_aead {
    ($($cipher:ty),+) => {
        $(impl Aead for $cipher {
            #[allow(clippy::expect_used, reason = "fails only for messages beyond 2^36 bytes, which no slice of a packet is")]
            fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], in_out: &mut [u8]) -> [u8; TAG_LEN] {
                self.0
                    .encrypt_inout_detached(nonce.into(), aad, in_out.into())
                    .expect("a packet is shorter than any cipher's limit")
                    .into()
            }

            fn open(
                &self,
                nonce: &[u8; NONCE_LEN],
                aad: &[u8],
                in_out: &mut [u8],
                tag: &[u8; TAG_LEN],
            ) -> Result<(), Rejected> {
                self.0.decrypt_inout_detached(nonce.into(), aad, in_out.into(), tag.into()).map_err(|_| Rejected)
            }
        })+
    };
}

impl_aead!(ChaCha20Poly1305, Aes256Gcm);

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
cpufeatures::new!(fast_aes, "aes", "avx", "pclmulqdq");
#[cfg(target_arch = "aarch64")]
cpufeatures::new!(fast_aes, "aes");

/// Whether AES-GCM runs on this processor's own instructions: what `aes` and `polyval` ask, asked the same way.
pub(super) fn has_fast_aes() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64"))]
    return fast_aes::get();
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    false
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    extern crate std;

    #[test]
    fn fast_aes_is_what_the_standard_library_finds() {
        let expected = std::is_x86_feature_detected!("aes")
            && std::is_x86_feature_detected!("avx")
            && std::is_x86_feature_detected!("pclmulqdq");
        assert_eq!(super::has_fast_aes(), expected);
    }
}
