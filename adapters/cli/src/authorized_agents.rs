//! The list of agents that may connect: one line an agent.
//!
//! ```text
//! # id       options                            comment
//! aitcp1...  -                                  build server
//! aitcp1...  expires=2027-01-31,max-size=64MiB  Ann's laptop
//! ```
//!
//! Whatever cannot be understood is an error that names its line, and then nobody is let in: an option that was mistyped must not
//! widen what its line allows. There is no way to write "anyone".

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::path::{Path, PathBuf};

use aitcp::{PeerId, PeerIdError};

use crate::date::{Date, DateError};
use crate::guarded_file::{self, GuardedFileError, Others};
use crate::size::{self, SizeError};

/// The longest list taken, in bytes: about a hundred thousand agents.
const MAX_FILE: u64 = 16 << 20;

/// Who may connect, and under which conditions.
#[derive(Debug, Default)]
pub(crate) struct AuthorizedAgents {
    agents: BTreeMap<PeerId, Grant>,
}

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// From the beginning of this day (UTC) on, the agent is not let in.
    pub(crate) expires: Option<Date>,
    /// The longest file taken from the agent, in bytes.
    pub(crate) max_size: Option<u64>,
    pub(crate) comment: String,
    line: usize,
}

impl AuthorizedAgents {
    /// Reads a list that nobody but its owner can change.
    pub(crate) fn read(path: &Path) -> Result<Self, AuthorizedAgentsError> {
        let content = guarded_file::read(path, Others::Read, MAX_FILE).map_err(AuthorizedAgentsError::File)?;
        let wrong = |(line, what)| AuthorizedAgentsError::Line { path: path.to_owned(), line, what };
        Self::parse(&content).map_err(wrong)
    }

    /// The grant of an agent that may connect on this day.
    pub(crate) fn grant(&self, peer: &PeerId, today: Date) -> Option<&Grant> {
        self.agents.get(peer).filter(|grant| grant.expires.is_none_or(|expires| today < expires))
    }

    pub(crate) fn len(&self) -> usize {
        self.agents.len()
    }

    fn parse(content: &[u8]) -> Result<Self, (usize, LineError)> {
        let mut agents = BTreeMap::new();
        for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            let line = std::str::from_utf8(line).map_err(|_| (number, LineError::NotText))?.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (peer, grant) = parse_line(line, number).map_err(|what| (number, what))?;
            match agents.entry(peer) {
                Entry::Vacant(place) => place.insert(grant),
                Entry::Occupied(first) => return Err((number, LineError::Twice { first: first.get().line })),
            };
        }
        Ok(Self { agents })
    }
}

fn parse_line(line: &str, number: usize) -> Result<(PeerId, Grant), LineError> {
    let (id, rest) = split_field(line);
    let (options, comment) = split_field(rest);
    let peer = id.parse().map_err(LineError::Peer)?;
    let mut grant = Grant { expires: None, max_size: None, comment: comment.to_owned(), line: number };
    if !options.is_empty() && options != "-" {
        for option in options.split(',') {
            apply(option, &mut grant)?;
        }
    }
    Ok((peer, grant))
}

fn split_field(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).map_or((text, ""), |(field, rest)| (field, rest.trim_start()))
}

fn apply(option: &str, grant: &mut Grant) -> Result<(), LineError> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    let again = match name {
        "expires" => grant.expires.replace(value.parse().map_err(LineError::Expires)?).is_some(),
        "max-size" => grant.max_size.replace(size::parse(value).map_err(LineError::MaxSize)?).is_some(),
        _ => return Err(LineError::UnknownOption(name.to_owned())),
    };
    if again { Err(LineError::OptionTwice(name.to_owned())) } else { Ok(()) }
}

/// Why a list cannot be used.
#[derive(Debug)]
pub(crate) enum AuthorizedAgentsError {
    File(GuardedFileError),
    Line { path: PathBuf, line: usize, what: LineError },
}

impl fmt::Display for AuthorizedAgentsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Line { path, line, what } => write!(f, "{}, line {line}: {what}", path.display()),
        }
    }
}

