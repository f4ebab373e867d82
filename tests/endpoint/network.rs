//! Many endpoints on a network, in simulated time.

use std::time::Duration;

use aitcp::{
    Address as _, Direction, EcnCodepoint, Ending, Endpoint, EndpointConfig, EndpointLimits, Event, Expect, Instant,
    RecvError, Retry, Role, ServerId, ServerIdCodec, Session, StreamId,
};
use aitcp_testkit::simulator::{Application, EndpointNode, NodeId, Occurrence, Simulator};
use aitcp_testkit::{Address, Conditions, Loss, Probability, for_each_seed};

use super::{NOW, client, id, seed, sent, serving};

/// Asks once when the session is there; answers whoever asks with what it said.
#[derive(Debug, Default)]
struct Echo {
    heard: Vec<u8>,
    is_done: bool,
    unsaid: Option<(StreamId, usize)>,
}

const QUESTION: &[u8] = &[0xAB; 5_000];

impl Echo {
    fn say(session: &mut Session, stream: StreamId, bytes: &[u8]) -> usize {
        let taken = session.send(stream, bytes, Ending::End).unwrap_or(0);
        if taken == bytes.len() {
            session.finish(stream).unwrap();
        }
        taken
    }

    fn hear(&mut self, session: &mut Session, stream: StreamId) {
        let mut buffer = [0; 2_048];
        loop {
            match session.recv(stream, &mut buffer) {
                Ok(received) => {
                    self.heard.extend_from_slice(&buffer[..received.len]);
                    if received.end_of_message && session.role() == Role::Responder {
                        let taken = Self::say(session, stream, &self.heard);
                        self.unsaid = (taken < self.heard.len()).then_some((stream, taken));
                    }
                    if received.end_of_stream {
                        self.is_done = true;
                        return;
                    }
                }
                Err(RecvError::Blocked) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl Application for Echo {
    fn act(&mut self, _now: Instant, session: &mut Session, event: Option<Event>) {
        match event {
            Some(Event::Established) if session.role() == Role::Initiator => {
                let stream = session.open(Direction::Bidirectional).unwrap();
                assert_eq!(Self::say(session, stream, QUESTION), QUESTION.len());
            }
            Some(Event::Readable(stream)) => self.hear(session, stream),
            Some(Event::Writable(_)) => assert!(self.unsaid.is_none(), "the buffers are larger than the question"),
            _ => {}
        }
    }
}

type Network = Simulator<EndpointNode<Echo>>;

fn network(seed_number: u64, limits: EndpointLimits, clients: u8, conditions: Conditions) -> (Network, Vec<NodeId>) {
    let mut network = Simulator::new(seed_number);
    network.set_all_conditions(conditions);
    let endpoint = Endpoint::new(NOW, serving(limits), seed(seed_number)).unwrap();
    let mut nodes = vec![network.add_node(EndpointNode::new(endpoint, Echo::default))];
    let at = network.address(nodes[0]);
    for number in 0..clients {
        let seed = seed(seed_number * 1_000 + 1 + u64::from(number));
        let mut endpoint = Endpoint::new(NOW, EndpointConfig::new(), seed).unwrap();
        endpoint.connect(NOW, client(2 + number), Expect::Pinned(id(1)), at).unwrap();
        nodes.push(network.add_node(EndpointNode::new(endpoint, Echo::default)));
    }
    // R-9.7-1: up to the first session that is established, and as long as both ends say as much as each other also later.
    let server = nodes[0];
    network.add_check(move |network: &Network, what| {
        let Occurrence::Sent { node, to, .. } = what else { return };
        assert!(node != server || network.amplification(server, to) <= 3.0, "to {to:?}");
    });
    (network, nodes)
}

fn bad_path() -> Conditions {
    Conditions {
        latency: Duration::from_millis(30),
        jitter: Duration::from_millis(10),
        loss: Loss::Random(Probability::percent(20)),
        duplicate: Probability::percent(5),
        corrupt: Probability::percent(3),
        reorder: Probability::percent(5),
        reorder_delay: Duration::from_millis(40),
        ..Conditions::default()
    }
}

fn have_all_heard(network: &Network, clients: &[NodeId]) -> bool {
    clients.iter().all(|client| network.node(*client).applications.values().any(|echo| echo.heard == QUESTION))
}

/// Purity, too: the same seeds give the same datagrams at the same times.
#[test]
fn many_clients_talk_to_one_server_over_bad_paths() {
    for_each_seed(500, |seed| {
        let mut limits = EndpointLimits::default();
        if seed % 2 == 0 {
            limits.retry = Retry::Always;
        }
        let (mut network, nodes) = network(seed + 1, limits, 40, bad_path());
        let deadline = NOW + Duration::from_secs(120);
        let in_time = network.run_until(|network| have_all_heard(network, &nodes[1..]), deadline);
        assert!(in_time, "seed {seed}: {:?}", network.node(nodes[0]).endpoint.stats());
        network.trace_hash()
    });
}

/// R-6.11-7: who moves is followed, since its packets say whose they are.
#[test]
fn a_client_that_moves_is_found_by_its_connection_id() {
    let calm = Conditions { latency: Duration::from_millis(10), ..Conditions::default() };
    let (mut network, nodes) = network(3, EndpointLimits::default(), 1, calm);
    assert!(network.run_until(|network| have_all_heard(network, &nodes[1..]), NOW + Duration::from_secs(5)));
    for round in 0..10 {
        network.rebind(nodes[1]);
        let now = network.now();
        let node = network.node_mut(nodes[1]);
        let handle = *node.applications.keys().next().unwrap();
        node.applications.get_mut(&handle).unwrap().heard.clear();
        let mut session = node.endpoint.session_mut(now, handle).unwrap();
        let stream = session.open(Direction::Bidirectional).unwrap();
        Echo::say(&mut session, stream, QUESTION);
        drop(session);
        let server = nodes[0];
        let echo = network.node_mut(server).applications.values_mut().next().unwrap();
        echo.heard.clear();
        let deadline = network.now() + Duration::from_secs(10);
        assert!(network.run_until(|network| have_all_heard(network, &nodes[1..]), deadline), "round {round}");
    }
    assert_eq!(network.node(nodes[0]).endpoint.stats().sessions, 1);
}

/// Two machines behind one address: a balancer without a table finds the one that each packet is for.
#[test]
fn a_balancer_finds_the_machine_by_the_connection_id() {
    let codec = ServerIdCodec::encrypted(3, [9; 32]).unwrap();
    let mut machines: Vec<Endpoint<u64>> = (0..2)
        .map(|number| {
            let config = serving(EndpointLimits::default());
            let config = config.with_server_id(ServerId::new(codec.clone(), number).unwrap());
            Endpoint::new(NOW, config, seed(100 + u64::from(number))).unwrap()
        })
        .collect();
    let mut clients = Endpoint::<u64>::new(NOW, EndpointConfig::new(), seed(5)).unwrap();
    for identity in 2..30 {
        clients.connect(NOW, client(identity), Expect::Pinned(id(1)), 1).unwrap();
    }
    loop {
        let up = sent(&mut clients, NOW);
        let down: Vec<_> = machines.iter_mut().flat_map(|machine| sent(machine, NOW)).collect();
        if up.is_empty() && down.is_empty() {
            break;
        }
        for (_, mut datagram) in up {
            let connection_id = u64::from_le_bytes(datagram[8..16].try_into().unwrap());
            let machine =
                codec.decode(connection_id).unwrap_or(datagram.iter().fold(0, |sum, byte| sum ^ u16::from(*byte)) % 2);
            let machine = &mut machines[usize::from(machine)];
            machine.handle_datagram(NOW, 7, EcnCodepoint::NotEct, &mut datagram);
        }
        for (_, mut datagram) in down {
            clients.handle_datagram(NOW, 1, EcnCodepoint::NotEct, &mut datagram);
        }
    }
    let confirmed = std::iter::from_fn(|| clients.poll_event()).filter(|(_, event)| *event == Event::Confirmed);
    assert_eq!(confirmed.count(), 28);
    assert!(machines.iter().all(|machine| machine.stats().sessions > 0 && machine.stats().unknown == 0));
}

#[test]
fn addresses_of_the_kit_have_their_own_bytes() {
    assert_ne!(Address(1).stable_bytes(), Address(256).stable_bytes());
}
