//! Recovery as a whole.

mod behaviour;
mod bottleneck;
mod simulation;
