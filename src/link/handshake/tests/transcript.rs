//! What the transcript takes in, computed once more from the packets alone.

use std::sync::Mutex;

use super::*;
use crate::KeyLog;
use crate::crypto::aead::PacketKeys;
use crate::crypto::hash::sha256;
use crate::crypto::key_schedule::TrafficSecret;
use crate::packet::{PacketNumber, protection};

#[derive(Debug, Default)]
struct Secrets(Mutex<Vec<(&'static str, [u8; 32])>>);

impl KeyLog for Secrets {
    fn log(&self, label: &'static str, _random: &[u8; 32], secret: &[u8; 32]) {
        self.0.lock().unwrap().push((label, *secret));
    }
}

impl Secrets {
    fn get(&self, wanted: &str) -> TrafficSecret {
        let secrets = self.0.lock().unwrap();
        TrafficSecret::from_bytes(secrets.iter().find(|(label, _)| *label == wanted).unwrap().1)
    }
}

/// The header with its number in the clear, and the body without the tag.
fn opened(packet: &[u8], secret: &TrafficSecret, suite: Suite, number: u64) -> Vec<u8> {
    let keys = PacketKeys::new(&RustCrypto, suite.aead(), secret, true);
    let mut packet = packet.to_vec();
    assert_ne!(packet[16..24], number.to_le_bytes(), "it travels masked");
    assert_eq!(protection::unmask(&keys, &packet), PacketNumber::new(number));
    let body = protection::open(&keys, PacketNumber::new(number).unwrap(), &mut packet).unwrap().to_vec();
    [&packet[..16], &number.to_le_bytes(), &body].concat()
}

/// R-5.2-4, R-5.3-3, R-6.5-1, R-6.5-3.
#[test]
fn headers_enter_with_their_numbers_unmasked() {
    for suite in SUITES {
        let secrets = Arc::new(Secrets::default());
        let (mut initiator, hello) =
            End::connect_as(client(&[suite]).with_key_log(secrets.clone()), Expect::Pinned(bob().peer_id()), CARRIER);
        let mut responder = End::accept(&[suite]);
        let (_, flight) = responder.take(&hello).unwrap();
        let last = initiator.take_all(&flight);

        let mut seen = [hello, find(&flight, PacketKind::Accept)].concat();
        let mut numbers = 0;
        if suite.is_hybrid() {
            seen.extend(opened(&find(&flight, PacketKind::KemOffer), &secrets.get("R_HS"), suite, 0));
            numbers = 1;
        }
        seen.extend(opened(&find(&flight, PacketKind::ResponderAuth), &secrets.get("R_HS"), suite, numbers));
        let (covered, finished) = seen.split_last_chunk().unwrap();
        assert_eq!(secrets.get("R_HS").finished(&sha256(covered)), *finished);

        if suite.is_hybrid() {
            seen.extend(opened(&find(&last, PacketKind::KemReply), &secrets.get("I_HS"), suite, 0));
        }
        seen.extend(opened(&find(&last, PacketKind::InitiatorAuth), &secrets.get("I_AUTH"), suite, numbers));
        let (covered, finished) = seen.split_last_chunk().unwrap();
        assert_eq!(secrets.get("I_AUTH").finished(&sha256(covered)), *finished);
    }
}
