//! The key exchange: X25519, and ML-KEM-768 beside it in hybrid suites.
#![forbid(unsafe_code)]

use core::fmt;

use subtle::ConstantTimeEq;
#[cfg(feature = "hybrid")]
use zeroize::Zeroizing;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::crypto::generator::Generator;
use crate::crypto::provider::{CryptoProvider, Rejected};
#[cfg(feature = "hybrid")]
use crate::crypto::provider::{KEM_CIPHERTEXT_LEN, KEM_KEY_LEN, MlKem768};

/// An X25519 private key for one handshake.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct EphemeralSecret([u8; 32]);

impl EphemeralSecret {
    /// Draws a new one.
    pub(crate) fn generate(generator: &mut Generator) -> Self {
        let mut secret = Self([0; 32]);
        generator.secret(&mut secret.0);
        secret
    }

    /// The share that goes to the peer.
    pub(crate) fn public(&self, provider: &dyn CryptoProvider) -> [u8; 32] {
        provider.x25519_public(&self.0)
    }

    /// The secret shared with the holder of `peer_public`. Borrows: an initiator may have to try several answers.
    ///
    /// # Errors
    /// [`Rejected`] if the result is all zeros: the peer sent a point of small order, and the secret would be known to anyone
    /// (R-5.5-1; RFC 7748, section 6.1).
    pub(crate) fn agree(
        &self,
        provider: &dyn CryptoProvider,
        peer_public: &[u8; 32],
    ) -> Result<SharedSecret, Rejected> {
        let shared = SharedSecret(provider.x25519(&self.0, peer_public));
        if shared.0.ct_eq(&[0; 32]).into() { Err(Rejected) } else { Ok(shared) }
    }
}

/// What X25519 gives both ends.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct SharedSecret([u8; 32]);

impl SharedSecret {
    #[cfg(test)]
    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The seed of an ML-KEM-768 key pair for one handshake. The keys themselves, 3.5 KiB of them, are made again when needed.
#[cfg(feature = "hybrid")]
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct KemSeed([u8; 64]);

#[cfg(feature = "hybrid")]
impl KemSeed {
    /// Draws a new one.
    pub(crate) fn generate(generator: &mut Generator) -> Self {
        let mut seed = Self([0; 64]);
        generator.secret(&mut seed.0);
        seed
    }

    /// Writes the encapsulation key that goes to the peer.
    pub(crate) fn encapsulation_key(&self, kem: &dyn MlKem768, key: &mut [u8; KEM_KEY_LEN]) {
        kem.encapsulation_key(&self.0, key);
    }

