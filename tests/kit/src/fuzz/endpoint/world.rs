//! The endpoint with everybody around it, and what has to hold whatever happens.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use aitcp::testing::state_digest;
use aitcp::{
    Admission, Carrier, ClientConfig, Disposition, EcnCodepoint, Endpoint, EndpointConfig, EndpointLimits, Event,
    Handle, Instant, Rate, Retry, Role, Route, Seed, ServerConfig, StreamTask, Suite,
};

use super::honest::{Honest, IDENTITIES, MTU, on_event, setup};
use super::known::KnownHandles;
use super::ledger::{Genuine, Kept, Ledger, is_clear};
use super::ops::padded;
use crate::forge::Hello;
use crate::heap::Meter;

/// How many datagrams wait on their way in each direction. The oldest ones are lost.
const MAX_UNDER_WAY: usize = 64;

/// What the endpoint may hold beside its sessions: tables, and answers that wait; and what is left of that when there are none.
const FIXED_BYTES: usize = 64 << 10;
const LEFT_BYTES: isize = 24 << 10;

/// What a handshake may hold whose peer has not proved who it is.
const HALF_OPEN_BYTES: usize = 6 << 10;

/// What a session may hold beside what its limits say: its configuration, and what the provider keeps for its keys.
const SESSION_BYTES: usize = 8 << 10;

/// More than any clock says.
const LAST: Instant = Instant::from_micros(u64::MAX / 4);

pub(super) struct World {
    pub(super) endpoint: Endpoint<u64>,
    pub(super) limits: EndpointLimits,
    pub(super) suite: Suite,
    pub(super) now: Instant,
    /// By how much the clock of the next call lags behind.
    pub(super) lag: Duration,
    pub(super) peers: Vec<Honest>,
    pub(super) known: KnownHandles,
    pub(super) is_shutting_down: bool,
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
    /// Datagrams on their way to the endpoint and from it, by the address of the other end.
    pub(super) up: VecDeque<(u64, Vec<u8>)>,
    pub(super) down: VecDeque<(u64, Vec<u8>)>,
    pub(super) heard: Kept,
    pub(super) said: Kept,
    pub(super) ledger: Ledger,
    genuine: Genuine,
    decides_at_once: bool,
    /// The driver takes what there is after every input.
    settles_at_once: bool,
    /// Everything that was due has been done and taken at this time.
    settled: Option<Instant>,
    local: Option<u64>,
    session_bytes: usize,
    held: isize,
    room: Vec<u8>,
}

impl World {
    pub(super) fn new(choice: u8) -> Self {
        let suite = if choice & 4 == 0 { Suite::X25519ChaCha20Poly1305 } else { Suite::HybridAes256Gcm };
        let mut setup = setup(suite, Carrier::Datagram { mtu: MTU }, 1);
        setup.admission = if choice & 8 == 0 { Admission::Any } else { Admission::Ask };
        let (client, server) = (Arc::new(setup.client_config()), Arc::new(setup.server_config()));
        let mut limits = EndpointLimits::default();
        (limits.sessions, limits.half_opens, limits.half_opens_per_address) = (8, 5, 2);
        (limits.sessions_per_peer, limits.revoked) = (2, 2);
        (limits.without_cookie, limits.with_cookie) =
            (Rate { per_second: 10, burst: 6 }, Rate { per_second: 20, burst: 9 });
        limits.retry =
            [Retry::Never, Retry::WhenBusy { half_opens: 3 }, Retry::WhenBusy { half_opens: 1 }, Retry::Always]
                [usize::from(choice & 3)];
        let config = EndpointConfig::new().with_server(Arc::clone(&server)).with_limits(limits).with_mtu(MTU);
        let seed = Seed::new([7; 32]).expect("not all zeros");
        let meter = Meter::start();
        let endpoint = Endpoint::new(Instant::ORIGIN, config, seed).expect("a configuration that can work");
        Self {
            endpoint,
            limits,
            suite,
            now: Instant::ORIGIN,
            lag: Duration::ZERO,
            peers: Vec::new(),
            known: KnownHandles::default(),
            is_shutting_down: false,
            client,
            server,
            up: VecDeque::new(),
            down: VecDeque::new(),
            heard: Kept::default(),
            said: Kept::default(),
            ledger: Ledger::default(),
            genuine: Genuine::default(),
            decides_at_once: choice & 16 != 0,
            settles_at_once: choice & 64 != 0,
            settled: None,
            local: (choice & 32 != 0).then_some(99),
            session_bytes: setup.agent(Role::Responder).limits.max_bytes() + SESSION_BYTES,
            held: meter.held(),
            room: vec![0; 4_096],
        }
    }

