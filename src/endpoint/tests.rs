//! What cannot be seen from outside: that nothing is looked for.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::Timeouts;
use crate::crypto::keygen::IdentityKey;
use crate::crypto::rustcrypto::RustCrypto;

const NOW: Instant = Instant::ORIGIN;

fn idle_sessions(count: u64) -> Endpoint<u64> {
    let mut config = EndpointConfig::new();
    config.limits.sessions = u32::try_from(count).unwrap();
    let mut endpoint = Endpoint::new(NOW, config, Seed::new([1; 32]).unwrap()).unwrap();
    let key = IdentityKey::from_seed(&RustCrypto, [2; 32]).unwrap();
    let timeouts = Timeouts { datagram_handshake: Duration::from_secs(3), ..Timeouts::default() };
    let client = Arc::new(ClientConfig::new(key, "test/1").with_timeouts(timeouts));
    let mut room = [0; 1_452];
    for peer in 0..count {
        endpoint.connect(NOW, Arc::clone(&client), Expect::Ask, peer).unwrap();
        while endpoint.poll_transmit(NOW, &mut room).unwrap().is_some() {}
    }
    while endpoint.poll_event().is_some() {}
    assert!(has_nothing_to_do(&endpoint.agenda));
    endpoint
}

/// Sessions that clients have begun, and that have gone quiet. The clients are forgotten then.
fn established_sessions(count: u32) -> Endpoint<u64> {
    let key = |name| IdentityKey::from_seed(&RustCrypto, [name; 32]).unwrap();
    let suites = [crate::Suite::X25519ChaCha20Poly1305];
    let timeouts = Timeouts { datagram_idle: Some(Duration::from_secs(3_600)), ..Timeouts::default() };
    let server = ServerConfig::new(key(2), crate::Admission::Any, &["test/1"]);
    let server = server.with_suites(&suites).with_timeouts(timeouts);
    let client = ClientConfig::new(key(1), "test/1").with_suites(&suites).with_timeouts(timeouts);
    let (client, expect) = (Arc::new(client), Expect::Pinned(key(2).peer_id()));
    let mut config = EndpointConfig::new().with_server(Arc::new(server));
    (config.limits.sessions, config.limits.sessions_per_peer) = (count, count);
    (config.limits.retry, config.limits.half_opens_per_address) = (Retry::Never, BATCH);
    config.limits.without_cookie = Rate { per_second: count, burst: count };
    let mut endpoint = Endpoint::new(NOW, config, Seed::new([1; 32]).unwrap()).unwrap();
    let mut now = NOW;
    for batch in 0..count / BATCH {
        let seed = (2_u128 + u128::from(batch)).to_le_bytes();
        let seed = Seed::new([seed, seed].concat().try_into().unwrap()).unwrap();
        let mut clients = Endpoint::new(now, EndpointConfig::new(), seed).unwrap();
        for _ in 0..BATCH {
            clients.connect(now, Arc::clone(&client), expect, 0).unwrap();
        }
        // What waits is acknowledged in time, and the path's MTU found.
        for _ in 0..12 {
            carry(&mut clients, &mut endpoint, now);
            carry(&mut endpoint, &mut clients, now);
            now = now + Duration::from_millis(30);
            [&mut clients, &mut endpoint].iter_mut().for_each(|end| end.handle_timeout(now));
        }
    }
    endpoint
}

const BATCH: u32 = 100;

fn carry(from: &mut Endpoint<u64>, to: &mut Endpoint<u64>, now: Instant) {
    let mut room = [0; 1_452];
    while let Some((_, transmit)) = from.poll_transmit(now, &mut room).unwrap() {
        for datagram in room[..transmit.len].chunks_mut(transmit.segment.unwrap_or(transmit.len)) {
            to.handle_datagram(now, 0, crate::EcnCodepoint::NotEct, datagram);
        }
    }
    while to.poll_event().is_some() {}
}

fn has_nothing_to_do(agenda: &Agenda) -> bool {
    agenda.datagrams.is_empty() && agenda.streams.is_empty() && agenda.events.is_empty()
}

/// Every poll begins with its queue, and what is not in it is not touched, however many sessions there are.
#[test]
fn idle_sessions_are_in_no_queue() {
    let count = 1_000;
    let mut endpoint = established_sessions(count);
    assert_eq!((endpoint.stats().sessions, endpoint.stats().half_opens), (count, 0));
    assert!(has_nothing_to_do(&endpoint.agenda));
    assert_eq!(endpoint.agenda.deadlines.len(), count as usize, "one deadline for each, whatever they have");
    let (now, handle) = (endpoint.now, endpoint.handles().nth(count as usize / 2).unwrap());
    drop(endpoint.session_mut(now, handle));
    assert_eq!((endpoint.agenda.datagrams.len(), endpoint.agenda.events.len()), (1, 1));
    assert_eq!((endpoint.poll_event(), endpoint.poll_transmit(now, &mut [0; 1_452]).unwrap()), (None, None));
    assert!(has_nothing_to_do(&endpoint.agenda));
    // The next deadline is one session's.
    let at = endpoint.poll_timeout().unwrap();
    endpoint.handle_timeout(at);
    assert!(endpoint.agenda.datagrams.len() <= BATCH);
}

