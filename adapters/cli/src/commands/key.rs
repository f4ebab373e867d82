//! `aitcp key`: make a key, or show what is public of one.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::args::KeyCommand;
use crate::exit::{Exit, Failure};
use crate::home;
use crate::key_file::{self, KeyFile, KeyFileError};
use crate::output::Output;

pub(crate) fn run(command: KeyCommand, output: Output) -> Result<(), Failure> {
    match command {
        KeyCommand::New { file, comment } => {
            let file = match file {
                Some(file) => file,
                None => default_file_to_create()?,
            };
            let key = KeyFile::generate(comment)?;
            key.create(&file)?;
            output.report(&describe(&key, &file))
        }
        KeyCommand::Show { file } => {
            let (key, file) = read(file)?;
            output.report(&describe(&key, &file))
        }
        KeyCommand::Fingerprint { file } => {
            let (key, _) = read(file)?;
            output.report(&Report::Fingerprint { fingerprint: key_file::fingerprint(&key.identity.peer_id()) })
        }
    }
}

/// Reads the key in `file`, or the user's own.
pub(crate) fn read(file: Option<PathBuf>) -> Result<(KeyFile, PathBuf), Failure> {
    let file = match file {
        Some(file) => file,
        None => home::key().map_err(|error| Failure::new(Exit::Credentials, error))?,
    };
    let key = KeyFile::read(&file)?;
    Ok((key, file))
}

fn default_file_to_create() -> Result<PathBuf, Failure> {
    let file = home::key().map_err(|error| Failure::new(Exit::Credentials, error))?;
    home::create_folder_of(&file)
        .map_err(|error| Failure::new(Exit::Credentials, format!("the folder of {}: {error}", file.display())))?;
    Ok(file)
}

fn describe(key: &KeyFile, file: &Path) -> Report {
    let id = key.identity.peer_id();
    Report::Key {
        file: file.display().to_string(),
        id: id.to_string(),
        fingerprint: key_file::fingerprint(&id),
        public_key: key_file::public_line(&id),
        comment: key.comment.clone(),
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Report {
    /// `key new` and `key show`.
    Key { file: String, id: String, fingerprint: String, public_key: String, comment: String },
    /// `key fingerprint`.
    Fingerprint { fingerprint: String },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { file, id, fingerprint, public_key, comment } => {
                writeln!(f, "id           {id}")?;
                writeln!(f, "fingerprint  {fingerprint}")?;
                writeln!(f, "public key   {public_key}")?;
                if !comment.is_empty() {
                    writeln!(f, "comment      {comment}")?;
                }
                write!(f, "private key  {file}")
            }
            Self::Fingerprint { fingerprint } => f.write_str(fingerprint),
        }
    }
}

impl From<KeyFileError> for Failure {
    fn from(error: KeyFileError) -> Self {
        Self::new(Exit::Credentials, error)
    }
}
