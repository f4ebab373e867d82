//! The key schedule and packet protection (specification, sections 5.2 and 5.3), from the public provider traits.

use aitcp::crypto::provider::{Aead, AeadAlgorithm, CryptoProvider};
use aitcp::crypto::rustcrypto::RustCrypto;
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

pub(crate) const TAG_LEN: usize = 16;
pub(crate) const HEADER_LEN: usize = 24;

pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

/// HKDF-Extract, which is HMAC with the salt as its key.
pub(crate) fn extract(salt: &[u8; 32], input: &[u8]) -> [u8; 32] {
    Hkdf::<Sha256>::extract(Some(salt), input).0.into()
}

pub(crate) fn expand_label(secret: &[u8; 32], label: &str, context: &[u8], len: usize) -> Vec<u8> {
    let label = format!("aitcp1 {label}");
    let mut info = u16::try_from(len).unwrap().to_be_bytes().to_vec();
    info.push(u8::try_from(label.len()).unwrap());
    info.extend(label.as_bytes());
    info.push(u8::try_from(context.len()).unwrap());
    info.extend(context);
    let mut out = vec![0; len];
    Hkdf::<Sha256>::from_prk(secret).unwrap().expand(&info, &mut out).unwrap();
    out
}

pub(crate) fn derive_secret(secret: &[u8; 32], label: &str, hash: &[u8; 32]) -> [u8; 32] {
    expand_label(secret, label, hash, 32).try_into().unwrap()
}

/// The next secret of the chain: from this one and what a key exchange gave.
pub(crate) fn next_secret(secret: &[u8; 32], input: &[u8; 32]) -> [u8; 32] {
    extract(&derive_secret(secret, "derived", &sha256(b"")), input)
}

/// The keys of one direction and epoch.
pub(crate) struct PacketKeys {
    pub(crate) key: [u8; 32],
    pub(crate) iv: [u8; 12],
    pub(crate) hp: [u8; 32],
    algorithm: AeadAlgorithm,
    aead: Box<dyn Aead>,
}

impl PacketKeys {
    pub(crate) fn new(algorithm: AeadAlgorithm, secret: &[u8; 32]) -> Self {
        let key = expand_label(secret, "key", b"", 32).try_into().unwrap();
        Self {
            key,
            iv: expand_label(secret, "iv", b"", 12).try_into().unwrap(),
            hp: expand_label(secret, "hp", b"", 32).try_into().unwrap(),
            algorithm,
            aead: RustCrypto.aead(algorithm, &key),
        }
    }

    /// The body with its tag.
    pub(crate) fn seal(&self, number: u64, header: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut body = plaintext.to_vec();
        let tag = self.aead.seal(&self.nonce(number), header, &mut body);
        body.extend(tag);
        body
    }

    /// The plaintext of a whole packet.
    pub(crate) fn open(&self, number: u64, packet: &[u8]) -> Vec<u8> {
        let (header, body) = packet.split_at(HEADER_LEN);
        let (body, tag) = body.split_last_chunk::<TAG_LEN>().unwrap();
        let mut plaintext = body.to_vec();
        self.aead.open(&self.nonce(number), header, &mut plaintext, tag).expect("a recorded packet opens");
        plaintext
    }

    /// `header` as it travels on a datagram carrier in front of `body`.
    pub(crate) fn mask(&self, header: &[u8], body: &[u8]) -> Vec<u8> {
        let mask = RustCrypto.header_mask(self.algorithm, &self.hp).mask(body.first_chunk().unwrap());
        let mut header = header.to_vec();
        header[16..].iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        header
    }

    fn nonce(&self, number: u64) -> [u8; 12] {
        let mut nonce = self.iv;
        nonce[4..].iter_mut().zip(number.to_be_bytes()).for_each(|(byte, number)| *byte ^= number);
        nonce
    }
}
