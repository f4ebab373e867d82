//! A file of random bytes from Alice's disk to Bob's.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use aitcp::Direction;
use aitcp_std::Connection;
use serde::Serialize;

use super::agents::{accept, together};
use super::{broken, local};
use crate::exit::Failure;
use crate::output::Output;
use crate::progress::Progress;
use crate::transfer::checksum::Checksum;
use crate::transfer::inbox::Inbox;
use crate::transfer::message::Header;
use crate::transfer::{receiver, sender};

/// A file that was moved: what counts is what is on the disk, not what either end believes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Moved {
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) sha256_sent: String,
    pub(crate) sha256_stored: String,
}

impl Moved {
    /// Whether it arrived as it was.
    pub(crate) fn is_whole(&self, mebibytes: u64) -> bool {
        self.bytes == mebibytes << 20 && self.sha256_sent == self.sha256_stored
    }
}

pub(crate) fn move_file(
    mebibytes: u64,
    alice: &Connection,
    bob: &Connection,
    output: Output,
) -> Result<Moved, Failure> {
    let folder = tempfile::tempdir().map_err(local)?;
    let inbox_folder = folder.path().join("inbox");
    std::fs::create_dir(&inbox_folder).map_err(local)?;
    let inbox = Inbox::open(&inbox_folder, false).map_err(local)?;
    let path = folder.path().join("random.bin");
    make_file(&path, mebibytes).map_err(local)?;
    let sent = Checksum::of(File::open(&path).map_err(local)?).map_err(local)?;

    let header = Header { name: "random.bin".to_owned(), size: Some(sent.bytes) };
    let progress = Progress::new(header.size, output);
    let begun = Instant::now();
    let (_, stored) = together(
        || {
            let mut stream = alice.open(Direction::Bidirectional)?;
            let content = File::open(&path)?;
            sender::send(&mut stream, &header, content, |bytes| progress.add(bytes)).map_err(io::Error::other)
        },
        || {
            let mut stream = accept(bob)?;
            receiver::receive(&mut stream, &inbox, sent.bytes).map_err(io::Error::other)
        },
    )
    .map_err(broken)?;
    let seconds = begun.elapsed().as_secs_f64();
    let on_disk = Checksum::of(File::open(&stored.path).map_err(local)?).map_err(local)?;
    Ok(Moved { bytes: on_disk.bytes, seconds, sha256_sent: sent.sha256, sha256_stored: on_disk.sha256 })
}

/// A file of random bytes, which nothing can compress.
fn make_file(path: &Path, mebibytes: u64) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    let mut chunk = vec![0; 1 << 20];
    for _ in 0..mebibytes {
        getrandom::fill(&mut chunk).map_err(io::Error::other)?;
        file.write_all(&chunk)?;
    }
    Ok(())
}
