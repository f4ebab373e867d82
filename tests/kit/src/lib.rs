//! Tests of AI-TCP, and of what is built on it, without sockets, clocks or threads: virtual time, emulated carriers, pairs of
//! sessions, whole networks of nodes, a reference model, and an authenticated but hostile peer.
//!
//! - [`Setup`] describes two agents; [`Pair`] is their two sessions with a [`Clock`] and a [`StreamLink`] each way.
//! - [`simulator`] runs any number of nodes, endpoints or applications of your own, over paths that lose, delay, reorder, double and
//!   damage datagrams, with NATs, partitions, broken clocks, crashes and an adversary. [`DatagramLink`] is one direction of a path,
//!   [`Conditions`] what it does.
//! - [`Op`] is everything that applications and carriers can do, decoded from any bytes; [`CheckedPair`] carries operations out on a
//!   pair and compares with a [`Model`] what arrives.
//! - [`Recording`] keeps the packets of a real session, to be shown again, altered, to fresh sessions.
//! - [`forge`] opens and seals packets with logged secrets, in an implementation of its own.
//! - [`provider_vectors`] is what a crypto provider has to pass.
//! - [`fuzz`] has the bodies of the fuzz targets.
//! - [`heap`] counts allocations.
//!
//! Everything follows from seeds: the same test does the same each time.
//!
//! ```
//! use aitcp::{Direction, Ending, Role};
//! use aitcp_testkit::Setup;
//!
//! let mut pair = Setup::default().pair();
//! pair.connect();
//! let stream = pair.initiator.session.open(Direction::Bidirectional)?;
//! pair.initiator.session.send(stream, b"hello", Ending::End)?;
//! pair.drive();
//! assert_eq!(pair.responder.recv_message(stream).as_deref(), Some(&b"hello"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod campaign;
mod clock;
mod datagram_link;
mod end;
pub mod forge;
pub mod fuzz;
pub mod heap;
mod model;
mod op;
mod pair;
pub mod provider_vectors;
mod recording;
mod rng;
mod setup;
pub mod simulator;
mod stream_link;

pub use campaign::{campaign, for_each_seed, is_full_campaign, report};
pub use clock::Clock;
pub use datagram_link::{Address, Conditions, Datagram, DatagramLink, Ecn, LinkStats, Loss, Probability};
pub use end::End;
pub use model::{CheckedPair, Model};
pub use op::Op;
pub use pair::{Pair, Trace};
pub use recording::{Recorded, Recording};
pub use rng::Rng;
pub use setup::{Agent, Secrets, Setup};
pub use stream_link::{Arrival, Chunks, StreamLink};
