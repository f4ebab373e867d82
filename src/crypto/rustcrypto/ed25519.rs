//! Ed25519 (RFC 8032).
#![forbid(unsafe_code)]

use ed25519_dalek::{Signature, Signer, VerifyingKey};

use crate::crypto::provider::{Rejected, SigningKey};

/// A private key with its public key, which costs as much to find as a signature.
pub(super) struct Key(ed25519_dalek::SigningKey);

impl Key {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }
}

impl SigningKey for Key {
    fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

pub(super) fn verify(public_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), Rejected> {
    VerifyingKey::from_bytes(public_key)
        .and_then(|key| key.verify_strict(message, &Signature::from_bytes(signature)))
        .map_err(|_| Rejected)
}
