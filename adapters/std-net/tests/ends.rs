//! How streams and sessions end, and what the callers at both ends get to see of it.

mod common;

use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use aitcp::{CloseReason, CloseSource, Direction, Expect, FinishError, OpenError, RecvError, SendError, Timeouts};
use aitcp_std::{Connection, close_reason};
use common::*;

#[test]
fn shutdown_waits_for_the_streams_of_both_ends() {
    let (alice, bob) = connect();
    let mut stream = alice.open(Direction::Bidirectional).unwrap();
    stream.sender.send(b"question").unwrap();
    stream.sender.finish().unwrap();
    thread::scope(|scope| {
        let alice = &alice;
        let shutdown = scope.spawn(|| alice.shutdown());
        let mut far = bob.accept_stream().unwrap().unwrap();
        assert!(bob.accept_stream().unwrap().is_none(), "Alice has said that she opens no more");
        let refused = bob.open(Direction::Bidirectional).unwrap_err();
        assert_eq!(refused.get_ref().unwrap().downcast_ref(), Some(&OpenError::ShuttingDown));

        assert_eq!(far.receiver.recv_message(8).unwrap().unwrap(), b"question");
        far.sender.send(b"answer").unwrap();
        far.sender.finish().unwrap();
        assert_eq!(stream.receiver.recv_message(8).unwrap().unwrap(), b"answer");
        assert!(!shutdown.is_finished());
        assert_eq!(stream.receiver.recv_message(8).unwrap(), None);
        assert_eq!(far.receiver.recv_message(8).unwrap(), None);

        assert_eq!(bob.wait_closed().unwrap(), CloseReason::Peer { source: CloseSource::Protocol, code: 0 });
        bob.shutdown().unwrap();
        shutdown.join().unwrap().unwrap();
    });
    assert_eq!(alice.inspect(|session| session.close_reason()), Some(CloseReason::ShutDown));
    let error = alice.open(Direction::Unidirectional).unwrap_err();
    assert_eq!((error.kind(), close_reason(&error)), (ErrorKind::NotConnected, Some(CloseReason::ShutDown)));
}

#[test]
fn shutdown_turns_away_what_nobody_accepted() {
    let (alice, bob) = connect();
    let mut first = alice.open(Direction::Unidirectional).unwrap();
    first.sender.send_part(b"and then").unwrap();
    let mut stream = alice.open(Direction::Bidirectional).unwrap();
    stream.sender.send(b"hello?").unwrap();
    first.sender.send(b" there was another").unwrap();
    let mut far = bob.accept_stream().unwrap().unwrap();
    far.receiver.recv_message(100).unwrap(); // so the other has come too
    drop((first, far));
    thread::scope(|scope| {
        scope.spawn(|| bob.shutdown().unwrap());
        let stopped = stream.sender.wait_finished().unwrap_err();
        assert_eq!(stopped.get_ref().unwrap().downcast_ref(), Some(&SendError::Stopped(0)));
        assert_eq!(stream.receiver.recv_message(1).unwrap_err().kind(), ErrorKind::ConnectionReset);
        drop(stream);
        alice.shutdown().unwrap();
    });
}

/// Bob has not heard of Alice's stream when he shuts down: he waits for it all the same.
#[test]
fn a_shutdown_waits_for_streams_that_are_on_their_way() {
    let (alice, bob) = connect();
    let mut stream = alice.open(Direction::Unidirectional).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| bob.shutdown().unwrap());
        stream.sender.send(b"delivered, if not read").unwrap();
        stream.sender.finish().unwrap();
        stream.sender.wait_finished().unwrap();
        alice.shutdown().unwrap();
    });
}

