//! LZ4 for whole messages (specification, section 8.9): `uint32_le(plain length) || LZ4 block`.
#![forbid(unsafe_code)]

use lz4_flex::block;

/// The longest message that may be compressed, in plain bytes (R-8.9-3).
pub(crate) const MAX_PLAIN: usize = 65_536;

/// Length of the plain length in front.
const PREFIX: usize = 4;

/// How many bytes [`compress`] wants for a message of `plain` bytes: more than it gives, since it may find out late that a message
/// does not shrink.
pub(crate) const fn compress_bound(plain: usize) -> usize {
    block::get_maximum_output_size(plain).saturating_add(PREFIX)
}

/// Compresses a message into `out`, which has [`compress_bound`] bytes, and returns how many it took.
///
/// `None` if the message is longer than [`MAX_PLAIN`] or would not get shorter (R-8.9-4); `out` then holds nothing of use.
pub(crate) fn compress(plain: &[u8], out: &mut [u8]) -> Option<usize> {
    if plain.len() > MAX_PLAIN {
        return None;
    }
    let (prefix, body) = out.split_first_chunk_mut::<PREFIX>()?;
    *prefix = u32::try_from(plain.len()).ok()?.to_le_bytes();
    let len = block::compress_into(plain, body).ok()?.saturating_add(PREFIX);
    (len < plain.len()).then_some(len)
}

/// A compressed message whose plain length is within bounds: nothing is produced, and no room made, before that is known.
#[derive(Clone, Copy)]
pub(crate) struct Compressed<'a> {
    plain_len: usize,
    block: &'a [u8],
}

impl<'a> Compressed<'a> {
    /// Takes a whole message off the wire (R-8.9-3).
    ///
    /// # Errors
    /// [`CompressedError`] if it says to be longer than what may be compressed, or than `max_message`.
    pub(crate) fn parse(message: &'a [u8], max_message: u64) -> Result<Self, CompressedError> {
        let (prefix, block) = message.split_first_chunk::<PREFIX>().ok_or(CompressedError::Malformed)?;
        let plain_len = usize::try_from(u32::from_le_bytes(*prefix)).map_err(|_| CompressedError::Malformed)?;
        if plain_len > MAX_PLAIN {
            return Err(CompressedError::Malformed);
        }
        if u64::try_from(plain_len).is_ok_and(|len| len > max_message) {
            return Err(CompressedError::TooLarge);
        }
        Ok(Self { plain_len, block })
    }

    /// The length of the plain message.
    pub(crate) const fn plain_len(&self) -> usize {
        self.plain_len
    }

    /// Unpacks into the first [`Self::plain_len`] bytes of `out`, and touches nothing beyond them.
    ///
    /// # Errors
    /// [`CompressedError::Malformed`] if the block does not give exactly so many bytes (R-8.9-2).
    pub(crate) fn decompress(self, out: &mut [u8]) -> Result<(), CompressedError> {
        let out = out.get_mut(..self.plain_len).ok_or(CompressedError::Malformed)?;
        match block::decompress_into(self.block, out) {
            Ok(len) if len == self.plain_len => Ok(()),
            _ => Err(CompressedError::Malformed),
        }
    }
}

/// Why a compressed message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompressedError {
    /// It does not unpack to its plain length, or that is more than may be compressed: close with `Compression`.
    Malformed,
    /// Its plain length is above this end's `max_message`: close with `MessageTooLarge`.
    TooLarge,
}

#[cfg(test)]
mod tests {
    extern crate std;

    use proptest::prelude::*;
    use std::vec::Vec;

    use super::*;
    use crate::crypto::generator::Generator;
    use crate::seed::Seed;

    fn compressed(plain: &[u8]) -> Option<Vec<u8>> {
        let mut out = std::vec![0; compress_bound(plain.len())];
        compress(plain, &mut out).map(|len| out[..len].to_vec())
    }

    fn decompressed(message: &[u8]) -> Result<Vec<u8>, CompressedError> {
        let parsed = Compressed::parse(message, u64::MAX)?;
        let mut out = std::vec![0; parsed.plain_len()];
        parsed.decompress(&mut out).map(|()| out)
    }

    #[test]
    fn the_form_is_a_length_and_a_block() {
        let message = compressed(&[b'a'; 1_000]).unwrap();
        assert_eq!(message[..4], 1_000_u32.to_le_bytes());
        assert_eq!(block::decompress_into(&message[4..], &mut [0; 1_000]).unwrap(), 1_000);
    }

