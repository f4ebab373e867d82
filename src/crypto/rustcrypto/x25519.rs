//! X25519 (RFC 7748).
#![forbid(unsafe_code)]

use x25519_dalek::{PublicKey, StaticSecret};

/// The public key that belongs to `secret`, through the precomputed multiples of the base point.
pub(super) fn public(secret: &[u8; 32]) -> [u8; 32] {
    PublicKey::from(&StaticSecret::from(*secret)).to_bytes()
}

pub(super) fn agree(secret: &[u8; 32], peer_public: &[u8; 32]) -> [u8; 32] {
    StaticSecret::from(*secret).diffie_hellman(&PublicKey::from(*peer_public)).to_bytes()
}
