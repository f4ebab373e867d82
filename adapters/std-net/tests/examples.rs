//! The example does what it says.

#[allow(dead_code, reason = "`main` is for the example by itself")]
#[path = "../examples/tcp_echo.rs"]
mod tcp_echo;

#[test]
fn tcp_echo_runs() {
    tcp_echo::run().unwrap();
}
