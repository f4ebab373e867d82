//! Connection ids: random numbers, which may carry for a load balancer which machine they belong to.

#![forbid(unsafe_code)]

use core::fmt;
use core::num::NonZeroU64;

use zeroize::Zeroizing;

use crate::crypto::generator::Generator;
use crate::crypto::hash::hmac;

/// How the connection ids of several machines behind one address say which machine they belong to.
///
/// A load balancer sends the packets of a new peer to any machine, and all later ones to the machine that answered. It can do the
/// second without a table, if each machine puts its number into the connection ids that it chooses, since every packet of a peer
/// after its Hello carries one. So a session stays where it is, whatever address its packets come from and however many balancers
/// there are. This is what QUIC-LB (draft-ietf-quic-load-balancers) does, for ids of 64 bits.
///
/// The number has 1 to 16 bits, and the rest of an id is random. Machines and balancers agree on the codec:
///
/// - [`plain`](Self::plain): the number is in the top bits of the id. Everyone can see which sessions share a machine.
/// - [`encrypted`](Self::encrypted): the whole id is enciphered under a key that the machines and the balancers share, and looks
///   random to everyone else. It costs each side four HMACs for an id.
///
/// An id routes and does not authenticate: anyone can send any. What it leads to is decided by the keys of the session, as ever.
///
/// # A load balancer
///
/// ```
/// use aitcp::ServerIdCodec;
///
/// /// Which of `machines` machines gets this datagram.
/// fn route(codec: &ServerIdCodec, datagram: &[u8], hash_of_address: u64, machines: u16) -> u16 {
///     // The header's connection id, little-endian (specification, section 3.1). All packets of a datagram have the same.
///     let id = datagram.get(8..16).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
///     match codec.decode(id) {
///         Some(machine) if machine < machines => machine,
///         // A Hello, whose id is 0, or noise. The same address leads to the same machine, so that a Hello which is sent again
///         // finds the machine that has the first one, or gave out its cookie.
///         _ => (hash_of_address % u64::from(machines)) as u16,
///     }
/// }
///
/// let codec = ServerIdCodec::encrypted(8, [0x5C; 32])?; // a secret of 32 random bytes, the same on all machines
/// let id = codec.encode(2, 0x0123_4567_89AB_CDEF)?;
///
/// let mut datagram = [0; 1_200];
/// datagram[8..16].copy_from_slice(&id.get().to_le_bytes());
/// assert_eq!(route(&codec, &datagram, 77, 3), 2);
/// # Ok::<(), aitcp::ServerIdError>(())
/// ```
#[derive(Clone)]
pub struct ServerIdCodec {
    bits: u8,
    key: Option<Zeroizing<[u8; 32]>>,
}

/// Separates these MACs from all others, should the key be used elsewhere.
const LABEL: &[u8] = b"aitcp1 server id";

/// Rounds of the cipher: four make a strong pseudo-random permutation from a pseudo-random function (Luby and Rackoff).
const ROUNDS: core::ops::Range<u8> = 0..4;

impl ServerIdCodec {
    /// The most bits that a machine's number can have.
    pub const MAX_BITS: u8 = 16;

    /// The number is in the top `bits` bits of an id, for all to see.
    ///
    /// # Errors
    /// [`ServerIdError::Bits`] if `bits` is not 1 to 16.
    pub fn plain(bits: u8) -> Result<Self, ServerIdError> {
        Self::new(bits, None)
    }

    /// Ids are enciphered under `key`, which the machines and the load balancers share and nobody else knows.
    ///
    /// For balancers in other languages: what is enciphered has the number in its top `bits` bits and random ones below. Split it into a
    /// high half L and a low half R of 32 bits each, and replace (L, R) by (R, L xor F) four times, where F in round i, counted from 0, is
    /// the first four bytes, little-endian, of HMAC-SHA256 under `key` over `"aitcp1 server id"`, `bits` and i as one byte each, and R as
    /// four bytes, little-endian. The id is L and R again.
    ///
    /// # Errors
    /// [`ServerIdError::Bits`] if `bits` is not 1 to 16; [`ServerIdError::ZeroKey`] if all bytes of the key are zero.
    pub fn encrypted(bits: u8, key: [u8; 32]) -> Result<Self, ServerIdError> {
        let key = Zeroizing::new(key);
        if key.iter().all(|byte| *byte == 0) {
            return Err(ServerIdError::ZeroKey);
        }
        Self::new(bits, Some(key))
    }

    fn new(bits: u8, key: Option<Zeroizing<[u8; 32]>>) -> Result<Self, ServerIdError> {
        if (1..=Self::MAX_BITS).contains(&bits) { Ok(Self { bits, key }) } else { Err(ServerIdError::Bits) }
    }

    /// An id of the machine `server`. Take a fresh random `nonce` for each; as many of its low bits go in as the number leaves.
    ///
    /// # Errors
    /// [`ServerIdError::Server`] if the number has more bits than were agreed on.
    pub fn encode(&self, server: u16, nonce: u64) -> Result<NonZeroU64, ServerIdError> {
        if self.fits(server) { Ok(self.id(server, nonce)) } else { Err(ServerIdError::Server) }
    }

