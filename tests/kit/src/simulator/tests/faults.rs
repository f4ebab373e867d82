use super::*;
use crate::Datagram;

#[test]
fn each_direction_has_conditions_of_its_own() {
    let (mut simulator, calling, answering) = call(1);
    let lossy = Conditions { loss: Loss::Random(Probability::percent(50)), ..simulator.conditions(answering, calling) };
    simulator.set_conditions(answering, calling, lossy);
    simulator.run_for(SECOND * 1000);
    assert_eq!(simulator.link_stats(calling, answering).delivered, 1000);
    let back = simulator.link_stats(answering, calling);
    assert_eq!(back.lost + back.delivered, 1000);
    assert!((400..600).contains(&back.lost), "{back:?}");
    assert_eq!(simulator.link_stats(calling, calling), LinkStats::default());
}

#[test]
fn nothing_crosses_a_partition_until_it_heals() {
    let (mut simulator, calling, answering) = call(1);
    simulator.partition(&[calling], &[answering]);
    simulator.run_for(SECOND * 5 - LATENCY);
    assert_eq!(simulator.stats().delivered, 0);
    assert!(simulator.conditions(answering, calling).blocked);
    simulator.heal(&[answering], &[calling]);
    simulator.run_for(SECOND);
    assert_eq!(simulator.node(calling).numbers(), [5]);
}

#[test]
fn behind_a_nat_that_was_rebound_a_node_has_another_address_and_does_not_know() {
    let (mut simulator, calling, answering) = call(1);
    let old = simulator.address(calling);
    simulator.run_for(SECOND + LATENCY / 2);
    simulator.rebind(calling);
    let new = simulator.address(calling);
    assert_ne!(old, new);
    simulator.run_for(SECOND);
    assert_eq!(simulator.node(calling).numbers(), [0], "the answer to the old address is gone");
    assert_eq!(simulator.stats().undeliverable, 1);
    simulator.run_for(SECOND);
    let from = simulator.node(answering).heard.iter().map(|(_, incoming, _)| incoming.from).collect::<Vec<_>>();
    assert_eq!(from, [old, old, new]);
    assert_eq!(simulator.node(calling).heard.last().expect("answered").1.to, old, "as the node calls it");
    let (bytes, ecn) = (b"late".to_vec(), 0);
    simulator.inject(Duration::ZERO, Datagram { from: new, to: old, ecn, bytes });
    simulator.run_for(LATENCY);
    assert_eq!(simulator.stats().undeliverable, 2);
}

#[test]
fn a_node_can_have_several_addresses_and_lose_them() {
    let (mut simulator, calling, answering) = call(1);
    let first = simulator.address(calling);
    let second = simulator.add_address(calling);
    assert_eq!(simulator.addresses(calling).collect::<Vec<_>>(), [first, second]);
    let to = simulator.address(answering);
    let outgoing = Outgoing { to, from: Some(second), ecn: 0, len: 3, segment: None };
    simulator.node_mut(calling).outbox.push_back((outgoing, b"two".to_vec()));
    simulator.run_for(LATENCY * 3);
    let (_, incoming, bytes) = &simulator.node(calling).heard[0];
    assert_eq!((incoming.to, &bytes[..]), (second, &b"two"[..]));
    simulator.remove_address(first);
    assert_eq!(simulator.address(calling), second);
    simulator.run_for(SECOND);
    assert_eq!(simulator.node(answering).heard.last().expect("called").1.from, second);
    simulator.remove_address(second);
    simulator.run_for(SECOND);
    assert_eq!((simulator.addresses(calling).count(), simulator.stats().undeliverable), (0, 1));
}

#[test]
fn a_clock_that_jumps_takes_the_deadlines_of_its_node_along() {
    let (mut simulator, calling, _) = call(1);
    simulator.run_for(SECOND / 2);
    simulator.jump_clock_forward(calling, SECOND * 10);
    simulator.run_for(LATENCY * 2);
    assert_eq!(simulator.node(calling).numbers(), [0, 1], "due at once");
    assert_eq!(simulator.now_at(calling), simulator.now() + SECOND * 10);
    simulator.jump_clock_back(calling, SECOND * 3);
    simulator.run_for(SECOND * 3);
    assert_eq!(simulator.node(calling).numbers(), [0, 1], "the clock shows it again");
    simulator.run_for(SECOND);
    assert_eq!(simulator.node(calling).numbers(), [0, 1, 2]);
}

#[test]
fn a_node_that_crashes_is_silent_and_forgets() {
    let (mut simulator, calling, answering) = call(1);
    simulator.run_for(SECOND + LATENCY * 2);
    let left = simulator.crash(answering).expect("alive");
    assert_eq!(left.numbers(), [0, 1]);
    assert!(simulator.crash(answering).is_none());
    assert_eq!(simulator.nodes().map(|(node, _)| node).collect::<Vec<_>>(), [calling]);
    simulator.run_for(SECOND);
    assert_eq!((simulator.node(calling).heard.len(), simulator.stats().undeliverable), (2, 1));
    assert!(simulator.restart(answering, Talker::default()).is_none());
    simulator.run_for(SECOND);
    assert_eq!(simulator.node(answering).numbers(), [3]);
    let fresh = Talker::calling(simulator.address(answering));
    assert_eq!(simulator.restart(calling, fresh).expect("alive").numbers(), [0, 1, 3]);
    simulator.run_for(LATENCY * 2);
    assert_eq!(simulator.node(calling).numbers(), [0], "its deadline was due at once");
}
