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
pub(crate) fn extract(salt: &[u8; HASH_LEN], input: &[u8]) -> Zeroizing<[u8; HASH_LEN]> {
    Zeroizing::new(hmac(salt, &[input]))
}

/// HKDF-Expand with the concatenation of `info`, for at most [`MAX_EXPAND_LEN`] bytes.
#[expect(
    clippy::expect_used,
    reason = "both lengths are the core's own: the key's by type, the output's checked by its callers"
)]
pub(crate) fn expand(key: &[u8; HASH_LEN], info: &[&[u8]], out: &mut [u8]) {
    let hkdf = Hkdf::<Sha256>::from_prk(key).expect("a key of one hash length is long enough");
    hkdf.expand_multi_info(info, out).expect("at most 255 hash lengths are asked for");
}
