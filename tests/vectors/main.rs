//! The test vectors in `schemas/vectors/` (specification, section 16), made with real sessions from fixed seeds.
//!
//! The files are committed, so nothing on the wire and no secret can change unseen. After a change that is meant,
//! `AITCP_BLESS=1 cargo test --test vectors` writes them anew, and `tests/vectors.py`, which shares no code with any of this, has to
//! agree.
#![cfg(all(feature = "rustcrypto", feature = "hybrid", feature = "keylog"))]

mod document;
mod draws;
mod identities;
mod protection;
mod scenario;
mod schedule;
mod tables;

use std::path::PathBuf;

use aitcp::Suite;
use serde_json::Value;

const SUITES: [Suite; 4] =
    [Suite::HybridChaCha20Poly1305, Suite::X25519ChaCha20Poly1305, Suite::HybridAes256Gcm, Suite::X25519Aes256Gcm];

#[test]
fn handshakes_are_those_of_the_files() {
    for suite in SUITES {
        let document = document::describe(&scenario::record(suite));
        compare(&format!("handshake_suite_{}.json", suite.id()), &document);
    }
}

#[test]
fn datagram_protection_is_that_of_the_file() {
    compare("datagram_protection.json", &protection::document());
}

#[test]
fn identities_are_those_of_the_file() {
    compare("identities.json", &identities::document());
}

/// Compares a document with the committed one or, when told to, takes its place.
fn compare(name: &str, document: &Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas/vectors").join(name);
    if std::env::var_os("AITCP_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("{document:#}\n")).unwrap();
    }
    let committed: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    if let Some((place, committed, made)) = difference(&committed, document) {
        panic!("{name} differs at {place}:\n  in the file: {committed}\n  made now:    {made}");
    }
}

/// The first place at which two documents differ, with what stands there in each.
fn difference<'a>(one: &'a Value, other: &'a Value) -> Option<(String, &'a Value, &'a Value)> {
    let inner = |step: String, one: Option<&'a Value>, other: Option<&'a Value>| {
        let (place, one, other) = difference(one.unwrap_or(&Value::Null), other.unwrap_or(&Value::Null))?;
        Some((format!("/{step}{place}"), one, other))
    };
    let found = match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            a.keys().chain(b.keys()).find_map(|key| inner(key.clone(), a.get(key), b.get(key)))
        }
        (Value::Array(a), Value::Array(b)) => {
            (0..a.len().max(b.len())).find_map(|index| inner(index.to_string(), a.get(index), b.get(index)))
        }
        _ => None,
    };
    found.or_else(|| (one != other).then(|| (String::new(), one, other)))
}
