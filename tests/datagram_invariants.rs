//! Every kind of fault that the simulator has, on two real sessions, with everything checked after each event that must always hold. In
//! simulated time.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

mod watched;

use std::time::Duration;

use aitcp::{Carrier, CloseReason, Instant, Limits, Role};
use aitcp_testkit::heap::CountingAllocator;
use aitcp_testkit::simulator::{Fate, Injections, Meddler, NodeId, Simulator};
use aitcp_testkit::{Address, Conditions, Datagram, LinkStats, Loss, Probability, Rng, Setup, for_each_seed};
use watched::{Watched, check_always};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const MTU: u16 = 1_452;
/// On each of four streams each way.
const MESSAGES: [u64; 2] = [40, 150];
const LATENCY: Duration = Duration::from_millis(20);
/// Nobody has this address.
const ELSEWHERE: Address = Address(9_999);

/// What can happen to datagrams and nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Latency,
    Jitter,
    RandomLoss,
    BurstLoss,
    Reorder,
    Duplicate,
    Truncate,
    FlipBits,
    RateAndQueue,
    SmallerMtu,
    Rebind,
    Partition,
    ClockForward,
    ClockBack,
    CrashAndRestart,
    Inject,
    Replay,
    Reflect,
    SwapAddresses,
    Delay,
    Everything,
}

impl Fault {
    const ALL: [Self; 21] = [
        Self::Latency,
        Self::Jitter,
        Self::RandomLoss,
        Self::BurstLoss,
        Self::Reorder,
        Self::Duplicate,
        Self::Truncate,
        Self::FlipBits,
        Self::RateAndQueue,
        Self::SmallerMtu,
        Self::Rebind,
        Self::Partition,
        Self::ClockForward,
        Self::ClockBack,
        Self::CrashAndRestart,
        Self::Inject,
        Self::Replay,
        Self::Reflect,
        Self::SwapAddresses,
        Self::Delay,
        Self::Everything,
    ];

    /// What the paths do, from the first datagram on.
    fn conditions(self) -> Conditions {
        let some = Probability::percent(10);
        let burst = Loss::GilbertElliott {
            worsen: Probability::percent(3),
            recover: Probability::percent(25),
            good: Probability::NEVER,
            bad: Probability::percent(90),
        };
        let calm = Conditions { latency: LATENCY, ..Conditions::default() };
        match self {
            Self::Latency => Conditions { latency: Duration::from_millis(300), ..calm },
            Self::Jitter => Conditions { jitter: Duration::from_millis(60), ..calm },
            Self::RandomLoss => Conditions { loss: Loss::Random(Probability::percent(30)), ..calm },
            Self::BurstLoss => Conditions { loss: burst, ..calm },
            Self::Reorder => Conditions { reorder: some, reorder_delay: Duration::from_millis(50), ..calm },
            Self::Duplicate => Conditions { duplicate: some, ..calm },
            Self::Truncate => Conditions { truncate: some, ..calm },
            Self::FlipBits => Conditions { corrupt: some, ..calm },
            Self::RateAndQueue => Conditions { rate: Some(1_000_000), queue: Some(6_000), ..calm },
            Self::Everything => Conditions {
                jitter: Duration::from_millis(10),
                loss: burst,
                reorder: some,
                reorder_delay: Duration::from_millis(50),
                duplicate: some,
                truncate: Probability::percent(3),
                corrupt: Probability::percent(3),
                rate: Some(2_000_000),
                queue: Some(20_000),
                ..calm
            },
            _ => calm,
        }
    }

    /// Who sits on the paths.
    fn set_adversary(self, network: &mut Simulator<Watched>, seed: u64) {
        let mut rng = Rng::new(seed);
        let mut older: Vec<Datagram> = Vec::new();
        let adversary = move |_: Instant, datagram: &mut Datagram, injections: &mut Injections| {
            let is_chosen = rng.below(10) == 0;
            match self {
                Self::Inject if is_chosen => {
                    let len = rng.below(MTU.into());
                    let bytes = [&datagram.bytes[..24.min(len)], &rng.bytes(len)].concat();
                    injections.add(Duration::from_millis(1), Datagram { bytes, ..datagram.clone() });
                }
                Self::Replay => {
                    older.push(datagram.clone());
                    injections.add(Duration::from_millis(30), older[rng.below(older.len())].clone());
                }
                Self::Reflect if is_chosen => datagram.reflect(),
                Self::SwapAddresses if is_chosen => datagram.from = ELSEWHERE,
                Self::Delay if is_chosen => return Fate::Delay(Duration::from_millis(200)),
                _ => {}
            }
            Fate::Pass
        };
        match self {
            Self::Everything => network.set_adversary(Meddler::new(seed, Probability::percent(10))),
            _ => network.set_adversary(adversary),
        }
    }
}

