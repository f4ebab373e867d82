//! What every caller may rely on: the same inputs give the same bytes, calls come in any order, a refused call changes nothing,
//! deadlines are exact, events are few, and nothing secret is shown.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use std::time::Duration;

use aitcp::{
    Admission, BufferTooSmall, CloseReason, Direction, Ending, Event, Expect, FinishError, Instant, MIN_TRANSMIT,
    RecvError, Role, SendError, StreamError, StreamId,
};
use aitcp_testkit::{CheckedPair, Chunks, End, Op, Pair, Rng, Setup, StreamLink, Trace, is_full_campaign};
use proptest::prelude::*;

const ROLES: [Role; 2] = [Role::Initiator, Role::Responder];
const SECOND: Duration = Duration::from_secs(1);

/// A setup in which every timer runs and every question is asked.
fn busy_setup(seed: u64) -> Setup {
    let suite = Setup::SUITES[usize::try_from(seed % 4).unwrap()];
    let mut setup = Setup { seed, expect: Expect::Ask, admission: Admission::Ask, ..Setup::with_suite(suite) };
    (setup.initiator.external_signer, setup.responder.external_signer) = (true, true);
    setup.initiator.timeouts.idle = Some(20 * SECOND);
    setup.responder.timeouts.idle = Some(30 * SECOND);
    setup.initiator.timeouts.keepalive = Some(Duration::from_micros(3_333_333));
    setup
}

fn connected(setup: &Setup) -> Pair {
    let mut pair = setup.pair();
    pair.connect();
    pair
}

// ---- pure -------------------------------------------------------------------------------------------------------------------------

