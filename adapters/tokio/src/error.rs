//! How the ends of sessions and the refusals of streams look as [`io::Error`].

use std::error::Error;
use std::io::{self, ErrorKind};

use aitcp::CloseReason;

/// What a call comes to that may have to wait; `None` if it has to.
pub(crate) type Attempt<T> = io::Result<Option<T>>;

/// Why the session ended, if that is what `error` reports: the [`CloseReason`] behind [`io::Error::get_ref`].
#[must_use]
pub fn close_reason(error: &io::Error) -> Option<CloseReason> {
    error.get_ref()?.downcast_ref().copied()
}

/// What calls fail with once the session has ended.
pub(crate) fn closed(reason: CloseReason) -> io::Error {
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

/// A call that makes no sense in the state in which its object, or the configuration, is.
pub(crate) fn misuse(error: impl Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, error)
}

/// What a call of the session came to. The errors to `wait` for are those that pass, or that [`closed`] tells better.
pub(crate) fn attempt<T, E: Error + PartialEq + Send + Sync + 'static>(call: Result<T, E>, wait: &[E]) -> Attempt<T> {
    match call {
        Err(error) if wait.contains(&error) => Ok(None),
        outcome => outcome.map(Some).map_err(misuse),
    }
}