struct Run {
    fault: Fault,
    setup: Setup,
    network: Simulator<Watched>,
    rng: Rng,
    messages: u64,
    initiator: NodeId,
    responder: NodeId,
}

impl Run {
    fn new(fault: Fault, seed: u64) -> Self {
        let mut setup = Setup { carrier: Carrier::Datagram { mtu: MTU }, seed, ..Setup::default() };
        setup.set_suite(Setup::SUITES[usize::try_from(seed % 4).unwrap()]);
        let (limits, messages) =
            if seed.is_multiple_of(2) { (Limits::small(), MESSAGES[0]) } else { (Limits::default(), MESSAGES[1]) };
        setup.set_limits(limits);
        setup.initiator.timeouts.keepalive = Some(Duration::from_secs(1));
        let mut network = Simulator::new(seed);
        network.set_all_conditions(fault.conditions());
        fault.set_adversary(&mut network, seed);
        let now = network.now();
        let responder = network.add_node(Watched::new(&setup, Role::Responder, now, None, messages, 0));
        let peer = Some(network.address(responder));
        let initiator = network.add_node(Watched::new(&setup, Role::Initiator, now, peer, messages, 0));
        check_always(&mut network, initiator, responder);
        Self { fault, setup, network, rng: Rng::new(seed ^ 0x5EED), messages, initiator, responder }
    }

    fn wait(&mut self, most: u64) {
        let millis = 10 + self.rng.below(usize::try_from(most).unwrap()) as u64;
        self.network.run_for(Duration::from_millis(millis));
    }

    /// What happens to nodes in the middle of it all.
    fn act(&mut self) {
        let Self { initiator, responder, .. } = *self;
        let all = self.fault == Fault::Everything;
        if all || self.fault == Fault::Rebind {
            for _ in 0..3 {
                self.wait(200);
                self.network.rebind(initiator);
            }
        }
        if all || self.fault == Fault::Partition {
            self.wait(200);
            self.network.partition(&[initiator], &[responder]);
            self.wait(5_000);
            self.network.heal(&[initiator], &[responder]);
        }
        if all || self.fault == Fault::ClockForward {
            self.wait(200);
            self.network
                .jump_clock_forward(if self.rng.below(2) == 0 { initiator } else { responder }, Duration::from_secs(7));
        }
        if all || self.fault == Fault::ClockBack {
            self.wait(200);
            self.network
                .jump_clock_back(if self.rng.below(2) == 0 { initiator } else { responder }, Duration::from_secs(7));
        }
        if all || self.fault == Fault::SmallerMtu {
            // Large datagrams pass at first.
            let is_large = |network: &Simulator<Watched>| {
                network.node(initiator).session().stats().path.is_some_and(|path| path.mtu > 1_300)
            };
            self.network.run_until(is_large, self.network.now() + Duration::from_secs(1));
            let conditions = Conditions { mtu: Some(1_300), ..self.fault.conditions() };
            self.network.set_all_conditions(conditions);
        }
        if self.fault == Fault::CrashAndRestart {
            self.crash_and_restart();
        }
    }

