//! Paths that change under a session: NATs that forget, datagrams that no longer fit, boxes that take marks off or put them on. In
//! simulated time.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

mod talk;

use std::time::Duration;

use aitcp::{Event, Instant, Limits, Role};
use aitcp_testkit::simulator::{Fate, Injections, Meddler};
use aitcp_testkit::{Address, Conditions, Datagram, Ecn, Loss, Probability, Rng, Setup, for_each_seed};
use talk::{Plan, Talk, setup};

const MTU: u16 = 1_452;
const PLAN: Plan = Plan { streams: 4, messages: 200, longest: 2_000, mischief: 0 };

fn path() -> Conditions {
    Conditions { latency: Duration::from_millis(20), ..Conditions::default() }
}

/// 3% of all datagrams are lost, and some are late.
fn fair_path() -> Conditions {
    Conditions {
        jitter: Duration::from_millis(5),
        loss: Loss::Random(Probability::percent(3)),
        reorder: Probability::percent(3),
        reorder_delay: Duration::from_millis(30),
        ..path()
    }
}

/// Both ends speak, and the initiator always does: nobody else can tell where it is.
fn lively(seed: u64) -> Setup {
    let mut setup = setup(seed, MTU);
    setup.initiator.timeouts.keepalive = Some(Duration::from_secs(1));
    setup
}

/// R-9.7-3, R-9.7-8: the initiator's address changes a few times, in the handshake or later; nothing is lost.
#[test]
fn a_nat_that_forgets_costs_nothing() {
    for_each_seed(1_000, |seed| {
        let mut rng = Rng::new(seed);
        let mut setup = lively(seed);
        if seed % 3 == 0 {
            setup.set_limits(Limits::small());
        }
        let mut talk = Talk::new(&setup, fair_path(), [PLAN; 2]);
        for _ in 0..1 + rng.below(4) {
            talk.run_for(Duration::from_micros(rng.below(1_500_000) as u64));
            let initiator = talk.id(Role::Initiator);
            talk.network.rebind(initiator);
        }
        talk.finish();
        talk.network.trace_hash()
    });
}

/// R-9.7-3, R-9.3-3: an initiator that has nothing to say is found again by its keepalive.
#[test]
fn a_silent_initiator_is_found_again() {
    for_each_seed(1_000, |seed| {
        let mut talk = Talk::new(&lively(seed), fair_path(), [Plan::SILENT, PLAN]);
        talk.run_for(Duration::from_millis(300 + seed % 200));
        let initiator = talk.id(Role::Initiator);
        talk.network.rebind(initiator);
        talk.finish();
        talk.network.trace_hash()
    });
}

/// R-9.7-3, R-9.7-4: copies of genuine packets that seem to come from elsewhere, and overtake them. Whoever is there gets no more than
/// three times what came from there, and the session goes on where it was.
#[test]
fn copies_from_elsewhere_do_not_move_a_session() {
    const ELSEWHERE: Address = Address(4_000);
    for_each_seed(1_000, |seed| {
        let mut talk = Talk::new(&setup(seed, MTU), path(), [PLAN; 2]);
        let mut rng = Rng::new(seed);
        let responder = talk.network.address(talk.id(Role::Responder));
        talk.network.set_adversary(move |_: Instant, datagram: &mut Datagram, injections: &mut Injections| {
            if datagram.to == responder && rng.below(10) == 0 {
                injections.add(Duration::ZERO, Datagram { from: ELSEWHERE, ..datagram.clone() });
            }
            Fate::Pass
        });
        let node = talk.id(Role::Responder);
        talk.network.add_check(move |network, _| assert!(network.amplification(node, ELSEWHERE) <= 3.0));
        talk.finish();
        talk.network.trace_hash()
    });
}

/// Somebody on the path drops, delays, alters, reflects and repeats datagrams, gives them other senders and makes some up, from the first
/// one on.
#[test]
fn a_meddler_stops_nothing() {
    for_each_seed(1_000, |seed| {
        let mut setup = lively(seed);
        setup.set_suite(Setup::SUITES[usize::try_from(seed % 4).unwrap()]);
        let mut talk = Talk::new(&setup, fair_path(), [PLAN; 2]);
        talk.network.set_adversary(Meddler::new(seed, Probability::percent(20)));
        talk.finish();
        talk.network.trace_hash()
    });
}

/// R-8.10-10: the carrier says more than the path carries.
#[test]
fn a_path_may_carry_less_than_its_carrier_says() {
    for says in [1_301, 1_452, 9_000] {
        let mut talk = Talk::new(&setup(1, says), Conditions { mtu: Some(1_300), ..path() }, [PLAN; 2]);
        talk.finish();
        for role in [Role::Initiator, Role::Responder] {
            let stats = talk.end(role).session.stats().path.unwrap();
            assert!((1_232..=1_300).contains(&stats.mtu), "{stats:?}");
        }
    }
}

/// R-8.10-10: large datagrams pass, and then no more: what is on its way is sent again in smaller ones.
#[test]
fn a_black_hole_that_opens_swallows_nothing_for_good() {
    for_each_seed(100, |seed| {
        let mut traces = Vec::new();
        for says in [1_452, 9_000] {
            let plan = Plan { messages: 4_000, ..PLAN };
            let mut talk = Talk::new(&setup(seed, says), path(), [plan; 2]);
            talk.run_for(Duration::from_millis(300 + seed));
            let stats = talk.end(Role::Initiator).session.stats().path.unwrap();
            assert!(!talk.is_done() && stats.mtu > 1_300, "{} {stats:?}", talk.is_done());
            talk.network.set_all_conditions(Conditions { mtu: Some(1_300), ..path() });
            let begun = talk.network.now();
            talk.finish();
            assert!(talk.network.now() - begun < Duration::from_secs(60), "{talk:?}");
            assert!(talk.end(Role::Initiator).session.stats().path.unwrap().mtu <= 1_300);
            traces.push(talk.network.trace_hash());
        }
        traces
    });
}

/// A box that takes marks off is found out, and nothing is marked any more; one that puts them on slows the sender down, and nothing
/// is lost for it (RFC 9000, section 13.4).
#[test]
fn marks_are_believed_where_they_arrive() {
    let slow = Conditions { rate: Some(1_000_000), queue: Some(200_000), ..path() };
    for (ecn, is_capable) in [(Ecn::Pass, true), (Ecn::Bleach, false), (Ecn::MarkAbove(10_000), true)] {
        let plan = Plan { messages: 1_000, ..PLAN };
        let mut talk = Talk::new(&setup(1, MTU), Conditions { ecn, ..slow }, [plan, Plan::SILENT]);
        talk.finish();
        let stats = talk.end(Role::Initiator).session.stats().path.unwrap();
        assert_eq!(stats.is_ecn_capable, is_capable, "{ecn:?}");
        let lost = talk.network.link_stats(talk.id(Role::Initiator), talk.id(Role::Responder));
        match ecn {
            Ecn::MarkAbove(_) => {
                assert!(stats.congestion_events > 0 && stats.packets_lost == 0, "{stats:?}");
                assert!(lost.marked > 0 && lost.queue_full == 0, "{lost:?}");
            }
            Ecn::Pass | Ecn::Bleach => assert_eq!(lost.marked, 0),
        }
        assert!(talk.end(Role::Responder).saw(Event::Established));
    }
}