/// Bob's socket has bytes that he has not read when he closes. Were it let go with them, TCP would reset the connection, and on many
/// systems his last words would be lost: he has to read until Alice's end comes, which the relay between them holds back.
#[test]
fn a_close_arrives_with_its_code_and_text_in_spite_of_unread_bytes() {
    let ((near, relay_near), (relay_far, far)) = (sockets(), sockets());
    thread::scope(|scope| {
        let (let_go, held_back) = mpsc::channel::<()>();
        let (relay_near, relay_far) = (&relay_near, &relay_far);
        scope.spawn(move || {
            let _ = io::copy(&mut &*relay_near, &mut &*relay_far);
            let _ = held_back.recv();
            let _ = relay_far.shutdown(Shutdown::Write);
        });
        scope.spawn(|| {
            io::copy(&mut &*relay_far, &mut &*relay_near).unwrap();
            relay_near.shutdown(Shutdown::Write).unwrap();
        });
        let responder = scope.spawn(|| Connection::accept(far, Arc::new(server()), &mut ()).unwrap());
        let alice = Connection::connect(near, Arc::new(client()), Expect::Pinned(id(BOB)), &mut ()).unwrap();
        let bob = responder.join().unwrap();
        alice.set_timeout(Some(HANG));

        let mut stream = alice.open(Direction::Unidirectional).unwrap();
        stream.sender.send(&[0; 100_000]).unwrap();
        let start = Instant::now();
        let closing = scope.spawn(move || bob.close(7, "that will do"));
        let reason = CloseReason::Peer { source: CloseSource::Application, code: 7 };
        let error = alice.accept_stream().unwrap_err();
        assert_eq!((error.kind(), close_reason(&error)), (ErrorKind::ConnectionAborted, Some(reason)));
        assert_eq!(alice.inspect(|session| session.close_text().to_owned()), "that will do");
        assert_eq!(close_reason(&stream.sender.send(b"more").unwrap_err()), Some(reason));
        assert_eq!(close_reason(&alice.shutdown().unwrap_err()), Some(reason));
        assert!(!closing.is_finished() || start.elapsed() >= Duration::from_secs(1), "he waits, for a second");
        drop(let_go);
        closing.join().unwrap();
    });
}

#[test]
fn sending_to_a_peer_that_does_not_read_runs_out_of_time() {
    let (alice, bob) = connect();
    alice.set_timeout(Some(Duration::from_millis(50)));
    let mut stream = alice.open(Direction::Unidirectional).unwrap();
    let error = stream.sender.send(&vec![0; 16 << 20]).unwrap_err();
    assert_eq!((error.kind(), close_reason(&error)), (ErrorKind::TimedOut, None));
    drop(bob);
}

#[test]
fn a_cut_link_is_never_a_clean_end_and_what_came_before_can_be_read() {
    let (near, far) = sockets();
    let cutter = far.try_clone().unwrap();
    let responder = thread::spawn(move || Connection::accept(far, Arc::new(server()), &mut ()).unwrap());
    let alice = Connection::connect(near, Arc::new(client()), Expect::Pinned(id(BOB)), &mut ()).unwrap();
    let bob = responder.join().unwrap();
    let mut stream = alice.open(Direction::Bidirectional).unwrap();
    stream.sender.send(b"ping").unwrap();
    let mut far = bob.accept_stream().unwrap().unwrap();
    far.sender.send(b"the last").unwrap();
    far.sender.send_part(b"half of ano").unwrap();

    cutter.shutdown(Shutdown::Both).unwrap();
    assert_eq!(stream.receiver.recv_message(8).unwrap().unwrap(), b"the last");
    for error in [
        stream.receiver.recv_message(100).unwrap_err(),
        stream.sender.send(b"pong").unwrap_err(),
        alice.accept_stream().unwrap_err(),
        alice.shutdown().unwrap_err(),
        bob.shutdown().unwrap_err(),
    ] {
        assert_eq!((error.kind(), close_reason(&error)), (ErrorKind::UnexpectedEof, Some(CloseReason::LinkLost)));
    }
}

#[test]
fn dropping_a_connection_is_not_a_clean_end_either() {
    let (alice, bob) = connect();
    drop(bob);
    assert_eq!(alice.wait_closed().unwrap(), CloseReason::LinkLost);
}

