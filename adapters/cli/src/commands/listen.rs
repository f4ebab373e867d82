//! `aitcp listen`: take files from the agents on a list.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use aitcp::{HandshakeInfo, Verdict};
use aitcp_std::Connection;
use serde::Serialize;

use crate::args;
use crate::authorized_agents::{AuthorizedAgents, AuthorizedAgentsError, Grant};
use crate::commands::key;
use crate::date::Date;
use crate::door::{Caller, Door};
use crate::exit::{Exit, Failure};
use crate::home;
use crate::output::Output;
use crate::session;
use crate::transfer::inbox::Inbox;
use crate::transfer::receiver::{self, ReceiveError, StoredFile};

/// How long to wait when the system has no more connections to give, before asking again.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) fn run(args: args::Listen, output: Output) -> Result<(), Failure> {
    let (key, _) = key::read(args.key)?;
    let list = match args.authorized_agents {
        Some(list) => list,
        None => home::authorized_agents().map_err(|error| Failure::new(Exit::Credentials, error))?,
    };
    // A list with a mistake in it is said now, not to the first agent that is not let in for it.
    let agents = AuthorizedAgents::read(&list)?.len();
    let inbox = Inbox::open(&args.into, args.overwrite)
        .map_err(|error| Failure::new(Exit::Local, format!("{}: {error}", args.into.display())))?;
    let id = key.identity.peer_id().to_string();
    let door = Door::open(&args.address, args.udp, session::server(key.identity))
        .map_err(|error| Failure::new(Exit::Local, format!("{}: {error}", args.address)))?;
    let address = door.address().map_err(|error| Failure::new(Exit::Local, error))?;
    output.report(&Report::Listening { address, id, agents })?;

    let service = Service { inbox, list, max_size: args.max_size, output };
    if args.once { service.serve_one(&door) } else { Arc::new(service).serve_all(&door, args.max_connections) }
}

/// What all connections have in common.
struct Service {
    inbox: Inbox,
    list: PathBuf,
    max_size: u64,
    output: Output,
}

/// An agent that was let in.
struct Guest {
    from: SocketAddr,
    connection: Connection,
    grant: Grant,
}

impl Service {
    /// Serves agents until the first error of standard output, each in a thread of its own.
    fn serve_all(self: Arc<Self>, door: &Door, max_connections: u16) -> Result<(), Failure> {
        let slots = Arc::new(AtomicU16::new(max_connections));
        loop {
            let caller = self.next(door)?;
            let Some(slot) = Slot::take(&slots) else {
                let reason = format!("{max_connections} connections are being served already");
                self.output.report(&Report::TurnedAway { from: caller.from(), reason })?;
                continue;
            };
            let service = Arc::clone(&self);
            let serve = move || {
                let _slot = slot;
                // Without a standard output there is nobody left to tell.
                let _ = service.welcome(caller).and_then(|guest| guest.map_or(Ok(0), |guest| service.serve(guest)));
            };
            if let Err(error) = thread::Builder::new().name("connection".to_owned()).spawn(serve) {
                self.output.report(&Report::Trouble { reason: format!("no thread for a connection: {error}") })?;
            }
        }
    }

    /// Serves the first agent that is let in; strangers before it do not count.
    fn serve_one(&self, door: &Door) -> Result<(), Failure> {
        loop {
            let caller = self.next(door)?;
            if let Some(guest) = self.welcome(caller)? {
                return match self.serve(guest)? {
                    0 => Err(Failure::new(Exit::Transfer, "the agent left without a file that could be stored")),
                    _ => Ok(()),
                };
            }
        }
    }

