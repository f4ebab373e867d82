//! The lasting relation of two identities, as one end sees it.
//!
//! - [`receive`], [`transmit`]: packets in and out. [`handshake`]: from the first packet to an established session.
//! - [`streams`], [`flow_control`]: what the application sends and receives.
//! - [`lifecycle`]: timers, shutdown, and how sessions end. [`news`]: what the application hears.
#![forbid(unsafe_code)]

mod carried;
mod datagram;
mod datagram_queue;
#[cfg(feature = "testing")]
mod digest;
mod flow_control;
mod handshake;
#[cfg(feature = "endpoint")]
mod hosted;
mod lifecycle;
mod news;
mod outbox;
mod owner;
mod receive;
mod recovery;
mod resumption;
mod stats;
mod streams;
mod timers;
mod transmit;
mod verbs;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::num::NonZeroU64;

pub(crate) use datagram::max_bytes as datagram_max_bytes;
pub use datagram::{Meta, PathId};
pub use handshake::HandshakeInfo;
pub use owner::Owner;
pub use receive::StreamInput;
#[cfg(feature = "testing")]
pub use recovery::exerciser;
pub use resumption::TicketKeys;
pub use stats::{PathStats, Stats};
pub use streams::Received;
pub(crate) use streams::Streams;
pub use transmit::{MIN_TRANSMIT, Transmit};
pub use verbs::Ending;

use crate::config::{Carrier, ClientConfig, Expect, ServerConfig, Shared};
use crate::crypto::generator::Generator;
use crate::crypto::key_schedule::Exporter;
use crate::error::ConfigError;
use crate::link::{DataKeys, Handshake, Ticket};
use crate::role::Role;
use crate::seed::Seed;
use crate::time::Instant;
use datagram::DatagramSide;
use lifecycle::{OutgoingClose, Shutdown};
use news::News;
use outbox::Outbox;
use resumption::Resumption;
use timers::{Timer, Timers};

/// One end of a session with one peer: a state machine without IO, clock or threads.
///
/// Bytes from the carrier go into [`handle_stream`](Self::handle_stream); bytes for it come out of
/// [`poll_transmit`](Self::poll_transmit). Time is told with every call and asked for with [`poll_timeout`](Self::poll_timeout).
/// What happens is told by [`poll_event`](Self::poll_event), one small value at a time. Calls can come in any order: nothing has to
/// be drained before anything else may be called, and a call that returns an error has changed nothing.
///
/// A driver's loop, whatever it runs on:
///
/// 1. Feed what the carrier gave; on its end call [`handle_link_lost`](Self::handle_link_lost).
/// 2. Call [`handle_timeout`](Self::handle_timeout) if [`poll_timeout`](Self::poll_timeout) is due.
/// 3. Act on events until there are none.
/// 4. Send what [`poll_transmit`](Self::poll_transmit) gives until it gives nothing.
/// 5. Stop if [`is_drained`](Self::is_drained); else wait for bytes or for the time of [`poll_timeout`](Self::poll_timeout).
///
/// ```
/// # #[cfg(feature = "rustcrypto")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use aitcp::crypto::{keygen::IdentityKey, rustcrypto::RustCrypto};
/// use aitcp::*;
///
/// let alice = IdentityKey::from_seed(&RustCrypto, [1; 32])?; // real seeds come from a key file and a generator
/// let bob = IdentityKey::from_seed(&RustCrypto, [2; 32])?;
/// let (alice_id, bob_id) = (alice.peer_id(), bob.peer_id());
///
/// let now = Instant::ORIGIN;
/// let client = Arc::new(ClientConfig::new(alice, "echo/1"));
/// let server = Arc::new(ServerConfig::new(bob, Admission::Only([alice_id].into()), &["echo/1"]));
/// let mut i = Session::connect(now, client, Expect::Pinned(bob_id), Carrier::Stream, Seed::new([3; 32])?)?;
/// let mut r = Session::accept(now, server, Carrier::Stream, Seed::new([4; 32])?)?;
///
/// // The carrier: whatever one end gives, the other gets.
/// let mut buf = vec![0; 64 << 10];
/// let mut carry = |from: &mut Session, to: &mut Session| -> Result<(), BufferTooSmall> {
///     while let Some(transmit) = from.poll_transmit(now, &mut buf)? {
///         to.handle_stream(now, &mut buf[..transmit.len]);
///     }
///     Ok(())
/// };
/// carry(&mut i, &mut r)?;
/// carry(&mut r, &mut i)?;
/// assert_eq!(i.poll_event(), Some(Event::Established));
///
/// let stream = i.open(Direction::Bidirectional)?;
/// i.send(stream, b"hello", Ending::End)?;
/// carry(&mut i, &mut r)?;
/// assert_eq!(r.poll_event(), Some(Event::Established));
/// assert_eq!(r.handshake().map(|info| info.peer), Some(alice_id));
///
/// let mut message = [0; 16];
/// let received = r.recv(stream, &mut message)?;
/// assert_eq!((&message[..received.len], received.end_of_message), (&b"hello"[..], true));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "rustcrypto"))]
/// # fn main() {}
/// ```
pub struct Session {
    config: Config,
    /// The latest time that the caller has told.
    now: Instant,
    generator: Generator,
    phase: Phase,
    /// Handshake packets that are still to be sent.
    outbox: Outbox,
    streams: Streams,
    timers: Timers,
    news: News,
    info: Option<Box<HandshakeInfo>>,
    /// Once it is established.
    resumption: Option<Box<Resumption>>,
    shutdown: Shutdown,
    /// An empty packet is due, to confirm the handshake or to keep the session alive.
    ping_due: bool,
    /// What the peer wrote into its close.
    close_text: String,
    counters: stats::Counters,
    /// What a datagram carrier takes besides.
    datagrams: Option<Box<DatagramSide>>,
}

