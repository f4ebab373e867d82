//! How sessions end when the two ends are not of one mind: streams on their way, verdicts pending, silence, late packets.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use std::time::Duration;

use aitcp::{
    Admission, CloseReason, CloseSource, Direction, Ending, Event, Instant, ProtocolCode, RecvError, Role, Verdict,
};
use aitcp_testkit::forge::{Control, HostilePeer, Payload};
use aitcp_testkit::{Pair, Setup};

const ROLES: [Role; 2] = [Role::Initiator, Role::Responder];
const SECOND: Duration = Duration::from_secs(1);

fn connected() -> Pair {
    let mut pair = Setup::default().pair();
    pair.connect();
    pair
}

/// A pair whose responder waits for its owner's verdict.
fn undecided(setup: Setup) -> Pair {
    let mut pair = Setup { admission: Admission::Ask, ..setup }.pair();
    pair.drive();
    pair
}

fn by_protocol(code: ProtocolCode) -> Option<CloseReason> {
    Some(CloseReason::Peer { source: CloseSource::Protocol, code: code.code() })
}

/// R-9.4-1, R-9.4-2: what was finished before the Shutdown arrived is delivered before the session closes.
#[test]
fn a_shutdown_loses_no_stream_that_is_on_its_way() {
    for by in ROLES {
        let mut pair = connected();
        let stream = pair.end(by.peer()).session.open(Direction::Unidirectional).unwrap();
        pair.end(by.peer()).send_message(stream, b"on its way").unwrap();
        pair.end(by.peer()).session.finish(stream).unwrap();
        let now = pair.now();
        pair.end(by).session.shutdown(now); // nothing of the stream has arrived
        pair.drive();
        assert_eq!(pair.end(by).session.close_reason(), None, "a stream is to be read");
        assert_eq!(pair.end(by).recv_message(stream).as_deref(), Some(&b"on its way"[..]));
        pair.drive();
        assert_eq!(pair.end(by).session.close_reason(), Some(CloseReason::ShutDown));
        assert!(pair.end(by.peer()).saw(Event::Finished(stream)));
        assert_eq!(pair.end(by.peer()).session.close_reason(), by_protocol(ProtocolCode::None));
    }
}

/// R-9.4-3: a stream on which nothing has been sent yet counts as well.
#[test]
fn a_shutdown_waits_for_streams_that_are_open_and_silent() {
    for by in ROLES {
        let mut pair = connected();
        let stream = pair.end(by.peer()).session.open(Direction::Unidirectional).unwrap();
        let now = pair.now();
        pair.end(by).session.shutdown(now);
        pair.drive();
        assert!(pair.end(by).saw(Event::Opened(stream)));
        assert_eq!(pair.end(by).session.close_reason(), None);
        pair.end(by.peer()).send_message(stream, b"late").unwrap();
        pair.end(by.peer()).session.finish(stream).unwrap();
        pair.drive();
        assert_eq!(pair.end(by).recv_message(stream).as_deref(), Some(&b"late"[..]));
        pair.drive();
        assert_eq!(pair.end(by).session.close_reason(), Some(CloseReason::ShutDown));
    }
}

/// Both ends can shut down at the same time.
#[test]
fn two_shutdowns_cross() {
    let mut pair = connected();
    for role in ROLES {
        let now = pair.now();
        pair.end(role).session.shutdown(now);
    }
    pair.drive();
    for role in ROLES {
        let reason = pair.end(role).session.close_reason();
        assert!(reason == Some(CloseReason::ShutDown) || reason == by_protocol(ProtocolCode::None), "{reason:?}");
    }
}

/// R-9.4-3: a Shutdown cannot open more than the limit.
#[test]
fn a_shutdown_counts_no_more_streams_than_are_allowed() {
    let setup = Setup::default();
    let limit = u64::from(setup.responder.limits.peer_bidirectional_streams);
    for (count, outcome) in
        [(limit, None), (limit + 1, Some(ProtocolCode::StreamLimit)), (u64::MAX, Some(ProtocolCode::StreamLimit))]
    {
        let mut hostile = HostilePeer::established(&setup, Role::Responder);
        hostile.send_data(&Payload::control(Control { code: Control::SHUTDOWN, a: count, ..Control::default() }));
        match outcome {
            None => assert_eq!(hostile.victim.session.close_reason(), None),
            Some(code) => assert!(hostile.victim.ended_for(code), "{count}"),
        }
    }
}

/// R-6.8-3: an initiator that nobody confirms does not wait for ever, and one that is confirmed has no such deadline.
#[test]
fn an_initiator_waits_for_its_confirmation_so_long_and_no_longer() {
    let mut pair = undecided(Setup::default());
    let initiator = &mut pair.initiator.session;
    let deadline = initiator.poll_timeout().unwrap();
    assert_eq!(deadline, Instant::ORIGIN + Setup::default().initiator.timeouts.confirmation);
    initiator.handle_timeout(Instant::from_micros(deadline.as_micros() - 1));
    assert_eq!(initiator.close_reason(), None);
    initiator.handle_timeout(deadline);
    assert_eq!(initiator.close_reason(), Some(CloseReason::Unconfirmed));
    pair.drive();
    assert_eq!(pair.responder.session.close_reason(), by_protocol(ProtocolCode::VerdictTimeout));

    assert_eq!(connected().initiator.session.poll_timeout(), None);
}

