//! The keys of one sender in one epoch, ready to seal or open packets.
#![forbid(unsafe_code)]

use alloc::boxed::Box;
use core::fmt;

use zeroize::Zeroizing;

use crate::crypto::key_schedule::TrafficSecret;
use crate::crypto::provider::{
    Aead, AeadAlgorithm, CryptoProvider, HeaderMask, MASK_LEN, NONCE_LEN, Rejected, SAMPLE_LEN, TAG_LEN,
};

/// A packet cipher with its key and iv and, on datagram carriers, the header mask that goes with it.
pub(crate) struct PacketKeys {
    aead: Box<dyn Aead>,
    iv: Zeroizing<[u8; NONCE_LEN]>,
    mask: Option<Box<dyn HeaderMask>>,
}

impl PacketKeys {
    /// Derives the keys that belong to a traffic secret; `with_mask` on datagram carriers.
    pub(crate) fn new(
        provider: &dyn CryptoProvider,
        algorithm: AeadAlgorithm,
        secret: &TrafficSecret,
        with_mask: bool,
    ) -> Self {
        Self {
            aead: provider.aead(algorithm, &secret.key()),
            iv: secret.iv(),
            mask: with_mask.then(|| provider.header_mask(algorithm, &secret.header_key())),
        }
    }

    /// Encrypts the body of packet `number` in place and returns its tag. A number must never be used twice.
    pub(crate) fn seal(&self, number: u64, aad: &[u8], in_out: &mut [u8]) -> [u8; TAG_LEN] {
        self.aead.seal(&self.nonce(number), aad, in_out)
    }

    /// Decrypts the body of packet `number` in place.
    ///
    /// # Errors
    /// [`Rejected`] if it was not sealed with these keys, this number and this `aad`. `in_out` must not be used then.
    pub(crate) fn open(&self, number: u64, aad: &[u8], in_out: &mut [u8], tag: &[u8; TAG_LEN]) -> Result<(), Rejected> {
        self.aead.open(&self.nonce(number), aad, in_out, tag)
    }

    /// Whether these are keys for a datagram carrier.
    pub(crate) fn has_mask(&self) -> bool {
        self.mask.is_some()
    }

    /// The header mask for a sample of ciphertext (R-5.3-7); `None` on stream carriers.
    pub(crate) fn mask(&self, sample: &[u8; SAMPLE_LEN]) -> Option<[u8; MASK_LEN]> {
        self.mask.as_ref().map(|mask| mask.mask(sample))
    }

    /// The iv with the packet number, big-endian, XORed into its last eight bytes (R-5.3-1; RFC 9001, section 5.3).
    fn nonce(&self, number: u64) -> [u8; NONCE_LEN] {
        let mut nonce = *self.iv;
        for (byte, number) in nonce.iter_mut().rev().zip(number.to_le_bytes()) {
            *byte ^= number;
        }
        nonce
    }
}

impl fmt::Debug for PacketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PacketKeys(..)")
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    extern crate std;

    use super::*;
    use crate::crypto::key_exchange::SharedSecret;
    use crate::crypto::key_schedule::EarlySecret;
    use crate::crypto::rustcrypto::RustCrypto;
    use crate::role::Role;

    const ALGORITHMS: [AeadAlgorithm; 2] = [AeadAlgorithm::ChaCha20Poly1305, AeadAlgorithm::Aes256Gcm];

    fn keys(algorithm: AeadAlgorithm, with_mask: bool) -> PacketKeys {
        let handshake = EarlySecret::without_psk().into_handshake(SharedSecret::from_bytes([1; 32]));
        PacketKeys::new(&RustCrypto, algorithm, &handshake.traffic(Role::Initiator, &[2; 32]), with_mask)
    }

    /// R-5.3-2.
    #[test]
    fn a_packet_opens_only_under_its_own_number_and_header() {
        for algorithm in ALGORITHMS {
            let keys = keys(algorithm, false);
            for number in [0, 1, 0x0102_0304_0506_0708, u64::MAX] {
                let mut body = *b"some bytes of a body";
                let tag = keys.seal(number, b"header", &mut body);
                let open = |number, aad: &[u8], tag| keys.open(number, aad, &mut { body }, tag);
                assert_eq!(open(number, b"header", &tag), Ok(()));
                assert_eq!(open(number ^ 1, b"header", &tag), Err(Rejected));
                assert_eq!(open(number ^ 1 << 63, b"header", &tag), Err(Rejected));
                assert_eq!(open(number, b"Header", &tag), Err(Rejected));
                assert_eq!(open(number, b"header", &[0; TAG_LEN]), Err(Rejected));
                assert_eq!(keys.open(number, b"header", &mut body, &tag), Ok(()));
                assert_eq!(&body, b"some bytes of a body");
            }
        }
    }

    /// R-5.3-1.
    #[test]
    fn the_number_enters_the_last_eight_bytes_big_endian() {
        let mut keys = keys(AeadAlgorithm::ChaCha20Poly1305, false);
        keys.iv = Zeroizing::new([0xF0; NONCE_LEN]);
        let expected = [0xF0, 0xF0, 0xF0, 0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8];
        assert_eq!(keys.nonce(0x0102_0304_0506_0708), expected);
    }

    #[test]
    fn a_mask_is_there_when_asked_for_and_follows_the_sample() {
        for algorithm in ALGORITHMS {
            assert_eq!(keys(algorithm, false).mask(&[0; SAMPLE_LEN]), None);
            let keys = keys(algorithm, true);
            assert!(keys.mask(&[0; SAMPLE_LEN]).is_some());
            assert_ne!(keys.mask(&[0; SAMPLE_LEN]), keys.mask(&[1; SAMPLE_LEN]));
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(std::format!("{:?}", keys(AeadAlgorithm::Aes256Gcm, true)), "PacketKeys(..)");
    }
}