    /// Something is done to the endpoint, while its heap is watched.
    pub(super) fn watch<T>(&mut self, act: impl FnOnce(&mut Endpoint<u64>, Instant) -> T) -> T {
        self.settled = None;
        let told =
            Instant::from_micros(self.now.as_micros().saturating_sub(std::mem::take(&mut self.lag).as_micros() as u64));
        let meter = Meter::start();
        let result = act(&mut self.endpoint, told);
        self.held += meter.held();
        result
    }

    /// The digests of sessions whose peers have proved who they are: nobody else changes them. There are none where something was due
    /// at an earlier call, and waits for the driver to ask what there is to be sent: whatever is called then changes them.
    fn digests(&self) -> BTreeMap<Handle, [u8; 32]> {
        if self.settled != Some(self.now) {
            return BTreeMap::new();
        }
        let sessions = self.known.alive().filter_map(|handle| Some((handle, self.endpoint.session(handle)?)));
        let established =
            sessions.filter(|(_, session)| session.handshake().is_some() && session.close_reason().is_none());
        established.map(|(handle, session)| (handle, state_digest(session))).collect()
    }

    /// Which of these have changed.
    fn changed(&self, before: &BTreeMap<Handle, [u8; 32]>) -> Vec<Handle> {
        let after = |handle: Handle| self.endpoint.session(handle).map(state_digest);
        before.iter().filter(|(handle, digest)| after(**handle) != Some(**digest)).map(|(handle, _)| *handle).collect()
    }

    /// A datagram comes to the endpoint, from wherever.
    pub(super) fn feed(&mut self, from: u64, datagram: &[u8]) -> Disposition {
        let before = self.digests();
        let mut bytes = datagram.to_vec();
        let route = Route { remote: from, local: self.local };
        self.ledger.received(from, bytes.len());
        let disposition =
            self.watch(|endpoint, now| endpoint.handle_datagram(now, route, EcnCodepoint::NotEct, &mut bytes));
        let changed = self.changed(&before);
        assert!(changed.len() <= 1, "one datagram changed {changed:?}");
        let is_rejected = disposition != Disposition::Handled || self.genuine.has_none_in(datagram);
        assert!(!is_rejected || changed.is_empty(), "{disposition:?}, but it changed {changed:?}");
        let is_anybodys = self.genuine.has_none_in(datagram) && !is_clear(datagram);
        assert!(disposition != Disposition::Handled || !is_anybodys || self.is_anybody_new(), "taken: {datagram:?}");
        disposition
    }

    /// Whether a handshake goes on: it may keep what it cannot open yet.
    fn is_anybody_new(&self) -> bool {
        let stats = self.endpoint.stats();
        stats.half_opens > 0
            || self
                .known
                .alive()
                .any(|handle| self.endpoint.session(handle).is_some_and(|session| session.handshake().is_none()))
    }

    /// Bytes come over a stream carrier. How many are done with.
    pub(super) fn feed_stream(&mut self, handle: Handle, bytes: &mut [u8]) -> usize {
        let before = self.digests();
        let len = bytes.len();
        let input = self.watch(|endpoint, now| endpoint.handle_stream(now, handle, bytes));
        assert!(input.consumed <= len, "more was consumed than came");
        assert!(self.changed(&before).iter().all(|changed| *changed == handle), "another session has changed");
        input.consumed
    }

