//! A toy node, and tests of how it is driven.

mod adversaries;
mod faults;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::*;
use crate::{Loss, Probability};

const SECOND: Duration = Duration::from_secs(1);
const LATENCY: Duration = Duration::from_millis(10);

fn after(duration: Duration) -> Instant {
    Instant::ORIGIN + duration
}

/// Sends a number to its peer once a second, and each number back that it gets from someone else.
#[derive(Default)]
struct Talker {
    peer: Option<Address>,
    deadline: Option<Instant>,
    /// Whether its deadlines stay where they are.
    is_stuck: bool,
    next_number: u64,
    outbox: VecDeque<(Outgoing, Vec<u8>)>,
    heard: Vec<(Instant, Incoming, Vec<u8>)>,
}

impl Talker {
    fn calling(peer: Address) -> Self {
        Self { peer: Some(peer), deadline: Some(Instant::ORIGIN), ..Self::default() }
    }

    fn say(&mut self, to: Address, bytes: &[u8]) {
        let outgoing = Outgoing { to, from: None, ecn: 2, len: bytes.len(), segment: None };
        self.outbox.push_back((outgoing, bytes.to_vec()));
    }

    fn numbers(&self) -> Vec<u64> {
        self.heard.iter().filter_map(|(.., bytes)| Some(u64::from_le_bytes(bytes[..].try_into().ok()?))).collect()
    }
}

impl Node for Talker {
    fn handle_datagram(&mut self, now: Instant, incoming: Incoming, bytes: &mut [u8]) {
        self.heard.push((now, incoming, bytes.to_vec()));
        if self.peer.is_none() {
            self.say(incoming.from, bytes);
        }
        bytes.fill(0xEE);
    }

    fn poll_transmit(&mut self, _: Instant, buf: &mut Vec<u8>) -> Option<Outgoing> {
        let (outgoing, bytes) = self.outbox.pop_front()?;
        buf.clear();
        buf.extend(bytes);
        Some(outgoing)
    }

    fn handle_timeout(&mut self, now: Instant) {
        let number = self.next_number.to_le_bytes();
        self.next_number += 1;
        self.peer.into_iter().for_each(|peer| self.say(peer, &number));
        if !self.is_stuck {
            self.deadline = Some(now + SECOND);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }
}

/// One that calls and one that answers, with [`LATENCY`] each way.
fn call(seed: u64) -> (Simulator<Talker>, NodeId, NodeId) {
    let mut simulator = Simulator::new(seed);
    simulator.set_all_conditions(Conditions { latency: LATENCY, ..Conditions::default() });
    let answering = simulator.add_node(Talker::default());
    let calling = simulator.add_node(Talker::calling(simulator.address(answering)));
    (simulator, calling, answering)
}

#[test]
fn datagrams_and_deadlines_come_at_their_times() {
    let (mut simulator, calling, answering) = call(1);
    simulator.run_for(SECOND + LATENCY);
    let times = |node: &Talker| node.heard.iter().map(|(at, ..)| *at).collect::<Vec<_>>();
    assert_eq!(times(simulator.node(answering)), [after(LATENCY), after(SECOND + LATENCY)]);
    assert_eq!(times(simulator.node(calling)), [after(LATENCY * 2)]);
    assert_eq!(simulator.now(), after(SECOND + LATENCY));
    assert_eq!(simulator.node(calling).numbers(), [0], "the next answer is on its way");
    let [from, to] = [calling, answering].map(|node| simulator.address(node));
    assert_eq!(simulator.node(answering).heard[0].1, Incoming { from, to, ecn: 2 });
}

#[test]
fn running_stops_at_the_condition_or_at_the_deadline() {
    let (mut simulator, calling, _) = call(1);
    assert!(simulator.run_until(|simulator| simulator.node(calling).heard.len() == 3, after(SECOND * 60)));
    assert_eq!(simulator.now(), after(SECOND * 2 + LATENCY * 2));
    assert!(!simulator.run_until(|_| false, after(SECOND * 3)));
    assert_eq!(simulator.now(), after(SECOND * 3));
    let mut idle = Simulator::<Talker>::new(1);
    idle.add_node(Talker::default());
    assert_eq!([idle.step(), idle.step()], [true, false], "it is asked once");
}

#[test]
fn what_is_done_to_a_node_from_outside_takes_effect_in_the_next_step() {
    let (mut simulator, calling, answering) = call(1);
    simulator.run_for(LATENCY * 2);
    let to = simulator.address(calling);
    simulator.node_mut(answering).say(to, b"unasked");
    simulator.node_mut(answering).deadline = Some(simulator.now() + LATENCY / 2);
    assert!(simulator.step());
    assert!(simulator.step());
    assert_eq!(simulator.now(), after(LATENCY * 2 + LATENCY / 2), "the deadline is met");
    simulator.run_for(LATENCY / 2);
    assert_eq!(simulator.node(calling).heard.last().expect("two").2, b"unasked");
}

#[test]
fn a_batch_of_segments_is_as_many_datagrams() {
    let (mut simulator, calling, answering) = call(1);
    let to = simulator.address(calling);
    let outgoing = Outgoing { to, from: None, ecn: 0, len: 7, segment: Some(3) };
    let node = simulator.node_mut(answering);
    node.outbox.push_back((outgoing, b"abcdefgh".to_vec()));
    node.outbox.push_back((Outgoing { len: 0, ..outgoing }, Vec::new()));
    simulator.run_for(LATENCY);
    let heard = simulator.node(calling).heard.iter().map(|(.., bytes)| &bytes[..]).collect::<Vec<_>>();
    assert_eq!(heard, [&b"abc"[..], b"def", b"g", b""]);
    assert_eq!(simulator.traffic(answering, to).sent, 7 + 8, "with the answer");
}

/// A call over bad paths under attack: its trace, and how often it was answered.
fn troubled(seed: u64) -> (u64, Vec<u64>) {
    let some = Probability::percent(10);
    let (mut simulator, calling, answering) = call(seed);
    let conditions = Conditions {
        latency: LATENCY,
        jitter: LATENCY,
        loss: Loss::Random(some),
        reorder: some,
        reorder_delay: SECOND * 2,
        duplicate: some,
        truncate: some,
        corrupt: some,
        ..Conditions::default()
    };
    simulator.set_all_conditions(conditions);
    simulator.set_adversary(Meddler::new(seed, some));
    simulator.run_for(SECOND * 50);
    simulator.rebind(answering);
    let peer = simulator.address(answering);
    simulator.node_mut(calling).peer = Some(peer);
    simulator.run_for(SECOND * 50);
    (simulator.trace_hash(), simulator.node(calling).numbers())
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let traces = (0..100).map(troubled).collect::<Vec<_>>();
    assert_eq!((0..100).map(troubled).collect::<Vec<_>>(), traces);
    let mut hashes = traces.iter().map(|(hash, _)| *hash).collect::<Vec<_>>();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 100);
    assert!(traces.iter().all(|(_, numbers)| numbers.len() > 20), "most is answered all the same");
}

