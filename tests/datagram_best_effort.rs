//! Best-effort datagrams: each arrives whole and at most once, or not at all; where too many wait, the oldest are dropped and counted.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use std::collections::BTreeSet;
use std::time::Duration;

use aitcp::{Carrier, Event, Instant, Limits, RecvDatagramError, Role, SendDatagramError, Session};
use aitcp_testkit::simulator::{Application, NodeId, SessionNode, Simulator};
use aitcp_testkit::{Conditions, Loss, Probability, Rng, Setup, for_each_seed};

/// Keeps what it gets.
#[derive(Debug, Default)]
struct Listener(Vec<Vec<u8>>);

impl Application for Listener {
    fn act(&mut self, _now: Instant, session: &mut Session, event: Option<Event>) {
        if event == Some(Event::DatagramsReadable) {
            let mut buffer = [0; 2_000];
            while let Ok(len) = session.recv_datagram(&mut buffer) {
                self.0.push(buffer[..len].to_vec());
            }
        }
    }
}

type Network = Simulator<SessionNode<Listener>>;

fn network(setup: &Setup, conditions: Conditions) -> (Network, NodeId, NodeId) {
    let mut network = Simulator::new(setup.seed);
    network.set_all_conditions(conditions);
    let now = network.now();
    let responder = setup.session(Role::Responder, now);
    let responder = network.add_node(SessionNode::responder(responder, Listener::default()));
    let peer = network.address(responder);
    let initiator = setup.session(Role::Initiator, now);
    let initiator = network.add_node(SessionNode::initiator(initiator, Listener::default(), peer));
    let is_up = |network: &Network| network.node(initiator).session.is_confirmed();
    assert!(network.run_until(is_up, now + Duration::from_secs(30)));
    (network, initiator, responder)
}

fn setup(mtu: u16, limits: Limits) -> Setup {
    let mut setup = Setup { carrier: Carrier::Datagram { mtu }, ..Setup::default() };
    setup.set_limits(limits);
    setup
}

/// A datagram that tells which it is, and whether it is whole.
fn datagram(number: u64, len: usize) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.extend(Rng::new(number).bytes(len));
    bytes
}

#[test]
fn each_arrives_whole_and_at_most_once() {
    let bad_path = Conditions {
        latency: Duration::from_millis(20),
        loss: Loss::Random(Probability::percent(20)),
        reorder: Probability::percent(10),
        reorder_delay: Duration::from_millis(30),
        duplicate: Probability::percent(20),
        corrupt: Probability::percent(5),
        ..Conditions::default()
    };
    for_each_seed(1_000, |seed| {
        let mut rng = Rng::new(seed);
        let setup = Setup { seed, ..setup(1_452, Limits::default()) };
        let (mut network, initiator, responder) = network(&setup, bad_path);
        let mut sent = Vec::new();
        for number in 0..300 {
            let datagram = datagram(number, rng.below(1_000));
            network.node_mut(initiator).session.send_datagram(&datagram).unwrap();
            sent.push(datagram);
            network.run_for(Duration::from_millis(rng.below(20) as u64));
        }
        network.run_for(Duration::from_secs(5));
        let got = &network.node(responder).application.0;
        assert!(got.iter().all(|datagram| sent.contains(datagram)), "whole");
        let distinct: BTreeSet<_> = got.iter().collect();
        assert_eq!(distinct.len(), got.len(), "once");
        // A third is lost or altered, and at the rate that this leaves, the oldest make way now and then.
        assert!(got.len() > 50, "{}", got.len());
        network.trace_hash()
    });
}

/// `Limits::datagram_queue`, to be sent and to be fetched.
#[test]
fn the_newest_are_kept() {
    let mut limits = Limits::default();
    limits.datagram_queue = 3;
    let (mut network, initiator, responder) = network(&setup(1_452, limits), Conditions::default());
    let node = network.node_mut(initiator);
    (0..10).for_each(|number| node.session.send_datagram(&datagram(number, 5)).unwrap());
    assert_eq!(node.session.stats().datagrams_dropped, (7, 0));
    network.run_for(Duration::from_secs(1));
    assert_eq!(network.node(responder).application.0, [7, 8, 9].map(|number| datagram(number, 5)));
    assert_eq!(network.node(responder).session.stats().datagrams_dropped, (0, 0));
}

