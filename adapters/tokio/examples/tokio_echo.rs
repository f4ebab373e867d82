//! A server with a task for each connection and each stream, and a client.
//!
//! `cargo run -p aitcp-tokio --example tokio_echo`

use std::error::Error;
use std::io;
use std::sync::Arc;

use aitcp::crypto::{keygen::IdentityKey, rustcrypto::RustCrypto};
use aitcp::{Admission, ClientConfig, Direction, Expect, ServerConfig};
use aitcp_tokio::{Connection, Stream, TcpListener};

const MAX_MESSAGE: usize = 1 << 20;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let server_key = generate_key()?;
    let client_key = generate_key()?;
    let server_id = server_key.peer_id();
    let config = Arc::new(ServerConfig::new(server_key, Admission::Only([client_key.peer_id()].into()), &["echo/1"]));

    let mut listener = TcpListener::bind("127.0.0.1:0", config, ()).await?;
    let addr = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let (connection, _) = listener.accept().await?; // a server that goes on does this in a loop...
        tokio::spawn(serve(connection)).await? // ...and does not wait here
    });

    let config = Arc::new(ClientConfig::new(client_key, "echo/1"));
    let connection = Connection::connect_tcp(addr, config, Expect::Pinned(server_id), &mut ()).await?;
    println!("connected to {} with {}", connection.handshake().peer, connection.handshake().suite);
    for message in ["hello", "", "good-bye"] {
        let mut stream = connection.open(Direction::Bidirectional).await?;
        stream.sender.send(message.as_bytes()).await?;
        stream.sender.finish()?;
        assert_eq!(stream.receiver.recv_message(MAX_MESSAGE).await?.as_deref(), Some(message.as_bytes()));
        assert_eq!(stream.receiver.recv_message(MAX_MESSAGE).await?, None);
    }
    connection.shutdown().await?;
    Ok(server.await??)
}

/// Serves one connection, until the client shuts it down.
async fn serve(connection: Connection) -> io::Result<()> {
    while let Some(stream) = connection.accept_stream().await? {
        tokio::spawn(echo(stream));
    }
    connection.shutdown().await // waits until the streams' tasks are done with them
}

/// Sends back every message of a stream.
async fn echo(mut stream: Stream) -> io::Result<()> {
    while let Some(message) = stream.receiver.recv_message(MAX_MESSAGE).await? {
        stream.sender.send(&message).await?;
    }
    stream.sender.finish()
}

fn generate_key() -> Result<IdentityKey, Box<dyn Error>> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(IdentityKey::from_seed(&RustCrypto, seed)?)
}
