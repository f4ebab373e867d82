//! One file a command.

pub(crate) mod key;
pub(crate) mod listen;
pub(crate) mod probe;
pub(crate) mod send;
