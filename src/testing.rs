//! Looking inside, for this project's own tests. Hidden, and outside of semantic versioning.
#![forbid(unsafe_code)]

use sha2::{Digest, Sha256};

use crate::session::Session;
pub use crate::session::exerciser as recovery;

/// A hash of everything that decides what a session does next: phase, numbers, timers, streams, what waits to be sent or told.
///
/// Two equal digests around a call mean that the call changed nothing.
#[must_use]
pub fn state_digest(session: &Session) -> [u8; 32] {
    let mut hash = Sha256::new();
    session.digest_link(&mut |bytes| hash.update(bytes));
    session.digest_streams(&mut |bytes| hash.update(bytes));
    hash.finalize().into()
}

/// The part of [`state_digest`] that outlives a link: streams, offsets, credit.
#[must_use]
pub fn streams_digest(session: &Session) -> [u8; 32] {
    let mut hash = Sha256::new();
    session.digest_streams(&mut |bytes| hash.update(bytes));
    hash.finalize().into()
}

/// Moves the packet numbers of an established session on, as if that many packets had been sent and received: the way to the end of
/// its keys. Its peer has to be moved the other way round.
pub fn skip_packets(session: &mut Session, sent: u64, received: u64) {
    session.skip_packets(sent, received);
}
