//! Exit codes, and the failures that lead to them.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// What the command's exit code says. Scripts depend on the numbers: they never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Local,
    Usage,
    Credentials,
    Unreachable,
    Refused,
    Transfer,
    Demo,
}

impl Exit {
    pub(crate) const ALL: [Self; 8] = [
        Self::Done,
        Self::Local,
        Self::Usage,
        Self::Credentials,
        Self::Unreachable,
        Self::Refused,
        Self::Transfer,
        Self::Demo,
    ];

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Local => 1,
            Self::Usage => 2,
            Self::Credentials => 3,
            Self::Unreachable => 4,
            Self::Refused => 5,
            Self::Transfer => 6,
            Self::Demo => 7,
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Local => "a local file, address or the system failed",
            Self::Usage => "wrong usage",
            Self::Credentials => "a key file or the list of authorised agents cannot be used",
            Self::Unreachable => "the address cannot be reached, or nothing there speaks AI-TCP",
            Self::Refused => "refused by the peer, or another agent answered",
            Self::Transfer => "the transfer did not complete",
            Self::Demo => "a check of the demonstration failed",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The part of `--help` that lists the exit codes.
pub(crate) fn help() -> String {
    let mut text = String::from("Exit codes:");
    for exit in Exit::ALL {
        text.push_str(&format!("\n  {}  {}", exit.code(), exit.meaning()));
    }
    text
}

/// Why the command ends without having done what it was asked to do.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    error: Box<dyn Error + Send + Sync>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit, error: error.into() }
    }

    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once_in_help_and_readme() {
        let readme = include_str!("../../../README.md");
        for (place, exit) in Exit::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(exit.code()), place);
            assert_eq!(help().matches(&format!("\n  {}  {}", exit.code(), exit.meaning())).count(), 1);
            assert_eq!(readme.matches(&format!("| {} | {} |", exit.code(), exit.meaning())).count(), 1, "{exit:?}");
        }
    }
}
