//! Rule 9 of the design on datagram carriers: sessions that have come into their stride allocate nothing per packet, in either direction,
//! by themselves and in an endpoint.
#![cfg(all(feature = "rustcrypto", feature = "hybrid", feature = "endpoint"))]

use std::sync::Arc;
use std::time::Duration;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{
    Admission, Carrier, ClientConfig, Direction, EcnCodepoint, Ending, Endpoint, EndpointConfig, Expect, Handle,
    Instant, Meta, Role, Seed, ServerConfig, Session, StreamId, Suite,
};
use aitcp_testkit::heap::{CountingAllocator, Meter};
use aitcp_testkit::{Setup, report};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const MTU: u16 = 1_452;
/// Long enough for timers, probes of the path and a window that has stopped growing.
const WARM_UP: usize = 3_000;
const ROUNDS: usize = 6_000;
const LATENCY: Duration = Duration::from_millis(5);
/// Messages of these lengths by turns: a fragment of a packet, one packet, several.
const LENGTHS: [usize; 3] = [10, 1_300, 9_000];

/// Two ends of a session that can be reached, and a network between them.
trait Ends {
    fn session(&mut self, now: Instant, role: Role, act: impl FnOnce(&mut Session));
    /// Carries all that this end has to send; how many datagrams that were.
    fn carry(&mut self, now: Instant, from: Role) -> usize;
    fn tick(&mut self, now: Instant);
}

struct Bare {
    sessions: [Session; 2],
    room: Vec<u8>,
}

impl Bare {
    fn new(suite: Suite) -> Self {
        let mut setup = Setup { carrier: Carrier::Datagram { mtu: MTU }, ..Setup::default() };
        setup.set_suite(suite);
        let sessions = [Role::Initiator, Role::Responder].map(|role| setup.session(role, Instant::ORIGIN));
        Self { sessions, room: vec![0; MTU.into()] }
    }
}

fn place(role: Role) -> usize {
    usize::from(role == Role::Responder)
}

impl Ends for Bare {
    fn session(&mut self, _: Instant, role: Role, act: impl FnOnce(&mut Session)) {
        act(&mut self.sessions[place(role)]);
    }

    fn carry(&mut self, now: Instant, from: Role) -> usize {
        let mut datagrams = 0;
        while let Some(transmit) = self.sessions[place(from)].poll_transmit(now, &mut self.room).unwrap() {
            for datagram in self.room[..transmit.len].chunks_mut(transmit.segment.unwrap_or(transmit.len)) {
                self.sessions[place(from.peer())].handle_datagram(now, Meta::default(), datagram);
                datagrams += 1;
            }
        }
        datagrams
    }

    fn tick(&mut self, now: Instant) {
        self.sessions.iter_mut().for_each(|session| session.handle_timeout(now));
    }
}

struct Hosted {
    ends: [Endpoint<u64>; 2],
    handles: [Option<Handle>; 2],
    room: Vec<u8>,
}

impl Hosted {
    fn new(suite: Suite) -> Self {
        let key = |seed| IdentityKey::from_seed(&RustCrypto, [seed; 32]).unwrap();
        let server = ServerConfig::new(key(1), Admission::Any, &["test/1"]).with_suites(&[suite]);
        let client = Arc::new(ClientConfig::new(key(2), "test/1").with_suites(&[suite]));
        let endpoint = |config, seed| Endpoint::new(Instant::ORIGIN, config, Seed::new([seed; 32]).unwrap()).unwrap();
        let mut client_end = endpoint(EndpointConfig::new(), 1);
        let handle = client_end.connect(Instant::ORIGIN, client, Expect::Pinned(key(1).peer_id()), 1).unwrap();
        let server_end = endpoint(EndpointConfig::new().with_server(Arc::new(server)), 2);
        Self { ends: [client_end, server_end], handles: [Some(handle), None], room: vec![0; MTU.into()] }
    }
}

impl Ends for Hosted {
    fn session(&mut self, now: Instant, role: Role, act: impl FnOnce(&mut Session)) {
        // What the endpoint has to tell is taken from its own queue.
        while let Some((handle, _)) = self.ends[place(role)].poll_event() {
            self.handles[place(role)] = Some(handle);
        }
        let Some(handle) = self.handles[place(role)] else { return };
        act(&mut self.ends[place(role)].session_mut(now, handle).unwrap());
    }