/// How far the session has come. Each phase holds just the secrets that it needs.
enum Phase {
    /// Identities are being proved.
    Handshake(Box<Handshake>),
    /// Responder only: the peer is authenticated, and its owner has not decided yet (R-6.3-5).
    Undecided(Box<Link>),
    /// Established.
    Open(Box<Link>),
    /// A close has still to be sealed and sent.
    Closing(Box<Link>, OutgoingClose),
    /// Over. There are no keys any more.
    Closed,
}

/// An established link: keys to talk to a peer that has proved who it is.
struct Link {
    keys: DataKeys,
    exporter: Exporter,
    /// The longest packet that the peer takes.
    peer_max_packet: usize,
    /// Silence after which the session ends: the shorter of what both ends asked for (R-9.3-1).
    idle: Option<core::time::Duration>,
}

/// A session's configuration, by role.
enum Config {
    Client(Arc<ClientConfig>),
    Server(Arc<ServerConfig>),
}

impl Config {
    fn shared(&self) -> &Shared {
        match self {
            Self::Client(config) => &config.shared,
            Self::Server(config) => &config.shared,
        }
    }
}

impl Session {
    /// Starts a session as its initiator: the Hello waits in [`poll_transmit`](Self::poll_transmit).
    ///
    /// `expect` is whom to talk to. `seed` is fresh randomness for this session alone.
    ///
    /// # Errors
    /// [`ConfigError`] names what in `config` cannot work. Nothing about the peer or the carrier comes out here.
    pub fn connect(
        now: Instant,
        config: Arc<ClientConfig>,
        expect: Expect,
        carrier: Carrier,
        seed: Seed,
    ) -> Result<Self, ConfigError> {
        config.validate(carrier)?;
        Ok(Self::initiate(now, config, (expect, None), carrier, seed, None))
    }

    /// The same with a configuration that fits the carrier. `local_id` is the connection id on a datagram carrier, if somebody routes by
    /// it.
    pub(crate) fn initiate(
        now: Instant,
        config: Arc<ClientConfig>,
        target: (Expect, Option<Ticket>),
        carrier: Carrier,
        seed: Seed,
        local_id: Option<NonZeroU64>,
    ) -> Self {
        let mut generator = Generator::new(seed);
        let mut outbox = Outbox::default();
        let shared = Arc::clone(&config);
        let handshake = Handshake::connect(shared, target, carrier, local_id, &mut generator, outbox.tail());
        let mut session = Self::new(now, Config::Client(config), carrier, generator, outbox, handshake);
        session.schedule_flight();
        session
    }

    /// Waits for an initiator on a carrier that has just come up.
    ///
    /// `seed` is fresh randomness for this session alone.
    ///
    /// # Errors
    /// [`ConfigError`] names what in `config` cannot work.
    pub fn accept(now: Instant, config: Arc<ServerConfig>, carrier: Carrier, seed: Seed) -> Result<Self, ConfigError> {
        config.validate(carrier)?;
        Ok(Self::respond(now, config, carrier, seed, None))
    }

    /// The same with a configuration that fits the carrier; `local_id` as for [`initiate`](Self::initiate).
    pub(crate) fn respond(
        now: Instant,
        config: Arc<ServerConfig>,
        carrier: Carrier,
        seed: Seed,
        local_id: Option<NonZeroU64>,
    ) -> Self {
        let mut generator = Generator::new(seed);
        let handshake = Handshake::accept(Arc::clone(&config), carrier, local_id, &mut generator);
        let outbox = Outbox::default();
        Self::new(now, Config::Server(config), carrier, generator, outbox, handshake)
    }

    fn new(
        now: Instant,
        config: Config,
        carrier: Carrier,
        generator: Generator,
        outbox: Outbox,
        handshake: Handshake,
    ) -> Self {
        let shared = config.shared();
        let mut timers = Timers::default();
        let deadline = match carrier {
            Carrier::Stream => shared.timeouts.handshake,
            Carrier::Datagram { .. } => shared.timeouts.datagram_handshake,
        };
        timers.set(Timer::Handshake, now + deadline);
        let role = match config {
            Config::Client(_) => Role::Initiator,
            Config::Server(_) => Role::Responder,
        };
        let datagrams = DatagramSide::new(carrier, role == Role::Responder);
        let streams = Streams::new(role, &shared.limits, datagrams.is_none());
        Self {
            config,
            now,
            generator,
            phase: Phase::Handshake(Box::new(handshake)),
            outbox,
            streams,
            timers,
            news: News::default(),
            info: None,
            resumption: None,
            shutdown: Shutdown::default(),
            ping_due: false,
            close_text: String::new(),
            counters: stats::Counters::default(),
            datagrams,
        }
    }

    /// Which end of the session this is.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.config {
            Config::Client(_) => Role::Initiator,
            Config::Server(_) => Role::Responder,
        }
    }

    /// Whether the peer was let in, so that its streams are the application's business (R-6.3-5).
    fn is_admitted(&self) -> bool {
        self.info.is_some() && self.news.was_established()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("role", &self.role())
            .field("phase", &self.phase)
            .field("peer", &self.info.as_ref().map(|info| info.peer))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(handshake) => handshake.fmt(f),
            Self::Undecided(_) => f.write_str("Undecided"),
            Self::Open(_) => f.write_str("Open"),
            Self::Closing(..) => f.write_str("Closing"),
            Self::Closed => f.write_str("Closed"),
        }
    }
}
