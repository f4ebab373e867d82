//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::exit;

/// Secure messages and files between agents that know each other by their keys
#[derive(Debug, Parser)]
#[command(name = "aitcp", version, after_help = exit::help(), arg_required_else_help = true)]
pub(crate) struct Args {
    /// Print one JSON object a line instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key, or show what is public of one
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a new key; its file is in OpenSSH's format and must not exist yet
    New {
        /// Where to put it [default: key in $AITCP_HOME or ~/.config/aitcp]
        file: Option<PathBuf>,
        /// A note in the file
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Show the agent's id, fingerprint and public key
    Show {
        /// The private key [default: key in $AITCP_HOME or ~/.config/aitcp]
        file: Option<PathBuf>,
    },
    /// Show the fingerprint as `ssh-keygen -l` does
    Fingerprint {
        /// The private key [default: key in $AITCP_HOME or ~/.config/aitcp]
        file: Option<PathBuf>,
    },
}
