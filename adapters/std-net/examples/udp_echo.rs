//! A server with a thread for each connection and each stream, and a client, over UDP.
//!
//! `cargo run -p aitcp-std --example udp_echo`

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::thread;

use aitcp::crypto::{keygen::IdentityKey, rustcrypto::RustCrypto};
use aitcp::{Admission, ClientConfig, Direction, EndpointConfig, Expect, ServerConfig};
use aitcp_std::{Endpoint, Incoming, Stream};

const MAX_MESSAGE: usize = 1 << 20;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let server_key = generate_key()?;
    let client_key = generate_key()?;
    let server_id = server_key.peer_id();
    let config = Arc::new(ServerConfig::new(server_key, Admission::Only([client_key.peer_id()].into()), &["echo/1"]));

    let endpoint = Endpoint::bind("127.0.0.1:0", EndpointConfig::new().with_server(config))?;
    let addr = endpoint.local_addr()?;
    let server = thread::spawn(move || -> io::Result<()> {
        let incoming = endpoint.accept().expect("it is not shut down"); // a server that goes on does this in a loop...
        thread::spawn(move || serve(incoming)).join().expect("no panics") // ...and does not wait here
    });

    let config = Arc::new(ClientConfig::new(client_key, "echo/1"));
    let endpoint = Endpoint::bind("127.0.0.1:0", EndpointConfig::new())?; // for any number of connections
    let connection = endpoint.connect(addr, config, Expect::Pinned(server_id), &mut ())?;
    println!("connected to {} with {}", connection.handshake().peer, connection.handshake().suite);
    for message in ["hello", "", "good-bye"] {
        let mut stream = connection.open(Direction::Bidirectional)?;
        stream.sender.send(message.as_bytes())?;
        stream.sender.finish()?;
        assert_eq!(stream.receiver.recv_message(MAX_MESSAGE)?.as_deref(), Some(message.as_bytes()));
        assert_eq!(stream.receiver.recv_message(MAX_MESSAGE)?, None);
    }
    connection.shutdown()?;
    server.join().expect("no panics")?;
    Ok(())
}

/// Serves one connection, until the client shuts it down.
fn serve(incoming: Incoming) -> io::Result<()> {
    let connection = incoming.accept(&mut ())?;
    while let Some(stream) = connection.accept_stream()? {
        thread::spawn(move || echo(stream));
    }
    connection.shutdown() // waits until the streams' threads are done with them
}

/// Sends back every message of a stream.
fn echo(mut stream: Stream) -> io::Result<()> {
    while let Some(message) = stream.receiver.recv_message(MAX_MESSAGE)? {
        stream.sender.send(&message)?;
    }
    stream.sender.finish()
}

fn generate_key() -> Result<IdentityKey, Box<dyn Error>> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(IdentityKey::from_seed(&RustCrypto, seed)?)
}
