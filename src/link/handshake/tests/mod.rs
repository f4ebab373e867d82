//! Handshakes over datagrams.
