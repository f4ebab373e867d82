use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU64;

use super::*;
use crate::crypto::aead::PacketKeys;
use crate::crypto::key_exchange::SharedSecret;
use crate::crypto::key_schedule::EarlySecret;
use crate::crypto::provider::{AeadAlgorithm, TAG_LEN};
use crate::crypto::rustcrypto::RustCrypto;
use crate::link::data::DirectionStart;
use crate::role::Role;
use crate::wire::{HEADER_LEN, Header};

const ALGORITHMS: [AeadAlgorithm; 2] = [AeadAlgorithm::ChaCha20Poly1305, AeadAlgorithm::Aes256Gcm];
const PLAINTEXT: &[u8] = b"twelve bytes and then some";
/// The numbers before it were the handshake's.
const FIRST: u64 = 2;

fn end(algorithm: AeadAlgorithm, role: Role, first: u64) -> DataKeys {
    let handshake = EarlySecret::without_psk().into_handshake(SharedSecret::from_bytes([1; 32]));
    let start = |sender| DirectionStart {
        keys: PacketKeys::new(&RustCrypto, algorithm, &handshake.traffic(sender, &[2; 32]), true),
        first_number: PacketNumber::new(first),
    };
    let (i, r) = (start(Role::Initiator), start(Role::Responder));
    let id = NonZeroU64::new(7).unwrap();
    match role {
        Role::Initiator => DataKeys::new(algorithm, id, id, i, r),
        Role::Responder => DataKeys::new(algorithm, id, id, r, i),
    }
}

fn pair(algorithm: AeadAlgorithm) -> (DataKeys, DataKeys) {
    (end(algorithm, Role::Initiator, FIRST), end(algorithm, Role::Responder, FIRST))
}

fn unsealed() -> Vec<u8> {
    [&[0; HEADER_LEN], PLAINTEXT, &[0; TAG_LEN]].concat()
}

fn sealed(keys: &mut DataKeys) -> Vec<u8> {
    let mut packet = unsealed();
    keys.seal_datagram(&mut packet).unwrap();
    packet
}

fn open(keys: &mut DataKeys, packet: &[u8]) -> Result<u64, Discarded> {
    let mut packet = packet.to_vec();
    let (number, plaintext) = keys.open_datagram(&mut packet)?;
    assert_eq!(plaintext, PLAINTEXT);
    Ok(number.get())
}

/// R-5.3-3, R-5.6-1.
#[test]
fn packets_open_in_any_order_and_each_once() {
    for algorithm in ALGORITHMS {
        let (mut sender, mut receiver) = pair(algorithm);
        let packets: Vec<_> = (0..5).map(|_| sealed(&mut sender)).collect();
        for at in [3, 0, 4, 1, 2] {
            assert_eq!(open(&mut receiver, &packets[at]), Ok(FIRST + at as u64));
        }
        for packet in &packets {
            assert_eq!(open(&mut receiver, packet), Err(Discarded::Replayed));
        }
    }
}

/// R-5.6-1: to the packet.
#[test]
fn what_lies_too_far_back_is_not_opened() {
    let (mut sender, mut receiver) = pair(AeadAlgorithm::ChaCha20Poly1305);
    let packets: Vec<_> = (0..2_050).map(|_| sealed(&mut sender)).collect();
    assert_eq!(open(&mut receiver, &packets[2_049]), Ok(FIRST + 2_049));
    assert_eq!(open(&mut receiver, &packets[1]), Err(Discarded::Replayed));
    assert_eq!(open(&mut receiver, &packets[2]), Ok(FIRST + 2));
}

/// R-5.6-3.
#[test]
fn the_handshakes_numbers_are_not_taken_again() {
    let mut receiver = end(AeadAlgorithm::Aes256Gcm, Role::Responder, FIRST);
    let mut sender = end(AeadAlgorithm::Aes256Gcm, Role::Initiator, 0);
    let packets: Vec<_> = (0..4).map(|_| sealed(&mut sender)).collect();
    let opened: Vec<_> = packets.iter().map(|packet| open(&mut receiver, packet)).collect();
    assert_eq!(opened, [Err(Discarded::Replayed), Err(Discarded::Replayed), Ok(2), Ok(3)]);
}

