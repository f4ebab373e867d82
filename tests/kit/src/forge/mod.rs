//! An authenticated but hostile peer: whatever a holder of the keys could send.
//!
//! Everything here is written anew from the specification, on plain hashes and AEADs, and shares no code with the core: what the core
//! seals opens here and the other way round, or one of the two is wrong. Keys come from a session's key log, so that no hook in the
//! core is needed: the victim logs its secrets, and [`HostilePeer`] talks to it with them; [`HostileDatagrams`] does on datagram
//! carriers, from the end of the handshake on.
//!
//! - [`Header`], [`split_packets`]: packets as bytes.
//! - [`Table`]: FlatBuffers with any fields. [`Hello`], [`Accept`], [`Refuse`], [`Params`], [`Auth`], [`Payload`]: those of the
//!   protocol, with any values.
//! - [`PacketKeys`], [`Transcript`], [`expand_label`]: cryptography.
//!
//! ```
//! use aitcp::{ProtocolCode, Role};
//! use aitcp_testkit::Setup;
//! use aitcp_testkit::forge::{Control, HostilePeer, Payload};
//!
//! let mut hostile = HostilePeer::established(&Setup::default(), Role::Responder);
//! hostile.send_data(&Payload { controls: vec![Control { code: 77, ..Control::default() }], ..Payload::default() });
//! assert!(hostile.victim.ended_for(ProtocolCode::UnknownControl));
//! ```

mod crypto;
mod handshake;
mod header;
mod hostile_datagrams;
mod hostile_peer;
mod payload;
mod table;

pub use crypto::{HeaderMask, PacketKeys, Transcript, expand_label, hmac_sha256, sha256};
pub use handshake::{Accept, Auth, Hello, Params, Refuse};
pub use header::{HEADER_LEN, Header, Kind, split_packets};
pub use hostile_datagrams::{HostileDatagrams, Opened};
pub use hostile_peer::HostilePeer;
pub use payload::{Close, Control, Fragment, Payload};
pub use table::{Table, read_u16, read_u64, read_vector};
