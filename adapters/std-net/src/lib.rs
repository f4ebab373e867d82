//! AI-TCP over blocking sockets of the standard library.