    /// The responder dies with all that it knew, and one that knows nothing takes its place. The initiator finds out and begins anew.
    fn crash_and_restart(&mut self) {
        let Self { initiator, responder, messages, .. } = *self;
        // Before there is a session, a Hello that is said again finds the one that has taken its place.
        let is_up = |network: &Simulator<Watched>| network.node(initiator).is_established;
        assert!(self.network.run_until(is_up, Instant::ORIGIN + Duration::from_secs(60)));
        self.wait(150);
        self.network.crash(responder);
        // So that what takes its place waits longer for a Hello than the initiator does for its confirmation.
        self.network.run_for(Duration::from_secs(2));
        self.setup.seed += 1 << 32;
        let now = self.network.now();
        self.network.restart(responder, Watched::new(&self.setup, Role::Responder, now, None, messages, 1));
        let is_over = |network: &Simulator<Watched>| network.node(initiator).closed.is_some();
        assert!(self.network.run_until(is_over, now + Duration::from_secs(120)), "{:?}", self.network);
        let reason = self.network.node(initiator).closed;
        assert!(
            matches!(reason, Some(CloseReason::IdleTimeout | CloseReason::HandshakeTimeout | CloseReason::Unconfirmed)),
            "{reason:?}"
        );
        let (now, peer) = (self.network.now(), Some(self.network.address(responder)));
        self.network.restart(initiator, Watched::new(&self.setup, Role::Initiator, now, peer, messages, 1));
    }

    fn finish(&mut self) {
        let Self { initiator, responder, .. } = *self;
        let is_done =
            |network: &Simulator<Watched>| network.node(initiator).is_done() && network.node(responder).is_done();
        let deadline = self.network.now() + Duration::from_secs(600);
        let in_time = self.network.run_until(is_done, deadline);
        let stats = [initiator, responder].map(|node| self.network.node(node).session().stats());
        let closed = [initiator, responder].map(|node| self.network.node(node).closed);
        assert!(in_time && closed == [None; 2], "{:?}: {closed:?} {stats:?}", self.fault);
        assert!(stats.iter().all(|stats| stats.unread == 0), "{stats:?}");
    }

    /// Whether the fault has really happened: now and then all is said before.
    fn has_happened(&self) -> bool {
        let up = self.network.link_stats(self.initiator, self.responder);
        let down = self.network.link_stats(self.responder, self.initiator);
        let both = |count: fn(&LinkStats) -> u64| count(&up) > 0 && count(&down) > 0;
        let network = self.network.stats();
        match self.fault {
            Fault::Latency => self.network.now() > Instant::ORIGIN + Duration::from_secs(1),
            Fault::Jitter => {
                let path = self.network.node(self.initiator).session().stats().path;
                path.is_some_and(|path| path.smoothed_rtt > 2 * LATENCY + Duration::from_millis(10))
            }
            Fault::ClockForward => self.clocks().iter().any(|clock| *clock > self.network.now()),
            Fault::ClockBack => self.clocks().iter().any(|clock| *clock < self.network.now()),
            Fault::Delay => up.reordered + down.reordered > 0,
            Fault::RandomLoss | Fault::BurstLoss => both(|link| link.lost),
            Fault::Reorder => both(|link| link.reordered),
            Fault::Duplicate => both(|link| link.duplicated),
            Fault::Truncate => both(|link| link.truncated),
            Fault::FlipBits => both(|link| link.corrupted),
            Fault::RateAndQueue => up.queue_full + down.queue_full > 0,
            Fault::SmallerMtu => up.too_large + down.too_large > 0,
            Fault::Rebind => network.undeliverable > 0,
            Fault::Partition => up.blocked + down.blocked > 0,
            Fault::CrashAndRestart => {
                [self.initiator, self.responder].iter().all(|node| self.network.node(*node).life == 1)
            }
            Fault::Inject | Fault::Replay => network.injected > 0,
            Fault::Reflect => self.network.link_stats(self.initiator, self.initiator).delivered > 0,
            Fault::SwapAddresses => self.network.traffic(self.responder, ELSEWHERE).received > 0,
            Fault::Everything => up.lost + down.lost > 0 && network.injected + network.withheld > 0,
        }
    }

    fn clocks(&self) -> [Instant; 2] {
        [self.initiator, self.responder].map(|node| self.network.now_at(node))
    }
}

/// R-6.10-6, R-9.7-1, R-9.7-4, R-8.2-1.
#[test]
fn whatever_happens_what_must_always_hold_holds() {
    for fault in Fault::ALL {
        let runs = for_each_seed(200, |seed| {
            let mut run = Run::new(fault, seed);
            run.act();
            run.finish();
            (run.has_happened(), run.network.trace_hash())
        });
        let happened = runs.iter().filter(|(has_happened, _)| *has_happened).count();
        assert!(happened * 10 >= runs.len() * 9, "{fault:?} in {happened} of {} runs", runs.len());
    }
}
