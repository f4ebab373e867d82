//! A progress bar on standard error, for people at a terminal and for nobody else.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

const KNOWN: &str = "  {bar:32.cyan/blue} {bytes:>11} of {total_bytes}  {bytes_per_sec}  {eta} left";
const UNKNOWN: &str = "  {spinner} {bytes:>11}  {bytes_per_sec}";

/// How far a transfer has come. Gone from the terminal when dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Begins at nothing of `size` bytes, if the size is known.
    pub(crate) fn new(size: Option<u64>, output: Output) -> Self {
        // The target hides itself where standard error is no terminal.
        let target = if output.is_for_people() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let (bar, template) = match size {
            Some(size) => (ProgressBar::with_draw_target(Some(size), target), KNOWN),
            None => (ProgressBar::with_draw_target(None, target), UNKNOWN),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self { bar }
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_understood() {
        for template in [KNOWN, UNKNOWN] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
