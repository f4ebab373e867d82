//! The built-in crypto provider against the vectors that every provider has to pass.
#![cfg(feature = "rustcrypto")]

use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp_testkit::provider_vectors::{COUNTS, check_all};

#[test]
fn the_built_in_provider_passes_every_vector() {
    assert_eq!(check_all(&RustCrypto), COUNTS);
}