#[test]
fn dropped_streams_end_between_messages_and_break_within() {
    let (alice, bob) = connect();
    let mut whole = alice.open(Direction::Unidirectional).unwrap();
    whole.sender.send(b"whole").unwrap();
    drop(whole);
    let mut stream = bob.accept_stream().unwrap().unwrap();
    assert_eq!(stream.receiver.recv_message(5).unwrap().unwrap(), b"whole");
    assert_eq!(stream.receiver.recv_message(5).unwrap(), None);

    let mut half = alice.open(Direction::Unidirectional).unwrap();
    half.sender.send_part(b"ha").unwrap();
    let mut stream = bob.accept_stream().unwrap().unwrap();
    drop(half);
    let error = loop {
        match stream.receiver.recv(&mut [0; 2]) {
            Ok(received) => assert!(!received.end_of_message),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(error.get_ref().unwrap().downcast_ref(), Some(&RecvError::Reset(0)));
    let again = stream.receiver.recv_message(5).unwrap_err();
    assert_eq!(again.get_ref().unwrap().downcast_ref(), Some(&RecvError::Reset(0)));
}

#[test]
fn a_stopped_stream_says_so_for_as_long_as_there_is_a_handle() {
    let (alice, bob) = connect();
    let mut stream = alice.open(Direction::Unidirectional).unwrap();
    stream.sender.send_part(b"blah").unwrap();
    let mut far = bob.accept_stream().unwrap().unwrap();
    far.receiver.stop(42).unwrap();
    let bob = thread::spawn(move || bob.wait_closed());
    let error = stream.sender.wait_finished().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    for error in [error, stream.sender.send(b"").unwrap_err(), stream.sender.finish().unwrap_err()] {
        assert_eq!(error.get_ref().unwrap().downcast_ref(), Some(&SendError::Stopped(42)));
    }
    alice.close(0, "");
    assert_eq!(bob.join().unwrap().unwrap(), CloseReason::Peer { source: CloseSource::Application, code: 0 });
}

#[test]
fn misuse_is_invalid_input_and_changes_nothing() {
    let (alice, _bob) = connect();
    let mut stream = alice.open(Direction::Unidirectional).unwrap();
    assert_eq!(stream.receiver.recv(&mut [0]).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(stream.receiver.stop(0).unwrap_err().kind(), ErrorKind::InvalidInput);
    stream.sender.send_part(b"unfinished").unwrap();
    let error = stream.sender.finish().unwrap_err();
    assert_eq!(error.get_ref().unwrap().downcast_ref(), Some(&FinishError::MessageOpen));
    let too_large = stream.sender.send(&vec![0; 16 << 20]).unwrap_err();
    assert_eq!(too_large.get_ref().unwrap().downcast_ref(), Some(&SendError::TooLarge { max: 16 << 20 }));
    stream.sender.send(b"").unwrap();
    stream.sender.finish().unwrap();
}

#[test]
fn a_message_longer_than_wanted_is_refused() {
    let (alice, bob) = connect();
    let mut stream = alice.open(Direction::Unidirectional).unwrap();
    stream.sender.send(b"12345").unwrap();
    let mut far = bob.accept_stream().unwrap().unwrap();
    assert_eq!(far.receiver.recv_message(4).unwrap_err().kind(), ErrorKind::FileTooLarge);
}

#[test]
fn a_call_that_ran_out_of_time_can_be_made_again() {
    let (alice, bob) = connect();
    let mut stream = alice.open(Direction::Unidirectional).unwrap();
    stream.sender.send_part(b"first ").unwrap();
    let mut far = bob.accept_stream().unwrap().unwrap();
    bob.set_timeout(Some(Duration::from_millis(30)));
    for _ in 0..2 {
        let error = far.receiver.recv_message(100).unwrap_err();
        assert_eq!((error.kind(), close_reason(&error)), (ErrorKind::TimedOut, None));
    }
    bob.set_timeout(Some(HANG));
    stream.sender.send(b"second").unwrap();
    assert_eq!(far.receiver.recv_message(100).unwrap().unwrap(), b"first second");
}

#[test]
fn a_silent_session_ends_and_keepalive_prevents_it() {
    let idle = Duration::from_millis(300);
    let mut timeouts = Timeouts::default();
    timeouts.idle = Some(idle);
    let (alice, bob) = connect_with(client().with_timeouts(timeouts), server().with_timeouts(timeouts));
    let bob = thread::spawn(move || bob.accept_stream().unwrap_err());
    let error = alice.accept_stream().unwrap_err();
    let reasons = [close_reason(&error), close_reason(&bob.join().unwrap())];
    assert!(reasons.contains(&Some(CloseReason::IdleTimeout)), "{reasons:?}");

    timeouts.keepalive = Some(Duration::from_millis(50));
    let (alice, bob) = connect_with(client().with_timeouts(timeouts), server().with_timeouts(timeouts));
    for connection in [&alice, &bob] {
        connection.set_timeout(Some(3 * idle));
    }
    thread::scope(|scope| {
        let bob = scope.spawn(|| bob.accept_stream().unwrap_err());
        assert_eq!(close_reason(&alice.accept_stream().unwrap_err()), None);
        assert_eq!(close_reason(&bob.join().unwrap()), None);
    });
}

/// What a carrier that ends at once leaves behind.
#[test]
fn nothing_hangs_when_the_other_end_vanishes_within_a_handshake() {
    let (near, mut far) = sockets();
    let cut = thread::spawn(move || far.read(&mut [0; 100]).unwrap());
    let config = Arc::new(client());
    let error = Connection::connect(near, config, Expect::Pinned(id(BOB)), &mut ()).unwrap_err();
    assert_eq!((error.kind(), close_reason(&error)), (ErrorKind::UnexpectedEof, Some(CloseReason::LinkLost)));
    cut.join().unwrap();
}
