//! See `aitcp_testkit::fuzz::datagram`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| aitcp_testkit::fuzz::datagram(input));
