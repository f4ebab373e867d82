//! Partitions, crashes and broken clocks: sessions go on afterwards, or end in time, and never take more than their limits allow. In
//! simulated time.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

mod talk;

use std::time::Duration;

use aitcp::{CloseReason, Event, Limits, Role};
use aitcp_testkit::heap::{CountingAllocator, Meter};
use aitcp_testkit::{Conditions, Loss, Probability, Rng, for_each_seed};
use talk::{Plan, Talk, setup};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const MTU: u16 = 1_452;
const PLAN: Plan = Plan { streams: 4, messages: 200, longest: 2_000, mischief: 0 };

fn path() -> Conditions {
    Conditions {
        latency: Duration::from_millis(20),
        loss: Loss::Random(Probability::percent(3)),
        ..Conditions::default()
    }
}

/// R-8.10-6: ten seconds without a path cost little more than these: probes go on, not much more rarely than every 2 s.
#[test]
fn a_partition_is_survived() {
    for_each_seed(1_000, |seed| {
        let mut talk = Talk::new(&setup(seed, MTU), path(), [PLAN; 2]);
        talk.run_for(Duration::from_millis(100 + seed % 700));
        let (initiator, responder) = (talk.id(Role::Initiator), talk.id(Role::Responder));
        talk.network.partition(&[initiator], &[responder]);
        talk.run_for(Duration::from_secs(10));
        talk.network.heal(&[initiator], &[responder]);
        let healed = talk.network.now();
        talk.finish();
        assert!(talk.network.now() - healed < Duration::from_secs(30), "seed {seed}: {talk:?}");
        talk.network.trace_hash()
    });
}

/// R-9.3-4: an end whose peer is gone finds out by the idle timeout, wherever the session stood.
#[test]
fn a_crash_ends_the_other_end() {
    for_each_seed(1_000, |seed| {
        let mut talk = Talk::new(&setup(seed, MTU), path(), [PLAN; 2]);
        talk.run_for(Duration::from_millis(100 + seed % 700));
        let (gone, left) =
            if seed % 2 == 0 { (Role::Initiator, Role::Responder) } else { (Role::Responder, Role::Initiator) };
        if !talk.end(left).saw(Event::Established) {
            return talk.network.trace_hash();
        }
        talk.network.crash(talk.id(gone));
        talk.run_for(Duration::from_secs(90));
        let reason = talk.end(left).session.close_reason();
        assert!(matches!(reason, Some(CloseReason::IdleTimeout | CloseReason::Unconfirmed)), "{reason:?}");
        assert_eq!(talk.end(left).session.poll_timeout(), None, "nothing is left to do");
        talk.network.trace_hash()
    });
}

/// R-9.3-5: where a round trip is longer than the idle timeout, three probe timeouts are waited for.
#[test]
fn an_idle_timeout_gives_answers_the_time_that_they_take() {
    let mut setup = setup(1, MTU);
    setup.initiator.timeouts.datagram_idle = Some(Duration::from_millis(100));
    let slow = Conditions { latency: Duration::from_millis(400), ..Conditions::default() };
    let mut talk = Talk::new(&setup, slow, [Plan { messages: 20, ..PLAN }; 2]);
    talk.finish();
}

/// Clocks of either end jump forward or back now and then. No session survives a jump beyond its idle timeout; the others go on.
#[test]
fn clocks_may_jump() {
    for_each_seed(1_000, |seed| {
        let mut rng = Rng::new(seed);
        let mut talk = Talk::new(&setup(seed, MTU), path(), [PLAN; 2]);
        for _ in 0..3 {
            talk.run_for(Duration::from_millis(rng.below(300) as u64));
            let by = Duration::from_millis(rng.below(9_000) as u64);
            let node = if rng.below(2) == 0 { talk.id(Role::Initiator) } else { talk.id(Role::Responder) };
            if rng.below(2) == 0 {
                talk.network.jump_clock_forward(node, by);
            } else {
                talk.network.jump_clock_back(node, by);
            }
        }
        talk.finish();
        talk.network.trace_hash()
    });
}

/// A peer that is gone is sent probes for ever where there is no idle timeout: in no more memory than before.
#[test]
fn probes_into_the_void_take_no_more_memory_than_is_allowed() {
    for limits in [Limits::small(), Limits::default()] {
        let mut setup = setup(1, MTU);
        setup.set_limits(limits);
        setup.initiator.timeouts.datagram_idle = None;
        setup.responder.timeouts.datagram_idle = None;
        let mut talk = Talk::new(&setup, path(), [PLAN; 2]);
        talk.run_for(Duration::from_millis(400));
        talk.network.crash(talk.id(Role::Responder));
        let meter = Meter::start();
        talk.run_for(Duration::from_secs(20_000));
        let bound = isize::try_from(limits.max_bytes()).unwrap();
        assert!(meter.peak() < bound, "{} of {bound}", meter.peak());
        assert!(talk.end(Role::Initiator).session.stats().path.unwrap().unanswered_probes > 5_000);
    }
}

/// R-9.4-2, R-9.7-7: sessions that are shut down end on both sides, in order where the close arrives, and at the latest by the idle
/// timeout where it does not.
#[test]
fn both_ends_of_a_shutdown_end() {
    let orderly = for_each_seed(2_000, |seed| {
        let mut orderly = 0;
        let plan = Plan { messages: 20, ..PLAN };
        let mut talk = Talk::new(&setup(seed, MTU), path(), [plan; 2]);
        talk.finish();
        let now = talk.network.now();
        let node = talk.network.node_mut(talk.id(Role::Initiator));
        node.session.shutdown(now);
        talk.run_for(Duration::from_secs(40));
        for role in [Role::Initiator, Role::Responder] {
            let reason = talk.end(role).session.close_reason().unwrap();
            assert!(reason.is_orderly() || reason == CloseReason::IdleTimeout, "seed {seed}: {reason:?}");
            assert!(talk.end(role).session.is_drained() && talk.end(role).session.poll_timeout().is_none());
            orderly += usize::from(reason.is_orderly());
        }
        (orderly, talk.network.trace_hash())
    });
    let (ends, orderly) = (2 * orderly.len(), orderly.iter().map(|(orderly, _)| orderly).sum::<usize>());
    assert!(orderly * 10 > ends * 9, "{orderly} of {ends}");
}

/// R-9.1-5: whoever hears an orderly close knows that all it has sent has come, although no other packet may have told it.
#[test]
fn an_orderly_close_leaves_nothing_unacknowledged() {
    let closed_by_peer = for_each_seed(2_000, |seed| {
        let mut closed_by_peer = 0;
        let plan = Plan { messages: 20, ..PLAN };
        let mut talk = Talk::new(&setup(seed, MTU), path(), [plan; 2]);
        for role in [Role::Initiator, Role::Responder] {
            talk.run_for(Duration::from_millis(seed % 7 * 50));
            let now = talk.network.now();
            talk.network.node_mut(talk.id(role)).session.shutdown(now);
        }
        talk.run_for(Duration::from_secs(60));
        for role in [Role::Initiator, Role::Responder] {
            let session = &talk.end(role).session;
            if session.close_reason().unwrap().is_orderly() {
                assert_eq!(session.stats().unacknowledged, 0, "seed {seed}: {session:?}");
                closed_by_peer += usize::from(matches!(session.close_reason(), Some(CloseReason::Peer { .. })));
            }
        }
        (closed_by_peer, talk.network.trace_hash())
    });
    let closed_by_peer: usize = closed_by_peer.iter().map(|(count, _)| count).sum();
    assert!(closed_by_peer >= 10, "{closed_by_peer}");
}
