//! Runs the command as its users do.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The command, with its files in a folder of the test's own.
pub fn aitcp(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aitcp"));
    command.env("AITCP_HOME", home);
    command
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The lines of `--json`.
pub fn json_lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
pub fn assert_exit(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "stdout: {}\nstderr: {}", stdout(output), stderr(output));
}
