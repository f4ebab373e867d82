//! The `aitcp` command.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod exit;
mod guarded_file;
mod home;
mod key_file;
mod output;
mod report;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};
use crate::exit::Exit;
use crate::output::Output;

fn main() -> ExitCode {
    let args = Args::parse();
    let output = Output::new(args.json);
    let done = match args.command {
        Command::Key(command) => commands::key::run(command, output),
    };
    match done {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            output.fail(&failure);
            failure.exit().into()
        }
    }
}
