//! Sealing and opening one packet in place (specification, section 5.3).
//!
//! A packet is `header || body || tag` in one slice. Keys that come with a header mask are those of a datagram carrier, where the
//! number travels, masked, in the header; without one it is implicit and its field is 0 (R-5.3-2).
#![forbid(unsafe_code)]

use super::PacketNumber;
use crate::crypto::aead::PacketKeys;
use crate::crypto::provider::{MASK_LEN, Rejected, TAG_LEN};
use crate::wire::HEADER_LEN;

/// Seals `packet`: a header with the number field 0, the plaintext, and room for the tag. Number and keys are used up by it.
pub(crate) fn seal(keys: &PacketKeys, number: PacketNumber, packet: &mut [u8]) {
    if try_seal(keys, number, packet).is_none() {
        debug_assert!(false, "a packet has a header, a tag and, on a datagram carrier, a sample");
        packet.fill(0); // not a packet, but not plaintext either
    }
}

fn try_seal(keys: &PacketKeys, number: PacketNumber, packet: &mut [u8]) -> Option<()> {
    let (header, sealed) = packet.split_first_chunk_mut::<HEADER_LEN>()?;
    if keys.has_mask() {
        *header.last_chunk_mut()? = number.get().to_le_bytes();
    }
    let (body, tag) = sealed.split_last_chunk_mut::<TAG_LEN>()?;
    *tag = keys.seal(number.get(), header, body);
    if let Some(mask) = keys.mask(sealed.first_chunk()?) {
        *header.last_chunk_mut()? = (number.get() ^ low_bits(mask)).to_le_bytes();
    }
    Some(())
}

/// Opens `packet` under its number, and returns its body without the tag.
///
/// # Errors
/// [`Rejected`] if it does not open. Then `packet` must not be used any more; nothing else has changed (R-5.3-8).
pub(crate) fn open<'a>(
    keys: &PacketKeys,
    number: PacketNumber,
    packet: &'a mut [u8],
) -> Result<&'a mut [u8], Rejected> {
    let (header, sealed) = packet.split_first_chunk_mut::<HEADER_LEN>().ok_or(Rejected)?;
    if keys.has_mask() {
        *header.last_chunk_mut().ok_or(Rejected)? = number.get().to_le_bytes();
    }
    let (body, tag) = sealed.split_last_chunk_mut::<TAG_LEN>().ok_or(Rejected)?;
    keys.open(number.get(), header, body, tag)?;
    Ok(body)
}

/// The number that a packet from a datagram carrier claims to have; `None` if it is none (R-5.3-7).
pub(crate) fn unmask(keys: &PacketKeys, packet: &[u8]) -> Option<PacketNumber> {
    let (header, sealed) = packet.split_first_chunk::<HEADER_LEN>()?;
    let field = u64::from_le_bytes(*header.last_chunk()?);
    PacketNumber::new(field ^ low_bits(keys.mask(sealed.first_chunk()?)?))
}

/// What stands in a header's number field when the packet is sealed: it enters the AAD and the transcript (R-5.3-2, R-6.5-1).
pub(crate) const fn number_field(with_mask: bool, number: PacketNumber) -> u64 {
    if with_mask { number.get() } else { 0 }
}

