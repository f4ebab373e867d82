//! A room in which everybody hears what anybody says. Each guest says things on a stream of its own, and hears the others on one that
//! the room opens; names are keys, so that nobody speaks for somebody else.
//!
//! `cargo run -p aitcp-tokio --example tokio_chat`

use std::error::Error;
use std::io;
use std::sync::Arc;

use aitcp::crypto::{keygen::IdentityKey, rustcrypto::RustCrypto};
use aitcp::{Admission, ClientConfig, Direction, Expect, PeerId, ServerConfig};
use aitcp_tokio::{Connection, TcpListener};
use tokio::sync::broadcast;

const MAX_LINE: usize = 4 << 10;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let room = IdentityKey::from_seed(&RustCrypto, [1; 32])?; // real seeds come from a key file
    let expect = Expect::Pinned(room.peer_id());
    let config = Arc::new(ServerConfig::new(room, Admission::Any, &["chat/1"]));
    let mut listener = TcpListener::bind("127.0.0.1:0", config, ()).await?;
    let addr = listener.local_addr()?;
    let (lines, _) = broadcast::channel(100);
    tokio::spawn(async move {
        while let Ok((guest, _)) = listener.accept().await {
            let (said, to_hear) = (lines.clone(), lines.subscribe());
            tokio::spawn(tell(guest.clone(), to_hear));
            tokio::spawn(listen(guest, said));
        }
    });

    let mut guests = Vec::new();
    for seed in 2..5 {
        let key = IdentityKey::from_seed(&RustCrypto, [seed; 32])?;
        let config = Arc::new(ClientConfig::new(key, "chat/1"));
        let guest = Connection::connect_tcp(addr, config, expect, &mut ()).await?;
        let mut hears = guest.accept_stream().await?.ok_or("the room is closed")?.receiver;
        hears.recv_message(MAX_LINE).await?; // the welcome
        guests.push((guest, hears));
    }
    let mut says = guests[0].0.open(Direction::Unidirectional).await?.sender;
    says.send(b"hello, everybody").await?;
    for (_, hears) in &mut guests {
        let line = hears.recv_message(MAX_LINE).await?.ok_or("the room is closed")?;
        println!("{}", String::from_utf8_lossy(&line));
        assert!(line.ends_with(b": hello, everybody"));
    }
    Ok(())
}

/// Passes on what a guest says, one line a message.
async fn listen(guest: Connection, said: broadcast::Sender<(PeerId, Vec<u8>)>) -> io::Result<()> {
    while let Some(mut stream) = guest.accept_stream().await? {
        while let Some(line) = stream.receiver.recv_message(MAX_LINE).await? {
            let _ = said.send((guest.handshake().peer, line)); // an error: nobody is there
        }
    }
    Ok(())
}

/// Tells a guest what all say, until it is gone or too slow.
async fn tell(guest: Connection, mut to_hear: broadcast::Receiver<(PeerId, Vec<u8>)>) -> io::Result<()> {
    let mut stream = guest.open(Direction::Unidirectional).await?;
    stream.sender.send(b"welcome").await?;
    while let Ok((who, line)) = to_hear.recv().await {
        stream.sender.send(&[who.to_string().as_bytes(), b": ", &line].concat()).await?;
    }
    Ok(())
}
