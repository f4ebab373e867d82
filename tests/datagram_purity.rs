//! Sessions over datagrams do the same each time, and nothing but at the times that they have told.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

mod talk;

use std::time::Duration;

use aitcp::{Instant, Role};
use aitcp_testkit::simulator::{Incoming, Node, Outgoing, SessionNode, Simulator};
use aitcp_testkit::{Conditions, Loss, Probability, Setup, campaign};
use talk::{Plan, Talk, Talker, setup};

const TICK: Duration = Duration::from_millis(1);
const PLAN: Plan = Plan { streams: 4, messages: 60, longest: 2_000, mischief: 0 };

fn path() -> Conditions {
    Conditions {
        latency: Duration::from_micros(20_300),
        jitter: Duration::from_millis(5),
        loss: Loss::Random(Probability::percent(10)),
        reorder: Probability::percent(5),
        reorder_delay: Duration::from_millis(30),
        ..Conditions::default()
    }
}

/// Every timer runs.
fn busy(seed: u64) -> Setup {
    let mut setup = setup(seed, 1_452);
    setup.set_suite(Setup::SUITES[usize::try_from(seed % 4).unwrap()]);
    setup.initiator.timeouts.keepalive = Some(Duration::from_millis(700));
    setup.responder.timeouts.datagram_idle = Some(Duration::from_secs(10));
    setup
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let plan = Plan { mischief: 5, ..PLAN };
        let mut talk = Talk::new(&busy(seed), path(), [plan; 2]);
        talk.finish();
        talk.run_for(Duration::from_secs(20));
        talk.network.trace_hash()
    };
    let mut before = None;
    for seed in 0..campaign(1_000).into() {
        let trace = run(seed);
        assert_eq!(run(seed), trace, "seed {seed}");
        assert_ne!(before.replace(trace), Some(trace), "seed {seed}");
    }
}

/// A node that is woken every millisecond besides.
struct Restless {
    node: SessionNode<Talker>,
    next: Option<Instant>,
}

impl Node for Restless {
    fn handle_datagram(&mut self, now: Instant, incoming: Incoming, bytes: &mut [u8]) {
        self.node.handle_datagram(now, incoming, bytes);
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Outgoing> {
        self.node.poll_transmit(now, buf)
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.next = self.next.map(|_| now + TICK);
        self.node.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.node.poll_timeout().into_iter().chain(self.next).min()
    }
}

/// Deadlines are exact: who asks more often hears nothing earlier, and who asks at the deadlines alone nothing later.
#[test]
fn nothing_happens_between_deadlines() {
    let run = |seed, first_tick: Option<Instant>| {
        let setup = busy(seed);
        let mut network = Simulator::new(seed);
        network.set_all_conditions(path());
        let now = network.now();
        let talker = || Talker::new(seed, PLAN);
        let responder = SessionNode::responder(setup.session(Role::Responder, now), talker());
        let responder = network.add_node(Restless { node: responder, next: first_tick });
        let peer = network.address(responder);
        let initiator = SessionNode::initiator(setup.session(Role::Initiator, now), talker(), peer);
        network.add_node(Restless { node: initiator, next: first_tick });
        // Beyond the end of the talk, to the keepalives that follow.
        network.run_for(Duration::from_secs(15));
        assert!(network.nodes().all(|(_, node)| node.node.application.is_done()));
        network.trace_hash()
    };
    for seed in 0..campaign(400).into() {
        let restless = Instant::ORIGIN + Duration::from_micros(seed);
        assert_eq!(run(seed, None), run(seed, Some(restless)), "seed {seed}");
    }
}
