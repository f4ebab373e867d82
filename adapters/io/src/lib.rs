//! What drivers of AI-TCP have in common where they speak [`std::io`]: how the ends of sessions and the refusals of their calls look as
//! [`io::Error`], how a call goes on that may have to wait, and where randomness and time come
//! from.
//!
//! `aitcp-std` and `aitcp-tokio` are built on it, and so can other drivers be. A call that waits tries a *step* again whenever something
//! has happened to the session:
//!
//! ```
//! use std::io;
//! use aitcp::{SendDatagramError, Session};
//! use aitcp_io::{Attempt, attempt, settled};
//!
//! fn send_datagram(session: &mut Session, datagram: &[u8]) -> Attempt<()> {
//!     // A session that has ended refuses; why it has ended says more.
//!     let step = attempt(session.send_datagram(datagram), &[SendDatagramError::Closed]);
//!     settled(step, session)
//! }
//!
//! fn send_when_there_is_one(session: &mut Session, datagram: &[u8], mut wait: impl FnMut(&mut Session)) -> io::Result<()> {
//!     loop {
//!         match send_datagram(session, datagram)? {
//!             Some(()) => return Ok(()),
//!             None => wait(session),
//!         }
//!     }
//! }
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs, clippy::arithmetic_side_effects, clippy::indexing_slicing)]
#![deny(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::error::Error;
use std::io::{self, ErrorKind};

use aitcp::{CloseReason, Instant, Seed, Session};

/// Whether a socket says only that the time for a read or a write is up, or that a signal came in between: it can be done again.
///
/// ```
/// use std::io::{Error, ErrorKind};
///
/// assert!(aitcp_io::is_timeout(&ErrorKind::WouldBlock.into()) && !aitcp_io::is_timeout(&Error::other("broken")));
/// ```
#[must_use]
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// What a call comes to that may have to wait; `None` if it has to.
pub type Attempt<T> = io::Result<Option<T>>;

/// Tells the time to sessions, which count from an origin: the system's clock that never runs backward.
///
/// ```
/// let clock = aitcp_io::Clock::start();
/// assert!(clock.now() <= clock.now());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    /// A clock whose origin is now.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    /// The time since the origin.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }
}

/// Fresh randomness from the operating system.
///
/// # Errors
/// What the system says, if it has none to give: nothing secure can be done then.
pub fn seed() -> io::Result<Seed> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Seed::new(bytes).map_err(io::Error::other)
}

/// Why the session ended, if that is what `error` reports: the [`CloseReason`] behind [`io::Error::get_ref`].
///
/// ```
/// use std::io;
/// use aitcp::CloseReason;
///
/// assert_eq!(aitcp_io::close_reason(&aitcp_io::closed(CloseReason::LinkLost)), Some(CloseReason::LinkLost));
/// assert_eq!(aitcp_io::close_reason(&io::ErrorKind::TimedOut.into()), None);
/// ```
#[must_use]
pub fn close_reason(error: &io::Error) -> Option<CloseReason> {
    error.get_ref()?.downcast_ref().copied()
}

/// What calls fail with once the session has ended: the [`CloseReason`], under the [`ErrorKind`] that comes nearest.
#[must_use]
pub fn closed(reason: CloseReason) -> io::Error {
    let kind = match reason {
        CloseReason::Local | CloseReason::ShutDown => ErrorKind::NotConnected,
        CloseReason::Refused(_) => ErrorKind::ConnectionRefused,
        _ if reason.is_refusal() => ErrorKind::PermissionDenied,
        CloseReason::Misbehaved(_) => ErrorKind::InvalidData,
        CloseReason::LinkLost => ErrorKind::UnexpectedEof,
        CloseReason::HandshakeTimeout | CloseReason::VerdictTimeout | CloseReason::IdleTimeout => ErrorKind::TimedOut,
        _ => ErrorKind::ConnectionAborted,
    };
    io::Error::new(kind, reason)
}

/// A call that makes no sense in the state in which its object, or the configuration, is: [`ErrorKind::InvalidInput`] with `error`.
pub fn misuse(error: impl Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, error)
}

/// What a call of the session came to. The errors to `wait` for are those that pass, or that [`settled`] tells better.
///
/// # Errors
/// Any other, as [`misuse`].
pub fn attempt<T, E: Error + PartialEq + Send + Sync + 'static>(call: Result<T, E>, wait: &[E]) -> Attempt<T> {
    match call {
        Err(error) if wait.contains(&error) => Ok(None),
        outcome => outcome.map(Some).map_err(misuse),
    }
}

/// What a step came to that was tried on `session`: there is nothing to wait for in one that has ended.
///
/// # Errors
/// Those of `step`; [`closed`] if it would have to wait for ever.
pub fn settled<T>(step: Attempt<T>, session: &Session) -> Attempt<T> {
    match (step, session.close_reason()) {
        (Ok(None), Some(reason)) => Err(closed(reason)),
        (step, _) => step,
    }
}
