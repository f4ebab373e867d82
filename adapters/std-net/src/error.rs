//! How the ends of sessions and the refusals of streams look as [`io::Error`].

use std::error::Error;
use std::io::{self, ErrorKind};

use aitcp::{CloseReason, CloseSource, ProtocolCode};

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
        CloseReason::WrongPeer(_) | CloseReason::NotAdmitted(_) => ErrorKind::PermissionDenied,
        _ if is_by_peer(reason, ProtocolCode::NotAdmitted) => ErrorKind::PermissionDenied,
        CloseReason::Misbehaved(_) => ErrorKind::InvalidData,
        CloseReason::LinkLost => ErrorKind::UnexpectedEof,
        CloseReason::HandshakeTimeout | CloseReason::VerdictTimeout | CloseReason::IdleTimeout => ErrorKind::TimedOut,
        _ => ErrorKind::ConnectionAborted,
    };
    io::Error::new(kind, reason)
}

/// Whether one of the ends shut down, and all streams were done: nothing is lost.
pub(crate) fn is_orderly(reason: CloseReason) -> bool {
    reason == CloseReason::ShutDown || is_by_peer(reason, ProtocolCode::None)
}

fn is_by_peer(reason: CloseReason, code: ProtocolCode) -> bool {
    reason == CloseReason::Peer { source: CloseSource::Protocol, code: code.code() }
}

/// A call that makes no sense in the state in which its object, or the configuration, is.
pub(crate) fn misuse(error: impl Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, error)
}
