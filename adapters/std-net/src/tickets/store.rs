//! Tickets in files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aitcp::{PeerId, Ticket, TicketKeys};

/// How many tickets of one peer are kept. Of more, the oldest go.
const MOST: usize = 8;
/// How many peers are remembered. Of more, those that were not heard of for longest go.
const MOST_PEERS: usize = 256;
/// No ticket is longer than that.
const MAX_FILE: u64 = 4 << 10;
/// How long a ticket can be good.
const LIFE: Duration = TicketKeys::ROTATION.saturating_mul(2);

/// A folder with tickets, for programs that do not stay: a ticket that one run has got, another one uses, once.
///
/// There is a folder for each peer in it, and a file for each ticket. Only the user can read them (on Unix). At most 8 tickets of a peer are
/// kept, of 256 peers, and none for longer than a day, since none is good for longer. Several programs can use a folder at the same time.
#[derive(Clone, Debug)]
pub struct TicketStore {
    folder: PathBuf,
}

impl TicketStore {
    /// A store in this folder, which is made if it is not there.
    ///
    /// # Errors
    /// What the system says of the folder.
    pub fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        make_folder(&folder)?;
        Ok(Self { folder })
    }

    /// Keeps a ticket.
    ///
    /// # Errors
    /// What the system says of the files: the ticket is gone, and nothing else.
    pub fn put(&self, ticket: &Ticket) -> io::Result<()> {
        let folder = self.folder_of(ticket.peer());
        make_folder(&folder)?;
        let mut number = 0_u64;
        let mut file = loop {
            match create(&folder.join(format!("{number}.ticket"))) {
                Ok(file) => break file,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number = number.saturating_add(1),
                Err(error) => return Err(error),
            }
        };
        file.write_all(&ticket.to_bytes())?;
        self.tidy()
    }

    /// Takes out the newest ticket for a session of `identity` with `peer`, in this application protocol and realm, if there is one. It is not
    /// there any more then, so that nobody uses it again.
    ///
    /// # Errors
    /// What the system says of the files.
    pub fn take(&self, identity: PeerId, peer: PeerId, app_protocol: &str, realm: &str) -> io::Result<Option<Ticket>> {
        for path in newest_first(&self.folder_of(peer))? {
            let Some(ticket) = read(&path) else { continue };
            let is_for_this = (ticket.identity(), ticket.peer()) == (identity, peer)
                && (ticket.app_protocol(), ticket.realm()) == (app_protocol, realm);
            // Whoever removes it has it.
            if is_for_this && fs::remove_file(&path).is_ok() {
                return Ok(Some(ticket));
            }
        }
        Ok(None)
    }

    fn folder_of(&self, peer: PeerId) -> PathBuf {
        self.folder.join(peer.to_string())
    }

    /// Removes what is too old or too much.
    fn tidy(&self) -> io::Result<()> {
        for (at, folder) in newest_first(&self.folder)?.into_iter().enumerate() {
            for path in newest_first(&folder)?.into_iter().skip(if at < MOST_PEERS { MOST } else { 0 }) {
                let _ = fs::remove_file(path); // somebody else may have done so
            }
            let _ = fs::remove_dir(folder); // only if it is empty
        }
        Ok(())
    }
}

/// What is in a folder, the newest first; what is too old is removed. Nothing if there is no such folder.
fn newest_first(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let now = SystemTime::now();
    let mut dated = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let Ok(metadata) = fs::metadata(&path) else { continue }; // it is gone
        let changed = metadata.modified()?;
        if metadata.is_file() && now.duration_since(changed).is_ok_and(|age| age > LIFE) {
            let _ = fs::remove_file(path);
        } else {
            dated.push((changed, path));
        }
    }
    dated.sort_unstable_by(|one, other| other.cmp(one));
    Ok(dated.into_iter().map(|(_, path)| path).collect())
}

/// The ticket in a file, if it is one.
fn read(path: &Path) -> Option<Ticket> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    let ticket = Ticket::from_bytes(&bytes).ok();
    bytes.fill(0);
    ticket
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
