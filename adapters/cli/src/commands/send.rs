//! `aitcp send`: one file to one agent.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::thread;
use std::time::Instant;

use aitcp::Direction;
use aitcp_std::{Connection, TicketStore};
use serde::Serialize;

use crate::args;
use crate::commands::key;
use crate::exit::{Exit, Failure};
use crate::home;
use crate::output::Output;
use crate::progress::Progress;
use crate::session;
use crate::transfer::message::{APP_PROTOCOL, Header, Receipt};
use crate::transfer::sender::{self, SendFileError};

pub(crate) fn run(args: args::Send, output: Output) -> Result<(), Failure> {
    let (key, _) = key::read(args.key)?;
    // Before anybody is called: a file that is not there is no reason to show up.
    let (header, content) = open(&args.file, args.name)?;
    let begun = Instant::now();
    let identity = key.identity.peer_id();
    let config = session::client(key.identity, APP_PROTOCOL);
    // Without a place for tickets each session begins with signatures, and that is all.
    let tickets = home::tickets().ok().and_then(|folder| TicketStore::open(folder).ok());
    let ticket = tickets.as_ref().and_then(|store| store.take(identity, args.to.peer, APP_PROTOCOL, "").ok().flatten());
    let connection = session::call(&args.to, args.udp, config, ticket)?;
    output.report(&Report::Connected {
        peer: args.to.peer.to_string(),
        suite: connection.handshake().suite.to_string(),
        resumed: connection.handshake().resumed,
        milliseconds: begun.elapsed().as_secs_f64() * 1e3,
    })?;

    // Somebody has to keep the session awake, should whatever fills the pipe pause for long.
    let keeper = connection.clone();
    thread::spawn(move || keeper.wait_closed());

    let begun = Instant::now();
    let sent = send(&connection, &header, content, output);
    let seconds = begun.elapsed().as_secs_f64();
    // A receipt says that the file is there, however the session ends; a refusal has been heard too.
    connection.set_timeout(Some(session::PARTING));
    let _ = connection.shutdown();
    if let Some(store) = tickets {
        std::iter::from_fn(|| connection.take_ticket()).for_each(|ticket| _ = store.put(&ticket));
    }
    let receipt = sent?;
    output.report(&Report::Sent { name: header.name, bytes: receipt.bytes, sha256: receipt.sha256, seconds })
}

fn send(
    connection: &Connection,
    header: &Header,
    content: impl Read,
    output: Output,
) -> Result<Receipt, SendFileError> {
    let mut stream = connection.open(Direction::Bidirectional)?;
    let progress = Progress::new(header.size, output);
    sender::send(&mut stream, header, content, |bytes| progress.add(bytes))
}

/// The content, and what is said of it in advance.
fn open(file: &Path, name: Option<String>) -> Result<(Header, Box<dyn Read>), Failure> {
    if file == Path::new("-") {
        let name = name.unwrap_or_else(|| "stdin".to_owned());
        return Ok((Header { name, size: None }, Box::new(io::stdin().lock())));
    }
    let local = |error: io::Error| Failure::new(Exit::Local, format!("{}: {error}", file.display()));
    let content = File::open(file).map_err(local)?;
    let metadata = content.metadata().map_err(local)?;
    if metadata.is_dir() {
        return Err(local(io::ErrorKind::IsADirectory.into()));
    }
    let own_name = || file.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let name = name.or_else(own_name).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{}: the name is not Unicode; give it another with --name", file.display()))
    })?;
    // Pipes and devices have no size that could be relied on.
    let size = metadata.is_file().then_some(metadata.len());
    Ok((Header { name, size }, Box::new(content)))
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Report {
    Connected { peer: String, suite: String, resumed: bool, milliseconds: f64 },
    Sent { name: String, bytes: u64, sha256: String, seconds: f64 },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { peer, suite, resumed, milliseconds } => {
                let resumed = if *resumed { ", resumed" } else { "" };
                write!(f, "connected to {peer}\n  in {milliseconds:.1} ms, {suite}{resumed}")
            }
            Self::Sent { name, bytes, sha256, seconds } => {
                write!(f, "sent {name}, {bytes} bytes in {seconds:.2} s\n  SHA-256 {sha256}")
            }
        }
    }
}

impl From<SendFileError> for Failure {
    fn from(error: SendFileError) -> Self {
        match error {
            SendFileError::Content(error) => Self::new(Exit::Local, error),
            SendFileError::Session(error) => session::failure(error, Exit::Transfer),
            error => Self::new(Exit::Transfer, error),
        }
    }
}
