//! Replays the corpora of `fuzz/corpus/`, so that what fuzzing has found once is tried by every `cargo test`.
//!
//! `AITCP_BLESS=1 cargo test --test fuzz_corpus` writes the inputs that fuzzing starts from; an input that found something is copied
//! beside them under a name that says what.
#![cfg(all(feature = "rustcrypto", feature = "hybrid", feature = "compression"))]

use std::fs;
use std::path::PathBuf;

use aitcp_testkit::fuzz::TARGETS;

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
