//! Bytes that nobody meant to be a packet: whatever comes, a parser answers.

use super::*;

/// Runs `bytes` through every parser; the outcome does not matter, only that there is one.
fn parse_as_everything(bytes: &[u8]) {
    if let Ok(hello) = HelloView::parse(bytes) {
        assert!(!hello.app_protocol.is_empty() && hello.versions.iter().count() <= MAX_VERSIONS);
    }
    let _ = RefuseView::parse(bytes);
    let _ = AcceptView::parse(bytes);
    for auth in [AuthView::of_responder(bytes), AuthView::of_initiator(bytes)].into_iter().flatten() {
        assert_eq!(auth.covered.len() + 96, bytes.len());
        assert!(auth.credentials.len() <= MAX_CREDENTIALS);
    }
    for auth in [ResumedAuthView::of_responder(bytes), ResumedAuthView::of_initiator(bytes)].into_iter().flatten() {
        assert_eq!(auth.covered.len() + 32, bytes.len());
    }
}

fn specimens() -> [Vec<u8>; 7] {
    let refuse =
        Refuse { hello_hash: &SAMPLE, code: RefuseCode::UnknownAppProtocol, versions: &[10, 11], suites: &[1, 2] }
            .build(receiver());
    let connection_id = receiver();
    let accept = Accept { version: 10, suite: 2, random: &SAMPLE, key_share: &SAMPLE, connection_id, resumed: false };
    let auth = auth_of(largest_params(), b"credentials");
    let resumed = Auth { params: largest_params(), identity: None };
    [
        RawHello::smallest().body(),
        RawHello { ticket: Some(vec![9; 40]), ..RawHello::largest() }.body(),
        refuse[HEADER_LEN..].to_vec(),
        accept.build(receiver())[HEADER_LEN..].to_vec(),
        body_of(&auth_packet(&auth, Role::Responder), PacketKind::ResponderAuth, TAG_LEN).to_vec(),
        largest_initiator_auth(),
        body_of(&resumed_packet(&resumed, Role::Initiator), PacketKind::InitiatorAuth, TAG_LEN).to_vec(),
    ]
}

/// R-3.3-3, R-3.3-4.
#[test]
fn every_truncation_and_every_flipped_bit_is_survived() {
    for mut bytes in specimens() {
        for len in 0..=bytes.len() {
            parse_as_everything(&bytes[..len]);
        }
        for position in 0..bytes.len() {
            for bit in 0..8 {
                bytes[position] ^= 1 << bit;
                parse_as_everything(&bytes);
                bytes[position] ^= 1 << bit;
            }
        }
    }
}

proptest! {
    #[test]
    fn bytes_changed_at_will_are_survived(
        which in 0..7_usize,
        changes in vec_of((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut: prop::sample::Index,
    ) {
        let mut bytes = specimens()[which].clone();
        for (position, value) in changes {
            let position = position.index(bytes.len());
            bytes[position] = value;
        }
        parse_as_everything(&bytes);
        parse_as_everything(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn small_offsets_anywhere_are_survived(which in 0..7_usize, at: prop::sample::Index, value in 0..300_u32) {
        // Offsets and vtable entries are small numbers: arbitrary bytes seldom look like one.
        let mut bytes = specimens()[which].clone();
        let at = at.index(bytes.len() - 3) / 2 * 2;
        bytes[at..at + 2].copy_from_slice(&value.to_le_bytes()[..2]);
        parse_as_everything(&bytes);
        bytes[at..at + 4].copy_from_slice(&value.wrapping_neg().to_le_bytes());
        parse_as_everything(&bytes);
    }

    #[test]
    fn arbitrary_bytes_are_survived(bytes in vec_of(any::<u8>(), 0..400)) {
        parse_as_everything(&bytes);
    }
}