impl std::error::Error for AuthorizedAgentsError {}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LineError {
    NotText,
    Peer(PeerIdError),
    Twice { first: usize },
    UnknownOption(String),
    OptionTwice(String),
    Expires(DateError),
    MaxSize(SizeError),
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => f.write_str("not UTF-8"),
            Self::Peer(error) => error.fmt(f),
            Self::Twice { first } => write!(f, "the agent is in line {first} already"),
            Self::UnknownOption(name) => {
                write!(
                    f,
                    "unknown option {name:?}: options are expires and max-size; before a comment, - says that there are none"
                )
            }
            Self::OptionTwice(name) => write!(f, "the option {name} is there twice"),
            Self::Expires(error) => write!(f, "expires: {error}"),
            Self::MaxSize(error) => write!(f, "max-size: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use aitcp::crypto::keygen::IdentityKey;
    use aitcp::crypto::rustcrypto::RustCrypto;

    use super::*;

    fn ann() -> PeerId {
        IdentityKey::from_seed(&RustCrypto, [1; 32]).unwrap().peer_id()
    }

    fn parse(text: &str) -> Result<AuthorizedAgents, (usize, LineError)> {
        AuthorizedAgents::parse(text.as_bytes())
    }

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn a_line_has_an_id_options_and_a_comment() {
        let ann = ann();
        for (options, expires, max_size, comment) in [
            ("", None, None, ""),
            (" -", None, None, ""),
            ("\t-  Ann's laptop", None, None, "Ann's laptop"),
            (" expires=2027-01-31", Some("2027-01-31"), None, ""),
            (" max-size=64MiB,expires=2027-01-31 # Ann \r", Some("2027-01-31"), Some(64 << 20), "# Ann"),
        ] {
            let list = parse(&format!("# who\n\n  {ann}{options}\n")).unwrap();
            assert_eq!(list.len(), 1);
            let grant = list.grant(&ann, day("2027-01-30")).unwrap();
            assert_eq!((grant.expires, grant.max_size, grant.comment.as_str()), (expires.map(day), max_size, comment));
        }
    }

    #[test]
    fn an_agent_is_let_in_until_the_day_on_which_it_expires() {
        let ann = ann();
        let list = parse(&format!("{ann} expires=2027-01-31")).unwrap();
        assert!(list.grant(&ann, day("2027-01-30")).is_some());
        assert!(list.grant(&ann, day("2027-01-31")).is_none());
        assert!(list.grant(&ann, day("2028-01-01")).is_none());
    }

    #[test]
    fn an_empty_list_lets_nobody_in() {
        let ann = ann();
        for text in ["", "\n", "# nobody\n", "   \n#"] {
            assert!(parse(text).unwrap().grant(&ann, day("2027-01-30")).is_none());
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        let ann = ann();
        let refused = |line: String| parse(&format!("# first\n{line}\n")).unwrap_err();
        for (line, error) in [
            ("*".to_owned(), LineError::Peer(PeerIdError::Text)),
            (format!("{}f", &ann.to_string()[..63]), LineError::Peer(PeerIdError::Text)),
            (format!("{ann} Ann's laptop"), LineError::UnknownOption("Ann's".to_owned())),
            (format!("{ann} expire=2027-01-31"), LineError::UnknownOption("expire".to_owned())),
            (format!("{ann} expires=2027-01-31,"), LineError::UnknownOption(String::new())),
            (format!("{ann} expires"), LineError::Expires(DateError)),
            (format!("{ann} expires=2027-02-30"), LineError::Expires(DateError)),
            (format!("{ann} max-size=big"), LineError::MaxSize(SizeError)),
            (format!("{ann} max-size=1,max-size=2"), LineError::OptionTwice("max-size".to_owned())),
            (format!("{ann}\n{ann} -"), LineError::Twice { first: 2 }),
        ] {
            let expected_line = if matches!(error, LineError::Twice { .. }) { 3 } else { 2 };
            assert_eq!(refused(line.clone()), (expected_line, error), "{line}");
        }
        assert_eq!(AuthorizedAgents::parse(b"#\n\xFF").unwrap_err(), (2, LineError::NotText));
    }
}