    /// Another implementation's block: a literal, a match that overlaps itself, and the literals that end every block.
    #[test]
    fn a_block_made_by_hand_unpacks() {
        let message = [22, 0, 0, 0, 0x1C, b'x', 1, 0, 0x50, b'h', b'e', b'l', b'l', b'o'];
        assert_eq!(decompressed(&message).unwrap(), b"xxxxxxxxxxxxxxxxxhello");
    }

    /// R-8.9-4.
    #[test]
    fn only_what_gets_shorter_is_compressed() {
        assert_eq!(compressed(b""), None);
        assert_eq!(compressed(b"too short to gain"), None);
        let mut noise = [0; 1_000];
        Generator::new(Seed::new([1; 32]).unwrap()).public(&mut noise);
        assert_eq!(compressed(&noise), None);
        assert!(compressed(&[0; MAX_PLAIN]).is_some());
        assert_eq!(compressed(&[0; MAX_PLAIN + 1]), None);
    }

    #[test]
    fn too_little_room_gives_nothing() {
        for room in 0..compress_bound(100) {
            assert_eq!(compress(&[0; 100], &mut std::vec![0; room]), None);
        }
    }

    /// R-8.9-3.
    #[test]
    fn the_plain_length_is_checked_before_anything_is_produced() {
        let message = compressed(&[7; 1_000]).unwrap();
        assert_eq!(Compressed::parse(&message, 1_000).unwrap().plain_len(), 1_000);
        assert_eq!(Compressed::parse(&message, 999).err(), Some(CompressedError::TooLarge));
        for length in [65_537, u32::MAX] {
            let mut bomb = message.clone();
            bomb[..4].copy_from_slice(&length.to_le_bytes());
            assert_eq!(Compressed::parse(&bomb, u64::MAX).err(), Some(CompressedError::Malformed));
        }
        for short in 0..PREFIX {
            assert_eq!(Compressed::parse(&message[..short], u64::MAX).err(), Some(CompressedError::Malformed));
        }
    }

    /// R-8.9-2.
    #[test]
    fn a_plain_length_that_is_not_the_blocks_is_malformed() {
        let message = compressed(&[7; 1_000]).unwrap();
        for length in [0, 1, 999, 1_001, 65_536_u32] {
            let mut wrong = message.clone();
            wrong[..4].copy_from_slice(&length.to_le_bytes());
            assert_eq!(decompressed(&wrong), Err(CompressedError::Malformed), "{length}");
        }
        for len in PREFIX..message.len() {
            assert_eq!(decompressed(&message[..len]), Err(CompressedError::Malformed), "cut at {len}");
        }
    }

    /// Texts with repetitions, as messages of agents have.
    fn messages() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            (any::<u8>(), 0..3_000_usize).prop_map(|(byte, len)| std::vec![byte; len]),
            (0..60_usize).prop_map(|times| b"{\"role\":\"user\",\"content\":".repeat(times)),
        ];
        proptest::collection::vec(piece, 0..20).prop_map(|pieces| {
            let mut message = pieces.concat();
            message.truncate(MAX_PLAIN);
            message
        })
    }

    proptest! {
        #[test]
        fn what_is_compressed_is_shorter_and_unpacks_to_the_same(plain in messages()) {
            if let Some(message) = compressed(&plain) {
                prop_assert!(message.len() < plain.len());
                prop_assert_eq!(decompressed(&message).unwrap(), plain);
            }
        }

        /// Nothing a peer sends makes it panic, write beyond the plain length, or show what the buffer held before.
        #[test]
        fn any_bytes_are_unpacked_or_refused(
            length in 0..2_000_u32,
            block in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let message = [&length.to_le_bytes()[..], &block].concat();
            let parsed = Compressed::parse(&message, u64::MAX).unwrap();
            let (mut one, mut other) = (std::vec![0x00; 2_100], std::vec![0xFF; 2_100]);
            let result = parsed.decompress(&mut one);
            prop_assert_eq!(parsed.decompress(&mut other), result);
            let (plain, beyond) = one.split_at(parsed.plain_len());
            prop_assert!(beyond.iter().all(|byte| *byte == 0));
            prop_assert!(other[parsed.plain_len()..].iter().all(|byte| *byte == 0xFF));
            if result.is_ok() {
                prop_assert_eq!(plain, &other[..parsed.plain_len()]);
            }
        }

        #[test]
        fn a_changed_byte_never_gives_another_length(plain in messages(), position: prop::sample::Index, byte: u8) {
            if let Some(mut message) = compressed(&plain) {
                let position = PREFIX + position.index(message.len() - PREFIX);
                message[position] = byte;
                if let Ok(unpacked) = decompressed(&message) {
                    prop_assert_eq!(unpacked.len(), plain.len());
                }
            }
        }
    }
}
