//! The examples do what they say.

#[path = "../examples/tokio_chat.rs"]
mod tokio_chat;
#[path = "../examples/tokio_echo.rs"]
mod tokio_echo;

#[test]
fn tokio_echo_runs() {
    tokio_echo::main().unwrap();
}

#[test]
fn tokio_chat_runs() {
    tokio_chat::main().unwrap();
}
