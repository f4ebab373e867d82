//! The example does what it says.

#[path = "../examples/tcp_echo.rs"]
mod tcp_echo;

#[test]
fn tcp_echo_runs() {
    tcp_echo::main().unwrap();
}