/// R-9.3-1: silence counts at the initiator from the responder's first packet on, so that a verdict can take its time.
#[test]
fn an_idle_timeout_does_not_cut_a_verdict_short() {
    let mut setup = Setup::default();
    for role in ROLES {
        setup.agent_mut(role).timeouts.idle = Some(2 * SECOND);
    }
    let mut pair = undecided(setup);
    pair.run_for(20 * SECOND);
    assert_eq!((pair.initiator.session.close_reason(), pair.responder.session.close_reason()), (None, None));
    let now = pair.now();
    pair.responder.session.decide(now, Verdict::Accept);
    pair.drive();
    assert!(pair.initiator.saw(Event::Confirmed));
    pair.run_for(3 * SECOND);
    assert!(pair.initiator.session.close_reason().is_some(), "from now on it counts");
}

/// R-6.3-5, R-6.3-7: whatever the owner does while a verdict is pending, the peer hears only that it is not admitted.
#[test]
fn an_application_tells_nothing_to_a_peer_that_it_has_not_admitted() {
    let mut closed = undecided(Setup::default());
    let now = closed.now();
    closed.responder.session.close(now, 7, "internal detail");
    let mut shut_down = undecided(Setup::default());
    shut_down.responder.session.shutdown(now);
    for mut pair in [closed, shut_down] {
        assert_eq!(pair.responder.session.close_reason(), Some(CloseReason::Local));
        pair.drive();
        assert_eq!(pair.initiator.session.close_reason(), by_protocol(ProtocolCode::NotAdmitted));
        assert_eq!(pair.initiator.session.close_text(), "");
    }
}

/// R-6.2-4: an initiator that gives up while its InitiatorAuth waits has not revealed itself, and does not.
#[test]
fn an_initiator_that_gives_up_in_time_stays_unknown() {
    let mut pair = Setup::default().pair();
    let now = pair.now();
    let hello = pair.initiator.transmit(now);
    pair.responder.feed(now, &hello);
    let flight = pair.responder.transmit(now);
    pair.initiator.feed(now, &flight);
    assert!(pair.initiator.was_established(), "its proof is ready to go");
    pair.initiator.session.close(now, 1, "never mind");
    assert!(pair.initiator.transmit(now).is_empty());
    assert!(pair.initiator.session.is_drained());
}

/// R-6.8-1: whether the driver woke at the deadline makes no difference: what comes after it comes too late.
#[test]
fn a_flight_that_comes_after_the_deadline_is_too_late() {
    let mut pair = Setup::default().pair();
    let deadline = pair.initiator.session.poll_timeout().unwrap();
    let hello = pair.initiator.transmit(Instant::ORIGIN);
    pair.responder.feed(Instant::ORIGIN, &hello);
    let flight = pair.responder.transmit(Instant::ORIGIN);
    pair.initiator.feed(deadline, &flight);
    assert_eq!(pair.initiator.session.close_reason(), Some(CloseReason::HandshakeTimeout));
}

/// R-9.1-1: a close that the carrier never takes does not keep a session alive.
#[test]
fn a_close_that_does_not_get_out_is_given_up() {
    let mut pair = connected();
    let now = pair.now();
    let session = &mut pair.initiator.session;
    session.close(now, 1, "");
    let deadline = session.poll_timeout().unwrap();
    assert_eq!(deadline, now + Setup::default().initiator.timeouts.drain);
    session.close(now + Duration::from_millis(1), 2, "again");
    assert_eq!(session.poll_timeout(), Some(deadline), "and is not by others");
    assert!(!session.is_drained());
    session.handle_timeout(deadline);
    assert!(session.is_drained() && session.poll_timeout().is_none());
}

/// Design, section 4, rule 10: an event is pending for as long as there is something to read, and no longer.
#[test]
fn readable_is_told_until_all_is_read() {
    let mut pair = connected();
    let stream = pair.initiator.session.open(Direction::Unidirectional).unwrap();
    for message in [&b"abc"[..], b"def"] {
        pair.initiator.session.send(stream, message, Ending::End).unwrap();
    }
    let now = pair.now();
    let packets = pair.initiator.transmit(now);
    let session = &mut pair.responder.session;
    let mut packets = packets;
    let _ = session.handle_stream(now, &mut packets);
    let mut events = std::iter::from_fn(|| session.poll_event()).collect::<Vec<_>>();
    assert_eq!(events.pop(), Some(Event::Readable(stream)));
    assert_eq!(session.poll_event(), None);
    assert_eq!(session.recv(stream, &mut [0; 8]).unwrap().len, 3);
    assert_eq!(session.poll_event(), Some(Event::Readable(stream)), "one message more");
    assert_eq!(session.recv(stream, &mut [0; 8]).unwrap().len, 3);
    assert_eq!(session.poll_event(), None);
    assert_eq!(session.recv(stream, &mut [0; 8]), Err(RecvError::Blocked));
}