#[test]
fn waking_at_the_deadlines_alone_ends_every_session_in_time() {
    let mut endpoint = idle_sessions(50);
    let mut room = [0; 1_452];
    let mut ended = 0;
    while let Some(at) = endpoint.poll_timeout() {
        endpoint.handle_timeout(at);
        assert!(endpoint.poll_timeout().is_none_or(|next| next > at));
        while endpoint.poll_transmit(at, &mut room).unwrap().is_some() {}
        ended += core::iter::from_fn(|| endpoint.poll_event()).count();
        assert!(at <= NOW + Duration::from_secs(3));
    }
    assert_eq!((ended, endpoint.is_idle()), (50, true));
    assert!(endpoint.routes.by_connection_id(1).is_none() && endpoint.peers.is_empty());
}

/// Whatever the endpoint keeps by the side is what its sessions say when they are asked one by one.
fn check(endpoint: &Endpoint<u64>) {
    let mut half_opens = 0;
    let mut peers = Peers::default();
    for (handle, hosted) in endpoint.sessions.iter() {
        let place = handle.index;
        half_opens += u32::from(hosted.is_half_open);
        hosted.peer.iter().for_each(|peer| peers.insert(*peer, place, hosted.session.most_bytes()));
        assert_eq!(endpoint.agenda.deadlines.get(place), hosted.session.poll_timeout());
        if let Some(id) = hosted.connection_id {
            assert_eq!(endpoint.routes.by_connection_id(id.get()), Some(place));
        }
        if let Some(hello) = hosted.hello {
            assert_eq!(endpoint.routes.by_hello(&hello), Some(place));
        }
        let waits = [endpoint.agenda.events.contains(place), endpoint.agenda.streams.contains(place)];
        let stays = hosted.is_held && (hosted.session.is_on_datagrams() || hosted.has_ended_carrier);
        assert!(!hosted.session.is_finished() || stays || waits.contains(&true), "nothing will let it go");
        assert!(!hosted.session.has_end_to_tell() || !hosted.is_announced || waits[0], "its end waits to be told");
    }
    let sessions = endpoint.sessions.len() as usize;
    assert_eq!((endpoint.gate.half_opens(), &endpoint.peers), (half_opens, &peers));
    assert!(endpoint.agenda.deadlines.len() <= sessions && endpoint.stats().sessions as usize == sessions);
}

