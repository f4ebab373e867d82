//! One message in one packet: the way out (`send` and `poll_transmit`) and the way in (`handle_stream` and `recv`), beside the bare
//! AEAD of the same provider over the same bytes, and without any AEAD: that is what building and reading payloads costs.

mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant as Time};

use aitcp::crypto::provider::CryptoProvider;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{Direction, Ending, Session, StreamId, Suite};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use support::{AEADS, Agents, NOW, WithoutAead, carry, quick};

/// Bytes of a message: the last makes a packet of 16,384 bytes of plaintext, the longest there is.
const SIZES: [usize; 3] = [64, 1_200, 16_384 - OVERHEAD];
/// What a payload with one fragment takes beside its bytes, where their number is a multiple of eight.
const OVERHEAD: usize = 72;
const HEADER_LEN: usize = 24;
const TAG_LEN: usize = 16;

/// So many packets are timed together; few enough for one window.
const BATCH: usize = 8;

/// A stream on which packets go one way, and what their receiver gives back in between.
struct OneWay {
    sender: Session,
    receiver: Session,
    stream: StreamId,
    message: Vec<u8>,
    /// A batch of packets.
    packets: Vec<u8>,
    len: usize,
    buf: Vec<u8>,
}

impl OneWay {
    fn new(agents: &Agents, size: usize) -> Self {
        let mut buf = vec![0; 64 << 10];
        let (mut sender, receiver) = agents.establish(&mut buf);
        let stream = sender.open(Direction::Unidirectional).unwrap();
        let packets = vec![0; BATCH * (size + 200)];
        Self { sender, receiver, stream, message: vec![0x5A; size], packets, len: 0, buf }
    }

    /// Sends a batch, one packet for each message.
    fn seal(&mut self) -> Duration {
        self.len = 0;
        let start = Time::now();
        for _ in 0..BATCH {
            self.sender.send(self.stream, black_box(&self.message), Ending::End).unwrap();
            let transmit = self.sender.poll_transmit(NOW, &mut self.packets[self.len..]).unwrap().unwrap();
            self.len += transmit.len;
        }
        start.elapsed()
    }

    fn open(&mut self) -> Duration {
        let start = Time::now();
        let input = self.receiver.handle_stream(NOW, &mut self.packets[..self.len]);
        for _ in 0..BATCH {
            black_box(self.receiver.recv(self.stream, &mut self.buf).unwrap());
        }
        let elapsed = start.elapsed();
        assert_eq!(input.consumed, self.len);
        elapsed
    }

    /// Gives credit back, and takes what nobody looks at.
    fn settle(&mut self) {
        carry(&mut self.receiver, &mut self.sender, &mut self.buf);
        for session in [&mut self.sender, &mut self.receiver] {
            while session.poll_event().is_some() {}
        }
    }

    /// The time of so many packets, in whole batches.
    fn time(&mut self, packets: u64, sealing: bool) -> Duration {
        let batches = packets.div_ceil(BATCH as u64);
        let mut elapsed = Duration::ZERO;
        for _ in 0..batches {
            let (sealed, opened) = (self.seal(), self.open());
            self.settle();
            elapsed += if sealing { sealed } else { opened };
        }
        elapsed.mul_f64(packets as f64 / (batches * BATCH as u64) as f64)
    }

    fn plaintext_len(&mut self) -> usize {
        self.seal();
        let len = self.len / BATCH - HEADER_LEN - TAG_LEN;
        self.open();
        self.settle();
        len
    }
}

fn packets(criterion: &mut Criterion) {
    for (name, suite) in AEADS {
        for size in SIZES {
            let mut one_way = OneWay::new(&Agents::new(suite), size);
            let plaintext_len = one_way.plaintext_len();
            session(criterion, name, size, &mut one_way);
            bare(criterion, name, size, suite, plaintext_len);
        }
    }
    for size in SIZES {
        let agents = Agents::with_provider(Suite::X25519ChaCha20Poly1305, Arc::new(WithoutAead));
        session(criterion, "without_aead", size, &mut OneWay::new(&agents, size));
    }
}

fn session(criterion: &mut Criterion, name: &str, size: usize, one_way: &mut OneWay) {
    let mut group = criterion.benchmark_group(format!("packet/{name}"));
    group.throughput(Throughput::Bytes(size as u64));
    group.bench_function(BenchmarkId::new("seal", size), |b| b.iter_custom(|packets| one_way.time(packets, true)));
    group.bench_function(BenchmarkId::new("open", size), |b| b.iter_custom(|packets| one_way.time(packets, false)));
}

fn bare(criterion: &mut Criterion, name: &str, size: usize, suite: Suite, plaintext_len: usize) {
    let aead = RustCrypto.aead(suite.aead(), &[7; 32]);
    let (nonce, aad) = ([1; 12], [2; HEADER_LEN]);
    let mut group = criterion.benchmark_group(format!("packet/{name}"));
    group.throughput(Throughput::Bytes(size as u64));
    let mut body = vec![0x5A; plaintext_len];
    group.bench_function(BenchmarkId::new("bare_seal", size), |b| {
        b.iter(|| black_box(aead.seal(black_box(&nonce), &aad, &mut body)));
    });
    let mut sealed = vec![0x5A; plaintext_len];
    let tag = aead.seal(&nonce, &aad, &mut sealed);
    group.bench_function(BenchmarkId::new("bare_open", size), |b| {
        b.iter_batched_ref(
            || sealed.clone(),
            |body| aead.open(black_box(&nonce), &aad, body, &tag).unwrap(),
            criterion::BatchSize::SmallInput,
        );
    });
}

criterion_group! { name = benches; config = quick(); targets = packets }
criterion_main!(benches);
