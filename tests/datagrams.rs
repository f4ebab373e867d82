//! Sessions over datagrams that are lost, doubled, reordered and altered, in simulated time.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use std::time::Duration;

use aitcp::{Carrier, Direction, Ending, Event, Instant, RecvError, Role, SendError, Session, StreamId, Suite};
use aitcp_testkit::simulator::{Application, NodeId, SessionNode, Simulator};
use aitcp_testkit::{Conditions, Loss, Probability, Rng, Setup, campaign};

const MTU: u16 = 1_452;

/// Sends messages on a few streams, or receives them, and keeps what it got.
#[derive(Default)]
struct Messages {
    /// By stream; the next one last.
    to_send: Vec<Vec<Vec<u8>>>,
    streams: Vec<StreamId>,
    got: Vec<(StreamId, Vec<Vec<u8>>)>,
    ended: usize,
    finished: usize,
}

impl Messages {
    fn random(seed: u64, streams: usize, messages: usize, longest: usize) -> Self {
        let mut rng = Rng::new(seed);
        let mut all = vec![Vec::new(); streams];
        for _ in 0..messages {
            let stream = rng.below(streams);
            let len = rng.below(longest);
            all[stream].push(rng.bytes(len));
        }
        Self { to_send: all, ..Self::default() }
    }

    fn send(&mut self, session: &mut Session) {
        for (at, stream) in self.streams.iter().enumerate() {
            while let Some(message) = self.to_send[at].first_mut() {
                match session.send(*stream, message, Ending::End) {
                    Ok(taken) if taken == message.len() => drop(self.to_send[at].remove(0)),
                    Ok(taken) => drop(message.drain(..taken)),
                    Err(SendError::Blocked) => break,
                    Err(error) => panic!("{error}"),
                }
                if self.to_send[at].is_empty() {
                    session.finish(*stream).unwrap();
                }
            }
        }
    }

    fn receive(&mut self, session: &mut Session, stream: StreamId) {
        let mut buffer = [0; 4_096];
        loop {
            match session.recv(stream, &mut buffer) {
                Ok(received) => {
                    let place = self.got.iter().position(|(known, _)| *known == stream);
                    let place = place.unwrap_or_else(|| {
                        self.got.push((stream, vec![Vec::new()]));
                        self.got.len() - 1
                    });
                    let messages = &mut self.got[place].1;
                    messages.last_mut().unwrap().extend_from_slice(&buffer[..received.len]);
                    if received.end_of_message {
                        messages.push(Vec::new());
                    }
                    if received.end_of_stream {
                        self.ended += 1;
                        return;
                    }
                }
                Err(RecvError::Blocked) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl std::fmt::Debug for Messages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let left = self.to_send.iter().map(Vec::len).sum::<usize>();
        write!(f, "Messages {{ left: {left}, finished: {}, ended: {} }}", self.finished, self.ended)
    }
}

impl Application for Messages {
    fn act(&mut self, _now: Instant, session: &mut Session, event: Option<Event>) {
        match event {
            Some(Event::Established) if session.role() == Role::Initiator => {
                let open = |_| session.open(Direction::Unidirectional).unwrap();
                self.streams = (0..self.to_send.len()).map(open).collect();
            }
            Some(Event::Readable(stream)) => self.receive(session, stream),
            Some(Event::Finished(_)) => self.finished += 1,
            Some(_) => {}
            None => self.send(session),
        }
    }
}

type Network = Simulator<SessionNode<Messages>>;

fn network(setup: &Setup, seed: u64, conditions: Conditions, messages: Messages) -> (Network, NodeId, NodeId) {
    let setup = Setup { carrier: Carrier::Datagram { mtu: MTU }, seed, ..setup.clone() };
    let mut network = Simulator::new(seed);
    network.set_all_conditions(conditions);
    let now = network.now();
    let responder = SessionNode::responder(setup.session(Role::Responder, now), Messages::default());
    let responder = network.add_node(responder);
    let peer = network.address(responder);
    let initiator = network.add_node(SessionNode::initiator(setup.session(Role::Initiator, now), messages, peer));
    (network, initiator, responder)
}

fn delivers_everything(setup: &Setup, seed: u64, conditions: Conditions, messages: Messages) -> Duration {
    let expected: Vec<Vec<Vec<u8>>> = messages.to_send.clone();
    let streams = expected.iter().filter(|messages| !messages.is_empty()).count();
    let (mut network, initiator, responder) = network(setup, seed, conditions, messages);
    let begun = network.now();
    let done = |network: &Network| {
        network.node(responder).application.ended == streams && network.node(initiator).application.finished == streams
    };
    let in_time = network.run_until(done, begun + Duration::from_secs(3_600));
    let (i, r) = (network.node(initiator), network.node(responder));
    assert!(in_time, "seed {seed}:\n{i:?}\n{r:?}");
    for (stream, mut messages) in r.application.got.clone() {
        assert_eq!(messages.pop(), Some(Vec::new()));
        assert!(messages == expected[usize::try_from(stream.index()).unwrap() - 1], "seed {seed}: stream {stream}");
    }
    network.now() - begun
}

#[test]
fn a_perfect_path() {
    for suite in Setup::SUITES {
        let setup = Setup::with_suite(suite);
        let conditions = Conditions { latency: Duration::from_millis(10), ..Conditions::default() };
        delivers_everything(&setup, 1, conditions, Messages::random(1, 3, 30, 20_000));
    }
}

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

/// Delivered is what was sent, whatever the network does.
#[test]
fn bad_paths_lose_nothing_for_good() {
    for seed in 0..campaign(1_000).max(100) as u64 {
        let setup = Setup::with_suite(Suite::X25519ChaCha20Poly1305);
        delivers_everything(&setup, seed, bad_path(), Messages::random(seed, 4, 1_000, 200));
    }
}