/// The same where the application does not come to fetch them.
#[test]
fn the_newest_are_kept_for_an_application_that_is_late() {
    let mut limits = Limits::default();
    limits.datagram_queue = 3;
    let setup = setup(1_452, limits);
    let mut sessions = [Role::Initiator, Role::Responder].map(|role| setup.session(role, Instant::ORIGIN));
    carry(&mut sessions);
    for number in 0..10 {
        sessions[0].send_datagram(&datagram(number, 5)).unwrap();
        carry(&mut sessions);
    }
    assert_eq!(sessions[0].stats().datagrams_dropped, (0, 0));
    assert_eq!(sessions[1].stats().datagrams_dropped, (0, 7));
    let mut room = [0; 64];
    let got = std::iter::from_fn(|| sessions[1].recv_datagram(&mut room).ok().map(|len| room[..len].to_vec()));
    assert_eq!(got.collect::<Vec<_>>(), [7, 8, 9].map(|number| datagram(number, 5)));
}

/// `Limits::max_datagram` at n - 1, n and n + 1: the smaller of both ends', and no more than a packet holds.
#[test]
fn the_longest_is_what_both_ends_and_the_path_take() {
    for (own, peer, most) in [(99, 100, 99), (100, 100, 100), (101, 100, 100), (0, 100, 0), (100, 0, 0)] {
        let mut setup = setup(1_452, Limits::default());
        setup.initiator.limits.max_datagram = own;
        setup.responder.limits.max_datagram = peer;
        let (mut network, initiator, responder) = network(&setup, Conditions::default());
        let session = &mut network.node_mut(initiator).session;
        assert_eq!(session.max_datagram(), (most > 0).then_some(most));
        if most == 0 {
            assert_eq!(session.send_datagram(b""), Err(SendDatagramError::Unsupported));
            continue;
        }
        for len in [0, most - 1, most] {
            session.send_datagram(&vec![1; len]).unwrap();
        }
        assert_eq!(session.send_datagram(&vec![1; most + 1]), Err(SendDatagramError::TooLarge { max: most }));
        network.run_for(Duration::from_secs(1));
        let lens: Vec<_> = network.node(responder).application.0.iter().map(Vec::len).collect();
        assert_eq!(lens, [0, most - 1, most]);
    }
    for mtu in [512, 1_232, 1_452] {
        let mut setup = setup(mtu, Limits::default());
        setup.initiator.limits.max_datagram = 1_500;
        setup.responder.limits.max_datagram = 1_500;
        let (mut network, initiator, responder) = network(&setup, Conditions::default());
        network.run_for(Duration::from_secs(5));
        let session = &mut network.node_mut(initiator).session;
        let most = session.max_datagram().unwrap();
        assert_eq!(most, usize::from(mtu) - 98);
        session.send_datagram(&vec![1; most]).unwrap();
        network.run_for(Duration::from_secs(1));
        assert_eq!(network.node(responder).application.0, [vec![1; most]]);
    }
}

/// Three flights each way.
fn carry(sessions: &mut [Session; 2]) {
    let mut room = [0; 1_452];
    for index in [0, 1, 0, 1, 0, 1] {
        while let Some(transmit) = sessions[index].poll_transmit(Instant::ORIGIN, &mut room).unwrap() {
            for datagram in room[..transmit.len].chunks_mut(transmit.segment.unwrap_or(transmit.len)) {
                sessions[1 - index].handle_datagram(Instant::ORIGIN, aitcp::Meta::default(), datagram);
            }
        }
    }
}

#[test]
fn one_that_does_not_fit_the_buffer_stays() {
    let setup = setup(1_452, Limits::default());
    let mut sessions = [Role::Initiator, Role::Responder].map(|role| setup.session(role, Instant::ORIGIN));
    carry(&mut sessions);
    assert_eq!(sessions[1].recv_datagram(&mut [0; 9]), Err(RecvDatagramError::Blocked));
    sessions[0].send_datagram(b"four").unwrap();
    carry(&mut sessions);
    assert_eq!(sessions[1].recv_datagram(&mut [0; 3]), Err(RecvDatagramError::BufferTooSmall { needed: 4 }));
    let mut buffer = [0; 4];
    assert_eq!((sessions[1].recv_datagram(&mut buffer), &buffer), (Ok(4), b"four"));
}

/// On a stream carrier, and where the limits allow none, there is nothing to wait for.
#[test]
fn where_no_datagram_can_come_the_call_says_so() {
    let mut none = Limits::default();
    none.max_datagram = 0;
    for setup in [Setup::default(), setup(1_452, none)] {
        let mut session = setup.session(Role::Responder, Instant::ORIGIN);
        assert_eq!(session.recv_datagram(&mut [0; 9]), Err(RecvDatagramError::Unsupported));
        session.close(Instant::ORIGIN, 0, "");
        assert_eq!(session.recv_datagram(&mut [0; 9]), Err(RecvDatagramError::Unsupported));
    }
}
