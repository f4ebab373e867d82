//! Many sessions behind one socket, on either kind of carrier: what finds, admits, counts and drives them.
//!
//! ```text
//! datagram -- connection id --> routes ----------> session --> agenda: who has to send, to tell, to wake up
//!    |                            ^
//!    +------- Hello --> admission: known? served? cookie, rates, counts -- no --> answers: Retry, Refuse, nothing kept
//! ```
//!
//! - [`admission`], [`accepting`]: from a Hello to a session, or to an answer that nothing is kept for.
//! - [`driving`]: datagrams, bytes, time and events, by whose turn it is. [`ending`]: how sessions leave.
//! - [`agenda`]: who has something to do. [`routes`], [`route`]: whose a packet is, and where its peer is.
#![forbid(unsafe_code)]

mod accepting;
mod address;
mod admission;
mod agenda;
mod answers;
mod budget;
mod config;
mod connection_id;
mod cookie;
mod counts;
mod deadline_heap;
mod driving;
mod ending;
mod id_map;
mod peers;
mod ready_queue;
mod route;
mod routes;
mod session_mut;
mod slab;
mod stats;
mod streams;
#[cfg(all(test, feature = "rustcrypto"))]
mod tests;
mod tickets;

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::fmt;
use core::num::NonZeroU64;

pub use address::{Address, StableBytes};
pub use config::{EndpointConfig, EndpointLimits, Rate, Retry};
pub use connection_id::{ServerId, ServerIdCodec, ServerIdError};
pub use route::Route;
pub use session_mut::SessionMut;
pub use slab::Handle;
pub use stats::EndpointStats;
pub use streams::StreamTask;

use crate::config::{Carrier, ClientConfig, Expect, Limits, ServerConfig};
use crate::crypto::generator::Generator;
use crate::crypto::hash::HASH_LEN;
use crate::error::{BeginError, ConfigError};
use crate::identity::PeerId;
use crate::link::Ticket;
use crate::seed::Seed;
use crate::session::{Session, TicketKeys};
use crate::time::Instant;
use admission::Gate;
use agenda::Agenda;
use answers::Answers;
use connection_id::ConnectionIds;
use peers::Peers;
use route::KnownPaths;
use routes::Routes;
use slab::Slab;

