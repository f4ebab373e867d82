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
