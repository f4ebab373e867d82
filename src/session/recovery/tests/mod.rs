//! Recovery as a whole.

mod behaviour;
mod simulation;
