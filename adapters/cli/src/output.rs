//! Standard output and standard error, for people or for programs.

use std::io::{self, Write};

use crate::exit::{Exit, Failure};
use crate::report::Report;

/// Where reports go, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints one report, at once: another program may be waiting for the line.
    pub(crate) fn report(self, report: &Report) -> Result<(), Failure> {
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

fn json(report: &Report) -> Result<String, Failure> {
    serde_json::to_string(report).map_err(|error| Failure::new(Exit::Local, error))
}
