//! See `aitcp_testkit::fuzz::recovery`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| aitcp_testkit::fuzz::recovery(input));
