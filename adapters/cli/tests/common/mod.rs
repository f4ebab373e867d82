//! Runs the command as its users do.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The command, with its files in a folder of the test's own.
pub(crate) fn aitcp(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aitcp"));
    command.env("AITCP_HOME", home);
    command
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The lines of `--json`.
pub(crate) fn json_lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a failed command said last.
pub(crate) fn reason(output: &Output) -> String {
    let lines = json_lines(output);
    let last = lines.last().unwrap();
    assert_eq!(last["event"], "failed", "{last}");
    last["reason"].as_str().unwrap().to_owned()
}

#[track_caller]
pub(crate) fn assert_exit(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "stdout: {}\nstderr: {}", stdout(output), stderr(output));
}

/// An agent of the test's own: a folder with a key in it.
pub(crate) struct Agent {
    pub(crate) home: TempDir,
    pub(crate) id: String,
}

impl Agent {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let made = aitcp(home.path()).args(["--json", "key", "new"]).output().unwrap();
        assert_exit(&made, 0);
        let id = json_lines(&made)[0]["id"].as_str().unwrap().to_owned();
        Self { home, id }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes the list of agents that may connect to this one.
    pub(crate) fn authorize(&self, lines: &[&str]) {
        fs::write(self.path("authorized_agents"), lines.join("\n")).unwrap();
    }

    /// The files that have come, in order.
    pub(crate) fn inbox(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("inbox")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Starts to listen on a free port, with an inbox in this agent's folder.
    pub(crate) fn listen(&self, options: &[&str]) -> Listening {
        fs::create_dir_all(self.path("inbox")).unwrap();
        let mut child = aitcp(self.home.path())
            .args(["--json", "listen", "127.0.0.1:0", "--into"])
            .arg(self.path("inbox"))
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut listening = Listening { child, lines, id: self.id.clone(), address: String::new() };
        let first = listening.event("listening");
        assert_eq!(first["id"], self.id);
        listening.address = first["address"].as_str().unwrap().to_owned();
        listening
    }

    pub(crate) fn send(&self, to: &str, arguments: &[&str]) -> Command {
        let mut command = aitcp(self.home.path());
        command.args(["--json", "send", to]).args(arguments);
        command
    }
}

/// A process that listens. It is gone when the test is.
pub(crate) struct Listening {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    id: String,
    pub(crate) address: String,
}

impl Listening {
    /// `ID@HOST:PORT`.
    pub(crate) fn full_address(&self) -> String {
        format!("{}@{}", self.id, self.address)
    }

    /// The next line, which has to be this event.
    #[track_caller]
    pub(crate) fn event(&mut self, expected: &str) -> Value {
        let line = self.lines.next().expect("the listener has ended").unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["event"], expected, "{line}");
        event
    }

    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
