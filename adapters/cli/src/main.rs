//! The `aitcp` command.

fn main() {}
