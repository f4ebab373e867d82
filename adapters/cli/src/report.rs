//! Everything that the command says on standard output: one value a line of `--json`, with its text for people.

use std::fmt;

use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Report {
    /// `key new` and `key show`.
    Key { file: String, id: String, fingerprint: String, public_key: String, comment: String },
    /// `key fingerprint`.
    Fingerprint { fingerprint: String },
    /// The last line of a command that failed.
    Failed { exit: u8, reason: String },
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
            Self::Failed { reason, .. } => f.write_str(reason),
        }
    }
}
