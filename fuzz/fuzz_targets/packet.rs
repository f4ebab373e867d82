//! See `aitcp_testkit::fuzz::packet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| aitcp_testkit::fuzz::packet(input));