    /// The secret in the peer's answer. A wrong ciphertext gives a wrong secret, which then opens nothing.
    pub(crate) fn decapsulate(self, kem: &dyn MlKem768, ciphertext: &[u8; KEM_CIPHERTEXT_LEN]) -> KemSharedSecret {
        KemSharedSecret(kem.decapsulate(&self.0, ciphertext))
    }
}

/// What ML-KEM-768 gives both ends.
#[cfg(feature = "hybrid")]
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct KemSharedSecret([u8; 32]);

#[cfg(feature = "hybrid")]
impl KemSharedSecret {
    #[cfg(test)]
    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Makes a secret for the holder of `key` and writes the ciphertext that carries it.
    ///
    /// # Errors
    /// [`Rejected`] if `key` is not one (R-5.5-2; FIPS 203, section 7.2).
    pub(crate) fn encapsulate(
        kem: &dyn MlKem768,
        key: &[u8; KEM_KEY_LEN],
        generator: &mut Generator,
        ciphertext: &mut [u8; KEM_CIPHERTEXT_LEN],
    ) -> Result<Self, Rejected> {
        let mut coins = Zeroizing::new([0; 32]);
        generator.secret(&mut *coins);
        kem.encapsulate(key, &coins, ciphertext).map(Self)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Writes `Debug` for types that are secret as a whole.
macro_rules! hide {
    ($($(#[$attribute:meta])* $name:ident),+) => {
        $($(#[$attribute])* impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        })+
    };
}

hide!(
    EphemeralSecret,
    SharedSecret,
    #[cfg(feature = "hybrid")]
    KemSeed,
    #[cfg(feature = "hybrid")]
    KemSharedSecret
);

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    extern crate std;

    use super::*;
    use crate::crypto::rustcrypto::RustCrypto;
    use crate::seed::Seed;

    fn generator(seed: u8) -> Generator {
        Generator::new(Seed::new([seed; 32]).unwrap())
    }

    #[test]
    fn both_ends_agree() {
        let (a, b) = (EphemeralSecret::generate(&mut generator(1)), EphemeralSecret::generate(&mut generator(2)));
        let at_a = a.agree(&RustCrypto, &b.public(&RustCrypto)).unwrap();
        let at_b = b.agree(&RustCrypto, &a.public(&RustCrypto)).unwrap();
        assert_eq!(at_a.as_bytes(), at_b.as_bytes());
        assert_ne!(at_a.as_bytes(), a.agree(&RustCrypto, &a.public(&RustCrypto)).unwrap().as_bytes());
    }

    /// The points of small order on the curve and on its twist, and the encodings of them beyond the field's prime: each makes
    /// X25519 give zeros whatever the private key. R-5.5-1.
    #[test]
    fn an_all_zero_result_is_refused() {
        use hex_literal::hex;
        let low_order = [
            hex!("0000000000000000000000000000000000000000000000000000000000000000"),
            hex!("0100000000000000000000000000000000000000000000000000000000000000"),
            hex!("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
            hex!("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
            hex!("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
            hex!("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
            hex!("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        ];
        for mut point in low_order {
            for highest_bit in [0, 0x80] {
                point[31] = point[31] & 0x7F | highest_bit;
                for seed in 1..4 {
                    let secret = EphemeralSecret::generate(&mut generator(seed));
                    assert_eq!(secret.agree(&RustCrypto, &point).unwrap_err(), Rejected);
                }
            }
        }
    }

    #[cfg(feature = "hybrid")]
    #[test]
    fn both_ends_have_the_kem_secret_and_a_wrong_ciphertext_gives_another() {
        let kem = RustCrypto.ml_kem_768().unwrap();
        let mut key = [0; KEM_KEY_LEN];
        let mut ciphertext = [0; KEM_CIPHERTEXT_LEN];
        KemSeed::generate(&mut generator(1)).encapsulation_key(kem, &mut key);
        let sent = KemSharedSecret::encapsulate(kem, &key, &mut generator(2), &mut ciphertext).unwrap();
        let received = KemSeed::generate(&mut generator(1)).decapsulate(kem, &ciphertext);
        assert_eq!(sent.as_bytes(), received.as_bytes());
        ciphertext[0] ^= 1;
        let other = KemSeed::generate(&mut generator(1)).decapsulate(kem, &ciphertext);
        assert_ne!(sent.as_bytes(), other.as_bytes());
    }

    /// R-5.5-2.
    #[cfg(feature = "hybrid")]
    #[test]
    fn a_key_with_a_coefficient_beyond_the_modulus_is_refused() {
        let kem = RustCrypto.ml_kem_768().unwrap();
        let mut key = [0; KEM_KEY_LEN];
        KemSeed::generate(&mut generator(1)).encapsulation_key(kem, &mut key);
        (key[0], key[1]) = (0x01, key[1] & 0xF0 | 0x0D); // the first coefficient is 3329
        let mut ciphertext = [0; KEM_CIPHERTEXT_LEN];
        let refused = KemSharedSecret::encapsulate(kem, &key, &mut generator(2), &mut ciphertext);
        assert_eq!(refused.unwrap_err(), Rejected);
        assert_eq!(ciphertext, [0; KEM_CIPHERTEXT_LEN]);
    }

    #[test]
    fn secrets_wipe_themselves_and_debug_shows_nothing() {
        fn wiped_when_dropped<T: ZeroizeOnDrop>(_: &T) {}
        let secret = EphemeralSecret([0xA5; 32]);
        let shared = SharedSecret([0xA5; 32]);
        wiped_when_dropped(&secret);
        wiped_when_dropped(&shared);
        assert_eq!(std::format!("{secret:?} {shared:?}"), "EphemeralSecret(..) SharedSecret(..)");
        #[cfg(feature = "hybrid")]
        {
            let (seed, kem) = (KemSeed([0xA5; 64]), KemSharedSecret([0xA5; 32]));
            wiped_when_dropped(&seed);
            wiped_when_dropped(&kem);
            assert_eq!(std::format!("{seed:?} {kem:?}"), "KemSeed(..) KemSharedSecret(..)");
        }
    }
}
