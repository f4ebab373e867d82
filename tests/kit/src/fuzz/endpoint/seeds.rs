//! Sessions that get established, and strangers who try everything.

use crate::Rng;

/// An honest peer begins on datagrams, and gets through.
const DIAL: [u8; 4] = [0xA0, 1, 0x93, 0];
/// The endpoint begins with an honest peer, and gets through.
const CONNECT: [u8; 4] = [0xA9, 0, 0x93, 0];
/// A stream carrier each way, with honest peers.
const STREAMS: [u8; 6] = [0xB0, 0, 0xB4, 0, 0x93, 0];
/// Both ends of the first session say something, and it gets there.
const TALK: [u8; 6] = [0xC0, 0x42, 0xE8, 0x51, 0x92, 0];

/// Inputs by the state that they lead to.
pub(in crate::fuzz) fn seeds() -> Vec<(String, Vec<u8>)> {
    // Everything that was sent, again, altered, and back to where it came from.
    let again = |first: u8| (0..6).flat_map(move |back| [first | back, back]).collect::<Vec<u8>>();
    let altered =
        |first: u8| (0..6).flat_map(move |back| [first | 8 | back, back, 30 + back, 0, 1]).collect::<Vec<u8>>();
    let mut seeds = Vec::new();
    for choice in [16, 17, 19, 20, 27, 80, 82, 84, 88, 112] {
        let mut add = |what: &str, parts: &[&[u8]]| {
            seeds.push((format!("{what}_{choice}"), [&[choice][..], &parts.concat()].concat()));
        };
        add("talk", &[&DIAL, &TALK, &CONNECT, &TALK, &STREAMS, &TALK, &[0x0F, 0x9F, 0]]);
        add(
            "replayed",
            &[&DIAL, &TALK, &[0x0C], &again(0x50), &[0x0A], &altered(0x50), &again(0x60), &altered(0x60), &TALK],
        );
        add("half_open", &[&[0xA0, 1, 0x70, 0, 0xE7], &again(0x50), &altered(0x50), &again(0x60), &[0x93, 0], &TALK]);
        let hellos: Vec<u8> = (0..12).flat_map(|number| [0x38 | (number % 8), number, 0]).collect();
        let same: Vec<u8> = (0..8).flat_map(|from| [0x38 | from, 7, 0]).collect();
        add("abandoned", &[&[0xA0, 1, 0x70, 0, 0xE7, 0x51, 0, 0xE7, 0x56, 1, 0xE7]]);
        add("hellos", &[&hellos, &[0xE7], &same, &[0x12, 0x31, 9, 0x80, 0x32, 9, 0xA3, 0x33, 9, 0xC4], &DIAL]);
        let sealed: Vec<u8> = (0..9).flat_map(|kind| [0x44, kind, kind, kind, 3, 1, 2, 3]).collect();
        add("sealed", &[&[0xA0, 1, 0x70, 0, 0xE7], &sealed, &[0x91, 0], &sealed, &[0x91, 0], &sealed, &TALK]);
        add("weak", &[&[0x39, 9, 0xD0, 0xE7, 0x3A, 9, 0xD1, 0xE7]]);
        // Its packets come from an address where nobody is.
        let says = [0xC0, 0x72, 0xE7, 0x10, 0xE7].repeat(4);
        add("spoofed", &[&DIAL, &TALK, &[0xE8, 0x51, 0x7A, 0, 0xE7], &says, &[0x13, 0x93, 0], &TALK]);
        // The peer is at another address, which asks for proof, and back.
        let moved = [0xE8, 0x51, 0x7A, 0, 0xE7, 0x88, 0, 0xE8, 0x51, 0x7A, 0, 0xE7, 0x8A, 0, 0x12, 0x92, 0];
        add("moved", &[&DIAL, &TALK, &moved, &TALK, &[0x13, 0x93, 0]]);
    }
    for choice in [16, 80, 88] {
        let mut add = |what: &str, parts: &[&[u8]]| {
            seeds.push((format!("{what}_{choice}"), [&[choice][..], &parts.concat()].concat()));
        };
        add("revoked", &[&DIAL, &TALK, &[0xD1, 0, 0xE7, 0xA0, 2, 0x93, 0, 0xD5, 0, 0xA1, 3, 0x93, 0], &TALK]);
        add("shut_down", &[&DIAL, &STREAMS, &[0xDF, 7, 0x92, 0, 0x12], &DIAL, &CONNECT, &STREAMS]);
        add("held", &[&DIAL, &[0xC0, 0x20], &TALK, &[0xC0, 0x46, 0xE7, 0x18, 0xC0, 0x30, 0xE7], &DIAL]);
        add("crowd", &[&[0xA0, 1, 0xA1, 2, 0xA2, 3, 0xA7, 4, 0x93, 0, 0xA3, 5, 0x93, 0], &TALK, &[0x10, 0x93, 0]]);
        add("little_room", &[&[0xA0, 1, 0x70, 0, 0xE0, 9, 0xE5, 0xE4], &CONNECT, &[0xC0, 0x42, 0xE0, 100, 0xE4, 0xE6]]);
        add(
            "cut",
            &[&STREAMS, &TALK, &[0xBC, 0, 0xE7, 0xB8, 1, 40, 9, 9, 9, 9], &STREAMS, &[0xB8, 2, 5, 1, 2, 3, 4, 5, 0xE7]],
        );
        add(
            "clocks",
            &[&DIAL, &[0xF8, 0x58, 0, 0xFF, 0xC0, 0x42, 0xF9, 0xE5, 0x1F], &DIAL, &TALK, &[0xFF, 0x92, 0, 0x1A]],
        );
    }
    for seed in 0..8 {
        let mut rng = Rng::new(seed);
        let choice = u8::try_from(rng.below(128)).expect("a byte");
        seeds.push((format!("random_{seed}"), [&[choice][..], &DIAL, &rng.bytes(160)].concat()));
    }
    seeds
}
