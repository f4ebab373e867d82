//! Two agents that know each other, and what they have to say. How their bytes travel is the business of each example.

use std::error::Error;
use std::sync::Arc;

use aitcp::crypto::{keygen::IdentityKey, rustcrypto::RustCrypto};
use aitcp::{Admission, Carrier, ClientConfig, Direction, Ending, Event, Expect, Instant};
use aitcp::{Role, Seed, ServerConfig, Session};
use getrandom::{SysRng, rand_core::UnwrapErr};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// An initiator and a responder that wait to be connected.
pub(crate) fn sessions() -> Result<(Session, Session), Failure> {
    let mut rng = UnwrapErr(SysRng);
    let alice = IdentityKey::generate(&RustCrypto, &mut rng)?;
    let bob = IdentityKey::generate(&RustCrypto, &mut rng)?;
    let expect = Expect::Pinned(bob.peer_id());
    let server = ServerConfig::new(bob, Admission::Only([alice.peer_id()].into()), &["echo/1"]);
    let client = ClientConfig::new(alice, "echo/1");
    let start = Instant::ORIGIN;
    let seeds = (Seed::from_rng(&mut rng)?, Seed::from_rng(&mut rng)?);
    let alice = Session::connect(start, Arc::new(client), expect, Carrier::Stream, seeds.0)?;
    let bob = Session::accept(start, Arc::new(server), Carrier::Stream, seeds.1)?;
    Ok((alice, bob))
}

/// The application: the initiator asks and then shuts down, the responder says the same back.
pub(crate) fn act(session: &mut Session, now: Instant, event: Event) -> Result<(), Failure> {
    match (session.role(), event) {
        (Role::Initiator, Event::Established) => {
            let stream = session.open(Direction::Bidirectional)?;
            session.send(stream, b"anybody there?", Ending::End)?;
            session.finish(stream)?;
        }
        (role, Event::Readable(stream)) => {
            let mut message = [0; 64];
            let received = session.recv(stream, &mut message)?;
            assert_eq!(&message[..received.len], b"anybody there?"); // a short message comes in one piece
            if role == Role::Initiator {
                session.shutdown(now);
            } else {
                session.send(stream, &message[..received.len], Ending::End)?;
                session.finish(stream)?;
            }
        }
        (role, Event::Closed(reason)) => println!("{role:?}: {reason}"),
        _ => {}
    }
    Ok(())
}
