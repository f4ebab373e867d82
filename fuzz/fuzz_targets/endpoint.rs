//! See `aitcp_testkit::fuzz::endpoint`.
#![no_main]

use aitcp_testkit::heap::CountingAllocator;

/// The target looks at how much is held.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

libfuzzer_sys::fuzz_target!(|input: &[u8]| aitcp_testkit::fuzz::endpoint(input));
