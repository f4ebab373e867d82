//! Header masks (RFC 9001, sections 5.4.3 and 5.4.4).
#![forbid(unsafe_code)]

use aes::cipher::BlockCipherEncrypt;
use chacha20::cipher::{Block, KeyInit, KeyIvInit, StreamCipherCore};
use chacha20::{ChaChaCore, R20, variants::Ietf};
use zeroize::Zeroizing;

use crate::crypto::provider::{HeaderMask, MASK_LEN, SAMPLE_LEN};

/// One block of AES-256 over the sample.
pub(super) struct Aes256(aes::Aes256Enc);

impl Aes256 {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(KeyInit::new(key.into()))
    }
}

impl HeaderMask for Aes256 {
    fn mask(&self, sample: &[u8; SAMPLE_LEN]) -> [u8; MASK_LEN] {
        let mut block = (*sample).into();
        self.0.encrypt_block(&mut block);
        let [a, b, c, d, e, ..] = block.0;
        [a, b, c, d, e]
    }
}

/// ChaCha20's key stream, with the block counter and the nonce from the sample.
pub(super) struct ChaCha20(Zeroizing<[u8; 32]>);

impl ChaCha20 {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*key))
    }
}

impl HeaderMask for ChaCha20 {
    fn mask(&self, sample: &[u8; SAMPLE_LEN]) -> [u8; MASK_LEN] {
        let [c0, c1, c2, c3, nonce @ ..] = *sample;
        // The block function itself: the stream cipher around it refuses the last counters, and a peer picks the sample.
        let mut core = ChaChaCore::<R20, Ietf>::new((&*self.0).into(), (&nonce).into());
        core.set_block_pos(u32::from_le_bytes([c0, c1, c2, c3]));
        let mut block = Block::<ChaChaCore<R20, Ietf>>::default();
        core.write_keystream_block(&mut block);
        let [a, b, c, d, e, ..] = block.0;
        [a, b, c, d, e]
    }
}
