//! How much of a campaign runs, and what it prints.

use std::fmt::{Debug, Display};
use std::io::Write as _;

/// One seed in so many runs twice.
const TWICE: u64 = 10;

/// Whether campaigns run in full: the environment says `AITCP_CAMPAIGN=full`.
#[must_use]
pub fn is_full_campaign() -> bool {
    std::env::var_os("AITCP_CAMPAIGN").is_some_and(|value| value == "full")
}

/// How many of `full` cases to run: all in a full campaign, otherwise one in a hundred, at least one.
#[must_use]
pub fn campaign(full: u32) -> u32 {
    if is_full_campaign() { full } else { full.div_ceil(100) }
}

/// Runs a scenario with each of so many seeds, from 0 on, and every tenth of them twice: the same has to come of it, be it a
/// [trace](crate::simulator::Simulator::trace_hash) or figures. What came of each seed is returned.
///
/// # Panics
/// If two runs of a seed differ.
pub fn for_each_seed<T: PartialEq + Debug>(full: u32, scenario: impl Fn(u64) -> T) -> Vec<T> {
    let run = |seed| {
        let outcome = scenario(seed);
        if seed % TWICE == 0 {
            assert_eq!(scenario(seed), outcome, "seed {seed} does not do the same twice");
        }
        outcome
    };
    (0..campaign(full).into()).map(run).collect()
}

/// Prints a figure that a test has found. What is printed with `println!` is shown by the test harness only if the test fails.
///
/// # Panics
/// If nothing can be printed.
pub fn report(figure: impl Display) {
    writeln!(std::io::stdout(), "{figure}").expect("somewhere to print to");
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn the_first_seed_runs_twice() {
        let runs = Cell::new(0);
        for_each_seed(100, |_| runs.set(runs.get() + 1));
        assert!(runs.get() > campaign(100));
    }

    #[test]
    #[should_panic(expected = "seed 0 does not do the same twice")]
    fn a_scenario_that_hangs_on_more_than_its_seed_is_found() {
        let runs = Cell::new(0);
        for_each_seed(1, |_| runs.replace(runs.get() + 1));
    }
}
