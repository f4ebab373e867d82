//! See `aitcp_testkit::fuzz::hello`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| aitcp_testkit::fuzz::hello(input));
