//! Ed25519 as this protocol uses it: which keys and signatures are let through to a provider, and what is signed.
#![forbid(unsafe_code)]

use crate::crypto::provider::{CryptoProvider, Rejected};
use crate::identity::PeerId;
use crate::role::Role;

/// Length of what an authentication signature covers: padding, context, a zero byte, a transcript hash (R-5.4-4).
pub(crate) const AUTH_MESSAGE_LEN: usize = 64 + 24 + 1 + 32;

/// What `signer` signs to prove its identity under this hash of the transcript (R-5.4-4).
///
/// The shape is that of RFC 8446, section 4.4.3: the padding keeps the message apart from everything else that is ever signed with
/// the same key, the context keeps the two roles apart.
pub(crate) fn auth_message(signer: Role, transcript_hash: &[u8; 32]) -> [u8; AUTH_MESSAGE_LEN] {
    let context: &[u8; 24] = match signer {
        Role::Initiator => b"AI-TCP v1 initiator auth",
        Role::Responder => b"AI-TCP v1 responder auth",
    };
    let mut message = [0; AUTH_MESSAGE_LEN];
    let parts = [0x20; 64].into_iter().chain(*context).chain([0]).chain(*transcript_hash);
    for (byte, part) in message.iter_mut().zip(parts) {
        *byte = part;
    }
    message
}

/// Verifies an Ed25519 signature so that every provider accepts the same ones (R-5.4-3): `R` is canonical and not of small order,
/// and `S` is below the group order. `signer` is an acceptable point by construction.
///
/// # Errors
/// [`Rejected`] if `signature` is not one of `message` by `signer`, or is one that some implementations take and others do not.
pub(crate) fn verify(
    provider: &dyn CryptoProvider,
    signer: &PeerId,
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), Rejected> {
    let (r, s) = signature.split_first_chunk::<32>().ok_or(Rejected)?;
    if !is_acceptable_point(r) || !is_reduced(s) {
        return Err(Rejected);
    }
    provider.ed25519_verify(signer.as_bytes(), message, signature)
}

/// Whether 32 bytes can be taken as a point of Edwards25519 (R-5.4-1): `y` is below the field's prime and the point is not one of
/// the eight of small order. Not checked here: that the point is on the curve, which any verification does.
///
/// Public keys and signatures are public, so nothing here needs to run in constant time.
pub(crate) fn is_acceptable_point(encoding: &[u8; 32]) -> bool {
    let mut y = *encoding;
    if let Some(last) = y.last_mut() {
        *last &= 0x7F; // the sign of x, which both points of a pair of small order have one way or the other
    }
    is_below(&y, &FIELD_PRIME) && !SMALL_ORDER_Y.contains(&y)
}

/// Whether `S` is below the group order, as RFC 8032, section 5.1.7 wants it. Otherwise signatures are malleable.
fn is_reduced(s: &[u8]) -> bool {
    is_below(s, &GROUP_ORDER)
}

/// Whether `number < bound`, both little-endian and of one length.
fn is_below(number: &[u8], bound: &[u8; 32]) -> bool {
    number.iter().rev().lt(bound.iter().rev())
}

/// p = 2^255 - 19, little-endian.
const FIELD_PRIME: [u8; 32] = [
    0xED, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F,
];

/// L = 2^252 + 27742317777372353535851937790883648493, little-endian.
const GROUP_ORDER: [u8; 32] = [
    0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,
];

/// The `y` of every point whose order divides 8, little-endian: eight points, and -x has the `y` of x.
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    // 1: the neutral element.
    [
        0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    ],
    // -1: order 2.
    [
        0xEC, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F,
    ],
    // 0: order 4, two points.
    [0x00; 32],
    // Order 8, two points.
    [
        0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0, 0xD5, 0xDF,
        0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
    ],
    // Its negative: order 8, two points.
    [
        0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67, 0x0F, 0x2A, 0x20,
        0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC, 0x03, 0x7A,
    ],
];

#[cfg(test)]
mod tests;
