//! What is sent arrives, once and in order, whatever becomes of datagrams on their way. In simulated time.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

mod talk;

use std::time::Duration;

use aitcp::{Limits, Suite};
use aitcp_testkit::simulator::Occurrence;
use aitcp_testkit::{Conditions, Loss, Probability, Setup, campaign};
use talk::{Plan, Talk, setup};

/// 30% of all datagrams are lost, and the rest comes twice, out of order or altered.
fn bad_path() -> Conditions {
    Conditions {
        latency: Duration::from_millis(20),
        jitter: Duration::from_millis(5),
        loss: Loss::Random(Probability::percent(30)),
        reorder: Probability::percent(10),
        reorder_delay: Duration::from_millis(30),
        duplicate: Probability::percent(5),
        corrupt: Probability::percent(5),
        ..Conditions::default()
    }
}

/// Both directions at once, with every suite, compressed or not, with large windows and small ones, streams given up at random.
#[test]
fn what_is_delivered_is_what_was_sent() {
    for seed in 0..campaign(1_000).into() {
        for (index, suite) in (0..).zip(Setup::SUITES) {
            let mut setup = Setup { seed: seed * 4 + index, ..setup(seed, 1_452) };
            setup.set_suite(suite);
            setup.initiator.compression = seed % 2 == 0;
            setup.responder.compression = true;
            if (seed + index) % 3 == 0 {
                setup.set_limits(Limits::small());
            }
            let mischief = if seed % 2 == 0 { 3 } else { 0 };
            let plan = Plan { streams: 4, messages: 500, longest: 300, mischief };
            Talk::new(&setup, bad_path(), [plan; 2]).finish();
        }
    }
}

/// R-8.10-9: nothing large leaves beyond the window but a probe, be it for an answer or for the length of datagrams.
#[test]
fn bytes_in_flight_stay_within_the_window() {
    /// Longer than any packet that only acknowledges.
    const LARGE: usize = 700;
    for seed in 0..campaign(400).into() {
        let plan = Plan { streams: 4, messages: 300, longest: 2_000, mischief: 0 };
        let mut talk = Talk::new(&setup(seed, 1_452), bad_path(), [plan; 2]);
        talk.network.add_check(move |network, what| {
            let Occurrence::Sent { node, len, .. } = what else { return };
            let Some(path) = network.node(node).session.stats().path else { return };
            let is_probe = path.unanswered_probes > 0 || len > path.mtu.into();
            assert!(len <= LARGE || is_probe || path.bytes_in_flight <= path.window, "{path:?}");
        });
        talk.finish();
    }
}

/// The smallest of everything: datagrams of 512 bytes, the limits of small devices, and 16 packets in flight.
#[test]
fn small_devices_on_small_paths_get_everything() {
    for seed in 0..campaign(400).into() {
        for suite in [Suite::X25519ChaCha20Poly1305, Suite::X25519Aes256Gcm] {
            for packets in [16, 17, 32] {
                let mut setup = setup(seed, 512);
                setup.set_suite(suite);
                let mut limits = Limits::small();
                limits.packets_in_flight = packets;
                setup.set_limits(limits);
                let plan = Plan { streams: 4, messages: 60, longest: 600, mischief: 2 };
                let conditions = Conditions { mtu: Some(512), ..bad_path() };
                Talk::new(&setup, conditions, [plan; 2]).finish();
            }
        }
    }
}
