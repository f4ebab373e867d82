//! Hellos that nobody means, from addresses that nobody has: what they cost a server, and whether honest peers still get in.
#![cfg(all(feature = "rustcrypto", feature = "hybrid", feature = "endpoint"))]

use std::sync::Arc;
use std::time::Duration;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{
    Admission, ClientConfig, EcnCodepoint, Endpoint, EndpointConfig, EndpointLimits, Event, Expect, Instant, Retry,
    Seed, ServerConfig, Suite,
};
use aitcp_testkit::forge::{Hello, Kind};
use aitcp_testkit::heap::{CountingAllocator, Meter};
use aitcp_testkit::simulator::{EndpointNode, Incoming, Node, NodeId, Outgoing, Simulator};
use aitcp_testkit::{Address, Conditions, Datagram, Rng, campaign, report};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const NOW: Instant = Instant::ORIGIN;
const HYBRID: Suite = Suite::HybridChaCha20Poly1305;
const PLAIN: Suite = Suite::X25519ChaCha20Poly1305;

fn key(identity: u8) -> IdentityKey {
    IdentityKey::from_seed(&RustCrypto, [identity; 32]).unwrap()
}

fn server(suite: Suite, limits: EndpointLimits) -> Endpoint<Address> {
    let server = ServerConfig::new(key(1), Admission::Any, &["test/1"]).with_suites(&[suite]);
    let config = EndpointConfig::new().with_server(Arc::new(server)).with_limits(limits);
    Endpoint::new(NOW, config, Seed::new([1; 32]).unwrap()).unwrap()
}

/// A well-formed Hello of 1,232 bytes that is like no other.
fn hello(rng: &mut Rng) -> Vec<u8> {
    let mut hello = Hello { random: [0; 32], padding: Some(vec![0; 900]), ..Hello::default() };
    rng.fill(&mut hello.random);
    hello.connection_id = rng.next_u64() | 1;
    let table = hello.packet().len();
    hello.padding = Some(vec![0; 900 + 1_232 - table]);
    let packet = hello.packet();
    assert_eq!(packet.len(), 1_232);
    packet
}

/// A node whose heap is watched in everything that it does.
struct Watched {
    node: EndpointNode<()>,
    held: isize,
    peak: isize,
}

impl Watched {
    fn new(endpoint: Endpoint<Address>) -> Self {
        Self { node: EndpointNode::new(endpoint, || ()), held: 0, peak: 0 }
    }

    fn watch<T>(&mut self, act: impl FnOnce(&mut EndpointNode<()>) -> T) -> T {
        let meter = Meter::start();
        let result = act(&mut self.node);
        self.peak = self.peak.max(self.held + meter.peak());
        self.held += meter.held();
        result
    }
}

