//! Messages that travel compressed (specification, section 8.9).
//!
//! A message is packed only if it is given whole, gets shorter, and can go at once: there is room for all of it, and credit of the
//! stream and of the session, which is then kept for it (R-8.9-5). Otherwise it goes plain, so compression never makes anybody wait.
//! At the receiver it stays in its ring as it came, on credit, until the application reads it: what is unpacked is bounded by one
//! message for the whole session.

#![forbid(unsafe_code)]

use alloc::vec::Vec;

use super::block_pool::{BlockPool, Piece};
use super::recv_half::RecvHalf;
#[cfg(feature = "compression")]
use crate::crypto::compression::{self, Compressed, CompressedError};
use crate::event::ProtocolCode;
use crate::stream_id::StreamId;

/// The longest message that may travel compressed, in plain bytes (R-8.9-3).
pub(super) const MAX_PLAIN: usize = 65_536;

/// What the packer takes while it packs: its table of 4-byte sequences.
const PACKER: usize = 32 << 10;

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

/// Which message is unpacked: the one at the front of a stream, and how long it has become. It is forgotten when it has been read, so
/// that there is no mistaking it for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unpacked {
    stream: StreamId,
    plain_len: usize,
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
    /// The most memory that both directions need, the packer's own included.
    pub(super) const MAX_BYTES: usize = packed_bound(MAX_PLAIN).saturating_add(MAX_PLAIN).saturating_add(PACKER);

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
        make_room(&mut self.packed, packed_bound(plain.len()));
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
        let kept = self.unpacked.filter(|unpacked| unpacked.stream == stream);
        let plain_len = match kept {
            Some(unpacked) => unpacked.plain_len,
            None => {
                self.unpacked = None;
                let piece = self.fetch(half, pool);
                let packed = self.packed.get(..piece.len).unwrap_or_default();
                let reader = if half.given() == 0 { &mut *out } else { &mut [] };
                let (plain_len, is_with_reader) = unpack(packed, max_message, reader, &mut self.plain)?;
                if is_with_reader {
                    return Ok(Plain { len: plain_len, end: Some(piece) });
                }
                self.unpacked = Some(Unpacked { stream, plain_len });
                plain_len
            }
        };
        let rest = self.plain.get(half.given()..plain_len).unwrap_or_default();
        let len = rest.len().min(out.len());
        if let (Some(from), Some(to)) = (rest.get(..len), out.get_mut(..len)) {
            to.copy_from_slice(from);
        }
        if len < rest.len() {
            return Ok(Plain { len, end: None });
        }
        self.unpacked = None;
        // Not before: what follows the message may have come after it was unpacked.
        Ok(Plain { len, end: Some(self.fetch(half, pool)) })
    }

    /// Copies the packed message at the front of a receiving half into one piece.
    fn fetch(&mut self, half: &RecvHalf, pool: &BlockPool) -> Piece {
        let most = usize::try_from(half.held()).unwrap_or(MAX_PLAIN).min(MAX_PLAIN);
        make_room(&mut self.packed, most);
        half.peek(pool, &mut self.packed)
    }
}

/// Makes a buffer at least so long. A new one takes the place of the old: nothing in it is of use any more, so that the two are never
/// there together.
fn make_room(buffer: &mut Vec<u8>, len: usize) {
    if buffer.len() < len {
        *buffer = Vec::new();
        *buffer = alloc::vec![0; len];
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

/// Unpacks a message: straight to the reader if it has room for all of it, otherwise into `plain`. Returns its length, and whether
/// the reader has it.
#[cfg(feature = "compression")]
fn unpack(
    packed: &[u8],
    max_message: u64,
    reader: &mut [u8],
    plain: &mut Vec<u8>,
) -> Result<(usize, bool), ProtocolCode> {
    let rule = |error| match error {
        CompressedError::Malformed => ProtocolCode::Compression, // R-8.9-2
        CompressedError::TooLarge => ProtocolCode::MessageTooLarge,
    };
    let message = Compressed::parse(packed, max_message).map_err(rule)?; // R-8.9-3
    let len = message.plain_len();
    if len > 0 && len <= reader.len() {
        message.decompress(reader).map_err(rule)?;
        return Ok((len, true));
    }
    make_room(plain, len);
    message.decompress(plain).map_err(rule)?;
    Ok((len, false))
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
const fn unpack(_: &[u8], _: u64, _: &mut [u8], _: &mut Vec<u8>) -> Result<(usize, bool), ProtocolCode> {
    Err(ProtocolCode::Compression)
}
