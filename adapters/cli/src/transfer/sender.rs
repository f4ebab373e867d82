//! The end that has the file.

use std::fmt;
use std::io::{self, Read};

use aitcp_std::Stream;

use super::checksum::Checksum;
use super::message::{Code, Header, MAX_CHUNK, Receipt};
use super::{PeerCode, given_up, recv_json, send_json};

/// Sends one file and waits for the receipt, which is the proof that the peer holds it. `progress` hears of every piece.
pub(crate) fn send(
    stream: &mut Stream,
    header: &Header,
    content: impl Read,
    progress: impl FnMut(u64),
) -> Result<Receipt, SendFileError> {
    let sent = push(stream, header, content, progress);
    match &sent {
        Err(SendFileError::Content(_)) => give_up(stream, Code::Abandoned),
        Err(SendFileError::Length) => give_up(stream, Code::WrongSize),
        _ => {}
    }
    let sent = sent?;
    let receipt = recv_json::<Receipt>(&mut stream.receiver)?.ok_or(SendFileError::Receipt)?;
    // The receipt is all that the peer has to say, and only a stream that is read to its end is done with.
    let end = stream.receiver.recv(&mut [0])?;
    let nothing_more = end.end_of_stream && end.len == 0 && !end.end_of_message;
    if receipt == sent && nothing_more { Ok(receipt) } else { Err(SendFileError::Receipt) }
}

/// Header and content, to the end of this side of the stream; what the receipt has to say.
fn push(
    stream: &mut Stream,
    header: &Header,
    mut content: impl Read,
    mut progress: impl FnMut(u64),
) -> Result<Receipt, SendFileError> {
    send_json(&mut stream.sender, header)?;
    let mut checksum = Checksum::default();
    let mut left = header.size;
    let mut chunk = vec![0; MAX_CHUNK];
    loop {
        let length = match content.read(&mut chunk) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(SendFileError::Content(error)),
        };
        // A file that grows or shrinks while it is read is not the file that was announced.
        left = match left {
            Some(left) => Some(left.checked_sub(length as u64).ok_or(SendFileError::Length)?),
            None => None,
        };
        if length == 0 {
            break;
        }
        checksum.update(&chunk[..length]);
        stream.sender.send(&chunk[..length])?;
        progress(length as u64);
    }
    if left.is_some_and(|left| left > 0) {
        return Err(SendFileError::Length);
    }
    stream.sender.finish()?;
    Ok(checksum.receipt())
}

fn give_up(stream: &mut Stream, code: Code) {
    // If the session has ended as well, the peer hears that instead.
    let _ = stream.sender.reset(code.number());
}

/// Why the peer does not hold the file.
#[derive(Debug)]
pub(crate) enum SendFileError {
    /// The content could not be read.
    Content(io::Error),
    /// The content is not as long as it was at first.
    Length,
    /// The peer gave the file up.
    Peer(PeerCode),
    /// The peer stored something else, or ended the stream without a receipt.
    Receipt,
    /// The session ended.
    Session(io::Error),
}

impl From<io::Error> for SendFileError {
    fn from(error: io::Error) -> Self {
        given_up(&error).map_or(Self::Session(error), Self::Peer)
    }
}

impl fmt::Display for SendFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(error) => error.fmt(f),
            Self::Length => f.write_str("the file changed its size while it was read"),
            Self::Peer(code) => write!(f, "the receiver gave up: {code}"),
            Self::Receipt => f.write_str("the receiver confirmed something else than what was sent"),
            Self::Session(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SendFileError {}
