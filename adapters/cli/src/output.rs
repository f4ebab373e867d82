//! Standard output and standard error, for people or for programs.

use std::fmt::{self, Display};
use std::io::{self, Write};

use serde::Serialize;

use crate::exit::{Exit, Failure};

/// Where reports go, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether somebody may be watching: what comes and goes on a terminal is not for programs.
    pub(crate) const fn is_for_people(self) -> bool {
        !self.json
    }

    /// Prints one report, at once: another program may be waiting for the line.
    pub(crate) fn report(self, report: &(impl Serialize + Display)) -> Result<(), Failure> {
        let line = if self.json { json(report)? } else { report.to_string() };
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")
            .and_then(|()| out.flush())
            .map_err(|error| Failure::new(Exit::Local, format!("standard output: {error}")))
    }

    /// Says why the command ends: to people on standard error, to programs as the last report.
    pub(crate) fn fail(self, failure: &Failure) {
        let report = Report::Failed { exit: failure.exit().code(), reason: failure.to_string() };
        if !self.json || self.report(&report).is_err() {
            // With standard error gone as well, the exit code is all that is left to say it.
            let _ = writeln!(io::stderr(), "aitcp: {report}");
        }
    }
}

fn json(report: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(report).map_err(|error| Failure::new(Exit::Local, error))
}

/// What any command may report. Each command's own reports are where the command is.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Report {
    /// The last line of a command that failed.
    Failed { exit: u8, reason: String },
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Failed { reason, .. } = self;
        f.write_str(reason)
    }
}
