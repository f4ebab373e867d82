//! Reads files on which security rests: refuses those that the wrong people can read or write.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// What others than the owner may do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    Nothing,
    Read,
}

/// Reads the whole file, at most `limit` bytes of it.
pub(crate) fn read(path: &Path, others: Others, limit: u64) -> Result<Zeroizing<Vec<u8>>, GuardedFileError> {
    let io = |error| GuardedFileError { path: path.to_owned(), what: Fault::Io(error) };
    let file = File::open(path).map_err(io)?;
    // The mode is that of the file which is open, not of whatever has the name by now.
    if let Some(mode) = excess(&file.metadata().map_err(io)?, others) {
        return Err(GuardedFileError { path: path.to_owned(), what: Fault::Mode { mode, others } });
    }
    let mut content = Zeroizing::new(Vec::new());
    file.take(limit + 1).read_to_end(&mut content).map_err(io)?;
    if content.len() as u64 > limit {
        return Err(GuardedFileError { path: path.to_owned(), what: Fault::TooLong { limit } });
    }
    Ok(content)
}

/// The mode, if it lets others do more than they may.
#[cfg(unix)]
fn excess(metadata: &Metadata, others: Others) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;

    let mode = metadata.permissions().mode() & 0o777;
    let forbidden = match others {
        Others::Nothing => 0o077,
        Others::Read => 0o022,
    };
    (mode & forbidden != 0).then_some(mode)
}

/// Elsewhere than on Unix the file system's access lists decide, which the standard library does not show.
#[cfg(not(unix))]
fn excess(_: &Metadata, _: Others) -> Option<u32> {
    None
}

/// Why a file was not read.
#[derive(Debug)]
pub(crate) struct GuardedFileError {
    path: PathBuf,
    what: Fault,
}

#[derive(Debug)]
enum Fault {
    Io(io::Error),
    Mode { mode: u32, others: Others },
    TooLong { limit: u64 },
}

impl fmt::Display for GuardedFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.what {
            Fault::Io(error) => write!(f, "{path}: {error}"),
            Fault::Mode { mode, others: Others::Nothing } => {
                write!(
                    f,
                    "{path}: others can read it (mode {mode:04o}): chmod 600 it, and make a new key if somebody did"
                )
            }
            Fault::Mode { mode, others: Others::Read } => {
                write!(f, "{path}: others can change it (mode {mode:04o}): chmod go-w it")
            }
            Fault::TooLong { limit } => write!(f, "{path}: longer than {limit} bytes"),
        }
    }
}

impl std::error::Error for GuardedFileError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_longer_than_the_limit_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, [7; 10]).unwrap();
        assert_eq!(read(&path, Others::Read, 10).unwrap().len(), 10);
        assert!(read(&path, Others::Read, 9).unwrap_err().to_string().contains("longer than 9 bytes"));
    }

    #[cfg(unix)]
    #[test]
    fn every_mode_that_lets_others_in_is_refused() {
        use std::fs::{Permissions, set_permissions};
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "content").unwrap();
        for mode in 0o600..=0o677 {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path, Others::Nothing, 10).is_ok(), mode & 0o077 == 0, "{mode:o}");
            assert_eq!(read(&path, Others::Read, 10).is_ok(), mode & 0o022 == 0, "{mode:o}");
        }
    }
}