    /// The machine that an id belongs to, if a machine has made it. `None` for 0, the id of a Hello.
    ///
    /// Any other id decodes to some number: whether there is such a machine is for the caller to know.
    #[must_use]
    pub fn decode(&self, connection_id: u64) -> Option<u16> {
        let id = NonZeroU64::new(connection_id)?;
        let block = self.key.as_deref().map_or(id.get(), |key| self.decipher(key, id.get()));
        block.checked_shr(self.nonce_bits()).and_then(|server| u16::try_from(server).ok())
    }

    fn fits(&self, server: u16) -> bool {
        u32::from(self.bits) >= u16::BITS.saturating_sub(server.leading_zeros())
    }

    /// 0 is no id: the one block that would give it is left out in favour of its neighbour.
    fn id(&self, server: u16, nonce: u64) -> NonZeroU64 {
        let nonce = nonce & u64::MAX.checked_shr(self.bits.into()).unwrap_or(0);
        let block = u64::from(server).checked_shl(self.nonce_bits()).unwrap_or(0) | nonce;
        let to_id = |block| NonZeroU64::new(self.key.as_deref().map_or(block, |key| self.encipher(key, block)));
        // No two blocks give one id, so these do not both give 0.
        to_id(block).or_else(|| to_id(block ^ 1)).unwrap_or(NonZeroU64::MIN)
    }

    fn nonce_bits(&self) -> u32 {
        u64::BITS.saturating_sub(self.bits.into())
    }

    fn encipher(&self, key: &[u8; 32], block: u64) -> u64 {
        let (left, right) =
            ROUNDS.fold(halves(block), |(left, right), round| (right, left ^ self.round(key, round, right)));
        joined(left, right)
    }

    fn decipher(&self, key: &[u8; 32], block: u64) -> u64 {
        let undo = |(left, right), round| (right ^ self.round(key, round, left), left);
        let (left, right) = ROUNDS.rev().fold(halves(block), undo);
        joined(left, right)
    }

    fn round(&self, key: &[u8; 32], round: u8, half: u32) -> u32 {
        let mac = hmac(key, &[LABEL, &[self.bits, round], &half.to_le_bytes()]);
        mac.first_chunk().copied().map_or(0, u32::from_le_bytes)
    }
}

/// The high and the low half.
const fn halves(block: u64) -> (u32, u32) {
    ((block >> 32) as u32, block as u32)
}

const fn joined(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

impl fmt::Debug for ServerIdCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.key.is_some() { "encrypted" } else { "plain" };
        write!(f, "ServerIdCodec({kind}, {} bits)", self.bits)
    }
}

/// The number of this machine among those behind a load balancer, and how its connection ids carry it.
///
/// ```
/// use aitcp::{ServerId, ServerIdCodec, ServerIdError};
///
/// let codec = ServerIdCodec::plain(4)?;
/// assert!(ServerId::new(codec.clone(), 15).is_ok());
/// assert_eq!(ServerId::new(codec, 16).unwrap_err(), ServerIdError::Server);
/// # Ok::<(), ServerIdError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ServerId {
    codec: ServerIdCodec,
    server: u16,
}

impl ServerId {
    /// The machine `server`, counted from 0, among those that use `codec`.
    ///
    /// # Errors
    /// [`ServerIdError::Server`] if the number has more bits than were agreed on.
    pub fn new(codec: ServerIdCodec, server: u16) -> Result<Self, ServerIdError> {
        if codec.fits(server) { Ok(Self { codec, server }) } else { Err(ServerIdError::Server) }
    }
}

/// Why connection ids cannot carry this number in this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerIdError {
    /// A machine's number has 1 to 16 bits.
    Bits,
    /// The machine's number has more bits than were agreed on.
    Server,
    /// All 32 bytes of the key are zero: what should have made it did not.
    ZeroKey,
}

impl fmt::Display for ServerIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bits => "a machine's number has 1 to 16 bits",
            Self::Server => "the machine's number has more bits than were agreed on",
            Self::ZeroKey => "all-zero key: what should have made it failed",
        })
    }
}

impl core::error::Error for ServerIdError {}

/// Where an endpoint takes its connection ids from. They are random and can repeat: whoever draws one checks that it is free.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionIds {
    server: Option<ServerId>,
}

impl ConnectionIds {
    /// Random ids, which carry the number of a machine if there is one.
    pub(crate) const fn new(server: Option<ServerId>) -> Self {
        Self { server }
    }

    pub(crate) fn draw(&self, generator: &mut Generator) -> NonZeroU64 {
        let random = generator.nonzero_u64();
        match &self.server {
            Some(ServerId { codec, server }) => codec.id(*server, random.get()),
            None => random,
        }
    }
}

#[cfg(test)]
mod tests;
