//! The examples do what they say.
#![cfg(feature = "rustcrypto")]
#![allow(
    clippy::duplicate_mod,
    dead_code,
    reason = "each example is a program with a `main` and a `common` of its own"
)]

#[path = "../examples/bare_loop.rs"]
mod bare_loop;
#[path = "../examples/custom_transport.rs"]
mod custom_transport;
#[path = "../examples/mio.rs"]
mod mio_loop;

#[test]
fn bare_loop_runs() {
    bare_loop::main().unwrap();
}

#[test]
fn custom_transport_runs() {
    custom_transport::main().unwrap();
}

#[test]
fn mio_runs() {
    mio_loop::main().unwrap();
}
