//! See `aitcp_testkit::fuzz::session_sealed`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| aitcp_testkit::fuzz::session_sealed(input));
