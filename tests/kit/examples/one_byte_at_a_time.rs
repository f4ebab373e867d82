//! Feeds a session a message of as many bytes as the argument says, one byte at a time: for counting instructions, which has to show
//! that the work is in proportion to the bytes (`.ci/run instructions`).

use std::error::Error;

use aitcp::{Direction, Ending, RecvError, Session, StreamId};
use aitcp_testkit::Setup;

fn main() -> Result<(), Box<dyn Error>> {
    let bytes: usize = std::env::args().nth(1).ok_or("how many bytes?")?.parse()?;
    let mut pair = Setup::default().pair();
    pair.connect();
    let now = pair.now();
    let (mut sender, mut receiver) = (pair.initiator.session, pair.responder.session);
    let stream = sender.open(Direction::Unidirectional)?;
    let message = vec![7; bytes];
    let (mut rest, mut got) = (&message[..], 0);
    let mut packets = vec![0; 1 << 16];
    let mut waiting = Waiting { buffer: vec![0; receiver.max_packet()], held: 0 };
    while got < bytes {
        if !rest.is_empty() {
            rest = &rest[sender.send(stream, rest, Ending::End)?..];
        }
        while let Some(transmit) = sender.poll_transmit(now, &mut packets)? {
            for byte in &packets[..transmit.len] {
                waiting.feed(&mut receiver, *byte);
            }
            got += read(&mut receiver, stream)?;
        }
        while let Some(transmit) = receiver.poll_transmit(now, &mut packets)? {
            let _ = sender.handle_stream(now, &mut packets[..transmit.len]);
        }
        while sender.poll_event().or(receiver.poll_event()).is_some() {}
    }
    Ok(())
}

/// What a driver keeps between reads: the beginning of a packet.
struct Waiting {
    buffer: Vec<u8>,
    held: usize,
}

impl Waiting {
    fn feed(&mut self, session: &mut Session, byte: u8) {
        self.buffer[self.held] = byte;
        self.held += 1;
        let input = session.handle_stream(aitcp::Instant::ORIGIN, &mut self.buffer[..self.held]);
        self.buffer.copy_within(input.consumed..self.held, 0);
        self.held -= input.consumed;
    }
}

fn read(session: &mut Session, stream: StreamId) -> Result<usize, RecvError> {
    let mut out = [0; 4096];
    let mut len = 0;
    loop {
        match session.recv(stream, &mut out) {
            Ok(received) => len += received.len,
            Err(RecvError::Blocked | RecvError::UnknownStream) => return Ok(len),
            Err(error) => return Err(error),
        }
    }
}
