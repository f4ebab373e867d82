//! The examples do what they say.

#[path = "../examples/tcp_echo.rs"]
mod tcp_echo;
#[path = "../examples/udp_echo.rs"]
mod udp_echo;

#[test]
fn tcp_echo_runs() {
    tcp_echo::main().unwrap();
}

#[test]
fn udp_echo_runs() {
    udp_echo::main().unwrap();
}