#[test]
fn checks_see_every_event_with_all_nodes() {
    let (mut simulator, calling, answering) = call(1);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&seen);
    simulator.add_check(move |simulator, occurrence| {
        let heard = simulator.nodes().map(|(_, node)| node.heard.len()).collect::<Vec<_>>();
        log.borrow_mut().push((occurrence, heard));
    });
    simulator.add_check(|simulator, occurrence| {
        if let Occurrence::Delivered { node, from, .. } = occurrence {
            assert!(node != NodeId(0) || simulator.amplification(node, from) <= 1.0);
        }
    });
    simulator.run_for(LATENCY * 2);
    let [from, to] = [calling, answering].map(|node| simulator.address(node));
    let expected = [
        (Occurrence::Polled { node: answering }, vec![0, 0]),
        (Occurrence::Polled { node: calling }, vec![0, 0]),
        (Occurrence::Sent { node: calling, to, len: 8 }, vec![0, 0]),
        (Occurrence::TimedOut { node: calling }, vec![0, 0]),
        (Occurrence::Sent { node: answering, to: from, len: 8 }, vec![1, 0]),
        (Occurrence::Delivered { node: answering, from, len: 8 }, vec![1, 0]),
        (Occurrence::Delivered { node: calling, from: to, len: 8 }, vec![1, 1]),
    ];
    assert_eq!(*seen.borrow(), expected);
}

#[test]
fn traffic_is_counted_by_node_and_address() {
    let (mut simulator, calling, answering) = call(1);
    let [from, to] = [calling, answering].map(|node| simulator.address(node));
    assert!(simulator.amplification(answering, from).abs() < f64::EPSILON, "nothing sent");
    simulator.run_for(LATENCY);
    assert_eq!(simulator.traffic(answering, from), Traffic { received: 8, sent: 8 });
    assert!(simulator.amplification(calling, to).is_infinite(), "the answer is on its way");
    simulator.forget_traffic();
    assert_eq!(simulator.traffic(answering, from), Traffic::default());
}

#[test]
#[should_panic(expected = "served its deadline")]
fn a_deadline_that_does_not_move_is_found() {
    let mut simulator = Simulator::new(1);
    simulator.add_node(Talker { deadline: Some(Instant::ORIGIN), is_stuck: true, ..Talker::default() });
    simulator.run_for(SECOND);
}

#[test]
#[should_panic(expected = "do not end")]
fn two_that_answer_each_other_without_end_are_found() {
    let mut simulator = Simulator::new(1);
    let nodes = [0; 2].map(|_| simulator.add_node(Talker::default()));
    let to = simulator.address(nodes[0]);
    simulator.node_mut(nodes[1]).say(to, b"hello");
    simulator.run_for(SECOND);
}

#[test]
fn a_deadline_that_moves_with_each_datagram_leaves_few_entries_in_the_schedule() {
    let (mut simulator, calling, _) = call(1);
    for _ in 0..1000 {
        let deadline = simulator.now() + SECOND * 30;
        simulator.node_mut(calling).deadline = Some(deadline);
        simulator.run_for(Duration::from_millis(1));
    }
    assert!(simulator.network.schedule.len() < 5);
}