/// The mask on the five low bytes of a number (R-5.3-7).
fn low_bits([m0, m1, m2, m3, m4]: [u8; MASK_LEN]) -> u64 {
    u64::from_le_bytes([m0, m1, m2, m3, m4, 0, 0, 0])
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use alloc::vec::Vec;

    use serde_json::Value;

    use super::*;
    use crate::crypto::key_exchange::SharedSecret;
    use crate::crypto::key_schedule::{EarlySecret, TrafficSecret};
    use crate::crypto::provider::{AeadAlgorithm, SAMPLE_LEN};
    use crate::crypto::rustcrypto::RustCrypto;
    use crate::packet::replay_guard::ReplayGuard;
    use crate::role::Role;
    use crate::wire::{Header, PacketKind};

    const ALGORITHMS: [AeadAlgorithm; 2] = [AeadAlgorithm::ChaCha20Poly1305, AeadAlgorithm::Aes256Gcm];
    const PLAINTEXT: &[u8] = b"a table of at least twelve bytes";

    fn keys(algorithm: AeadAlgorithm, with_mask: bool) -> PacketKeys {
        let handshake = EarlySecret::without_psk().into_handshake(SharedSecret::from_bytes([1; 32]));
        PacketKeys::new(&RustCrypto, algorithm, &handshake.traffic(Role::Initiator, &[2; 32]), with_mask)
    }

    fn number(number: u64) -> PacketNumber {
        PacketNumber::new(number).unwrap()
    }

    /// A packet ready to be sealed.
    fn clear(plaintext: &[u8]) -> Vec<u8> {
        let header = Header {
            kind: PacketKind::Data,
            length: u16::try_from(plaintext.len() + TAG_LEN).unwrap(),
            epoch: 3,
            connection_id: 0x0102_0304_0506_0708,
            number_field: 0,
        };
        [&header.to_bytes(), plaintext, &[0; TAG_LEN]].concat()
    }

    fn sealed(keys: &PacketKeys, number: PacketNumber) -> Vec<u8> {
        let mut packet = clear(PLAINTEXT);
        seal(keys, number, &mut packet);
        packet
    }

    /// The specification's own vectors (section 16.2), which `tests/vectors.py` recomputes.
    #[test]
    fn datagram_packets_are_those_of_the_vectors() {
        let file: Value = serde_json::from_str(include_str!("../../schemas/vectors/datagram_protection.json")).unwrap();
        let cases = file["cases"].as_array().unwrap();
        for case in cases {
            let text = |key: &str| case[key].as_str().unwrap();
            let algorithm = match text("aead") {
                "AES-256-GCM" => AeadAlgorithm::Aes256Gcm,
                _ => AeadAlgorithm::ChaCha20Poly1305,
            };
            let secret = TrafficSecret::from_bytes(unhex(text("secret")).try_into().unwrap());
            let keys = PacketKeys::new(&RustCrypto, algorithm, &secret, true);
            let number = number(text("number").parse().unwrap());
            let (wire, plaintext) = (unhex(text("wire")), unhex(text("plaintext")));

            let mut packet = [&unhex(text("header"))[..], &plaintext, &[0; TAG_LEN]].concat();
            seal(&keys, number, &mut packet);
            assert_eq!(packet, wire);
            assert_eq!(unmask(&keys, &wire), Some(number));
            assert_eq!(open(&keys, number, &mut packet), Ok(&mut plaintext.clone()[..]));
        }
        assert_eq!(cases.len(), 12);
    }

    fn unhex(text: &str) -> Vec<u8> {
        let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(digits).collect()
    }

    /// R-5.3-2.
    #[test]
    fn on_a_stream_the_number_is_not_in_the_packet_and_no_other_opens_it() {
        for algorithm in ALGORITHMS {
            let keys = keys(algorithm, false);
            for value in [0, 1, 1 << 40, (1 << 62) - 1] {
                let packet = sealed(&keys, number(value));
                assert_eq!(packet[..HEADER_LEN], clear(PLAINTEXT)[..HEADER_LEN]);
                assert_eq!(open(&keys, number(value), &mut packet.clone()), Ok(&mut PLAINTEXT.to_vec()[..]));
                assert_eq!(open(&keys, number(value ^ 1), &mut packet.clone()), Err(Rejected));
                assert_eq!(unmask(&keys, &packet), None);
            }
        }
    }

    /// R-5.3-2, R-5.3-7.
    #[test]
    fn on_datagrams_the_number_travels_masked() {
        for algorithm in ALGORITHMS {
            let keys = keys(algorithm, true);
            for value in [0, 1, 0x00FF_FFFF_FFFF, 1 << 40, (1 << 62) - 1] {
                let packet = sealed(&keys, number(value));
                let field = u64::from_le_bytes(packet[16..24].try_into().unwrap());
                assert_ne!(field & 0x00FF_FFFF_FFFF, value & 0x00FF_FFFF_FFFF, "the low 40 bits are masked");
                assert_eq!(field >> 40, value >> 40, "the high bits are not");
                let sample = packet[HEADER_LEN..][..SAMPLE_LEN].try_into().unwrap();
                assert_eq!(field ^ value, low_bits(keys.mask(sample).unwrap()));

                assert_eq!(unmask(&keys, &packet), Some(number(value)));
                assert_eq!(open(&keys, number(value), &mut packet.clone()), Ok(&mut PLAINTEXT.to_vec()[..]));
                assert_eq!(open(&keys, number(value ^ 1), &mut packet.clone()), Err(Rejected));
            }
        }
    }

    /// R-5.3-6.
    #[test]
    fn a_masked_number_beyond_the_last_is_none() {
        let keys = keys(AeadAlgorithm::ChaCha20Poly1305, true);
        let mut packet = sealed(&keys, number(7));
        packet[23] |= 0x40; // bit 62 of the number
        assert_eq!(unmask(&keys, &packet), None);
    }

    #[test]
    fn no_bit_of_a_packet_can_change() {
        for (algorithm, with_mask) in ALGORITHMS.into_iter().flat_map(|one| [(one, false), (one, true)]) {
            let keys = keys(algorithm, with_mask);
            let packet = sealed(&keys, number(7));
            for bit in 0..packet.len() * 8 {
                let mut altered = packet.clone();
                altered[bit / 8] ^= 1 << (bit % 8);
                let claimed = if with_mask { unmask(&keys, &altered) } else { Some(number(7)) };
                let outcome = claimed.map_or(Err(Rejected), |claimed| open(&keys, claimed, &mut altered).map(drop));
                assert_eq!(outcome, Err(Rejected), "bit {bit}");
            }
        }
    }

    /// R-5.3-8, R-5.6-2.
    #[test]
    fn a_datagram_that_does_not_open_leaves_no_trace() {
        let keys = keys(AeadAlgorithm::ChaCha20Poly1305, true);
        let take = |guard: &mut ReplayGuard, packet: &[u8]| {
            let claimed = unmask(&keys, packet).filter(|claimed| guard.check(claimed.get()))?;
            open(&keys, claimed, &mut packet.to_vec()).ok()?;
            guard.mark(claimed.get());
            Some(claimed)
        };
        let mut guard = ReplayGuard::new();
        assert_eq!(take(&mut guard, &sealed(&keys, number(5))), Some(number(5)));
        let before = guard;
        let genuine = sealed(&keys, number(9));
        for bit in 0..genuine.len() * 8 {
            let mut altered = genuine.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(take(&mut guard, &altered), None, "bit {bit}");
            assert_eq!(guard, before, "bit {bit}");
        }
        assert_eq!(take(&mut guard, &genuine), Some(number(9)));
    }

    #[test]
    fn an_empty_body_is_sealed_and_shorter_packets_do_not_open() {
        for with_mask in [false, true] {
            let keys = keys(AeadAlgorithm::Aes256Gcm, with_mask);
            let mut packet = clear(&[]);
            seal(&keys, number(1), &mut packet);
            assert_eq!(open(&keys, number(1), &mut packet.clone()), Ok(&mut [][..]));
            for len in 0..packet.len() {
                assert_eq!(open(&keys, number(1), &mut packet.clone()[..len]), Err(Rejected));
            }
        }
    }
}
