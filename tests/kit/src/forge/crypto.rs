//! Key schedule and packet protection (specification, section 5), once more.

use aitcp::Suite;
use aitcp::crypto::provider::{Aead, CryptoProvider};
use aitcp::crypto::rustcrypto::RustCrypto;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::header::HEADER_LEN;

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// HMAC-SHA256.
///
/// # Panics
/// Never: a key may have any length.
#[must_use]
pub fn hmac_sha256(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

/// Expand-Label (R-5.2-1).
///
/// # Panics
/// If a length does not fit its place.
#[must_use]
pub fn expand_label<const N: usize>(secret: &[u8; 32], label: &str, context: &[u8]) -> [u8; N] {
    let label = [b"aitcp1 ", label.as_bytes()].concat();
    let len = u16::try_from(N).expect("a short output").to_be_bytes();
    let label_len = u8::try_from(label.len()).expect("a short label");
    let context_len = u8::try_from(context.len()).expect("a short context");
    let info = [&len[..], &[label_len], &label, &[context_len], context].concat();
    let mut out = [0; N];
    Hkdf::<Sha256>::from_prk(secret).expect("32 bytes").expand(&info, &mut out).expect("a short output");
    out
}

/// The keys of one sender in one epoch (R-5.2-3).
pub struct PacketKeys {
    aead: Box<dyn Aead>,
    iv: [u8; 12],
}

impl PacketKeys {
    /// The keys that belong to a traffic secret.
    #[must_use]
    pub fn new(suite: Suite, secret: &[u8; 32]) -> Self {
        Self {
            aead: RustCrypto.aead(suite.aead(), &expand_label(secret, "key", &[])),
            iv: expand_label(secret, "iv", &[]),
        }
    }

    /// Seals a body behind a header whose length is already that of the sealed body.
    #[must_use]
    pub fn seal(&self, number: u64, header: &[u8; HEADER_LEN], plaintext: &[u8]) -> Vec<u8> {
        let mut body = plaintext.to_vec();
        let tag = self.aead.seal(&self.nonce(number), header, &mut body);
        body.extend(tag);
        body
    }

    /// Opens a packet; its plaintext, or `None` if it is not one of this sender, epoch and number.
    #[must_use]
    pub fn open(&self, number: u64, packet: &[u8]) -> Option<Vec<u8>> {
        let (header, body) = packet.split_at_checked(HEADER_LEN)?;
        let (body, tag) = body.split_last_chunk()?;
        let mut plaintext = body.to_vec();
        self.aead.open(&self.nonce(number), header, &mut plaintext, tag).ok()?;
        Some(plaintext)
    }

    /// R-5.3-1.
    fn nonce(&self, number: u64) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, number) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= number;
        }
        nonce
    }
}

impl std::fmt::Debug for PacketKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PacketKeys(..)")
    }
}

/// What masks the packet numbers of one sender in one epoch, on datagram carriers (R-5.3-7).
#[derive(Clone, Debug)]
pub struct HeaderMask {
    suite: Suite,
    key: [u8; 32],
}

impl HeaderMask {
    /// The one that belongs to a traffic secret.
    #[must_use]
    pub fn new(suite: Suite, secret: &[u8; 32]) -> Self {
        Self { suite, key: expand_label(secret, "hp", &[]) }
    }

    /// Masks the number of a sealed packet, or takes the mask off.
    ///
    /// # Panics
    /// If the packet is too short to be one.
    pub fn apply(&self, packet: &mut [u8]) {
        let sample: [u8; 16] = packet[HEADER_LEN..HEADER_LEN + 16].try_into().expect("16 bytes");
        for (byte, mask) in packet[16..21].iter_mut().zip(self.mask(sample)) {
            *byte ^= mask;
        }
    }

    fn mask(&self, sample: [u8; 16]) -> [u8; 16] {
        let is_aes = matches!(self.suite, Suite::HybridAes256Gcm | Suite::X25519Aes256Gcm);
        if is_aes {
            use aes::cipher::BlockCipherEncrypt;
            let mut block = sample.into();
            aes::Aes256::new(&self.key.into()).encrypt_block(&mut block);
            return block.into();
        }
        use chacha20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
        let (counter, nonce) = sample.split_at(4);
        let nonce: [u8; 12] = nonce.try_into().expect("12 bytes");
        let mut cipher = chacha20::ChaCha20::new(&self.key.into(), &nonce.into());
        cipher.seek(u64::from(u32::from_le_bytes(counter.try_into().expect("4 bytes"))) * 64);
        let mut mask = [0; 16];
        cipher.apply_keystream(&mut mask);
        mask
    }
}

/// The transcript (R-6.5-1): all bytes, so that it can be looked at and altered.
#[derive(Clone, Debug, Default)]
pub struct Transcript(pub Vec<u8>);

impl Transcript {
    /// Takes the next bytes: headers as on the wire, plaintext bodies.
    pub fn absorb(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The hash of what was absorbed.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.0)
    }

    /// The hash with more bytes behind it.
    #[must_use]
    pub fn hash_with(&self, more: &[u8]) -> [u8; 32] {
        sha256(&[&self.0, more].concat())
    }
}
