//! Where the command keeps what belongs to its user: `$AITCP_HOME`, or `aitcp` in the user's configuration folder.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where this user's key is, unless a command says otherwise.
pub(crate) fn key() -> Result<PathBuf, NoHome> {
    folder().map(|folder| folder.join("key"))
}

/// Where the list of agents that may connect is, unless a command says otherwise.
pub(crate) fn authorized_agents() -> Result<PathBuf, NoHome> {
    folder().map(|folder| folder.join("authorized_agents"))
}

/// Where tickets are kept, to begin the next session with the same agent sooner.
pub(crate) fn tickets() -> Result<PathBuf, NoHome> {
    folder().map(|folder| folder.join("tickets"))
}

/// Makes the folder of a file in this place, closed to others.
pub(crate) fn create_folder_of(file: &Path) -> io::Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn folder() -> Result<PathBuf, NoHome> {
    let set = |name| env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
    set("AITCP_HOME")
        .or_else(|| set("XDG_CONFIG_HOME").map(|config| config.join("aitcp")))
        .or_else(|| env::home_dir().map(|home| home.join(".config").join("aitcp")))
        .ok_or(NoHome)
}

/// Nothing says where this user's files are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoHome;

impl fmt::Display for NoHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no home folder: name the files, or set AITCP_HOME")
    }
}

impl std::error::Error for NoHome {}
