//! Whole handshakes, both ends, from nothing to established, full and resumed; beside the primitives in them and nothing else.

mod support;

use std::hint::black_box;

use aitcp::crypto::provider::{CryptoProvider, KEM_CIPHERTEXT_LEN, KEM_KEY_LEN};
use aitcp::crypto::rustcrypto::RustCrypto;
use criterion::{Criterion, criterion_group, criterion_main};
use support::{Agents, SUITES, quick};

fn handshakes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handshake");
    let mut buf = vec![0; 64 << 10];
    for (name, suite) in SUITES {
        let agents = Agents::new(suite);
        group.bench_function(name, |b| b.iter(|| black_box(agents.establish(&mut buf))));
    }
    for (name, suite) in SUITES {
        let agents = Agents::new(suite);
        let mut resumable = agents.resumable(&mut buf);
        group.bench_function(format!("resumed/{name}"), |b| {
            b.iter(|| black_box(agents.resume(&mut resumable, &mut buf)));
        });
    }
    group.bench_function("primitives/x25519_alone", |b| b.iter(x25519));
    group.bench_function("primitives/x25519", |b| b.iter(x25519_and_ed25519));
    group.bench_function("primitives/x25519_ml_kem_768", |b| {
        b.iter(|| {
            x25519_and_ed25519();
            ml_kem();
        });
    });
}

/// Each end makes a key share and agrees on a secret.
fn x25519() {
    for end in 0..2 {
        let share = RustCrypto.x25519_public(black_box(&[end + 1; 32]));
        black_box(RustCrypto.x25519(&[end + 2; 32], black_box(&share)));
    }
}

/// The same, and each signs and verifies.
fn x25519_and_ed25519() {
    x25519();
    let key = RustCrypto.ed25519_key(&[1; 32]);
    for end in 0..2 {
        let message = [end; 121];
        let signature = key.sign(black_box(&message));
        RustCrypto.ed25519_verify(&key.public_key(), &message, black_box(&signature)).unwrap();
    }
}

/// The responder makes a key pair, the initiator a ciphertext, the responder the secret from it.
fn ml_kem() {
    let kem = RustCrypto.ml_kem_768().unwrap();
    let (mut key, mut ciphertext) = ([0; KEM_KEY_LEN], [0; KEM_CIPHERTEXT_LEN]);
    kem.encapsulation_key(black_box(&[3; 64]), &mut key);
    kem.encapsulate(&key, black_box(&[4; 32]), &mut ciphertext).unwrap();
    black_box(kem.decapsulate(black_box(&[3; 64]), &ciphertext));
}

criterion_group! { name = benches; config = quick(); targets = handshakes }
criterion_main!(benches);