    fn next(&self, door: &Door) -> Result<Caller, Failure> {
        loop {
            match door.next() {
                Ok(caller) => return Ok(caller),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    self.output.report(&Report::Trouble { reason: format!("no connection: {error}") })?;
                    thread::sleep(PAUSE);
                }
            }
        }
    }

    /// The handshake, with the list's word on who may come in.
    fn welcome(&self, caller: Caller) -> Result<Option<Guest>, Failure> {
        let from = caller.from();
        let mut granted = None;
        let shaken = caller.accept(&mut |info: &HandshakeInfo| {
            granted = self.grant(info);
            if granted.is_some() { Verdict::Accept } else { Verdict::Refuse }
        });
        match (shaken, granted) {
            (Ok(connection), Some(grant)) => {
                let info = connection.handshake();
                let (peer, suite) = (info.peer.to_string(), info.suite.to_string());
                self.output.report(&Report::Connected { from, peer, comment: grant.comment.clone(), suite })?;
                Ok(Some(Guest { from, connection, grant }))
            }
            (Ok(_), None) => Ok(None),
            (Err(error), _) => {
                self.output.report(&Report::TurnedAway { from, reason: error.to_string() })?;
                Ok(None)
            }
        }
    }

    /// Looks into the list as it is now: who is struck off today is not let in today.
    fn grant(&self, info: &HandshakeInfo) -> Option<Grant> {
        match AuthorizedAgents::read(&self.list) {
            Ok(list) => list.grant(&info.peer, Date::today()).cloned(),
            Err(error) => {
                // Whether or not anybody reads this, nobody is let in.
                let _ = self.output.report(&Report::Trouble { reason: error.to_string() });
                None
            }
        }
    }

    /// Takes file after file until the agent leaves; how many were stored.
    fn serve(&self, guest: Guest) -> Result<usize, Failure> {
        let Guest { from, connection, grant } = guest;
        let limit = grant.max_size.unwrap_or(self.max_size);
        let mut stored = 0;
        let reason = loop {
            let mut stream = match connection.accept_stream() {
                Ok(Some(stream)) => stream,
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            };
            match receiver::receive(&mut stream, &self.inbox, limit) {
                Ok(StoredFile { name, path, receipt }) => {
                    stored += 1;
                    let path = path.display().to_string();
                    let (bytes, sha256) = (receipt.bytes, receipt.sha256);
                    self.output.report(&Report::Stored { from, name, path, bytes, sha256 })?;
                }
                // The next turn of the loop says why.
                Err(ReceiveError::Session(_)) => {}
                Err(error) => self.output.report(&Report::NotStored { from, reason: error.to_string() })?,
            }
        };
        let in_order = reason.is_none();
        self.output.report(&Report::Left { from, reason })?;
        if in_order {
            // Whatever becomes of the farewell, the agent is done.
            connection.set_timeout(Some(session::PARTING));
            let _ = connection.shutdown();
        }
        Ok(stored)
    }
}

/// One of the connections that may be served at a time; given back when dropped.
struct Slot(Arc<AtomicU16>);

impl Slot {
    fn take(free: &Arc<AtomicU16>) -> Option<Self> {
        let taken = free.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(1));
        taken.is_ok().then(|| Self(Arc::clone(free)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Report {
    Listening {
        address: SocketAddr,
        id: String,
        agents: usize,
    },
    Connected {
        from: SocketAddr,
        peer: String,
        comment: String,
        suite: String,
    },
    TurnedAway {
        from: SocketAddr,
        reason: String,
    },
    Stored {
        from: SocketAddr,
        name: String,
        path: String,
        bytes: u64,
        sha256: String,
    },
    NotStored {
        from: SocketAddr,
        reason: String,
    },
    /// Without a reason the agent left in order.
    Left {
        from: SocketAddr,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Something here, not an agent.
    Trouble {
        reason: String,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { address, id, agents } => {
                write!(f, "listening on {address} as {id}; agents on the list: {agents}")
            }
            Self::Connected { from, peer, comment, suite } if comment.is_empty() => {
                write!(f, "{from}: {peer} connected ({suite})")
            }
            Self::Connected { from, peer, comment, suite } => {
                write!(f, "{from}: {peer} ({comment}) connected ({suite})")
            }
            Self::TurnedAway { from, reason } => write!(f, "{from}: turned away: {reason}"),
            Self::Stored { from, path, bytes, sha256, .. } => {
                write!(f, "{from}: stored {path}, {bytes} bytes, SHA-256 {sha256}")
            }
            Self::NotStored { from, reason } => write!(f, "{from}: not stored: {reason}"),
            Self::Left { from, reason: None } => write!(f, "{from}: left"),
            Self::Left { from, reason: Some(reason) } => write!(f, "{from}: lost: {reason}"),
            Self::Trouble { reason } => f.write_str(reason),
        }
    }
}

impl From<AuthorizedAgentsError> for Failure {
    fn from(error: AuthorizedAgentsError) -> Self {
        Self::new(Exit::Credentials, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_taken_once_and_given_back() {
        let free = Arc::new(AtomicU16::new(2));
        let first = Slot::take(&free);
        let second = Slot::take(&free);
        assert!(first.is_some() && second.is_some());
        assert!(Slot::take(&free).is_none());
        drop(first);
        assert!(Slot::take(&free).is_some());
    }
}
