//! Files over a session: `aitcp-file/1`.

pub(crate) mod checksum;
pub(crate) mod inbox;
pub(crate) mod message;
pub(crate) mod receiver;
pub(crate) mod sender;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;

use aitcp::{RecvError, SendError};
use aitcp_std::{RecvStream, SendStream};
use serde::Serialize;
use serde::de::DeserializeOwned;

use message::{Code, MAX_JSON};

/// Sends `value` as one message.
fn send_json(sender: &mut SendStream, value: &impl Serialize) -> io::Result<()> {
    sender.send(&serde_json::to_vec(value)?)
}

/// Receives one message; `None` if it is longer than [`MAX_JSON`] bytes, not the expected JSON, or did not come.
fn recv_json<T: DeserializeOwned>(receiver: &mut RecvStream) -> io::Result<Option<T>> {
    match receiver.recv_message(MAX_JSON) {
        Ok(message) => Ok(message.and_then(|message| serde_json::from_slice(&message).ok())),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(None),
        Err(error) => Err(error),
    }
}

/// The code with which the peer gave the stream up, if that is what `error` says.
fn given_up(error: &io::Error) -> Option<PeerCode> {
    let source = error.get_ref()?;
    let stopped = source.downcast_ref::<SendError>().and_then(|error| match error {
        SendError::Stopped(code) => Some(*code),
        _ => None,
    });
    let reset = || match source.downcast_ref::<RecvError>() {
        Some(RecvError::Reset(code)) => Some(*code),
        _ => None,
    };
    stopped.or_else(reset).map(PeerCode)
}

/// A [`Code`] from the peer, which may know more of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeerCode(u64);

impl fmt::Display for PeerCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Code::from_number(self.0) {
            Some(code) => code.fmt(f),
            None => write!(f, "unknown code {}", self.0),
        }
    }
}
