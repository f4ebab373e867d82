//! What a session keeps on the heap while nothing happens, printed.

mod support;

use aitcp::{Direction, Ending, Session, StreamId};
use aitcp_testkit::heap::{CountingAllocator, Meter};
use support::{Agents, SUITES, carry};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() {
    println!("Session itself: {} bytes", size_of::<Session>());
    for (name, suite) in SUITES {
        let agents = Agents::new(suite);
        let mut buf = vec![0; 64 << 10];
        drop(agents.establish(&mut buf)); // whatever is made once and kept

        let (waiting, _responder) = held(|| agents.responder());
        let (both, (mut initiator, mut responder)) = held(|| agents.establish(&mut buf));
        let (one_stream, stream) = held(|| exchange(&mut initiator, &mut responder, &mut buf));
        let (hundred_streams, _) = held(|| {
            for _ in 0..99 {
                exchange(&mut initiator, &mut responder, &mut buf);
            }
        });
        let (after, ()) = held(|| {
            finish(stream, &mut initiator, &mut responder, &mut buf);
        });
        println!("{name}");
        println!("  responder that waits for a Hello:          {waiting:>7} bytes");
        println!("  established session, each end:             {:>7} bytes", both / 2);
        println!("  its first stream, idle after a message:    {:>7} bytes more, each end", one_stream / 2);
        println!("  each of 99 further ones:                   {:>7} bytes more, each end", hundred_streams / 2 / 99);
        println!("  a stream that is done:                     {:>7} bytes more, each end", after / 2);
    }
}

/// What `make` leaves on the heap.
fn held<T>(make: impl FnOnce() -> T) -> (isize, T) {
    let meter = Meter::start();
    let made = make();
    (meter.held(), made)
}

/// A message each way on a stream of its own, which stays open.
fn exchange(initiator: &mut Session, responder: &mut Session, buf: &mut [u8]) -> StreamId {
    let stream = initiator.open(Direction::Bidirectional).unwrap();
    let mut read = [0; 1_024];
    initiator.send(stream, &[1; 1_000], Ending::End).unwrap();
    settle(initiator, responder, buf);
    responder.recv(stream, &mut read).unwrap();
    responder.send(stream, &[2; 1_000], Ending::End).unwrap();
    settle(initiator, responder, buf);
    initiator.recv(stream, &mut read).unwrap();
    settle(initiator, responder, buf);
    stream
}

fn finish(stream: StreamId, initiator: &mut Session, responder: &mut Session, buf: &mut [u8]) {
    initiator.finish(stream).unwrap();
    responder.finish(stream).unwrap();
    settle(initiator, responder, buf);
    for session in [&mut *initiator, &mut *responder] {
        assert!(session.recv(stream, &mut [0; 16]).unwrap().end_of_stream);
    }
    settle(initiator, responder, buf);
}

fn settle(initiator: &mut Session, responder: &mut Session, buf: &mut [u8]) {
    while carry(initiator, responder, buf) | carry(responder, initiator, buf) {
        while initiator.poll_event().is_some() || responder.poll_event().is_some() {}
    }
}
