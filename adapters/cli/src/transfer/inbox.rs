//! Stores files from peers in one folder, under the names that peers give, without trusting them.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// The longest file name taken, in bytes: what common file systems hold.
const MAX_NAME: usize = 255;

/// A folder that takes files.
#[derive(Debug)]
pub(crate) struct Inbox {
    folder: PathBuf,
    overwrite: bool,
}

/// A file that is coming in. Dropped before [`Incoming::keep`], it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Incoming {
    file: NamedTempFile,
    target: PathBuf,
    overwrite: bool,
    received: u64,
    limit: u64,
}

impl Inbox {
    /// Takes files into a folder that exists.
    pub(crate) fn open(folder: &Path, overwrite: bool) -> io::Result<Self> {
        // Said now, not with the first file, where only the peer would learn of it.
        if !std::fs::metadata(folder)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { folder: folder.to_owned(), overwrite })
    }

    /// Begins a file of at most `limit` bytes. Until it is kept it has a name of its own that no peer can choose.
    pub(crate) fn begin(&self, name: &str, limit: u64) -> Result<Incoming, InboxError> {
        if !is_plain_name(name) {
            return Err(InboxError::Name);
        }
        let target = self.folder.join(name);
        // A link counts as a file, wherever it leads. `keep` looks again, without a gap in between.
        if !self.overwrite && target.symlink_metadata().is_ok() {
            return Err(InboxError::Exists);
        }
        // Created with mode 0600: what a peer sends is nobody else's business.
        let file = tempfile::Builder::new()
            .prefix(".aitcp-")
            .suffix(".part")
            .tempfile_in(&self.folder)
            .map_err(InboxError::Io)?;
        Ok(Incoming { file, target, overwrite: self.overwrite, received: 0, limit })
    }
}

impl Incoming {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), InboxError> {
        let received = self.received.saturating_add(bytes.len() as u64);
        if received > self.limit {
            return Err(InboxError::TooLarge);
        }
        self.file.write_all(bytes).map_err(InboxError::Io)?;
        self.received = received;
        Ok(())
    }

    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    /// Gives the file its name, once its content is safe on the disk. A file that has the name by now is not replaced, unless
    /// the inbox overwrites.
    pub(crate) fn keep(self) -> Result<PathBuf, InboxError> {
        self.file.as_file().sync_all().map_err(InboxError::Io)?;
        let kept =
            if self.overwrite { self.file.persist(&self.target) } else { self.file.persist_noclobber(&self.target) };
        match kept {
            Ok(_) => {}
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => return Err(InboxError::Exists),
            Err(failed) => return Err(InboxError::Io(failed.error)),
        }
        sync_folder_of(&self.target).map_err(InboxError::Io)?;
        Ok(self.target)
    }
}

/// Makes the new name itself safe: the peer is about to be told that its file is here.
#[cfg(unix)]
fn sync_folder_of(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
}

/// Elsewhere a folder is not something to be opened; the file system orders names by itself.
#[cfg(not(unix))]
fn sync_folder_of(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether `name` names a file in the folder itself, on every system: no path, no drive, no stream, no hidden file.
fn is_plain_name(name: &str) -> bool {
    let forbidden = |character: char| character.is_control() || "/\\:*?\"<>|".contains(character);
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with(['.', '-'])
        && !name.ends_with(['.', ' '])
        && !name.chars().any(forbidden)
        && !is_device(name)
}

/// The names that Windows reserves for devices, with or without an extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    let numbered = |prefix| stem.strip_prefix(prefix).is_some_and(|rest| matches!(rest.as_bytes(), [b'1'..=b'9']));
    ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

/// Why a file was not stored.
#[derive(Debug)]
pub(crate) enum InboxError {
    Name,
    Exists,
    TooLarge,
    Io(io::Error),
}

impl fmt::Display for InboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("not a plain file name"),
            Self::Exists => f.write_str("a file of this name is there already"),
            Self::TooLarge => f.write_str("larger than is allowed"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for InboxError {}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn store(inbox: &Inbox, name: &str, content: &[u8]) -> Result<PathBuf, InboxError> {
        let mut incoming = inbox.begin(name, 1 << 20)?;
        incoming.write(content)?;
        incoming.keep()
    }

    #[test]
    fn a_file_appears_under_its_name_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(folder.path(), false).unwrap();
        let mut incoming = inbox.begin("a.txt", 6).unwrap();
        incoming.write(b"abc").unwrap();
        assert!(!folder.path().join("a.txt").exists());
        incoming.write(b"def").unwrap();
        assert_eq!(incoming.received(), 6);
        assert_eq!(incoming.keep().unwrap(), folder.path().join("a.txt"));
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"abcdef");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn what_is_given_up_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(folder.path(), false).unwrap();
        let mut incoming = inbox.begin("a.txt", 3).unwrap();
        incoming.write(b"abc").unwrap();
        assert!(matches!(incoming.write(b"d"), Err(InboxError::TooLarge)));
        assert_eq!(names(folder.path()).len(), 1);
        drop(incoming);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn no_name_leads_out_of_the_folder_or_hides() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inbox");
        fs::create_dir(&inside).unwrap();
        let inbox = Inbox::open(&inside, true).unwrap();
        let long = "a".repeat(256);
        for name in [
            "",
            ".",
            "..",
            "../a",
            "a/b",
            "/etc/passwd",
            "a\\b",
            "C:a",
            "a:stream",
            "a\0b",
            "a\nb",
            ".profile",
            "-rf",
            "a.",
            "a ",
            "NUL",
            "con.txt",
            "COM1",
            "lpt9.log",
            "a*",
            "a?",
            "a\u{85}b",
            &long,
        ] {
            assert!(matches!(inbox.begin(name, 10), Err(InboxError::Name)), "{name:?}");
        }
        for name in ["a", "a.b.c", "COM", "COM0", "coma", "console", "Ünï cödé", "a~1", "a-.b", &long[1..]] {
            assert_eq!(store(&inbox, name, b"x").unwrap(), inside.join(name));
        }
        assert_eq!(names(folder.path()), ["inbox"]);
    }

    #[test]
    fn nothing_is_overwritten_unless_it_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(folder.path(), false).unwrap();
        let late = inbox.begin("a", 10).unwrap();
        store(&inbox, "a", b"first").unwrap();
        assert!(matches!(inbox.begin("a", 10), Err(InboxError::Exists)));
        assert!(matches!(late.keep(), Err(InboxError::Exists)), "the name was taken in the meantime");
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"first");
        store(&Inbox::open(folder.path(), true).unwrap(), "a", b"second").unwrap();
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"second");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        let inside = folder.path().join("inbox");
        fs::create_dir(&inside).unwrap();
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, inside.join("a")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("nowhere"), inside.join("b")).unwrap();
        let careful = Inbox::open(&inside, false).unwrap();
        assert!(matches!(careful.begin("a", 10), Err(InboxError::Exists)));
        assert!(matches!(careful.begin("b", 10), Err(InboxError::Exists)));
        store(&Inbox::open(&inside, true).unwrap(), "a", b"new").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(fs::read(inside.join("a")).unwrap(), b"new");
    }

    #[test]
    fn a_folder_that_is_none_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(Inbox::open(&folder.path().join("file"), false).is_err());
        assert!(Inbox::open(&folder.path().join("none"), false).is_err());
    }
}