/// Many sessions, with those who want to become some: a state machine without IO, clock or threads, as [`Session`] is for one.
///
/// It runs over a socket for datagrams, over any number of stream carriers, or over both at once, and is the only one that knows
/// addresses. Sessions begin by [`connect`](Self::connect) and by Hellos that come in datagrams, or by
/// [`connect_stream`](Self::connect_stream) and [`accept_stream`](Self::accept_stream). Each has a [`Handle`]; the application reaches
/// it by [`session`](Self::session) and [`session_mut`](Self::session_mut), and hears of it by [`poll_event`](Self::poll_event). **A
/// session that a Hello began is announced by its first event**: usually [`Event::Established`](crate::Event::Established), or
/// [`Event::PeerIdentified`](crate::Event::PeerIdentified) where the application decides, or
/// [`Event::SignatureWanted`](crate::Event::SignatureWanted). One whose peer never proves an identity is not heard of; one whose peer is
/// not admitted, by its [`Event::Closed`](crate::Event::Closed).
///
/// A session goes away by itself once its [`Event::Closed`](crate::Event::Closed) was told and everything is sent, unless the application
/// [holds](Self::hold) it; its handle then finds nothing, and never another session.
///
/// A driver's loop:
///
/// 1. Feed what came: [`handle_datagram`](Self::handle_datagram), [`handle_stream`](Self::handle_stream),
///    [`handle_link_lost`](Self::handle_link_lost).
/// 2. Call [`handle_timeout`](Self::handle_timeout) if [`poll_timeout`](Self::poll_timeout) is due.
/// 3. Act on events until there are none.
/// 4. Send what [`poll_transmit`](Self::poll_transmit) gives until it gives nothing, and do what [`poll_stream`](Self::poll_stream) says.
///
/// All polls take constant time when there is nothing to do, and none looks for it: with 100,000 idle sessions as with one.
///
/// ```
/// # #[cfg(feature = "rustcrypto")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::net::SocketAddr;
/// use std::sync::Arc;
/// use aitcp::{crypto::{keygen::IdentityKey, rustcrypto::RustCrypto}, *};
///
/// let alice = IdentityKey::from_seed(&RustCrypto, [1; 32])?; // real seeds come from a key file and a generator
/// let bob = IdentityKey::from_seed(&RustCrypto, [2; 32])?;
/// let (alice_id, bob_id) = (alice.peer_id(), bob.peer_id());
/// let (alice_at, bob_at): (SocketAddr, SocketAddr) = ("192.0.2.1:4001".parse()?, "192.0.2.2:4002".parse()?);
///
/// let now = Instant::ORIGIN;
/// let server = Arc::new(ServerConfig::new(bob, Admission::Only([alice_id].into()), &["echo/1"]));
/// let mut clients = Endpoint::new(now, EndpointConfig::new(), Seed::new([3; 32])?)?;
/// let mut servers = Endpoint::new(now, EndpointConfig::new().with_server(server), Seed::new([4; 32])?)?;
///
/// let config = Arc::new(ClientConfig::new(alice, "echo/1"));
/// let handle = clients.connect(now, config, Expect::Pinned(bob_id), bob_at)?;
///
/// // The network: whatever one sends to the other's address, the other gets.
/// let mut buf = [0; 1_452];
/// for _ in 0..4 {
///     while let Some((to, transmit)) = clients.poll_transmit(now, &mut buf)? {
///         assert_eq!(to.remote, bob_at);
///         servers.handle_datagram(now, alice_at, transmit.ecn, &mut buf[..transmit.len]);
///     }
///     while let Some((to, transmit)) = servers.poll_transmit(now, &mut buf)? {
///         assert_eq!(to.remote, alice_at);
///         clients.handle_datagram(now, bob_at, transmit.ecn, &mut buf[..transmit.len]);
///     }
/// }
/// assert_eq!(clients.poll_event(), Some((handle, Event::Established)));
/// let stream = clients.session_mut(now, handle).ok_or("gone")?.open(Direction::Bidirectional)?;
///
/// let (accepted, event) = servers.poll_event().ok_or("no event")?;
/// assert_eq!(event, Event::Established);
/// let peer = servers.session(accepted).and_then(|session| session.handshake()).map(|info| info.peer);
/// assert_eq!(peer, Some(alice_id));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "rustcrypto"))]
/// # fn main() {}
/// ```
pub struct Endpoint<A: Address> {
    config: EndpointConfig,
    /// The latest time that the caller has told.
    now: Instant,
    generator: Generator,
    ids: ConnectionIds,
    sessions: Slab<Box<Hosted<A>>>,
    routes: Routes,
    gate: Gate,
    answers: Answers<A>,
    /// What tickets are sealed with.
    ticket_keys: TicketKeys,
    agenda: Agenda,
    peers: Peers,
    revoked: BTreeSet<PeerId>,
    is_shutting_down: bool,
    stats: EndpointStats,
}

/// A session, and what the endpoint keeps about it.
struct Hosted<A> {
    session: Session,
    paths: KnownPaths<A>,
    /// What leads to it, on the datagram carrier.
    connection_id: Option<NonZeroU64>,
    hello: Option<[u8; HASH_LEN]>,
    /// It counts as half-open.
    is_half_open: bool,
    /// The address that it counts for as such: its Hello may have come again from another one since.
    begun_at: Option<A>,
    /// The peer that it counts for.
    peer: Option<PeerId>,
    /// The application knows the handle.
    is_announced: bool,
    /// The application wants it to stay when it is over.
    is_held: bool,
    /// The driver has been told to end its stream carrier.
    has_ended_carrier: bool,
}

