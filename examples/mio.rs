//! Sessions in an event loop of one's own, here over `mio`: one thread, both ends of a TCP connection, and nothing ever blocks.
//!
//! `cargo run --example mio`

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;

use aitcp::{Instant, Session};
use common::{Failure, act, sessions};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

pub(crate) fn main() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    far.set_nonblocking(true)?;
    let (initiator, responder) = sessions()?;
    let mut poll = Poll::new()?;
    let peer = |session, socket| Peer { session, socket, inbox: Vec::new(), outbox: Vec::new() };
    let mut peers = [peer(initiator, near), peer(responder, TcpStream::from_std(far))];
    for peer in &mut peers {
        poll.registry().register(&mut peer.socket, Token(0), Interest::READABLE | Interest::WRITABLE)?;
    }

    let start = std::time::Instant::now();
    let now = || Instant::ORIGIN + start.elapsed();
    let mut events = Events::with_capacity(64);
    while !peers.iter().all(|peer| peer.session.is_drained()) {
        // Sleeps until a socket is ready or the first of the sessions has to be woken.
        let next = peers.iter().filter_map(|peer| peer.session.poll_timeout()).min();
        poll.poll(&mut events, next.map(|deadline| deadline - now()))?;
        for peer in &mut peers {
            peer.turn(now())?; // with many: those whose tokens are in `events`, and those that are due
        }
    }
    Ok(())
}

struct Peer {
    session: Session,
    socket: TcpStream,
    /// The beginning of a packet whose rest has not come.
    inbox: Vec<u8>,
    /// What the socket has not taken.
    outbox: Vec<u8>,
}

impl Peer {
    /// Reads all there is, acts on it, and writes all that goes: `mio` tells only of changes.
    fn turn(&mut self, now: Instant) -> Result<(), Failure> {
        let mut buffer = [0; 16 << 10];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(len @ 1..) => self.inbox.extend_from_slice(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Ok(0) | Err(_) => break self.session.handle_link_lost(now),
            }
            let input = self.session.handle_stream(now, &mut self.inbox);
            self.inbox.drain(..input.consumed);
        }
        self.session.handle_timeout(now);
        while let Some(event) = self.session.poll_event() {
            act(&mut self.session, now, event)?;
        }
        loop {
            if self.outbox.is_empty() {
                let Some(transmit) = self.session.poll_transmit(now, &mut buffer)? else { break };
                self.outbox.extend_from_slice(&buffer[..transmit.len]);
            }
            // An error is a full socket or a broken one; of a broken one, reading finds the end.
            let Ok(len) = self.socket.write(&self.outbox) else { break };
            self.outbox.drain(..len);
        }
        Ok(())
    }
}
