//! ML-KEM-768 (FIPS 203), formally verified in libcrux.
#![forbid(unsafe_code)]

use libcrux_ml_kem::mlkem768::{
    MlKem768PrivateKey, MlKem768PublicKey, decapsulate, encapsulate, generate_key_pair, validate_public_key,
};
use zeroize::Zeroize;

use crate::crypto::provider::{KEM_CIPHERTEXT_LEN, KEM_KEY_LEN, MlKem768, Rejected};

pub(super) struct Libcrux;

impl MlKem768 for Libcrux {
    fn encapsulation_key(&self, seed: &[u8; 64], key: &mut [u8; KEM_KEY_LEN]) {
        let (mut private, public) = generate_key_pair(*seed).into_parts();
        wipe(&mut private);
        *key = public.into();
    }

    fn encapsulate(
        &self,
        key: &[u8; KEM_KEY_LEN],
        m: &[u8; 32],
        ciphertext: &mut [u8; KEM_CIPHERTEXT_LEN],
    ) -> Result<[u8; 32], Rejected> {
        let key = MlKem768PublicKey::from(key);
        if !validate_public_key(&key) {
            return Err(Rejected);
        }
        let (sealed, shared) = encapsulate(&key, *m);
        *ciphertext = sealed.into();
        Ok(shared)
    }

    fn decapsulate(&self, seed: &[u8; 64], ciphertext: &[u8; KEM_CIPHERTEXT_LEN]) -> [u8; 32] {
        let (mut private, _) = generate_key_pair(*seed).into_parts();
        let shared = decapsulate(&private, &ciphertext.into());
        wipe(&mut private);
        shared
    }
}

/// Wipes a private key, which libcrux leaves to its users.
fn wipe(private: &mut MlKem768PrivateKey) {
    private[0..].zeroize();
}
