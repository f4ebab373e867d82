//! How much of a campaign runs.

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
