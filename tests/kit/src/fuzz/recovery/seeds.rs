//! Talks that go well, and talks that do not.

use crate::Rng;

/// A flight leaves, time passes, and all of it is acknowledged.
const ROUND: [u8; 5] = [0x0F, 1, 0x9A, 0xF0, 0];

/// A flight leaves, time passes, and all but a few of it are acknowledged.
const LOSSY_ROUND: [u8; 7] = [0x0F, 2, 0x9A, 0x52, 0, 3, 0];

/// A flight that is as long as the pace allows, and the time for more.
const PACED: [u8; 5] = [0x0F, 1, 0x0F, 1, 0xB8];

/// Inputs by the state that they lead to.
pub(in crate::fuzz) fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for choice in 0..32_u8 {
        // The window grows, larger packets pass, and some are lost.
        let grows = [&[0x40, 0x9A, 0xF0, 0, 0xC8][..], &ROUND, &PACED, &ROUND, &LOSSY_ROUND, &ROUND, &PACED, &[0x40]];
        seeds.push((format!("grows_{choice}"), [&[choice, choice.wrapping_mul(37)][..], &grows.concat()].concat()));
    }
    for choice in [0, 5, 10, 16, 24, 56, 64] {
        let mut add = |what: &str, random: u8, parts: &[&[u8]]| {
            seeds.push((format!("{what}_{choice}"), [&[choice, random][..], &parts.concat()].concat()));
        };
        // Nothing comes back: probes, and then an acknowledgement of the last one.
        add("silent", 255, &[&ROUND, &[0x0F, 1], &[0xB0, 0x0F, 1].repeat(8), &[0xD0, 0x50, 0, 0, 0, 0xB8]]);
        // A table that is full of acknowledgements, behind one packet that is acknowledged; and one that is full of packets.
        add("quiet", 30, &[&[0x00, 1, 0x1F, 9, 0x1F, 9, 0x50, 32, 0, 0, 0xB8], &[0x1F, 9].repeat(20), &ROUND]);
        add(
            "full",
            255,
            &[&[0x40, 0x0F, 0, 0xB0, 0x0F, 0, 0xD8], &[0x3F, 64, 1].repeat(4), &[0xB0, 0x0F, 0, 0xD8], &ROUND],
        );
        // Another path, a smaller one, while packets are on their way.
        add("moved", 255, &[&ROUND, &[0x0F, 1, 0xC0, 0x40, 6, 0x0F, 1, 0x40, 0x9A, 0xF0, 1], &ROUND]);
        // What nobody sends: the next number, ranges out of order, too many of them, and numbers that were left out.
        let unordered = [0x71, 4, 2, 0, 0, 0, 0x80, 7, 0, 1, 0x82, 5, 9, 1, 2, 0, 0];
        add("forged", 255, &[&ROUND, &[0x0F, 0, 0x70, 2, 0, 0, 0x70, 3, 1, 0, 0], &unordered, &[0x7F; 50], &ROUND]);
        add(
            "skips",
            0,
            &[&[0x03, 1].repeat(24), &[0x70, 3, 1, 0, 0, 0x70, 3, 5, 0, 0, 0xF0, 0], &[0x03, 1].repeat(40), &ROUND],
        );
        // Late acknowledgements of what was lost, and a driver that sleeps.
        add("late", 255, &[&ROUND, &[0x0F, 1, 0x9A, 0x50, 0, 8, 0, 0xAA, 0xF0, 3, 0x0F, 1, 0xAF, 0xB0, 0xF0, 0]]);
        // Probes of the MTU that are lost, and large packets that are swallowed.
        let swallowed = [0x0F, 1, 0x9E, 0x50, 0, 9, 0, 0xAE].repeat(4);
        add("mtu", 255, &[&[0x40, 0x07, 1, 0x9A, 0x55, 0, 1, 0].repeat(4), &swallowed, &[0x9F, 0x9F, 0x40]]);
    }
    for choice in [0x80, 0x84, 0x90, 0x9A] {
        let mut add = |what: &str, ops: &[u8]| seeds.push((format!("{what}_{choice}"), [&[choice][..], ops].concat()));
        add("in_order", &[0, 0, 0xE0, 0, 0xB4, 2, 0xD0, 0xE0, 1, 0, 0xD0, 0xE0, 0xF0, 1, 6]);
        add("gaps", &[0x3E, 0x3E, 0x3E, 0x60, 8, 0x60, 10, 0x60, 200, 0xD0, 0xE0, 0xF0, 90, 0x40, 3, 0x62, 2]);
        add("belated", &[0x40, 50, 0x60, 40, 0x42, 0, 0xE0, 0x60, 41, 0xC0, 0x61, 42, 0xE0, 0, 0xA0, 0xFF, 9, 9]);
    }
    for choice in [0xC0, 0xC5, 0xCF] {
        let mut add = |what: &str, ops: &[u8]| seeds.push((format!("{what}_{choice}"), [&[choice][..], ops].concat()));
        add("shown", &[0, 200, 0x60, 0x20, 255, 255, 255, 0xCA, 0x60, 0x91, 0x20, 255, 9, 9]);
        add("failed", &[0, 9, 0x60, 0xCF, 0x60, 0xCF, 0x60, 0xCF, 0xB0, 1, 0xDF, 0x90, 0x60, 0x20, 200]);
    }
    for seed in 0..8 {
        let mut rng = Rng::new(seed);
        let choice = u8::try_from(rng.below(256)).expect("a byte");
        seeds.push((format!("random_{seed}"), [&[choice][..], &rng.bytes(120)].concat()));
    }
    seeds
}
