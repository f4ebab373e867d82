//! See `aitcp_testkit::fuzz::pair_ops`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| aitcp_testkit::fuzz::pair_ops(input));