impl<A: Address> Endpoint<A> {
    /// An endpoint without sessions. `seed` is fresh randomness for this endpoint alone; all its sessions draw from it.
    ///
    /// # Errors
    /// [`ConfigError`] names what in `config` cannot work.
    pub fn new(now: Instant, config: EndpointConfig, seed: Seed) -> Result<Self, ConfigError> {
        config.validate()?;
        let mut generator = Generator::new(seed);
        Ok(Self {
            now,
            ids: ConnectionIds::new(config.server_id.clone()),
            sessions: Slab::new(config.limits.sessions),
            routes: Routes::new(&mut generator),
            gate: Gate::new(now, &config.limits, &mut generator),
            answers: Answers::new(),
            ticket_keys: TicketKeys::new(now, Seed::draw(&mut generator)),
            agenda: Agenda::new(),
            peers: Peers::default(),
            revoked: BTreeSet::new(),
            is_shutting_down: false,
            stats: EndpointStats::default(),
            generator,
            config,
        })
    }

    /// Begins a session over datagrams with whoever is at `to`: an address, or a [`Route`] if it matters from which of one's own.
    ///
    /// # Errors
    /// [`BeginError`]; nothing changed.
    pub fn connect(
        &mut self,
        now: Instant,
        config: Arc<ClientConfig>,
        expect: Expect,
        to: impl Into<Route<A>>,
    ) -> Result<Handle, BeginError> {
        self.connect_with(now, config, (expect, None), to.into())
    }

    fn connect_with(
        &mut self,
        now: Instant,
        config: Arc<ClientConfig>,
        target: (Expect, Option<Ticket>),
        to: Route<A>,
    ) -> Result<Handle, BeginError> {
        self.advance(now);
        let carrier = self.config.carrier();
        config.validate(carrier)?;
        self.check_beginning(target.0, &config.shared.limits)?;
        let id = self.draw_id().ok_or(BeginError::Full)?;
        let seed = Seed::draw(&mut self.generator);
        let session = Session::initiate(self.now, config, target, carrier, seed, Some(id));
        let hosted = Hosted { paths: KnownPaths::new(to), connection_id: Some(id), ..Hosted::own(session) };
        self.begin(hosted).ok_or(BeginError::Full)
    }

    /// Begins a session as the initiator on a stream carrier that has just come up.
    ///
    /// # Errors
    /// [`BeginError`]; nothing changed.
    pub fn connect_stream(
        &mut self,
        now: Instant,
        config: Arc<ClientConfig>,
        expect: Expect,
    ) -> Result<Handle, BeginError> {
        self.connect_stream_with(now, config, (expect, None))
    }

    fn connect_stream_with(
        &mut self,
        now: Instant,
        config: Arc<ClientConfig>,
        target: (Expect, Option<Ticket>),
    ) -> Result<Handle, BeginError> {
        self.advance(now);
        config.validate(Carrier::Stream)?;
        self.check_beginning(target.0, &config.shared.limits)?;
        let seed = Seed::draw(&mut self.generator);
        let session = Session::initiate(self.now, config, target, Carrier::Stream, seed, None);
        self.begin(Hosted::own(session)).ok_or(BeginError::Full)
    }

    /// Waits for an initiator on a stream carrier that has just come up, as the identity in `config`: any, also one that is not served
    /// on the datagram carrier.
    ///
    /// # Errors
    /// [`BeginError`]; nothing changed. End the carrier.
    pub fn accept_stream(&mut self, now: Instant, config: Arc<ServerConfig>) -> Result<Handle, BeginError> {
        self.advance(now);
        config.validate(Carrier::Stream)?;
        if self.is_shutting_down {
            return Err(BeginError::ShuttingDown);
        }
        if !self.has_room(&config.shared.limits) || !self.gate.enter(&self.config.limits) {
            return Err(BeginError::Full);
        }
        let seed = Seed::draw(&mut self.generator);
        let session = Session::respond(self.now, config, Carrier::Stream, seed, None);
        let begun = self.begin(Hosted { is_half_open: true, ..Hosted::own(session) });
        if begun.is_none() {
            self.gate.leave::<A>(None);
        }
        begun.ok_or(BeginError::Full)
    }

