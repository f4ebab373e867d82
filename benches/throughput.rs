//! A message of 64 MiB on one stream, from one session to the other in memory, on one thread: what `send` takes is sealed, opened and
//! read with `recv`. Beside the bare AEAD, sealing and opening the same bytes in packets of the same length.

mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use aitcp::crypto::provider::CryptoProvider;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{Direction, Ending, SendError, Suite};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use support::{AEADS, Agents, WithoutAead, carry, quick};

/// As a message may be no longer than the peer's limit, 16 MiB by default, there are four of them.
const MESSAGE: usize = 16 << 20;
const MESSAGES: usize = 4;
const PACKET: usize = 16_384;

fn throughput(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("throughput");
    group.throughput(Throughput::Bytes((MESSAGE * MESSAGES) as u64));
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    let message = vec![0x5A; MESSAGE];
    for (name, suite) in AEADS {
        let agents = Agents::new(suite);
        group.bench_function(name, |b| b.iter(|| transfer(&agents, &message)));
        group.bench_function(format!("bare_{name}"), |b| b.iter(|| bare(suite)));
    }
    let agents = Agents::with_provider(Suite::X25519ChaCha20Poly1305, Arc::new(WithoutAead));
    group.bench_function("without_aead", |b| b.iter(|| transfer(&agents, &message)));
}

fn transfer(agents: &Agents, message: &[u8]) {
    let mut buf = vec![0; 64 << 10];
    let mut read = vec![0; 64 << 10];
    let (mut sender, mut receiver) = agents.establish(&mut buf);
    let stream = sender.open(Direction::Unidirectional).unwrap();
    for _ in 0..MESSAGES {
        let (mut sent, mut received) = (0, 0);
        while received < message.len() {
            if sent < message.len() {
                match sender.send(stream, &message[sent..], Ending::End) {
                    Ok(taken) => sent += taken,
                    Err(SendError::Blocked) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            carry(&mut sender, &mut receiver, &mut buf);
            while let Ok(piece) = receiver.recv(stream, &mut read) {
                received += black_box(&read[..piece.len]).len();
            }
            carry(&mut receiver, &mut sender, &mut buf);
        }
    }
}

fn bare(suite: Suite) {
    let aead = RustCrypto.aead(suite.aead(), &[7; 32]);
    let mut packet = vec![0x5A; PACKET];
    for number in 0..(MESSAGE * MESSAGES / PACKET) as u64 {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        let tag = aead.seal(&nonce, &[2; 24], &mut packet);
        aead.open(&nonce, &[2; 24], black_box(&mut packet), &tag).unwrap();
    }
}

criterion_group! { name = benches; config = quick(); targets = throughput }
criterion_main!(benches);