/// Two endpoints, what is on its way between them, and what may be done to them.
struct World {
    ends: [Endpoint<u64>; 2],
    known: [Vec<Handle>; 2],
    pairs: Vec<[Handle; 2]>,
    network: Vec<(usize, u64, Vec<u8>)>,
    now: Instant,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl World {
    fn new(seed: u8, retry: Retry) -> Self {
        let key = || IdentityKey::from_seed(&RustCrypto, [2; 32]).unwrap();
        let suites = [crate::Suite::X25519ChaCha20Poly1305];
        let server = ServerConfig::new(key(), crate::Admission::Any, &["test/1"]).with_suites(&suites);
        let (server, client) = (Arc::new(server), ClientConfig::new(key(), "test/1").with_suites(&suites));
        let end = |number: u8| {
            let mut config = EndpointConfig::new().with_server(Arc::clone(&server));
            (config.limits.retry, config.limits.sessions, config.limits.sessions_per_peer) = (retry, 12, 4);
            Endpoint::new(NOW, config, Seed::new([(seed & 0x3F) | number; 32]).unwrap()).unwrap()
        };
        let ends = [end(0x40), end(0x80)];
        let client = Arc::new(client);
        Self { ends, known: Default::default(), pairs: Vec::new(), network: Vec::new(), now: NOW, client, server }
    }

    fn act(&mut self, operation: u8, at: usize) {
        let from = at % 2;
        let (now, end) = (self.now, &mut self.ends[from]);
        let handle = self.known[from].get(at / 2 % self.known[from].len().max(1)).copied();
        let mut room = [0; 1_452];
        let peer = self.client.shared.signer.peer_id();
        match (operation, handle) {
            (0, _) => self.known[from].extend(end.connect(now, Arc::clone(&self.client), Expect::Ask, 1 - from as u64)),
            (1 | 2, _) => self.pair_up(from),
            (3, Some(handle)) => drop(end.session_mut(now, handle).map(|mut session| session.close(now, 1, ""))),
            (4, Some(handle)) => end.handle_link_lost(now, handle),
            (5, _) if at % 16 < 2 => drop(end.revoke(now, peer)),
            (5, _) => drop(end.reinstate(peer)),
            (6, _) => {
                self.now = end.poll_timeout().unwrap_or(now).max(now);
                end.handle_timeout(self.now);
            }
            (7, _) => {
                while let Some((handle, event)) = end.poll_event() {
                    self.known[from].push(handle);
                    if let (crate::Event::PeerIdentified(_), Some(mut session)) = (event, end.session_mut(now, handle))
                    {
                        session.decide(now, crate::Verdict::Accept);
                    }
                }
            }
            (8, _) => self.carry_streams(from, at / 2),
            (9..=11, _) => {
                if let Some((to, transmit)) = end.poll_transmit(now, &mut room).unwrap() {
                    let bytes = &room[..transmit.segment.unwrap_or(transmit.len)];
                    self.network.push((to.remote as usize, from as u64, bytes.into()));
                }
            }
            (12, _) => self.deliver_all(),
            (16, Some(handle)) => drop(end.hold(handle)),
            (17, Some(handle)) => end.release(handle),
            _ if !self.network.is_empty() => {
                let at = at % self.network.len();
                let (to, remote, mut bytes) = match operation {
                    14 => self.network[at].clone(),
                    _ => self.network.swap_remove(at),
                };
                // Now and then from somewhere else.
                let remote = if operation == 13 { remote + 10 } else { remote };
                self.ends[to % 2].handle_datagram(now, remote, crate::EcnCodepoint::NotEct, &mut bytes);
            }
            _ => {}
        }
        self.ends.iter().for_each(check);
    }

    /// A stream carrier between the two.
    fn pair_up(&mut self, from: usize) {
        let expect = Expect::Pinned(self.client.shared.signer.peer_id());
        let Ok(i) = self.ends[from].connect_stream(self.now, Arc::clone(&self.client), expect) else { return };
        let r = self.ends[1 - from].accept_stream(self.now, Arc::clone(&self.server));
        match r {
            Ok(r) => self.pairs.push(if from == 0 { [i, r] } else { [r, i] }),
            Err(_) => self.ends[from].handle_link_lost(self.now, i),
        }
    }

    /// Does what is to be done about at most so many carriers.
    fn carry_streams(&mut self, from: usize, most: usize) {
        let mut room = [0; 4_096];
        for _ in 0..most {
            let Some(task) = self.ends[from].poll_stream() else { return };
            let (StreamTask::Transmit(handle) | StreamTask::End(handle)) = task;
            let far_end = self.pairs.iter().find(|pair| pair[from] == handle).map(|pair| pair[1 - from]);
            while let Some(transmit) = self.ends[from].poll_transmit_stream(self.now, handle, &mut room).unwrap() {
                if let Some(far_end) = far_end {
                    let _ = self.ends[1 - from].handle_stream(self.now, far_end, &mut room[..transmit.len]);
                }
            }
            if let (StreamTask::End(_), Some(far_end)) = (task, far_end) {
                self.ends[1 - from].handle_link_lost(self.now, far_end);
            }
        }
    }

    /// A while in which the network is a good one.
    fn deliver_all(&mut self) {
        let mut room = [0; 1_452];
        for turn in 0..12 {
            let from = turn % 2;
            while let Some((to, transmit)) = self.ends[from].poll_transmit(self.now, &mut room).unwrap() {
                for datagram in room[..transmit.len].chunks_mut(transmit.segment.unwrap_or(transmit.len)) {
                    let ecn = crate::EcnCodepoint::NotEct;
                    self.ends[to.remote as usize % 2].handle_datagram(self.now, from as u64, ecn, datagram);
                }
            }
        }
    }
}

/// Packets of one session from a thousand addresses, each of which shows them first: it knows the few that it may send to.
#[test]
fn paths_that_nothing_is_sent_to_are_forgotten() {
    let mut world = World::new(1, Retry::Never);
    world.act(0, 0);
    world.deliver_all();
    world.act(7, 0);
    let (i, mut room, mut most) = (world.known[0][0], [0; 1_452], 0);
    for number in 0..1_000 {
        world.now = world.now + Duration::from_millis(200);
        let mut session = world.ends[0].session_mut(world.now, i).unwrap();
        session.send_datagram(b"where am I").unwrap();
        drop(session);
        while let Some((_, transmit)) = world.ends[0].poll_transmit(world.now, &mut room).unwrap() {
            for copy in 0..3 {
                let from = 100 + number + 10_000 * copy;
                let mut datagram = room[..transmit.len].to_vec();
                world.ends[1].handle_datagram(world.now, from, crate::EcnCodepoint::NotEct, &mut datagram);
            }
        }
        let (_, hosted) = world.ends[1].sessions.iter().next().unwrap();
        most = most.max(hosted.paths.len());
        assert!(hosted.paths.len() <= 6, "{}", hosted.paths.len());
        while let Some((_, transmit)) = world.ends[1].poll_transmit(world.now, &mut room).unwrap() {
            world.ends[0].handle_datagram(world.now, 1, crate::EcnCodepoint::NotEct, &mut room[..transmit.len]);
        }
        while world.ends[1].poll_event().is_some() {}
        world.ends.iter_mut().for_each(|end| end.handle_timeout(world.now));
    }
    assert!(most > 1, "it never moved");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn all_indexes_agree_whatever_is_done(
        seed in any::<u8>(),
        retry in prop_oneof![Just(Retry::Never), Just(Retry::WhenBusy { half_opens: 2 }), Just(Retry::Always)],
        operations in proptest::collection::vec((0..20_u8, any::<u8>()), 1..400),
    ) {
        let mut world = World::new(seed, retry);
        for (operation, at) in operations {
            world.act(operation, at.into());
        }
    }
}
