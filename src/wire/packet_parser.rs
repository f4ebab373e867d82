//! Bodies of handshake packets to values that cannot be invalid (specification, section 4).
//!
//! A body is `table || trailer`, sealed or clear; sealed ones come here opened, without the tag. Views borrow from the body, and a
//! successful parse allocates nothing. Each view also gives the points at which the transcript, signatures and MACs cut the body.
#![forbid(unsafe_code)]

mod auth;
mod hello;
mod reply;

use core::num::NonZeroU64;

use flatbuffers::{Follow, Vector, Verifiable, VerifierOptions};

#[cfg(any(test, feature = "hybrid"))]
use crate::crypto::provider::{KEM_CIPHERTEXT_LEN, KEM_KEY_LEN};

pub(crate) use auth::{AuthError, AuthView, ResumedAuthView};
pub(crate) use hello::HelloView;
pub(crate) use reply::{AcceptView, RefuseView, RetryView};

/// The most protocol versions in a list.
pub(super) const MAX_VERSIONS: usize = 8;
/// The most suites in a list.
pub(super) const MAX_SUITES: usize = 8;
/// The longest name of an application protocol.
pub(super) const MAX_APP_PROTOCOL: usize = 64;
/// The longest name of a realm.
pub(super) const MAX_REALM: usize = 64;
/// The longest credentials.
pub(super) const MAX_CREDENTIALS: usize = 512;
/// The longest ticket.
pub(crate) const MAX_TICKET: usize = 512;

/// The body breaks a rule of its own form: what it says does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The body of a KemOffer: the ML-KEM-768 encapsulation key and nothing else.
#[cfg(any(test, feature = "hybrid"))]
pub(crate) fn kem_offer(body: &[u8]) -> Result<&[u8; KEM_KEY_LEN], Malformed> {
    body.try_into().map_err(|_| Malformed)
}

/// The body of a KemReply: the ML-KEM-768 ciphertext and nothing else.
#[cfg(any(test, feature = "hybrid"))]
pub(crate) fn kem_reply(body: &[u8]) -> Result<&[u8; KEM_CIPHERTEXT_LEN], Malformed> {
    body.try_into().map_err(|_| Malformed)
}

/// Protocol versions in order of preference: at least one, at most [`MAX_VERSIONS`] (in a Refuse also none).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Versions<'a>(Vector<'a, u16>);

impl Versions<'_> {
    /// The versions, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u16> {
        self.0.iter()
    }
}

/// Reads the table whose buffer is the whole of `bytes`: any valid encoding (R-3.3-1, R-3.3-3), within limits (R-3.3-2); fields of
/// later schemas are passed over (R-11.1-1).
///
/// The generated readers do not check what they follow. This function is the only way to one, so none is built on bytes that the
/// official verifier has not accepted.
pub(super) fn verified<'a, T>(bytes: &'a [u8]) -> Result<T::Inner, Malformed>
where
    T: Follow<'a> + Verifiable + 'a,
{
    const LIMITS: VerifierOptions = VerifierOptions {
        max_depth: 4,
        max_tables: 16,
        max_apparent_size: 64 << 10,
        ignore_missing_null_terminator: false,
    };
    flatbuffers::root_with_opts::<T>(&LIMITS, bytes).map_err(|_| Malformed)
}

/// The bytes of an optional vector, absent and empty being the same; refused beyond `max`.
fn bounded_bytes(vector: Option<Vector<'_, u8>>, max: usize) -> Result<&[u8], Malformed> {
    let bytes = vector.map_or(&[][..], |vector| vector.bytes());
    if bytes.len() <= max { Ok(bytes) } else { Err(Malformed) }
}

/// A connection id of the sender's: never 0 (R-3.3-5).
fn own_id(id: u64) -> Result<NonZeroU64, Malformed> {
    NonZeroU64::new(id).ok_or(Malformed)
}

#[cfg(test)]
mod tests;