    /// A session, to look at; `None` if it is gone.
    #[must_use]
    pub fn session(&self, handle: Handle) -> Option<&Session> {
        self.sessions.get(handle).map(|hosted| &hosted.session)
    }

    /// A session, to do with it whatever an application can do; `None` if it is gone.
    ///
    /// What it has to send, and to tell, then comes out of the endpoint's polls.
    pub fn session_mut(&mut self, now: Instant, handle: Handle) -> Option<SessionMut<'_, A>> {
        self.advance(now);
        let hosted = self.sessions.get_mut(handle)?;
        hosted.session.handle_timeout(self.now);
        Some(SessionMut::new(handle, hosted, &mut self.agenda))
    }

    /// The handles of all sessions that the application has heard of, in no order that means anything.
    pub fn handles(&self) -> impl Iterator<Item = Handle> {
        self.sessions.iter().filter(|(_, hosted)| hosted.is_announced).map(|(handle, _)| handle)
    }

    /// Where the peer of a session on datagrams was when the session began, or the oldest place that is still used.
    #[must_use]
    pub fn route(&self, handle: Handle) -> Option<Route<A>> {
        self.sessions.get(handle)?.paths.first()
    }

    /// Whether there are no sessions, and nothing is left to be sent.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.sessions.is_empty() && self.answers.is_empty()
    }

    /// What has happened so far.
    #[must_use]
    pub fn stats(&self) -> EndpointStats {
        EndpointStats { sessions: self.sessions.len(), half_opens: self.gate.half_opens(), ..self.stats }
    }

    /// A clock that runs backward stands still.
    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Whether there is room for one session more, with these limits.
    fn has_room(&self, limits: &Limits) -> bool {
        let bytes = self.peers.bytes().saturating_add(limits.max_bytes() as u64);
        self.sessions.len() < self.config.limits.sessions && bytes <= self.config.limits.bytes
    }

    fn check_beginning(&self, expect: Expect, limits: &Limits) -> Result<(), BeginError> {
        if self.is_shutting_down {
            return Err(BeginError::ShuttingDown);
        }
        if matches!(expect, Expect::Pinned(peer) if self.revoked.contains(&peer)) {
            return Err(BeginError::Revoked);
        }
        if self.has_room(limits) { Ok(()) } else { Err(BeginError::Full) }
    }

    /// A connection id that is free.
    fn draw_id(&mut self) -> Option<NonZeroU64> {
        let mut draw = || self.ids.draw(&mut self.generator);
        (0..MAX_DRAWS).map(|_| draw()).find(|id| self.routes.by_connection_id(id.get()).is_none())
    }

    /// Takes a session in. `None` if there is no room.
    fn begin(&mut self, hosted: Hosted<A>) -> Option<Handle> {
        let (id, hello) = (hosted.connection_id, hosted.hello);
        let handle = self.sessions.insert(Box::new(hosted)).ok()?;
        let place = handle.index;
        let is_free = id.is_none_or(|id| self.routes.add_connection_id(id, place))
            && hello.is_none_or(|hello| self.routes.add_hello(&hello, place));
        debug_assert!(is_free, "looked up before");
        if let Some(hosted) = self.sessions.get(handle) {
            self.agenda.wake(place, &hosted.session);
        }
        Some(handle)
    }
}

/// How often a connection id is drawn before it is given up: with as many sessions as there can be, one in 2^24 is taken where a machine's
/// number has 16 bits.
const MAX_DRAWS: usize = 8;

impl<A: Address> Hosted<A> {
    /// A session of the application's own making, on a stream carrier.
    const fn own(session: Session) -> Self {
        Self {
            session,
            paths: KnownPaths::none(),
            connection_id: None,
            hello: None,
            is_half_open: false,
            begun_at: None,
            peer: None,
            is_announced: true,
            is_held: false,
            has_ended_carrier: false,
        }
    }
}

impl<A: Address> fmt::Debug for Endpoint<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("now", &self.now).field("stats", &self.stats()).finish_non_exhaustive()
    }
}
