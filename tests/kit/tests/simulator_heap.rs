//! A simulator that has come into its stride asks for no memory, so tests that count allocations count those of their nodes.

use std::time::Duration;

use aitcp::Instant;
use aitcp_testkit::heap::{CountingAllocator, Meter};
use aitcp_testkit::simulator::{Incoming, Node, Outgoing, Simulator};
use aitcp_testkit::{Address, Conditions, Probability};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const DATAGRAM: usize = 1200;
const IDLE: Duration = Duration::from_secs(30);

/// Sends a datagram to whoever sent it one, and, to begin with, to its peer.
#[derive(Default)]
struct Returner {
    peer: Option<Address>,
    to: Option<Address>,
    deadline: Option<Instant>,
}

impl Node for Returner {
    fn handle_datagram(&mut self, now: Instant, incoming: Incoming, _: &mut [u8]) {
        self.to = Some(incoming.from);
        self.deadline = Some(now + IDLE);
    }

    fn poll_transmit(&mut self, _: Instant, buf: &mut Vec<u8>) -> Option<Outgoing> {
        let to = self.to.take()?;
        buf.resize(DATAGRAM, 0);
        Some(Outgoing { to, from: None, ecn: 2, len: DATAGRAM, segment: None })
    }

    fn handle_timeout(&mut self, _: Instant) {
        self.to = self.peer;
        self.deadline = None;
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }
}

#[test]
fn steady_state_allocates_nothing() {
    let mut simulator = Simulator::new(1);
    simulator.set_all_conditions(Conditions {
        latency: Duration::from_millis(1),
        jitter: Duration::from_micros(50),
        reorder: Probability::percent(1),
        reorder_delay: Duration::from_millis(2),
        rate: Some(1_000_000_000),
        ..Conditions::default()
    });
    let middle = simulator.add_node(Returner::default());
    let peer = Some(simulator.address(middle));
    for _ in 0..20 {
        simulator.add_node(Returner { peer, deadline: Some(simulator.now()), ..Returner::default() });
    }
    simulator.run_for(Duration::from_millis(100));
    let (meter, before) = (Meter::start(), simulator.stats().delivered);
    simulator.run_for(Duration::from_secs(1));
    assert!(simulator.stats().delivered - before > 10_000);
    assert_eq!(meter.allocations(), 0);
}
