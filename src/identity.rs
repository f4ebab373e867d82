//! The name of an agent: its Ed25519 public key, and how people read and write it.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};

use crate::crypto::signature::is_acceptable_point;

/// The identity of an agent: an Ed25519 public key that is not one of the weak ones (R-5.4-1).
///
/// Its text form is Bech32m under the prefix `aitcp` (R-5.4-2): 64 characters, lower case, with a checksum that finds every
/// substitution of up to four characters.
///
/// ```
/// use aitcp::PeerId;
///
/// let text = "aitcp1af9xcclzn3fq40h42pa3xtk9lx25wa4wh6l8hyjzrm4xj9zx6gkqcd0hjr";
/// let peer: PeerId = text.parse()?;
/// assert_eq!(peer.to_string(), text);
/// assert!("aitcp1af9xcclzn3fq40h42pa3xtk9lx25wa4wh6l8hyjzrm4xj9zx6gkqcd0hjq".parse::<PeerId>().is_err());
/// # Ok::<(), aitcp::PeerIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; 32]);

impl PeerId {
    /// Takes the 32 bytes of an Ed25519 public key (RFC 8032, section 5.1.5).
    ///
    /// # Errors
    /// [`PeerIdError::WeakKey`] if the encoding is not canonical or the point has a small order: signatures under such a key can be
    /// made to verify by anyone. Whether the bytes are on the curve at all shows when a signature is verified.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, PeerIdError> {
        if is_acceptable_point(&bytes) { Ok(Self(bytes)) } else { Err(PeerIdError::WeakKey) }
    }

    /// The 32 bytes of the public key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What the text form begins with, before the separator `1`.
const PREFIX: Hrp = Hrp::parse_unchecked("aitcp");

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_to_fmt::<Bech32m, _>(f, PREFIX, &self.0).map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

impl FromStr for PeerId {
    type Err = PeerIdError;

    fn from_str(text: &str) -> Result<Self, PeerIdError> {
        let checked = CheckedHrpstring::new::<Bech32m>(text).map_err(|_| PeerIdError::Text)?;
        if checked.hrp() != PREFIX {
            return Err(PeerIdError::Text);
        }
        // 32 bytes leave four bits over: were they free, an identity would have sixteen texts (R-5.4-2).
        checked.validate_segwit_padding().map_err(|_| PeerIdError::Text)?;
        let mut bytes = [0; 32];
        let mut decoded = checked.byte_iter();
        for byte in &mut bytes {
            *byte = decoded.next().ok_or(PeerIdError::Text)?;
        }
        if decoded.next().is_some() {
            return Err(PeerIdError::Text);
        }
        Self::from_bytes(bytes)
    }
}

impl From<PeerId> for String {
    fn from(peer: PeerId) -> Self {
        alloc::format!("{peer}")
    }
}

/// Why something is not a [`PeerId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerIdError {
    /// The key is of small order or not canonically encoded. Nobody honest holds such a key.
    WeakKey,
    /// Not `aitcp1` followed by 58 characters with a right checksum: mistyped, cut short, or something else altogether.
    Text,
}

impl fmt::Display for PeerIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WeakKey => "weak or non-canonical Ed25519 public key",
            Self::Text => "not a peer id: expected aitcp1 and 58 characters with a right checksum",
        })
    }
}

impl core::error::Error for PeerIdError {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    const TEXT: &str = "aitcp1af9xcclzn3fq40h42pa3xtk9lx25wa4wh6l8hyjzrm4xj9zx6gkqcd0hjr";

    #[test]
    fn text_and_bytes_map_both_ways() {
        let peer: PeerId = TEXT.parse().unwrap();
        assert_eq!(PeerId::from_bytes(*peer.as_bytes()), Ok(peer));
        assert_eq!(peer.to_string(), TEXT);
        assert_eq!(TEXT.to_uppercase().parse(), Ok(peer), "Bech32m may be read out and typed in capitals");
        assert_eq!(alloc::format!("{peer:?}"), alloc::format!("PeerId({TEXT})"));
    }

    /// R-5.4-2.
    #[test]
    fn no_mistyped_character_parses() {
        for position in 0..TEXT.len() {
            for typed in "qpzry9x8gf2tvdw0s3jn54khce6mua7lb1io".chars() {
                let mut mistyped: alloc::vec::Vec<char> = TEXT.chars().collect();
                if mistyped[position] != typed {
                    mistyped[position] = typed;
                    let mistyped: String = mistyped.into_iter().collect();
                    assert_eq!(mistyped.parse::<PeerId>(), Err(PeerIdError::Text), "{mistyped}");
                }
            }
        }
    }

    /// R-5.4-2.
    #[test]
    fn other_lengths_prefixes_and_checksums_do_not_parse() {
        let key = *TEXT.parse::<PeerId>().unwrap().as_bytes();
        assert_eq!(encode::<Bech32m>("aitcp", &key), TEXT);
        let with_padding_set = "aitcp1af9xcclzn3fq40h42pa3xtk9lx25wa4wh6l8hyjzrm4xj9zx6gkp9mmz03";
        let older_checksum = encode::<bech32::Bech32>("aitcp", &key);
        let longer = [&key[..], &[0]].concat();
        let wrong = [
            String::new(),
            "aitcp1".to_string(),
            TEXT[..63].to_string(),
            encode::<Bech32m>("aitcq", &key),
            encode::<Bech32m>("aitcp", &key[..31]),
            encode::<Bech32m>("aitcp", &longer),
            encode::<Bech32m>("aitcp", &[]),
            older_checksum,
            with_padding_set.to_string(),
        ];
        for text in wrong {
            assert_eq!(text.parse::<PeerId>(), Err(PeerIdError::Text), "{text}");
        }
    }

    /// R-5.4-1.
    #[test]
    fn a_weak_key_is_refused_in_text_as_in_bytes() {
        let text = encode::<Bech32m>("aitcp", &[0; 32]);
        assert_eq!(text.parse::<PeerId>(), Err(PeerIdError::WeakKey));
        assert_eq!(PeerId::from_bytes([0; 32]), Err(PeerIdError::WeakKey));
    }

    fn encode<C: bech32::Checksum>(prefix: &str, bytes: &[u8]) -> String {
        let mut text = String::new();
        bech32::encode_to_fmt::<C, _>(&mut text, Hrp::parse(prefix).unwrap(), bytes).unwrap();
        text
    }
}