    fn carry(&mut self, now: Instant, from: Role) -> usize {
        let mut datagrams = 0;
        while let Some((_, transmit)) = self.ends[place(from)].poll_transmit(now, &mut self.room).unwrap() {
            for datagram in self.room[..transmit.len].chunks_mut(transmit.segment.unwrap_or(transmit.len)) {
                let (to, remote) = (place(from.peer()), place(from) as u64);
                self.ends[to].handle_datagram(now, remote, EcnCodepoint::NotEct, datagram);
                datagrams += 1;
            }
        }
        datagrams
    }

    fn tick(&mut self, now: Instant) {
        self.ends.iter_mut().for_each(|end| end.handle_timeout(now));
    }
}

/// What has come of one message and one best-effort datagram.
#[derive(Default)]
struct Got {
    len: usize,
    is_whole: bool,
    datagrams: usize,
}

impl Got {
    fn take(&mut self, session: &mut Session, stream: StreamId, room: &mut [u8]) {
        while session.poll_event().is_some() {}
        while let Ok(received) = session.recv(stream, room) {
            self.len += received.len;
            self.is_whole |= received.end_of_message;
        }
        while session.recv_datagram(room).is_ok() {
            self.datagrams += 1;
        }
    }
}

/// Messages and best-effort datagrams to and fro, and all that the transport makes of them: how often memory was asked for in each round,
/// and how many datagrams were sent after the first rounds.
fn talk(ends: &mut impl Ends) -> (Vec<u64>, usize) {
    let mut now = Instant::ORIGIN;
    for _ in 0..20 {
        now = now + LATENCY;
        ends.tick(now);
        [Role::Initiator, Role::Responder].iter().for_each(|role| _ = ends.carry(now, *role));
    }
    let mut stream = None;
    ends.session(now, Role::Responder, |session| while session.poll_event().is_some() {});
    ends.session(now, Role::Initiator, |session| stream = session.open(Direction::Bidirectional).ok());
    let stream = stream.expect("established");
    let (mut allocations, mut datagrams) = (Vec::with_capacity(WARM_UP + ROUNDS), 0);
    let (message, mut room) = (vec![7; 9_000], vec![0; 9_000]);
    for round in 0..WARM_UP + ROUNDS {
        let meter = Meter::start();
        let message = &message[..LENGTHS[round % LENGTHS.len()]];
        for from in [Role::Initiator, Role::Responder] {
            ends.session(now, from, |session| {
                assert_eq!(session.send(stream, message, Ending::End), Ok(message.len()));
                session.send_datagram(&message[..10]).unwrap();
            });
            let mut got = Got::default();
            while !got.is_whole || got.datagrams == 0 {
                let sent = ends.carry(now, from);
                now = now + LATENCY;
                ends.tick(now);
                ends.session(now, from.peer(), |session| got.take(session, stream, &mut room));
                let answers = ends.carry(now, from.peer());
                now = now + LATENCY;
                ends.tick(now);
                datagrams += if round < WARM_UP { 0 } else { sent + answers };
            }
            assert_eq!((got.len, got.datagrams), (message.len(), 1));
        }
        allocations.push(meter.allocations());
    }
    (allocations, datagrams)
}

#[track_caller]
fn check(mut ends: impl Ends, what: &str) {
    let (allocations, datagrams) = talk(&mut ends);
    let steady: u64 = allocations[WARM_UP..].iter().sum();
    report(format_args!("{what}: {steady} allocations for {datagrams} datagrams"));
    assert!(datagrams > 4 * ROUNDS, "{datagrams}");
    assert_eq!(steady, 0, "{what}: {allocations:?}");
}

#[test]
fn sessions_allocate_nothing_for_a_packet() {
    for suite in [Suite::X25519ChaCha20Poly1305, Suite::X25519Aes256Gcm] {
        check(Bare::new(suite), "two sessions");
    }
}

#[test]
fn endpoints_allocate_nothing_for_a_packet() {
    check(Hosted::new(Suite::X25519ChaCha20Poly1305), "two endpoints");
}
