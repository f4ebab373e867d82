//! Messages that travel compressed (specification, section 8.9).
//!
//! A message is packed only if it is given whole, gets shorter, and can go at once: there is room for all of it, and credit of the
//! stream and of the session, which is then kept for it (R-8.9-5). Otherwise it goes plain, so compression never makes anybody wait.
//! At the receiver it stays in its ring as it came, on credit, until the application reads it: what is unpacked is bounded by one
//! message for the whole session.

#![forbid(unsafe_code)]

use alloc::vec::Vec;

use super::block_pool::{BlockPool, Piece};
use super::id::StreamId;
use super::recv_half::RecvHalf;
#[cfg(feature = "compression")]
use crate::crypto::compression::{self, Compressed, CompressedError};
use crate::event::ProtocolCode;

/// The longest message that may travel compressed, in plain bytes (R-8.9-3).
pub(super) const MAX_PLAIN: usize = 65_536;

/// Shorter messages are not worth an attempt.
const MIN_PLAIN: usize = 64;

/// Room to work in. Empty until a message is packed or unpacked.
#[derive(Default)]
pub(super) struct Packing {
    /// A packed message in one piece.
    packed: Vec<u8>,
    /// The message of `unpacked`, when it was not read at once.
    plain: Vec<u8>,
    unpacked: Option<Unpacked>,
}

/// Which message is unpacked: that of a stream at an offset, and the piece that it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unpacked {
    stream: StreamId,
    offset: u64,
    piece: Piece,
}

/// What reading a packed message gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plain {
    /// Plain bytes copied.
    pub(super) len: usize,
    /// All of the message has been read: this is what it took in the ring.
    pub(super) end: Option<Piece>,
}

impl Packing {
    /// The most memory that both directions need.
    pub(super) const MAX_BYTES: usize = packed_bound(MAX_PLAIN).saturating_add(MAX_PLAIN);

    pub(super) fn heap_bytes(&self) -> usize {
        self.packed.capacity().saturating_add(self.plain.capacity())
    }

    /// Gives back all memory.
    pub(super) fn trim(&mut self) {
        *self = Self::default();
    }

    /// The packed form of a message, if it has one that is shorter.
    pub(super) fn pack(&mut self, plain: &[u8]) -> Option<&[u8]> {
        if plain.len() < MIN_PLAIN || plain.len() > MAX_PLAIN {
            return None;
        }
        let bound = packed_bound(plain.len());
        if self.packed.len() < bound {
            self.packed.resize(bound, 0);
        }
        let len = pack(plain, &mut self.packed)?;
        self.packed.get(..len)
    }

    /// Reads on in the packed message at the front of a receiving half, of which the application has got `given` plain bytes.
    ///
    /// # Errors
    /// The rule that the message breaks.
    pub(super) fn read(
        &mut self,
        stream: StreamId,
        half: &RecvHalf,
        pool: &BlockPool,
        max_message: u64,
        out: &mut [u8],
    ) -> Result<Plain, ProtocolCode> {
        let offset = half.read_offset();
        let kept = self.unpacked.filter(|unpacked| (unpacked.stream, unpacked.offset) == (stream, offset));
        let piece = match kept {
            Some(unpacked) => unpacked.piece,
            None => {
                self.unpacked = None;
                self.packed.resize(MAX_PLAIN.max(self.packed.len()), 0);
                let piece = half.peek(pool, &mut self.packed);
                let packed = self.packed.get(..piece.len).unwrap_or_default();
                let len = unpack(packed, max_message, half.given(), out, &mut self.plain)?;
                if let Some(len) = len {
                    return Ok(Plain { len, end: Some(piece) });
                }
                self.unpacked = Some(Unpacked { stream, offset, piece });
                piece
            }
        };
        let rest = self.plain.get(half.given()..).unwrap_or_default();
        let len = rest.len().min(out.len());
        if let (Some(from), Some(to)) = (rest.get(..len), out.get_mut(..len)) {
            to.copy_from_slice(from);
        }
        let is_all = len == rest.len();
        if is_all {
            self.unpacked = None;
        }
        Ok(Plain { len, end: is_all.then_some(piece) })
    }
}

#[cfg(feature = "compression")]
const fn packed_bound(plain: usize) -> usize {
    compression::compress_bound(plain)
}

#[cfg(feature = "compression")]
fn pack(plain: &[u8], out: &mut [u8]) -> Option<usize> {
    compression::compress(plain, out)
}

/// Unpacks a message: straight into `out` if it has room for all of it and nothing was given before, which returns the length;
/// otherwise into `plain`.
#[cfg(feature = "compression")]
fn unpack(
    packed: &[u8],
    max_message: u64,
    given: usize,
    out: &mut [u8],
    plain: &mut Vec<u8>,
) -> Result<Option<usize>, ProtocolCode> {
    let rule = |error| match error {
        CompressedError::Malformed => ProtocolCode::Compression,
        CompressedError::TooLarge => ProtocolCode::MessageTooLarge,
    };
    let message = Compressed::parse(packed, max_message).map_err(rule)?;
    let len = message.plain_len();
    if given == 0 && len <= out.len() {
        message.decompress(out).map_err(rule)?;
        return Ok(Some(len));
    }
    plain.clear();
    plain.resize(len, 0);
    message.decompress(plain).map_err(rule)?;
    Ok(None)
}

/// Without the feature nothing is agreed on, nothing packed, and nothing packed accepted.
#[cfg(not(feature = "compression"))]
const fn packed_bound(_: usize) -> usize {
    0
}

#[cfg(not(feature = "compression"))]
const fn pack(_: &[u8], _: &mut [u8]) -> Option<usize> {
    None
}

#[cfg(not(feature = "compression"))]
const fn unpack(_: &[u8], _: u64, _: usize, _: &mut [u8], _: &mut Vec<u8>) -> Result<Option<usize>, ProtocolCode> {
    Err(ProtocolCode::Compression)
}
