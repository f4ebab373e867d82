extern crate std;

use std::collections::BTreeSet;
use std::format;

use proptest::prelude::*;

use super::*;
use crate::seed::Seed;

const KEY: [u8; 32] = {
    let mut key = [0; 32];
    let mut at = 0;
    while at < 32 {
        key[at] = at as u8 + 1;
        at += 1;
    }
    key
};

fn codecs(bits: u8) -> [ServerIdCodec; 2] {
    [ServerIdCodec::plain(bits).unwrap(), ServerIdCodec::encrypted(bits, KEY).unwrap()]
}

/// The values come from another language's HMAC: load balancers are written in any.
#[test]
fn enciphered_ids_never_change() {
    let vectors = [
        (16, 0x1234, 0x0123_4567_89AB_CDEF, 0xD67B_2568_5AFC_1F66),
        (16, 0x0, 0x0000_0000_0000_0000, 0x06F7_FC81_2E3D_D1FC),
        (8, 0xff, 0xFFFF_FFFF_FFFF_FFFF, 0x8219_1673_4FC1_B215),
        (1, 0x1, 0x0000_0000_0000_002A, 0xB92F_8DCA_2536_0CE5),
    ];
    for (bits, server, nonce, id) in vectors {
        let codec = ServerIdCodec::encrypted(bits, KEY).unwrap();
        assert_eq!(codec.encode(server, nonce).unwrap().get(), id, "{id:#x}");
    }
}

#[test]
fn a_plain_id_has_the_number_on_top() {
    let codec = ServerIdCodec::plain(12).unwrap();
    assert_eq!(codec.encode(0xABC, u64::MAX).unwrap().get(), 0xABCF_FFFF_FFFF_FFFF);
    assert_eq!(codec.encode(0xABC, 0).unwrap().get(), 0xABC0_0000_0000_0000);
    assert_eq!(codec.encode(0, 0).unwrap().get(), 1, "0 is no id");
}

#[test]
fn an_enciphered_id_is_never_0() {
    let codec = ServerIdCodec::encrypted(16, KEY).unwrap();
    let block = codec.decipher(&KEY, 0);
    let id = codec.encode((block >> 48) as u16, block).unwrap();
    assert_eq!(codec.decode(id.get()), Some((block >> 48) as u16));
}

#[test]
fn what_does_not_fit_is_refused() {
    assert_eq!(ServerIdCodec::plain(0).unwrap_err(), ServerIdError::Bits);
    assert_eq!(ServerIdCodec::encrypted(17, KEY).unwrap_err(), ServerIdError::Bits);
    assert_eq!(ServerIdCodec::encrypted(8, [0; 32]).unwrap_err(), ServerIdError::ZeroKey);
    for bits in 1..=16 {
        let greatest = u16::MAX >> (16 - bits);
        for codec in codecs(bits) {
            assert_eq!(codec.decode(codec.encode(greatest, 5).unwrap().get()), Some(greatest));
            if let Some(beyond) = greatest.checked_add(1) {
                assert_eq!(codec.encode(beyond, 5), Err(ServerIdError::Server));
                assert_eq!(ServerId::new(codec, beyond).unwrap_err(), ServerIdError::Server);
            }
        }
    }
}

#[test]
fn enciphered_ids_of_one_machine_look_random() {
    let codec = ServerIdCodec::encrypted(16, KEY).unwrap();
    let ids: BTreeSet<_> = (0..4_096).map(|nonce| codec.encode(7, nonce).unwrap().get()).collect();
    assert_eq!(ids.len(), 4_096);
    for bit in 0..64 {
        let ones = ids.iter().filter(|id| **id >> bit & 1 == 1).count();
        assert!((1_800..2_300).contains(&ones), "bit {bit}: {ones} of 4,096");
    }
}

#[test]
fn another_key_does_not_tell_the_machine() {
    let ours = ServerIdCodec::encrypted(8, KEY).unwrap();
    let other = ServerIdCodec::encrypted(8, [0x5C; 32]).unwrap();
    let found = (0..1_000).filter(|nonce| other.decode(ours.encode(7, *nonce).unwrap().get()) == Some(7)).count();
    assert!(found < 20, "{found} of 1,000, and chance gives 4");
}

#[test]
fn drawn_ids_are_random_and_carry_the_machine_if_there_is_one() {
    let mut generator = Generator::new(Seed::new([7; 32]).unwrap());
    for codec in codecs(10) {
        let ids = ConnectionIds::new(Some(ServerId::new(codec.clone(), 1_000).unwrap()));
        let drawn: BTreeSet<_> = (0..100).map(|_| ids.draw(&mut generator)).collect();
        assert_eq!(drawn.len(), 100);
        assert!(drawn.iter().all(|id| codec.decode(id.get()) == Some(1_000)));
    }
    let random: BTreeSet<_> = (0..100).map(|_| ConnectionIds::default().draw(&mut generator)).collect();
    assert_eq!(random.len(), 100);
}

#[test]
fn debug_shows_no_key() {
    let [plain, encrypted] = codecs(8);
    assert_eq!(format!("{plain:?}"), "ServerIdCodec(plain, 8 bits)");
    let server = ServerId::new(encrypted, 3).unwrap();
    assert_eq!(format!("{server:?}"), "ServerId { codec: ServerIdCodec(encrypted, 8 bits), server: 3 }");
}

proptest! {
    #[test]
    fn decoding_gives_the_machine(bits in 1..=16_u8, server: u16, nonce: u64) {
        let server = server >> (16 - bits);
        for codec in codecs(bits) {
            prop_assert_eq!(codec.decode(codec.encode(server, nonce).unwrap().get()), Some(server));
        }
    }

    #[test]
    fn deciphering_undoes_enciphering(bits in 1..=16_u8, key: [u8; 32], block: u64) {
        let codec = ServerIdCodec::plain(bits).unwrap();
        prop_assert_eq!(codec.decipher(&key, codec.encipher(&key, block)), block);
    }

    #[test]
    fn any_number_decodes_to_a_machine_that_fits(bits in 1..=16_u8, id: u64) {
        for codec in codecs(bits) {
            prop_assert_eq!(codec.decode(id).is_some_and(|server| codec.fits(server)), id != 0);
        }
    }
}
