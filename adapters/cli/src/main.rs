//! The `aitcp` command.

#![forbid(unsafe_code)]

mod address;
mod args;
mod authorized_agents;
mod commands;
mod date;
mod demo;
mod door;
mod exit;
mod guarded_file;
mod home;
mod key_file;
mod output;
mod progress;
mod session;
mod size;
mod transfer;

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
        Command::Listen(args) => commands::listen::run(args, output),
        Command::Send(args) => commands::send::run(args, output),
        Command::Probe(args) => commands::probe::run(args, output),
        Command::Demo => demo::run(output),
    };
    match done {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            output.fail(&failure);
            failure.exit().into()
        }
    }
}
