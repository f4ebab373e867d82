//! What a sender makes of links of many kinds.

use core::time::Duration;

use super::simulation::{Bottleneck, Simulation};
use crate::config::RateControl;
use crate::session::recovery::path_mtu::BASE_MTU;

/// How long until a sender has found its pace, and how long is measured: in round trips, and a second at least.
fn used(rate_control: RateControl, link: Bottleneck) -> f64 {
    let mut simulation = Simulation::new(rate_control, link);
    simulation.run((link.round_trip * 30).max(Duration::from_secs(1)));
    let used = simulation.run((link.round_trip * 50).max(Duration::from_secs(1)));
    let stats = simulation.sender.stats();
    assert_eq!(stats.packets_lost_in_error, 0, "{link:?}");
    assert_eq!(stats.mtu, 1_472, "{link:?}");
    used
}

#[test]
fn slow_and_middling_links_are_filled() {
    for rate_control in [RateControl::NewReno, RateControl::Cubic] {
        for megabits in [1, 3, 10, 30, 100] {
            for round_trip in [10, 30, 100, 200] {
                let used = used(rate_control, Bottleneck::new(megabits, round_trip));
                assert!(used >= 0.9, "{rate_control:?} {megabits} Mbit/s {round_trip} ms: {used:.3}");
            }
        }
    }
}

#[test]
fn fast_links_are_filled() {
    for rate_control in [RateControl::NewReno, RateControl::Cubic] {
        for round_trip in [10, 50, 200] {
            let used = used(rate_control, Bottleneck::new(1_000, round_trip));
            assert!(used >= 0.9, "{rate_control:?} 1000 Mbit/s {round_trip} ms: {used:.3}");
        }
    }
}

#[test]
fn a_link_that_marks_is_filled_without_loss() {
    for rate_control in [RateControl::NewReno, RateControl::Cubic] {
        let mut link = Bottleneck::new(20, 50);
        link.queue_bytes *= 2;
        link.marks = true;
        let mut simulation = Simulation::new(rate_control, link);
        simulation.run(Duration::from_secs(5));
        let dropped = simulation.dropped;
        let used = simulation.run(Duration::from_secs(10));
        assert!(used >= 0.9, "{rate_control:?}: {used:.3}");
        assert_eq!(simulation.dropped, dropped, "{rate_control:?}: marks come before drops");
        let stats = simulation.sender.stats();
        assert!(stats.is_ecn_capable && stats.congestion_events >= 2, "{stats:?}");
    }
}

#[test]
fn a_path_that_carries_less_is_found_out() {
    let mut link = Bottleneck::new(10, 40);
    link.mtu = 1_400;
    let mut simulation = Simulation::new(RateControl::Cubic, link);
    simulation.run(Duration::from_secs(5));
    assert_eq!(simulation.sender.stats().mtu, 1_392);
    let used = simulation.run(Duration::from_secs(5));
    assert!(used >= 0.9, "{used:.3}");
}

/// Large packets pass at first and then no more.
#[test]
fn a_path_that_swallows_large_packets_is_survived() {
    let mut simulation = Simulation::new(RateControl::Cubic, Bottleneck::new(10, 40));
    simulation.run(Duration::from_secs(2));
    assert_eq!(simulation.sender.stats().mtu, 1_472);
    simulation.link.mtu = 1_300;
    simulation.run(Duration::from_secs(10));
    assert_eq!(simulation.sender.stats().mtu, BASE_MTU);
    let used = simulation.run(Duration::from_secs(5));
    assert!(used >= 0.9, "{used:.3}");
}

#[test]
fn the_same_run_twice_is_the_same() {
    let run = || {
        let mut simulation = Simulation::new(RateControl::Cubic, Bottleneck::new(10, 30));
        simulation.run(Duration::from_secs(3));
        (simulation.delivered, simulation.dropped, simulation.now, simulation.sender.stats())
    };
    assert_eq!(run(), run());
}

#[test]
fn everything_arrives_however_much_is_lost_and_soon_if_little_is() {
    for (loss_percent, seconds) in [(0, 2), (1, 6), (10, 30), (30, 120), (50, 3_000)] {
        for seed in 1..6 {
            let link = Bottleneck { loss_percent, ..Bottleneck::new(10, 50) };
            let mut simulation = Simulation::new(RateControl::Cubic, link);
            simulation.random = seed;
            let time = simulation.send_all(1_000);
            assert!(time < Duration::from_secs(seconds), "{loss_percent} % lost, seed {seed}: {time:?}");
            let stats = simulation.sender.stats();
            assert!(stats.packets_lost >= 5 * loss_percent, "{stats:?}");
        }
    }
}