/// Rule 1: a session with cuts, latency, streams and timers, twice; and with another seed, otherwise.
#[test]
fn the_same_seeds_and_inputs_give_the_same_bytes() {
    let run = |seed| {
        let links = [0, 1].map(|direction| {
            let chunks = Chunks::Random(Rng::new(seed + direction), 700);
            StreamLink::new().with_chunks(chunks).with_latency(Duration::from_millis(40))
        });
        let [to_responder, to_initiator] = links;
        let mut pair = busy_setup(seed).pair().with_links(to_responder, to_initiator);
        pair.connect();
        for role in ROLES {
            for index in 0..5 {
                let stream = pair.end(role).session.open(Direction::Bidirectional).unwrap();
                pair.end(role).session.set_priority(stream, index).unwrap();
                pair.end(role).send_message(stream, &vec![index; 3_000]).unwrap();
            }
        }
        pair.run_for(15 * SECOND);
        pair.initiator.session.shutdown(pair.clock.now());
        pair.run_for(90 * SECOND);
        pair.trace()
    };
    let traces: Vec<Trace> = (0..8).map(run).collect();
    for (seed, trace) in traces.iter().enumerate() {
        assert_eq!(run(seed as u64), *trace, "seed {seed}");
    }
    for (one, other) in traces.iter().zip(&traces[1..]) {
        assert_ne!(one, other);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if is_full_campaign() { 20_000 } else { 200 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Rules 1 to 4: whatever is called, in whatever order and phase, twice; what is refused changes nothing; the end is told once.
    #[test]
    fn any_calls_in_any_order_do_the_same_twice(
        seed in any::<u64>(),
        ops in prop::collection::vec(any::<[u8; Op::LEN]>().prop_map(Op::from_bytes), 0..120),
    ) {
        let run = || {
            let mut pair = CheckedPair::new(&busy_setup(seed)).with_digests();
            ops.iter().for_each(|op| pair.apply(op));
            pair.wind_down();
            pair.pair.trace()
        };
        prop_assert_eq!(run(), run());
    }
}

// ---- any order --------------------------------------------------------------------------------------------------------------------

/// Rule 2: polls and deadlines that have nothing to do change nothing, in every phase.
#[test]
fn calls_for_nothing_do_nothing() {
    let setup = busy_setup(1);
    let mut pair = setup.pair();
    for phase in 0..12 {
        for role in ROLES {
            let now = pair.now();
            let end = pair.end(role);
            end.poll_events();
            drop(end.transmit(now));
            let digest = end.digest();
            for _ in 0..3 {
                assert_eq!(end.session.poll_event(), None);
                assert_eq!(end.session.poll_transmit(now, &mut [0; 2_048]), Ok(None));
                assert_eq!(end.session.poll_transmit(now, &mut []), Ok(None));
                end.session.handle_timeout(now);
                end.session.handle_timeout(Instant::ORIGIN);
                end.feed(now, &[]);
                let _ = (end.session.stats(), end.session.poll_timeout(), end.session.is_drained());
            }
            assert_eq!(end.digest(), digest, "{role:?} phase {phase}");
        }
        // The next phase, from a fresh pair, since what was sent is gone.
        pair = setup.pair();
        for _ in 0..phase {
            pair.step();
            for role in ROLES {
                let now = pair.now();
                pair.end(role).session.decide(now, aitcp::Verdict::Accept);
                let _ = pair.end(role).sign(now);
            }
        }
    }
}

/// Rule 2: events, transmits and reads left until the very end lose nothing; nothing has to be drained first.
#[test]
fn nothing_has_to_be_drained_first() {
    let mut pair = connected(&Setup::default());
    let now = pair.now();
    let streams: Vec<_> = (0..10).map(|_| pair.initiator.session.open(Direction::Unidirectional).unwrap()).collect();
    for round in 0..10 {
        for stream in &streams {
            pair.initiator.send_message(*stream, &[round; 7]).unwrap();
        }
    }
    for stream in &streams {
        pair.initiator.session.finish(*stream).unwrap();
    }
    pair.initiator.session.shutdown(now);
    // Only bytes move: no event is taken.
    for _ in 0..10 {
        let bytes = pair.initiator.transmit(now);
        pair.responder.feed(now, &bytes);
        let bytes = pair.responder.transmit(now);
        pair.initiator.feed(now, &bytes);
    }
    for stream in &streams {
        let messages = (0..10).map(|round| vec![round; 7]).collect();
        assert_eq!(pair.responder.recv_all(*stream), (messages, None));
    }
    pair.drive();
    assert_eq!(pair.initiator.session.close_reason(), Some(CloseReason::ShutDown));
}

// ---- refusable --------------------------------------------------------------------------------------------------------------------

/// Rule 3: a buffer that is too small takes nothing, says what is needed, and that much is enough; the bytes are the same.
#[test]
fn a_small_buffer_changes_nothing() {
    for suite in Setup::SUITES {
        let setup = Setup::with_suite(suite);
        let mut pair = setup.pair();
        let mut reference = setup.pair();
        for _ in 0..4 {
            for role in ROLES {
                let now = pair.now();
                let expected = reference.end(role).transmit(now);
                let mut sent = Vec::new();
                loop {
                    let end = pair.end(role);
                    let digest = end.digest();
                    let mut needed = 0;
                    for room in 0..=1_232 {
                        let mut buf = vec![0xEE; room];
                        match end.session.poll_transmit(now, &mut buf) {
                            Err(BufferTooSmall { needed: said }) => {
                                assert!(said > room && said <= 1_232 && (needed == 0 || needed == said));
                                assert_eq!(end.digest(), digest, "{suite:?} {role:?} room {room}");
                                needed = said;
                            }
                            Ok(Some(transmit)) => {
                                assert_eq!(room, needed, "what is said to be needed is enough");
                                sent.extend_from_slice(&buf[..transmit.len]);
                                break;
                            }
                            Ok(None) => break,
                        }
                    }
                    if end.session.poll_transmit(now, &mut []) == Ok(None) {
                        break;
                    }
                }
                assert_eq!(sent, expected, "{suite:?} {role:?}");
                pair.end(role.peer()).feed(now, &expected);
                reference.end(role.peer()).feed(now, &expected);
            }
        }
        assert!(pair.initiator.was_established() && pair.responder.was_established());
    }
}

/// After the handshake [`MIN_TRANSMIT`] bytes suffice for anything.
#[test]
fn the_smallest_buffer_carries_everything() {
    let mut pair = connected(&Setup::default());
    let now = pair.now();
    let message: Vec<_> = (0..20_000_u32).map(|byte| byte as u8).collect();
    let stream = pair.initiator.session.open(Direction::Unidirectional).unwrap();
    pair.initiator.send_message(stream, &message).unwrap();
    let mut buf = [0; MIN_TRANSMIT];
    while let Some(transmit) = pair.initiator.session.poll_transmit(now, &mut buf).unwrap() {
        pair.responder.feed(now, &buf[..transmit.len]);
    }
    assert_eq!(pair.responder.recv_message(stream), Some(message));
    pair.initiator.session.close(now, 1, &"x".repeat(256));
    let too_small = Err(BufferTooSmall { needed: MIN_TRANSMIT });
    assert_eq!(pair.initiator.session.poll_transmit(now, &mut buf[..300]), too_small);
    let transmit = pair.initiator.session.poll_transmit(now, &mut buf).unwrap().unwrap();
    pair.responder.feed(now, &buf[..transmit.len]);
    assert_eq!(pair.responder.session.close_text().len(), 256);
}

/// Rule 3, for every error of every call about streams.
#[test]
fn misuse_is_named_and_changes_nothing() {
    let mut setup = Setup::default();
    setup.responder.limits.max_message = 10;
    let mut pair = connected(&setup);
    let own = pair.initiator.session.open(Direction::Unidirectional).unwrap();
    let open = pair.initiator.session.open(Direction::Bidirectional).unwrap();
    let done = pair.initiator.session.open(Direction::Bidirectional).unwrap();
    pair.initiator.session.send(open, b"part", Ending::More).unwrap();
    pair.initiator.session.finish(done).unwrap();
    let peers = pair.responder.session.open(Direction::Unidirectional).unwrap();
    pair.responder.send_message(peers, b"x").unwrap();
    let unknown = {
        let mut other = connected(&Setup::default());
        (0..50).map(|_| other.initiator.session.open(Direction::Bidirectional).unwrap()).last().unwrap()
    };
    pair.drive();
    let digest = pair.initiator.digest();
    let session = &mut pair.initiator.session;
    let send = |session: &mut aitcp::Session, stream: StreamId| session.send(stream, &[0; 7], Ending::End);
    assert_eq!(send(session, open), Err(SendError::TooLarge { max: 10 }));
    assert_eq!(send(session, done), Err(SendError::NotSending));
    assert_eq!(send(session, peers), Err(SendError::NotSending));
    assert_eq!(send(session, unknown), Err(SendError::UnknownStream));
    assert_eq!(session.recv(own, &mut [0; 9]), Err(RecvError::NotReceiving));
    assert_eq!(session.recv(open, &mut [0; 9]), Err(RecvError::Blocked));
    assert_eq!(session.recv(unknown, &mut [0; 9]), Err(RecvError::UnknownStream));
    assert_eq!(session.finish(open), Err(FinishError::MessageOpen));
    assert_eq!(session.finish(done), Err(FinishError::NotSending));
    assert_eq!(session.finish(peers), Err(FinishError::NotSending));
    assert_eq!(session.finish(unknown), Err(FinishError::UnknownStream));
    assert_eq!(session.reset(peers, 1), Err(StreamError::WrongState));
    assert_eq!(session.reset(unknown, 1), Err(StreamError::UnknownStream));
    assert_eq!(session.stop(own, 1), Err(StreamError::WrongState));
    assert_eq!(session.stop(unknown, 1), Err(StreamError::UnknownStream));
    assert_eq!(session.set_priority(peers, 1), Err(StreamError::WrongState));
    assert_eq!(session.set_priority(unknown, 1), Err(StreamError::UnknownStream));
    assert_eq!(pair.initiator.digest(), digest);
}

// ---- deadlines --------------------------------------------------------------------------------------------------------------------

/// Rule 7: drivers that wake at deadlines and for bytes alone see what those see that wake every millisecond, at the same times.
#[test]
fn waking_at_deadlines_equals_waking_every_millisecond() {
    for seed in 0..6 {
        let run = |every_millisecond: bool| {
            let link = || StreamLink::new().with_latency(Duration::from_micros(12_345));
            let mut setup = busy_setup(seed);
            setup.responder.timeouts.keepalive = (seed % 2 == 0).then_some(7 * SECOND);
            setup.initiator.timeouts.keepalive = (seed % 3 == 0).then_some(Duration::from_micros(3_333_333));
            let mut pair = setup.pair().with_links(link(), link());
            let wait = |pair: &mut Pair, duration: Duration| {
                let until = pair.now() + duration;
                while every_millisecond && pair.now() < until {
                    let next = pair.now() + Duration::from_millis(1);
                    for role in ROLES {
                        let now = pair.now();
                        pair.end(role).session.handle_timeout(now);
                    }
                    pair.run_for(next.min(until) - pair.clock.now());
                }
                pair.run_for(until - pair.clock.now());
            };
            pair.connect();
            wait(&mut pair, 9 * SECOND);
            let stream = pair.initiator.session.open(Direction::Unidirectional).unwrap();
            pair.initiator.send_message(stream, b"something").unwrap();
            wait(&mut pair, 25 * SECOND);
            pair.trace()
        };
        assert_eq!(run(false), run(true), "seed {seed}");
    }
}

/// A clock that jumps anywhere, backward too, makes nothing panic; one that runs backward stands still.
#[test]
fn clocks_that_jump_do_no_harm() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let mut pair = busy_setup(seed).pair();
        for _ in 0..60 {
            let to = rng.next_u64() >> rng.below(64);
            pair.clock.jump_to(Instant::from_micros(to));
            pair.step();
            let _ = pair.initiator.sign(pair.clock.now());
        }
        // At the end of time everything is due, however far away it was.
        pair.clock.jump_to(Instant::from_micros(u64::MAX));
        pair.step();
        assert!(pair.initiator.session.close_reason().is_some());
    }
    let mut pair = connected(&busy_setup(3));
    let deadlines = [pair.initiator.session.poll_timeout(), pair.responder.session.poll_timeout()];
    pair.clock.jump_to(Instant::ORIGIN);
    pair.step();
    assert_eq!([pair.initiator.session.poll_timeout(), pair.responder.session.poll_timeout()], deadlines);
}

