//! What is sent arrives, once and in order, whatever becomes of datagrams on their way. In simulated time.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

mod talk;

use std::time::Duration;

use aitcp::{Limits, Role, Suite};
use aitcp_testkit::simulator::Occurrence;
use aitcp_testkit::{Conditions, LinkStats, Loss, Probability, Setup, for_each_seed, report};
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

/// A thousand messages over four streams from one end to the other, of which none is given up: every one of them arrives, in its order.
#[test]
fn a_thousand_messages_arrive_whatever_is_lost() {
    let runs = for_each_seed(1_000, |seed| {
        let mut setup = setup(seed, 1_452);
        setup.set_suite(Setup::SUITES[usize::try_from(seed % 4).unwrap()]);
        let plan = Plan { streams: 4, messages: 1_000, longest: 300, mischief: 0 };
        let mut talk = Talk::new(&setup, bad_path(), [plan, Plan::SILENT]);
        talk.finish();
        assert_eq!(talk.delivered(Role::Responder), 1_000);
        (talk.network.trace_hash(), talk.network.link_stats(talk.initiator, talk.responder))
    });
    let total = |count: fn(&LinkStats) -> u64| runs.iter().map(|(_, link)| count(link)).sum::<u64>();
    let in_percent = |count: u64, of: u64| count * 100 / of;
    let (sent, delivered) = (total(|link| link.sent), total(|link| link.delivered));
    let (lost, reordered) =
        (in_percent(total(|link| link.lost), sent), in_percent(total(|link| link.reordered), delivered));
    let corrupted = in_percent(total(|link| link.corrupted), delivered);
    let doubled = in_percent(total(|link| link.duplicated), delivered);
    report(format_args!(
        "{} times 1,000 messages delivered as they were sent: {lost}% of {sent} datagrams lost, of the others {reordered}% reordered, \
         {doubled}% doubled, {corrupted}% altered",
        runs.len()
    ));
    assert!((29..=31).contains(&lost) && (4..=5).contains(&corrupted) && (4..=5).contains(&doubled) && reordered >= 3);
}

/// Both directions at once, with every suite, compressed or not, with large windows and small ones, streams given up at random.
#[test]
fn what_is_delivered_is_what_was_sent() {
    for_each_seed(1_000, |seed| {
        let traces = (0..).zip(Setup::SUITES).map(|(index, suite)| {
            let mut setup = Setup { seed: seed * 4 + index, ..setup(seed, 1_452) };
            setup.set_suite(suite);
            setup.initiator.compression = seed % 2 == 0;
            setup.responder.compression = true;
            if (seed + index) % 3 == 0 {
                setup.set_limits(Limits::small());
            }
            let mischief = if seed % 2 == 0 { 3 } else { 0 };
            let plan = Plan { streams: 4, messages: 500, longest: 300, mischief };
            let mut talk = Talk::new(&setup, bad_path(), [plan; 2]);
            talk.finish();
            talk.network.trace_hash()
        });
        traces.collect::<Vec<_>>()
    });
}

/// R-8.10-9: nothing large leaves beyond the window but a probe, be it for an answer or for the length of datagrams.
#[test]
fn bytes_in_flight_stay_within_the_window() {
    /// Longer than any packet that only acknowledges.
    const LARGE: usize = 700;
    for_each_seed(400, |seed| {
        let plan = Plan { streams: 4, messages: 300, longest: 2_000, mischief: 0 };
        let mut talk = Talk::new(&setup(seed, 1_452), bad_path(), [plan; 2]);
        talk.network.add_check(move |network, what| {
            let Occurrence::Sent { node, len, .. } = what else { return };
            let Some(path) = network.node(node).session.stats().path else { return };
            let is_probe = path.unanswered_probes > 0 || len > path.mtu.into();
            assert!(len <= LARGE || is_probe || path.bytes_in_flight <= path.window, "{path:?}");
        });
        talk.finish();
        talk.network.trace_hash()
    });
}

/// The smallest of everything: datagrams of 512 bytes, the limits of small devices, and 16 packets in flight.
#[test]
fn small_devices_on_small_paths_get_everything() {
    for_each_seed(400, |seed| {
        let mut traces = Vec::new();
        for suite in [Suite::X25519ChaCha20Poly1305, Suite::X25519Aes256Gcm] {
            for packets in [16, 17, 32] {
                let mut setup = setup(seed, 512);
                setup.set_suite(suite);
                let mut limits = Limits::small();
                limits.packets_in_flight = packets;
                setup.set_limits(limits);
                let plan = Plan { streams: 4, messages: 60, longest: 600, mischief: 2 };
                let conditions = Conditions { mtu: Some(512), ..bad_path() };
                let mut talk = Talk::new(&setup, conditions, [plan; 2]);
                talk.finish();
                traces.push(talk.network.trace_hash());
            }
        }
        traces
    });
}
