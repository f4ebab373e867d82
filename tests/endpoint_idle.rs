//! A hundred thousand sessions that have nothing to do cost an endpoint nothing: no poll looks at any of them.
#![cfg(all(feature = "rustcrypto", feature = "endpoint"))]

use std::sync::Arc;
use std::time::Duration;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{
    Admission, ClientConfig, Direction, EcnCodepoint, Ending, Endpoint, EndpointConfig, EndpointLimits, Event, Expect,
    Handle, Instant, Rate, Retry, Seed, ServerConfig, Suite, Timeouts,
};
use aitcp_testkit::heap::{CountingAllocator, Meter};
use aitcp_testkit::{is_full_campaign, report};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// So many handshakes at a time.
const BATCH: u32 = 250;

fn key(identity: u8) -> IdentityKey {
    IdentityKey::from_seed(&RustCrypto, [identity; 32]).unwrap()
}

fn timeouts() -> Timeouts {
    let mut timeouts = Timeouts::default();
    (timeouts.datagram_idle, timeouts.keepalive) = (None, None);
    timeouts
}

/// A server, and the clients that have come last.
struct Crowd {
    server: Endpoint<u64>,
    clients: Endpoint<u64>,
    /// Where the clients are.
    address: u64,
    client_handles: Vec<Handle>,
    now: Instant,
    room: Vec<u8>,
}

impl Crowd {
    /// As many established sessions as this that have had nothing to do for a while.
    fn new(sessions: u32) -> Self {
        let unlimited = Rate { per_second: 1 << 30, burst: 1 << 30 };
        let mut limits = EndpointLimits::default();
        (limits.sessions, limits.sessions_per_peer, limits.retry) = (sessions, BATCH, Retry::Never);
        (limits.half_opens_per_address, limits.without_cookie) = (BATCH, unlimited);
        let server = ServerConfig::new(key(1), Admission::Any, &["test/1"])
            .with_suites(&[Suite::X25519ChaCha20Poly1305])
            .with_timeouts(timeouts());
        let config = EndpointConfig::new().with_server(Arc::new(server)).with_limits(limits);
        let now = Instant::ORIGIN;
        let server = Endpoint::new(now, config, Seed::new([1; 32]).unwrap()).unwrap();
        let clients = Endpoint::new(now, EndpointConfig::new(), Seed::new([2; 32]).unwrap()).unwrap();
        let mut crowd = Self { server, clients, address: 0, client_handles: Vec::new(), now, room: vec![0; 1_452] };
        let mut missing = sessions;
        while missing > 0 {
            crowd.bring(missing.min(BATCH));
            missing -= missing.min(BATCH);
        }
        assert_eq!((crowd.server.stats().sessions, crowd.server.stats().half_opens), (sessions, 0));
        crowd
    }

    /// Brings clients of one identity from one address; those before them are heard of no more.
    fn bring(&mut self, count: u32) {
        self.address += 1;
        let mut seed = [3; 32];
        seed[..8].copy_from_slice(&self.address.to_le_bytes());
        self.clients = Endpoint::new(self.now, EndpointConfig::new(), Seed::new(seed).unwrap()).unwrap();
        let identity = IdentityKey::from_seed(&RustCrypto, seed).unwrap();
        let client = ClientConfig::new(identity, "test/1")
            .with_suites(&[Suite::X25519ChaCha20Poly1305])
            .with_timeouts(timeouts());
        let (client, expect) = (Arc::new(client), Expect::Pinned(key(1).peer_id()));
        let connect = |_| self.clients.connect(self.now, Arc::clone(&client), expect, 0).unwrap();
        self.client_handles = (0..count).map(connect).collect();
        // Acknowledgements, probes of the path and all else that follows a handshake.
        let end = self.now + Duration::from_secs(1);
        while self.now < end {
            self.carry();
            while self.server.poll_event().or(self.clients.poll_event()).is_some() {}
            self.now = self.now + Duration::from_millis(50);
            self.server.handle_timeout(self.now);
            self.clients.handle_timeout(self.now);
        }
    }

    fn carry(&mut self) -> usize {
        let mut datagrams = 0;
        for _ in 0..8 {
            while let Some((_, transmit)) = self.clients.poll_transmit(self.now, &mut self.room).unwrap() {
                for datagram in self.room[..transmit.len].chunks_mut(transmit.segment.unwrap_or(transmit.len)) {
                    self.server.handle_datagram(self.now, self.address, EcnCodepoint::NotEct, datagram);
                    datagrams += 1;
                }
            }
            while let Some((to, transmit)) = self.server.poll_transmit(self.now, &mut self.room).unwrap() {
                for datagram in self.room[..transmit.len].chunks_mut(transmit.segment.unwrap_or(transmit.len)) {
                    assert_eq!(to.remote, self.address, "those before have nothing to say");
                    self.clients.handle_datagram(self.now, 0, EcnCodepoint::NotEct, datagram);
                    datagrams += 1;
                }
            }
        }
        datagrams
    }

    /// Every poll, as a driver makes it after each wakeup.
    fn poll_all(&mut self) {
        self.server.handle_timeout(self.now);
        assert!(self.server.poll_transmit(self.now, &mut self.room).unwrap().is_none());
        assert!(self.server.poll_event().is_none() && self.server.poll_stream().is_none());
        assert!(self.server.poll_timeout().is_none_or(|at| at > self.now));
    }

    /// The shortest time that a thousand rounds of polls have taken.
    fn time_to_poll(&mut self) -> Duration {
        let measure = |_| {
            let begun = std::time::Instant::now();
            (0..1_000).for_each(|_| self.poll_all());
            begun.elapsed()
        };
        (0..50).map(measure).min().unwrap()
    }
}

/// What takes time in proportion to the sessions would take some thousand times as long, be it ever so little for each.
#[test]
fn idle_sessions_cost_nothing_per_poll() {
    let count = if is_full_campaign() { 100_000 } else { 2_000 };
    let alone = Crowd::new(1).time_to_poll();
    let meter = Meter::start();
    let mut crowd = Crowd::new(count);
    let held = meter.held();
    let meter = Meter::start();
    let among_many = crowd.time_to_poll();
    assert_eq!(meter.allocations(), 0);
    report(format_args!("1,000 rounds of polls: {alone:?} with one idle session, {among_many:?} with {count}"));
    report(format_args!("{} bytes of heap for each of them", held / count as isize));
    assert!(among_many < alone * 10 + Duration::from_micros(100), "{among_many:?} {alone:?}");

    // One of them has something to say, and is heard; the others are not asked.
    let handle = crowd.client_handles[0];
    let mut session = crowd.clients.session_mut(crowd.now, handle).unwrap();
    let stream = session.open(Direction::Unidirectional).unwrap();
    session.send(stream, b"still here", Ending::End).unwrap();
    drop(session);
    assert!((1..=3).contains(&crowd.carry()));
    let events: Vec<_> = std::iter::from_fn(|| crowd.server.poll_event()).collect();
    let [(speaker, Event::Opened(_)), (again, Event::Readable(_))] = events[..] else { panic!("{events:?}") };
    assert_eq!(speaker, again);
    let received = crowd.server.session_mut(crowd.now, speaker).unwrap().recv(stream, &mut [0; 16]).unwrap();
    assert!(received.end_of_message);
}
