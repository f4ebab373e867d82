//! What a session draws from its seed, recomputed: the inputs of a recorded handshake.

use aitcp::Role;
use hkdf::Hkdf;
use sha2::Sha256;

/// What one end brought to a handshake.
pub(crate) struct Inputs {
    pub(crate) ephemeral_secret: [u8; 32],
    pub(crate) random: [u8; 32],
    pub(crate) connection_id: u64,
    /// The initiator's ML-KEM coins (32 bytes), or the seed of the responder's key pair (64 bytes).
    pub(crate) kem: Vec<u8>,
}

impl Inputs {
    /// Draws in the order in which the handshake does.
    pub(crate) fn of(role: Role, seed: &[u8; 32]) -> Self {
        let (mut public, mut secret) = (Draws::new(seed, b"aitcp1 public"), Draws::new(seed, b"aitcp1 secret"));
        let connection_id = u64::from_le_bytes(public.draw(8).try_into().unwrap());
        Self {
            ephemeral_secret: secret.draw(32).try_into().unwrap(),
            random: public.draw(32).try_into().unwrap(),
            connection_id,
            kem: secret.draw(if role == Role::Initiator { 32 } else { 64 }),
        }
    }
}

/// One domain of the generator: HKDF-Expand with a key that each block replaces.
struct Draws {
    key: [u8; 32],
}

impl Draws {
    fn new(seed: &[u8; 32], domain: &[u8]) -> Self {
        Self { key: expand(seed, domain, 32).try_into().unwrap() }
    }

    fn draw(&mut self, len: usize) -> Vec<u8> {
        let mut drawn = Vec::new();
        while drawn.len() < len {
            drawn.extend(expand(&self.key, b"draw", (len - drawn.len()).min(32)));
            self.key = expand(&self.key, b"next", 32).try_into().unwrap();
        }
        drawn
    }
}

fn expand(key: &[u8; 32], info: &[u8], len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    Hkdf::<Sha256>::from_prk(key).unwrap().expand(info, &mut out).unwrap();
    out
}