// ---- events, debug ----------------------------------------------------------------------------------------------------------------

/// Rule 10: however much happens, at most one event of a kind waits for each stream.
#[test]
fn events_are_coalesced() {
    let mut pair = connected(&Setup::default());
    let stream = pair.initiator.session.open(Direction::Bidirectional).unwrap();
    let now = pair.now();
    for round in 0..100 {
        pair.initiator.send_message(stream, &[round]).unwrap();
        let bytes = pair.initiator.transmit(now);
        pair.responder.feed(now, &bytes);
    }
    let before = pair.responder.events.len();
    pair.responder.poll_events();
    assert_eq!(pair.responder.events[before..], [Event::Opened(stream), Event::Readable(stream)]);
}

/// Rule 11: `Debug` shows neither secrets nor payloads.
#[test]
fn debug_shows_no_secrets() {
    let setup = Setup::default();
    let mut pair = connected(&setup);
    let stream = pair.initiator.session.open(Direction::Bidirectional).unwrap();
    pair.initiator.send_message(stream, &[0xC3; 99]).unwrap();
    let End { session, .. } = &pair.initiator;
    let shown = format!(
        "{session:?} {session:#?} {:?} {:?} {:?}",
        setup.client_config(),
        setup.server_config(),
        session.handshake()
    );
    for secret in [0xA1_u8, 0xB0, 0xC3] {
        for form in
            [format!("{secret}, {secret}"), format!("{secret:02x}{secret:02x}"), format!("{secret:x}, {secret:x}")]
        {
            assert!(!shown.to_lowercase().contains(&form), "{form} in {shown}");
        }
    }
}
