//! Bytes that nobody ever sent.

use super::*;

/// R-6.10-1.
#[test]
fn arbitrary_packets_of_every_kind_do_no_harm_in_any_state() {
    let mut draws = generator(99);
    let mut garbage = || {
        let mut bytes = vec![0; HEADER_LEN + (draws.nonzero_u64().get() % 1_209) as usize];
        draws.public(&mut bytes);
        bytes[0] = crate::wire::VERSION;
        bytes[1] = 1 + bytes[1] % 9;
        let length = u16::try_from(bytes.len() - HEADER_LEN).unwrap();
        bytes[2..4].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    for suite in SUITES {
        let (mut initiator, hello) = End::connect(&[suite]);
        let mut responder = End::accept(&[suite]);
        let mut disturb = |ends: [&mut End; 2]| {
            for end in ends {
                for _ in 0..500 {
                    assert!(end.take(&garbage()).map_or(true, |(_, sent)| sent.is_empty()));
                }
            }
        };
        disturb([&mut initiator, &mut responder]);
        let (_, flight) = responder.take(&hello).unwrap();
        let mut last = Vec::new();
        for packet in &flight {
            disturb([&mut initiator, &mut responder]);
            last.extend(initiator.take_all(core::slice::from_ref(packet)));
        }
        // Garbage may have taken the place of a ResponderAuth that waited: then it is sent again.
        if last.is_empty() {
            last = initiator.take_all(&responder.flight());
        }
        for packet in &last {
            disturb([&mut initiator, &mut responder]);
            responder.take_all(core::slice::from_ref(packet));
        }
        disturb([&mut initiator, &mut responder]);
        assert_linked(&mut initiator, &mut responder);
        assert!(matches!(initiator.handshake.timeout_reason(), CloseReason::Misbehaved(_)), "of malformed answers");
    }
}
