//! Header masks.

use aitcp::crypto::provider::{AeadAlgorithm, CryptoProvider, SAMPLE_LEN};
use aitcp::crypto::rustcrypto::RustCrypto;
use hex_literal::hex;

pub(super) fn check(provider: &dyn CryptoProvider) -> usize {
    check_chacha20(provider) + check_aes_256(provider) + check_against_the_built_in(provider)
}

/// RFC 9001, appendix A.5; then the ends of the block counter, which the peer picks with the sample: key stream libraries refuse to
/// go beyond the last block, and one took it for an error 1 time in 2^32 (ring, RUSTSEC-2025-0009).
fn check_chacha20(provider: &dyn CryptoProvider) -> usize {
    let key = hex!("25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4");
    let vectors = [
        (hex!("5e5cd55c41f69080575d7999c25a5bfb"), hex!("aefefe7d03")),
        (hex!("00000000000000000000000000000000"), hex!("8683fb9b2d")),
        (hex!("feffffff000000000000000000000000"), hex!("795f274a08")),
        (hex!("ffffffff000000000000000000000000"), hex!("05ecd72847")),
        (hex!("ffffffffffffffffffffffffffffffff"), hex!("5537fd9cea")),
    ];
    let mask = provider.header_mask(AeadAlgorithm::ChaCha20Poly1305, &key);
    for (sample, expected) in &vectors {
        assert_eq!(&mask.mask(sample), expected, "ChaCha20 mask of {sample:02x?}");
    }
    vectors.len()
}

/// FIPS 197, appendix C.3, and NIST SP 800-38A, F.1.5: a mask is the beginning of one encrypted block.
fn check_aes_256(provider: &dyn CryptoProvider) -> usize {
    let fips_197 = hex!("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    let sp_800_38a = hex!("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    let vectors = [
        (fips_197, hex!("00112233445566778899aabbccddeeff"), hex!("8ea2b7ca51")),
        (sp_800_38a, hex!("6bc1bee22e409f96e93d7e117393172a"), hex!("f3eed1bdb5")),
        (sp_800_38a, hex!("ae2d8a571e03ac9c9eb76fac45af8e51"), hex!("591ccb10d4")),
        (sp_800_38a, hex!("30c81c46a35ce411e5fbc1191a0a52ef"), hex!("b6ed21b99c")),
        (sp_800_38a, hex!("f69f2445df4f9b17ad2b417be66c3710"), hex!("23304b7a39")),
    ];
    for (key, sample, expected) in &vectors {
        let mask = provider.header_mask(AeadAlgorithm::Aes256Gcm, key);
        assert_eq!(&mask.mask(sample), expected, "AES-256 mask of {sample:02x?}");
    }
    vectors.len()
}

fn check_against_the_built_in(provider: &dyn CryptoProvider) -> usize {
    let mut count = 0;
    for algorithm in [AeadAlgorithm::ChaCha20Poly1305, AeadAlgorithm::Aes256Gcm] {
        let key = [0x3C; 32];
        let (ours, theirs) = (RustCrypto.header_mask(algorithm, &key), provider.header_mask(algorithm, &key));
        for position in 0..SAMPLE_LEN {
            for byte in 0..=255 {
                let mut sample = [0xA7; SAMPLE_LEN];
                sample[position] = byte;
                assert_eq!(ours.mask(&sample), theirs.mask(&sample), "{algorithm:?} mask of {sample:02x?}");
                count += 1;
            }
        }
    }
    count
}
