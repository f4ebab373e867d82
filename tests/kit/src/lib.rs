//! Virtual time, a link emulator and pairs of sessions.