    /// Serves what is due. Afterwards nothing is.
    pub(super) fn serve(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.watch(|endpoint, now| endpoint.handle_timeout(now));
        self.lag = Duration::ZERO;
        let now = self.now;
        self.watch(|endpoint, _| endpoint.handle_timeout(now));
        let next = self.endpoint.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "a deadline stands still at {next:?}");
    }

    /// Time passes, and deadlines are served as they come.
    pub(super) fn wait(&mut self, duration: Duration) {
        let end = (self.now + duration).min(LAST);
        for _ in 0..300 {
            let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= end) else { break };
            self.serve(at);
            self.settle();
        }
        self.serve(end);
        self.act();
        self.settle();
    }

    /// Takes what the endpoint has to send, tell and have done until there is nothing.
    pub(super) fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "there is no end to it");
            let (transmits, events, tasks) = (self.transmit(), self.tell(), self.do_task());
            if !(transmits || events || tasks) {
                break;
            }
        }
        assert!(!self.transmit() && !self.tell() && !self.do_task(), "there was nothing, and then something");
        self.settled = Some(self.now);
    }

    /// Sends what there is to be sent next, if anything.
    pub(super) fn transmit(&mut self) -> bool {
        let mut room = std::mem::take(&mut self.room);
        let written = self.watch(|endpoint, now| endpoint.poll_transmit(now, &mut room)).expect("room enough");
        if let Some((to, transmit)) = written {
            assert!(to.local == self.local || to.local.is_none(), "from an address that is not ours");
            for datagram in room[..transmit.len].chunks(transmit.segment.unwrap_or(transmit.len)) {
                assert!(datagram.len() <= MTU.into(), "a datagram of {} bytes", datagram.len());
                self.ledger.sent(to.remote, datagram.len());
                self.said.push(datagram);
                push(&mut self.down, to.remote, datagram.to_vec());
            }
        }
        self.room = room;
        written.is_some()
    }

    /// Acts on the next event, if there is one.
    pub(super) fn tell(&mut self) -> bool {
        let Some((handle, event)) = self.watch(|endpoint, _| endpoint.poll_event()) else { return false };
        self.known.told(&self.endpoint, handle, event);
        if self.decides_at_once || !matches!(event, Event::PeerIdentified(_)) {
            self.with_session(handle, |session, now| on_event(session, now, event));
        }
        true
    }

    /// Does what is to be done about a stream carrier, if anything is.
    pub(super) fn do_task(&mut self) -> bool {
        let Some(task) = self.watch(|endpoint, _| endpoint.poll_stream()) else { return false };
        let (StreamTask::Transmit(handle) | StreamTask::End(handle)) = task;
        let mut room = std::mem::take(&mut self.room);
        while let Some(transmit) =
            self.watch(|endpoint, now| endpoint.poll_transmit_stream(now, handle, &mut room)).expect("room enough")
        {
            if let Some(peer) = self.peer_of(handle) {
                let now = peer.1;
                peer.0.hear_bytes(now, &room[..transmit.len]);
            }
        }
        self.room = room;
        if let StreamTask::End(handle) = task {
            self.known.ended(handle);
            if let Some((peer, now)) = self.peer_of(handle) {
                peer.lose_carrier(now);
            }
        }
        true
    }

    fn peer_of(&mut self, handle: Handle) -> Option<(&mut Honest, Instant)> {
        let leads_here = |peer: &&mut Honest| peer.carrier.as_ref().is_some_and(|carrier| carrier.handle == handle);
        self.peers.iter_mut().find(leads_here).map(|peer| (peer, self.now))
    }

    /// Lets the application do something with a session, if it is there.
    pub(super) fn with_session(&mut self, handle: Handle, act: impl FnOnce(&mut aitcp::Session, Instant)) {
        self.watch(|endpoint, now| {
            if let Some(mut session) = endpoint.session_mut(now, handle) {
                act(&mut session, now);
            }
        });
    }

    /// Honest peers do what they have to do; what they send is on its way then.
    pub(super) fn act(&mut self) {
        for peer in &mut self.peers {
            for datagram in peer.act(self.now) {
                self.genuine.add(&datagram);
                self.heard.push(&datagram);
                push(&mut self.up, peer.address, datagram);
            }
        }
    }

    /// A datagram of the endpoint's arrives at everybody who is at this address.
    pub(super) fn arrive(&mut self, at: u64, sent_to: u64, datagram: &[u8]) {
        for peer in self.peers.iter_mut().filter(|peer| peer.address == at) {
            self.ledger.inhabited(sent_to);
            peer.hear(self.now, datagram);
        }
    }

    /// What honest peers have written to their stream carriers arrives.
    pub(super) fn carry_streams(&mut self) {
        for at in 0..self.peers.len() {
            let Some(carrier) = &mut self.peers[at].carrier else { continue };
            let (handle, mut bytes) = (carrier.handle, std::mem::take(&mut carrier.to_endpoint));
            let consumed = self.feed_stream(handle, &mut bytes);
            if let Some(carrier) = &mut self.peers[at].carrier {
                bytes.drain(..consumed);
                carrier.to_endpoint = bytes;
            }
        }
    }

    /// For a while the network is a good one.
    pub(super) fn exchange(&mut self, rounds: u8) {
        for _ in 0..=rounds {
            self.act();
            while let Some((from, datagram)) = self.up.pop_front() {
                self.feed(from, &datagram);
            }
            self.carry_streams();
            self.settle();
            while let Some((to, datagram)) = self.down.pop_front() {
                self.arrive(to, to, &datagram);
            }
        }
    }

    pub(super) fn check(&mut self) {
        if self.settles_at_once {
            self.settle();
        }
        let (stats, limits, now) = (self.endpoint.stats(), &self.limits, self.now);
        assert!(stats.sessions <= limits.sessions && stats.half_opens <= limits.half_opens, "{stats:?}");
        assert!(stats.half_opens <= stats.sessions, "{stats:?}");
        self.known.check(&mut self.endpoint, now);
        let listed = self.endpoint.handles().count();
        assert_eq!(listed, self.known.alive().count(), "handles are listed that nobody has heard of, or not all");
        let sessions = || self.known.alive().filter_map(|handle| self.endpoint.session(handle));
        if listed == stats.sessions as usize {
            let next = sessions().filter_map(|session| session.poll_timeout()).min();
            assert_eq!(self.endpoint.poll_timeout(), next, "the next deadline of all");
        }
        let accepted =
            sessions().filter(|session| session.role() == Role::Responder && session.close_reason().is_none());
        let mut by_peer = BTreeMap::new();
        for info in accepted.filter_map(|session| session.handshake()) {
            assert!(!self.known.revoked.contains(&info.peer), "a session with a peer that is revoked");
            *by_peer.entry(info.peer).or_insert(0) += 1;
        }
        assert!(by_peer.values().all(|count| *count <= limits.sessions_per_peer), "too many with one peer");
        let (half_opens, sessions) = (stats.half_opens as usize, (stats.sessions - stats.half_opens) as usize);
        let most = FIXED_BYTES + half_opens * HALF_OPEN_BYTES + sessions * self.session_bytes;
        assert!(usize::try_from(self.held).is_ok_and(|held| held <= most), "{} bytes held for {stats:?}", self.held);
    }

    /// Everybody falls silent, and everything comes to its end.
    pub(super) fn wind_up(mut self) {
        self.peers.clear();
        let all: Vec<_> = self.known.alive().collect();
        for handle in all {
            self.known.held(handle, false);
            self.watch(|endpoint, _| endpoint.release(handle));
        }
        for handle in self.known.on_stream() {
            self.watch(|endpoint, now| endpoint.handle_link_lost(now, handle));
        }
        self.fall_silent();
        if !self.is_shutting_down && self.limits.retry != Retry::Always {
            self.begin_anew();
        }
    }

    fn fall_silent(&mut self) {
        self.settle();
        for round in 0.. {
            let Some(at) = self.endpoint.poll_timeout() else { break };
            assert!(round < 5_000, "there is no end to deadlines: {at:?} is the next");
            self.serve(at);
            self.settle();
        }
        self.check();
        let stats = self.endpoint.stats();
        assert!(self.endpoint.is_idle() && (stats.sessions, stats.half_opens) == (0, 0), "{stats:?}");
        assert_eq!(self.known.alive().count(), 0);
        assert!(self.held <= LEFT_BYTES, "{} bytes are left", self.held);
    }

    /// Whatever has happened, an address may begin what it may begin, and no more.
    fn begin_anew(&mut self) {
        let most = if self.limits.retry == Retry::Never { self.limits.half_opens_per_address } else { 1 };
        for address in self.ledger.heard_from() {
            for number in 0..most {
                let disposition = self.begin_one(address, number);
                assert_eq!(disposition, Disposition::Handled, "address {address} cannot begin a handshake any more");
            }
            let one_more = self.begin_one(address, most);
            assert!(matches!(one_more, Disposition::Discarded(_)), "address {address} begins more than it may");
            self.fall_silent();
        }
    }

    /// A handshake like no other.
    fn begin_one(&mut self, address: u64, number: u32) -> Disposition {
        self.now = self.now + Duration::from_secs(1);
        let connection_id = 0xE000 + 16 * address + u64::from(number);
        self.feed(address, &padded(Hello { random: [0xE0; 32], connection_id, ..Hello::default() }))
    }

    /// An identity that there is.
    pub(super) fn identity(which: u8) -> [u8; 32] {
        [IDENTITIES[usize::from(which) % IDENTITIES.len()]; 32]
    }
}

fn push(queue: &mut VecDeque<(u64, Vec<u8>)>, address: u64, datagram: Vec<u8>) {
    if queue.len() == MAX_UNDER_WAY {
        queue.pop_front();
    }
    queue.push_back((address, datagram));
}
