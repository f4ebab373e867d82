//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::address::{AgentAddress, HostPort, ProbeAddress};
use crate::exit;
use crate::size;
use crate::transfer::message::APP_PROTOCOL;

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
    /// Take files from the agents on a list
    Listen(Listen),
    /// Send a file to an agent that listens
    Send(Send),
    /// Show who answers at an address, and how the handshake goes
    Probe(Probe),
    /// Two agents, an attacker and a bad network, in this process and over real TCP and UDP
    Demo,
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

#[derive(Debug, clap::Args)]
pub(crate) struct Listen {
    /// Where to listen; port 0 takes a free one
    #[arg(value_name = "HOST:PORT", default_value = "127.0.0.1:7410")]
    pub(crate) address: HostPort,
    /// Listen on UDP instead of TCP
    #[arg(long)]
    pub(crate) udp: bool,
    /// The folder that takes the files
    #[arg(long, value_name = "FOLDER")]
    pub(crate) into: PathBuf,
    /// This agent's private key [default: key in $AITCP_HOME or ~/.config/aitcp]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The agents that may connect, read anew for each [default: authorized_agents in $AITCP_HOME or ~/.config/aitcp]
    #[arg(long, value_name = "FILE")]
    pub(crate) authorized_agents: Option<PathBuf>,
    /// The longest file taken, for agents whose line does not say otherwise
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size::parse)]
    pub(crate) max_size: u64,
    /// Connections served at a time; more are turned away
    #[arg(long, value_name = "NUMBER", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) max_connections: u16,
    /// Replace files that are there already
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Serve one agent and end
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Send {
    /// Who is to get the file, and where
    #[arg(value_name = "ID@HOST:PORT")]
    pub(crate) to: AgentAddress,
    /// Send over UDP instead of TCP
    #[arg(long)]
    pub(crate) udp: bool,
    /// The file; - is standard input
    pub(crate) file: PathBuf,
    /// The name that the receiver gives it [default: its own; for standard input, stdin]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// This agent's private key [default: key in $AITCP_HOME or ~/.config/aitcp]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Probe {
    /// Where to connect, and who should answer there if that is known
    #[arg(value_name = "[ID@]HOST:PORT")]
    pub(crate) to: ProbeAddress,
    /// Ask over UDP instead of TCP
    #[arg(long)]
    pub(crate) udp: bool,
    /// The private key to show [default: a key made for this once, so that nobody is let in]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The application protocol to ask for
    #[arg(long, value_name = "NAME", default_value = APP_PROTOCOL)]
    pub(crate) app_protocol: String,
}
