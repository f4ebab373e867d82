//! Replays the corpora of `fuzz/corpus/`, so that what fuzzing has found once is tried by every `cargo test`.
//!
//! `AITCP_BLESS=1 cargo test --test fuzz_corpus` writes the inputs that fuzzing starts from; an input that found something is copied
//! beside them under a name that says what.
#![cfg(all(feature = "rustcrypto", feature = "hybrid", feature = "compression"))]

use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

use aitcp_testkit::fuzz::TARGETS;
use aitcp_testkit::heap::CountingAllocator;
use aitcp_testkit::{Rng, campaign};

/// Targets look at how much is held.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn the_corpora_find_nothing() {
    for target in TARGETS {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name);
        if std::env::var_os("AITCP_BLESS").is_some() {
            fs::create_dir_all(&directory).unwrap();
            for (name, seed) in (target.seeds)() {
                fs::write(directory.join(name), seed).unwrap();
            }
        }
        let mut count = 0;
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            (target.run)(&fs::read(path).unwrap());
            count += 1;
        }
        assert!(count >= (target.seeds)().len(), "{}: seeds are missing", target.name);
    }
}

#[test]
fn inputs_that_are_cut_short_find_nothing() {
    for target in TARGETS {
        for (_, seed) in (target.seeds)() {
            for len in (0..seed.len()).step_by(seed.len().div_ceil(16)) {
                (target.run)(&seed[..len]);
            }
        }
    }
}

/// What fuzzing does, without its eyes: for machines that have no libFuzzer.
#[test]
fn inputs_that_are_mutated_at_random_find_nothing() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        for case in 0..campaign(target.cases) {
            let mut rng = Rng::new(case as u64);
            let mut input = seeds[rng.below(seeds.len())].1.clone();
            for _ in 0..=rng.below(6) {
                mutate(&mut input, &seeds[rng.below(seeds.len())].1, &mut rng);
            }
            let found = catch_unwind(|| (target.run)(&input));
            assert!(found.is_ok(), "{} found something in case {case}: {input:?}", target.name);
        }
    }
}

fn mutate(input: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    let at = rng.below(input.len() + 1);
    let byte = rng.bytes(1)[0];
    match (rng.below(7), input.get_mut(at)) {
        (0, _) => input.insert(at, byte),
        (1, Some(_)) => drop(input.remove(at)),
        (2, Some(place)) => *place = byte,
        (3, Some(place)) => *place ^= 1 << rng.below(8),
        (4, Some(place)) => *place = place.wrapping_add(byte % 7).wrapping_sub(3),
        (5, _) => input.truncate(at),
        _ => input.extend_from_slice(&other[rng.below(other.len())..]),
    }
}
