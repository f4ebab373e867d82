//! Packets on a datagram carrier (section 16.2).

use aitcp::crypto::provider::AeadAlgorithm;
use serde_json::{Value, json};

use crate::document::hex;
use crate::schedule::{PacketKeys, TAG_LEN, sha256};
use crate::tables;

pub(crate) fn document() -> Value {
    let aeads = [("ChaCha20-Poly1305", AeadAlgorithm::ChaCha20Poly1305), ("AES-256-GCM", AeadAlgorithm::Aes256Gcm)];
    let plaintext = tables::ping();
    let mut cases = Vec::new();
    for (aead, algorithm) in aeads {
        for number in [0, 1, 0xFF, 1 << 32, 0x0102_0304_0506_0708, (1 << 62) - 1] {
            let secret = sha256(format!("{aead} {number}").as_bytes());
            let keys = PacketKeys::new(algorithm, &secret);
            let header = header(plaintext.len() + TAG_LEN, number);
            let body = keys.seal(number, &header, &plaintext);
            let wire = [keys.mask(&header, &body), body].concat();
            cases.push(json!({
                "aead": aead,
                "secret": hex(&secret),
                "header": hex(&header),
                "number": number.to_string(),
                "plaintext": hex(&plaintext),
                "wire": hex(&wire),
            }));
        }
    }
    json!({ "cases": cases })
}

/// The header of a Data packet in epoch 3, its number not masked.
fn header(length: usize, number: u64) -> Vec<u8> {
    let length = u16::try_from(length).unwrap();
    let connection_id = 0x1122_3344_5566_7788_u64;
    let (version, kind, epoch) = ([10], [9], 3_u32.to_le_bytes());
    [&version[..], &kind, &length.to_le_bytes(), &epoch, &connection_id.to_le_bytes(), &number.to_le_bytes()].concat()
}