/// R-5.3-8, R-5.6-2.
#[test]
fn a_flipped_packet_changes_only_the_count_of_failures() {
    for algorithm in ALGORITHMS {
        let (mut sender, mut receiver) = pair(algorithm);
        let genuine = sealed(&mut sender);
        for bit in HEADER_LEN * 8..genuine.len() * 8 {
            let mut flipped = genuine.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&mut receiver, &flipped).is_err(), "bit {bit}");
            assert_eq!(receiver.seen.as_ref().unwrap().guard, ReplayGuard::new());
        }
        assert_eq!(open(&mut receiver, &genuine), Ok(FIRST));
    }
}

/// R-5.3-10.
#[test]
fn too_many_failures_use_up_the_keys() {
    let (mut sender, mut receiver) = pair(AeadAlgorithm::ChaCha20Poly1305);
    let genuine = sealed(&mut sender);
    let mut bad = genuine.clone();
    *bad.last_mut().unwrap() ^= 1;
    receiver.seen.as_mut().unwrap().failed = MAX_FAILED_OPENS - 1;
    assert!(!receiver.is_exhausted());
    assert_eq!(open(&mut receiver, &bad), Err(Discarded::DoesNotOpen));
    assert!(receiver.is_exhausted());
    assert_eq!(open(&mut receiver, &genuine), Err(Discarded::DoesNotOpen), "not one more is tried");
}

/// R-5.3-5, R-5.3-6.
#[test]
fn the_last_number_and_the_last_packet_are_the_last() {
    let last = (1 << 62) - 1;
    let mut keys = end(AeadAlgorithm::ChaCha20Poly1305, Role::Initiator, last - 1);
    assert_eq!(keys.skip_number(), PacketNumber::new(last - 1));
    assert_eq!(keys.packets_left(), 1);
    assert_eq!(keys.skip_number(), None, "the last one is for a close");
    assert_eq!(keys.seal_datagram(&mut unsealed()), PacketNumber::new(last));
    let mut packet = unsealed();
    assert_eq!((keys.next_number(), keys.seal_datagram(&mut packet)), (None, None));
    assert_eq!(packet, vec![0; packet.len()], "wiped");

    let mut keys = end(AeadAlgorithm::Aes256Gcm, Role::Initiator, FIRST);
    assert_eq!(keys.packets_left(), 1 << 23);
    for _ in 0..3 {
        assert!(keys.skip_number().is_some());
    }
    assert_eq!(keys.packets_left(), 1 << 23, "what is left out is not sealed");
    keys.send.left = 0;
    assert_eq!(keys.seal_datagram(&mut unsealed()), None);
}

/// R-5.3-5: a peer that seals more than it may is not heard.
#[test]
fn a_key_opens_no_more_packets_than_it_may_seal() {
    let (mut sender, mut receiver) = pair(AeadAlgorithm::Aes256Gcm);
    assert_eq!(receiver.receive.left, 1 << 23);
    receiver.receive.left = 1;
    let packets = [sealed(&mut sender), sealed(&mut sender)];
    assert_eq!(open(&mut receiver, &packets[0]), Ok(FIRST));
    assert_eq!(open(&mut receiver, &packets[1]), Err(Discarded::DoesNotOpen));
}

/// R-5.3-7.
#[test]
fn numbers_that_are_left_out_leave_a_gap() {
    let (mut sender, mut receiver) = pair(AeadAlgorithm::Aes256Gcm);
    assert_eq!(open(&mut receiver, &sealed(&mut sender)), Ok(FIRST));
    assert_eq!(sender.skip_number(), PacketNumber::new(FIRST + 1));
    assert_eq!(sender.next_number(), PacketNumber::new(FIRST + 2));
    let packet = sealed(&mut sender);
    assert_ne!(Header::parse(packet.first_chunk().unwrap()).unwrap().number_field, FIRST + 2, "masked");
    assert_eq!(open(&mut receiver, &packet), Ok(FIRST + 2));
}