impl Node for Watched {
    fn handle_datagram(&mut self, now: Instant, incoming: Incoming, bytes: &mut [u8]) {
        self.watch(|node| node.handle_datagram(now, incoming, bytes));
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Outgoing> {
        buf.reserve(1 << 16);
        self.watch(|node| node.poll_transmit(now, buf))
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.watch(|node| node.handle_timeout(now));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.node.poll_timeout()
    }
}

const HONEST: u8 = 100;

/// Lets an honest peer come; its node, and when that was.
fn bring(network: &mut Simulator<Watched>, server: NodeId, number: u8) -> (NodeId, Instant) {
    let (now, at) = (network.now(), network.address(server));
    let seed = Seed::new([2 + number; 32]).unwrap();
    let mut endpoint = Endpoint::new(now, EndpointConfig::new(), seed).unwrap();
    let config = Arc::new(ClientConfig::new(key(2 + number), "test/1").with_suites(&[HYBRID]));
    endpoint.connect(now, config, Expect::Pinned(key(1).peer_id()), at).unwrap();
    (network.add_node(Watched::new(endpoint)), now)
}

/// How long it took until an honest peer was in.
fn time_to_confirm(network: &Simulator<Watched>, (node, begun): (NodeId, Instant)) -> Option<Duration> {
    let events = &network.node(node).node.events;
    events.iter().find(|(_, _, event)| *event == Event::Confirmed).map(|(at, ..)| *at - begun)
}

/// Addresses that nobody has.
fn forged(number: u64) -> Address {
    Address((1 << 40) + number)
}

/// What somebody sends who forges addresses: Hellos that are like no other, or no Hellos any more since they have another length, or
/// noise of any length that may begin as a Hello does.
fn spoofed(rng: &mut Rng) -> Vec<u8> {
    let (kind, len) = (rng.below(8), rng.below(1_501));
    let mut bytes = if kind < 6 { hello(rng) } else { rng.bytes(len) };
    match kind {
        4 | 5 => bytes.resize(len, 0x5A),
        6 => bytes.iter_mut().zip([10, Kind::Hello]).for_each(|(byte, value)| *byte = value),
        _ => {}
    }
    bytes
}

/// The flood goes on for five seconds. It has begun before the first honest peer comes, and ends after the last one. The trace and
/// the figures.
fn flood(limits: EndpointLimits, total: u64) -> (u64, String) {
    let mut network = Simulator::new(7);
    network.set_all_conditions(Conditions { latency: Duration::from_millis(50), ..Conditions::default() });
    let server = network.add_node(Watched::new(server(HYBRID, limits)));
    let at = network.address(server);
    let mut honest = Vec::new();
    let mut rng = Rng::new(1);
    // Some addresses come more than once.
    let mut addresses = Vec::new();
    let steps = 5_000;
    for number in 0..total {
        // A tenth of it comes at once.
        let step_of = |number: u64| number.saturating_sub(total / 10) * steps / (total - total / 10);
        let from = forged(rng.next_u64() % (1 << 22));
        addresses.push(from);
        let datagram = Datagram { from, to: at, bytes: spoofed(&mut rng), ..Datagram::default() };
        network.inject(Duration::ZERO, datagram);
        if honest.len() < HONEST.into() && honest.len() as u64 <= u64::from(HONEST) * number * 10 / 9 / total {
            honest.push(bring(&mut network, server, honest.len() as u8));
        }
        network.run_for(Duration::from_millis(step_of(number + 1) - step_of(number)));
    }
    network.run_for(Duration::from_secs(5));
    let times: Option<Vec<_>> = honest.iter().map(|one| time_to_confirm(&network, *one)).collect();
    let stats = network.node(server).node.endpoint.stats();
    let times = times.unwrap_or_else(|| panic!("not all honest peers got in: {stats:?}"));
    let longest = times.iter().max().unwrap();
    assert_eq!(times.len(), usize::from(HONEST));
    let worst = addresses.iter().map(|address| network.amplification(server, *address)).fold(0.0, f64::max);
    let Watched { held, peak, .. } = network.node(server);
    let mode = limits.retry;
    let figures = format!(
        "{total} datagrams, {mode:?}: honest peers in within {longest:?}; heap {held}, peak {peak}; worst amplification {worst:.2}; {stats:?}"
    );
    assert!(stats.hellos > total / 2, "most of them are Hellos");
    assert!(worst <= if limits.retry == Retry::Always { 0.999 } else { 3.0 }, "{worst}");
    assert!(*peak <= 16 << 20, "{peak}");
    assert!(*longest <= Duration::from_secs(5));
    (network.trace_hash(), figures)
}

/// R-6.11-2, R-6.11-4, R-9.7-1.
#[test]
fn a_flood_of_forged_hellos_keeps_nobody_out_and_fills_no_memory() {
    for retry in [Retry::Always, EndpointLimits::default().retry] {
        let mut limits = EndpointLimits::default();
        limits.retry = retry;
        report(flood(limits, campaign(1_000_000).into()).1);
        assert_eq!(flood(limits, 2_000), flood(limits, 2_000), "purity");
    }
}

/// What one half-open handshake holds, and what each of a thousand does on average.
#[test]
fn a_half_open_handshake_is_small() {
    for (suite, most) in [(PLAIN, 3 << 10), (HYBRID, 5 << 10)] {
        let mut limits = EndpointLimits::default();
        (limits.retry, limits.without_cookie) = (Retry::Never, limits.with_cookie);
        let mut endpoint = server(suite, limits);
        let (mut rng, mut room) = (Rng::new(2), [0; 1_452]);
        let mut hellos: Vec<_> = (0..1_000).map(|_| hello(&mut rng)).collect();
        let meter = Meter::start();
        for (number, bytes) in (0..).zip(&mut hellos) {
            endpoint.handle_datagram(NOW, forged(number), EcnCodepoint::NotEct, bytes);
            while endpoint.poll_transmit(NOW, &mut room).unwrap().is_some() {}
        }
        assert_eq!(endpoint.stats().half_opens, 1_000);
        let each = meter.held() / 1_000;
        report(format_args!("{suite:?}: {each} bytes of heap for each half-open handshake"));
        assert!(each <= most, "{each}");
    }
}
