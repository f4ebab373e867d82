//! Two sessions, two byte buffers between them, and no IO at all: what every driver does, and nothing else.
//!
//! `cargo run --example bare_loop`

use std::error::Error;
use std::sync::Arc;

use aitcp::crypto::{keygen::IdentityKey, rustcrypto::RustCrypto};
use aitcp::{Admission, Carrier, ClientConfig, Direction, Ending, Event, Expect, Instant, Seed, ServerConfig, Session};
use getrandom::{SysRng, rand_core::UnwrapErr};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    // Who is who. Agents keep their keys in files; these two live for as long as the example runs.
    let mut rng = UnwrapErr(SysRng);
    let alice_key = IdentityKey::generate(&RustCrypto, &mut rng)?;
    let bob_key = IdentityKey::generate(&RustCrypto, &mut rng)?;

    // Alice talks to Bob and nobody else, and Bob lets in Alice and nobody else.
    let expect = Expect::Pinned(bob_key.peer_id());
    let server = ServerConfig::new(bob_key, Admission::Only([alice_key.peer_id()].into()), &["bare/1"]);
    let client = ClientConfig::new(alice_key, "bare/1");

    // The sessions have no clock: they are told the time with every call, as microseconds since some origin.
    let start = std::time::Instant::now();
    let now = || Instant::ORIGIN + start.elapsed();

    // A seed is all the randomness that a session gets. Each has its own, used once.
    let (for_alice, for_bob) = (Seed::from_rng(&mut rng)?, Seed::from_rng(&mut rng)?);
    let mut alice = Session::connect(now(), Arc::new(client), expect, Carrier::Stream, for_alice)?;
    let mut bob = Session::accept(now(), Arc::new(server), Carrier::Stream, for_bob)?;

    // What is on its way: the wires of this little world.
    let (mut to_bob, mut to_alice) = (Vec::new(), Vec::new());
    while !(alice.is_drained() && bob.is_drained()) {
        carry(now(), &mut alice, &mut to_bob, &mut bob)?;
        carry(now(), &mut bob, &mut to_alice, &mut alice)?;

        // Alice says one thing, waits for the answer, and ends the session in order.
        while let Some(event) = alice.poll_event() {
            if event == Event::Established {
                let stream = alice.open(Direction::Bidirectional)?;
                alice.send(stream, b"hello, Bob", Ending::End)?; // there is room: nothing was sent before
                alice.finish(stream)?;
            } else if let Event::Readable(stream) = event {
                let mut answer = [0; 64];
                let received = alice.recv(stream, &mut answer)?;
                println!("Bob answers: {}", String::from_utf8_lossy(&answer[..received.len]));
                alice.shutdown(now());
            }
        }

        // Bob says the same back.
        while let Some(event) = bob.poll_event() {
            if let Event::Readable(stream) = event {
                let mut question = [0; 64];
                let received = bob.recv(stream, &mut question)?;
                bob.send(stream, &question[..received.len], Ending::End)?;
                bob.finish(stream)?;
            }
        }
    }
    Ok(())
}

/// Puts on the wire what `from` has to send, and shows `to` what is on the wire.
fn carry(now: Instant, from: &mut Session, wire: &mut Vec<u8>, to: &mut Session) -> Result<(), Box<dyn Error>> {
    let mut buffer = [0; 4096];
    while let Some(transmit) = from.poll_transmit(now, &mut buffer)? {
        wire.extend_from_slice(&buffer[..transmit.len]);
    }
    let input = to.handle_stream(now, wire);
    wire.drain(..input.consumed); // the beginning of a packet stays, until the rest of it has come
    to.handle_timeout(now);
    Ok(())
}
