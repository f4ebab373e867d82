//! The end that stores the file.

use std::fmt;
use std::io;
use std::path::PathBuf;

use aitcp_std::Stream;

use super::checksum::Checksum;
use super::inbox::{Inbox, InboxError};
use super::message::{Code, Header, Receipt};
use super::{PeerCode, given_up, recv_json, send_json};

/// What is read from the stream at a time.
const BUFFER: usize = 64 << 10;

/// A file that is safe under its name, and whose sender was told so.
#[derive(Debug)]
pub(crate) struct StoredFile {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) receipt: Receipt,
}

/// Stores one file of at most `limit` bytes and answers with a receipt; or gives up, with a code that says why.
pub(crate) fn receive(stream: &mut Stream, inbox: &Inbox, limit: u64) -> Result<StoredFile, ReceiveError> {
    let stored = store(stream, inbox, limit);
    if let Err(ReceiveError::Refused { code, .. }) = &stored {
        // Both directions, whatever is left of them: the sender may be sending still, or waiting for the receipt.
        let _ = stream.receiver.stop(code.number());
        let _ = stream.sender.reset(code.number());
    }
    stored
}

fn store(stream: &mut Stream, inbox: &Inbox, limit: u64) -> Result<StoredFile, ReceiveError> {
    let header = recv_json::<Header>(&mut stream.receiver)?.ok_or(Code::BadHeader)?;
    if header.size.is_some_and(|size| size > limit) {
        return Err(Code::TooLarge.into());
    }
    let mut file = inbox.begin(&header.name, header.size.unwrap_or(limit))?;
    let mut checksum = Checksum::default();
    let mut buffer = vec![0; BUFFER];
    loop {
        let received = stream.receiver.recv(&mut buffer)?;
        let bytes = &buffer[..received.len];
        match file.write(bytes) {
            Err(InboxError::TooLarge) if header.size.is_some() => return Err(Code::WrongSize.into()),
            written => written?,
        }
        checksum.update(bytes);
        if received.end_of_stream {
            break;
        }
    }
    if header.size.is_some_and(|size| size != file.received()) {
        return Err(Code::WrongSize.into());
    }
    let path = file.keep()?;
    let receipt = checksum.receipt();
    send_json(&mut stream.sender, &receipt)?;
    stream.sender.finish()?;
    Ok(StoredFile { name: header.name, path, receipt })
}

/// Why a file was not stored, or its sender not told of it.
#[derive(Debug)]
pub(crate) enum ReceiveError {
    /// It cannot be stored as it is.
    Refused { code: Code, detail: Option<io::Error> },
    /// The sender gave it up.
    Peer(PeerCode),
    /// The session ended.
    Session(io::Error),
}

impl From<Code> for ReceiveError {
    fn from(code: Code) -> Self {
        Self::Refused { code, detail: None }
    }
}

impl From<InboxError> for ReceiveError {
    fn from(error: InboxError) -> Self {
        match error {
            InboxError::Name => Code::BadName.into(),
            InboxError::Exists => Code::Exists.into(),
            InboxError::TooLarge => Code::TooLarge.into(),
            // What went wrong with the disk stays here: the sender learns only that it did.
            InboxError::Io(error) => Self::Refused { code: Code::Storage, detail: Some(error) },
        }
    }
}

impl From<io::Error> for ReceiveError {
    fn from(error: io::Error) -> Self {
        given_up(&error).map_or(Self::Session(error), Self::Peer)
    }
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, detail: None } => code.fmt(f),
            Self::Refused { code, detail: Some(detail) } => write!(f, "{code}: {detail}"),
            Self::Peer(code) => write!(f, "the sender gave up: {code}"),
            Self::Session(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReceiveError {}
