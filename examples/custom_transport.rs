//! A session over something that is no socket: a pair of pipes. Anything that moves bytes in order will do.
//!
//! `cargo run --example custom_transport`

mod common;

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use aitcp::{CloseReason, Instant, Session};
use common::{Failure, act, sessions};

pub(crate) fn main() -> Result<(), Failure> {
    // In life the responder would be another process, with these two pipes as its standard input and output.
    let (from_responder, to_initiator) = io::pipe()?;
    let (from_initiator, to_responder) = io::pipe()?;
    let (initiator, responder) = sessions()?;
    let responder = thread::spawn(move || drive(responder, from_initiator, to_initiator));
    assert_eq!(drive(initiator, from_responder, to_responder)?, CloseReason::ShutDown);
    responder.join().expect("no panics")?;
    Ok(())
}

/// The driver: knows about pipes and time, and nothing of what the session is for.
fn drive(mut session: Session, mut from: PipeReader, mut to: PipeWriter) -> Result<CloseReason, Failure> {
    // A pipe cannot be read with a timeout: a thread reads, and the loop waits for it or for the session's next deadline.
    let (sender, chunks) = mpsc::channel();
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(len @ 1..) = from.read(&mut chunk) {
            if sender.send(chunk[..len].to_vec()).is_err() {
                break; // the session is over
            }
        }
    });

    let start = std::time::Instant::now();
    let (mut inbox, mut outbox) = (Vec::new(), [0; 4096]);
    loop {
        let now = Instant::ORIGIN + start.elapsed();
        session.handle_timeout(now);
        while let Some(event) = session.poll_event() {
            act(&mut session, now, event)?;
        }
        while let Some(transmit) = session.poll_transmit(now, &mut outbox)? {
            to.write_all(&outbox[..transmit.len])?;
        }
        if let Some(reason) = session.close_reason().filter(|_| session.is_drained()) {
            return Ok(reason); // the pipe is closed behind the last packet
        }
        let wait = session.poll_timeout().map_or(Duration::MAX, |deadline| deadline - now);
        match chunks.recv_timeout(wait) {
            Ok(chunk) => {
                inbox.extend_from_slice(&chunk);
                let input = session.handle_stream(now, &mut inbox);
                inbox.drain(..input.consumed); // the beginning of a packet stays, until the rest of it has come
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => session.handle_link_lost(now),
        }
    }
}
