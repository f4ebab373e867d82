//! Bytes cut anywhere, and carriers that end anywhere: what a session does depends on the bytes alone, drivers' loops end, and a
//! truncated session is never taken for one that ended in order.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use std::time::Duration;

use aitcp::{CloseReason, CloseSource, Direction, Event, Instant, PeerMisbehaved, Role, testing};
use aitcp_testkit::{Chunks, End, Pair, Recording, Rng, Setup, StreamLink, is_full_campaign};

const ROLES: [Role; 2] = [Role::Initiator, Role::Responder];
const NOW: Instant = Instant::ORIGIN;
const CLOSED: CloseReason = CloseReason::Peer { source: CloseSource::Application, code: 9 };

/// What the applications do: a message each way on a stream, the responder's answer, then a close by the initiator.
fn whole_session(pair: &mut Pair) {
    pair.drive();
    let Ok(stream) = pair.initiator.session.open(Direction::Bidirectional) else { return };
    let _ = pair.initiator.send_message(stream, b"a question of some length");
    let _ = pair.initiator.session.finish(stream);
    pair.drive();
    let _ = pair.responder.send_message(stream, b"an answer");
    let _ = pair.responder.session.finish(stream);
    pair.drive();
    let _ = pair.initiator.recv_all(stream);
    let _ = pair.responder.recv_all(stream);
    pair.drive();
    pair.initiator.session.close(NOW, 9, "enough");
    pair.drive();
}

/// The bytes of a whole session in both directions.
fn recorded(setup: &Setup) -> (Vec<u8>, Vec<u8>) {
    let mut pair = setup.pair();
    whole_session(&mut pair);
    assert_eq!(pair.responder.session.close_reason(), Some(CLOSED));
    (pair.to_responder.written().to_vec(), pair.to_initiator.written().to_vec())
}

/// What a session made of bytes: what it told, what it said, and its state.
#[derive(Debug, PartialEq)]
struct Outcome {
    events: Vec<Event>,
    sent: Vec<u8>,
    state: [u8; 32],
    streams: [u8; 32],
}

fn outcome(mut end: End) -> Outcome {
    let sent = end.transmit(NOW);
    end.poll_events();
    Outcome { sent, state: end.digest(), streams: end.streams_digest(), events: end.events }
}

/// R-3.2-4: the handshake of every suite, and data, cut in two at every byte and fed one byte at a time, at both ends.
#[test]
fn cuts_anywhere_make_no_difference() {
    for suite in Setup::SUITES {
        let setup = Setup::with_suite(suite);
        let recording = Recording::handshake(&setup);
        for role in ROLES {
            let bytes: Vec<_> = recording
                .packets
                .iter()
                .filter(|packet| packet.from != role)
                .flat_map(|packet| packet.bytes.clone())
                .collect();
            let fresh = || {
                let mut end = End::new(&setup, role, NOW);
                drop(end.transmit(NOW));
                end
            };
            // A responder's packets answer the initiator's; all of one side at once is what its receiver would see as well.
            let whole = {
                let mut end = fresh();
                end.feed(NOW, &bytes);
                outcome(end)
            };
            assert!(whole.events.contains(&Event::Established));
            let mut single = fresh();
            bytes.iter().for_each(|byte| single.feed(NOW, &[*byte]));
            assert_eq!(outcome(single), whole, "{suite:?} {role:?} one byte at a time");
            // Hybrid suites take longer, and differ in two packets.
            let step = if suite.is_hybrid() && !is_full_campaign() { 7 } else { 1 };
            for cut in (1..bytes.len()).step_by(step) {
                let mut end = fresh();
                end.feed(NOW, &bytes[..cut]);
                end.feed(NOW, &bytes[cut..]);
                assert_eq!(outcome(end), whole, "{suite:?} {role:?} cut at {cut}");
            }
        }
    }
}

/// R-3.2-4, for whole sessions over links that cut at random, with and without latency.
#[test]
fn random_cuts_make_no_difference() {
    let setup = Setup::default();
    let expected = recorded(&setup);
    for seed in 0..100 {
        let link = |direction| {
            let chunks = Chunks::Random(Rng::new(seed * 2 + direction), 1 << (seed % 12));
            StreamLink::new().with_chunks(chunks).with_latency(Duration::from_millis(seed % 3))
        };
        let mut pair = setup.pair().with_links(link(0), link(1));
        whole_session(&mut pair);
        let got = (pair.to_responder.written().to_vec(), pair.to_initiator.written().to_vec());
        // How fast bytes come decides what shares a packet, so only the handshake must be the same to the byte.
        assert_eq!(got.0[..200], expected.0[..200]);
        assert_eq!(
            (pair.initiator.session.close_reason(), pair.responder.session.close_reason()),
            (Some(CloseReason::Local), Some(CLOSED))
        );
        assert!(pair.initiator.was_established() && pair.responder.was_established());
    }
}

/// A part of a packet changes nothing (R-3.2-4), and what is needed is said exactly: with one byte less the packet is not taken.
#[test]
fn a_part_of_a_packet_has_no_effect() {
    let recording = Recording::handshake(&Setup::default());
    for (index, packet) in recording.packets.iter().enumerate() {
        for len in 0..packet.bytes.len() {
            let mut end = recording.receiver_of(index);
            let before = end.digest();
            let input = end.show(NOW, &packet.bytes[..len]);
            assert_eq!(end.digest(), before, "packet {index} {len}");
            let expected = if len < 24 { 24 - len } else { packet.bytes.len() - len };
            assert_eq!((input.consumed, input.needed), (0, expected));
        }
    }
}

/// R-9.5-1: the end of the carrier at every byte of a whole session, in both directions: always a loss, unless the close was there.
#[test]
fn an_end_at_every_byte_is_a_loss_unless_the_close_came() {
    let setup = Setup::default();
    let (to_responder, to_initiator) = recorded(&setup);
    let step = if is_full_campaign() { 1 } else { 3 };
    for (role, len) in [(Role::Responder, to_responder.len()), (Role::Initiator, to_initiator.len())] {
        for offset in (0..=len).step_by(step).chain([len - 1, len]) {
            let mut pair = setup.pair();
            pair.link_to(role).close_after(offset as u64);
            whole_session(&mut pair);
            let reason = pair.end(role).session.close_reason();
            if role == Role::Responder {
                assert_eq!(reason, Some(if offset == len { CLOSED } else { CloseReason::LinkLost }), "{offset}");
            } else {
                // The initiator closes in the end, unless it has heard of the loss before.
                let lost = reason == Some(CloseReason::LinkLost);
                assert!(lost || offset == len && reason == Some(CloseReason::Local), "{offset}: {reason:?}");
            }
            for role in ROLES {
                let end = pair.end(role);
                end.poll_events();
                assert!(
                    end.session.is_drained() && end.session.poll_timeout().is_none(),
                    "{role:?} goes on at {offset}"
                );
                assert_eq!(end.events.iter().filter(|event| matches!(event, Event::Closed(_))).count(), 1);
            }
        }
    }
}

/// The same with a handshake of each suite: an end before it is complete never establishes, and loops end (rustls RUSTSEC-2024-0336).
#[test]
fn an_end_during_the_handshake_establishes_nothing() {
    for suite in Setup::SUITES {
        let setup = Setup::with_suite(suite);
        let recording = Recording::handshake(&setup);
        for role in ROLES {
            let packets = recording.packets.iter().filter(|packet| packet.from != role && packet.kind() != 9);
            let bytes: Vec<_> = packets.flat_map(|packet| packet.bytes.clone()).collect();
            let step = if suite.is_hybrid() { 31 } else { 5 };
            for offset in (0..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
                let mut end = End::new(&setup, role, NOW);
                drop(end.transmit(NOW));
                end.feed(NOW, &bytes[..offset]);
                drop(end.transmit(NOW));
                end.session.handle_link_lost(NOW);
                assert_eq!(end.session.close_reason(), Some(CloseReason::LinkLost));
                assert!(!end.was_established() && end.session.is_drained(), "{suite:?} {role:?} {offset}");
                assert!(end.transmit(NOW).is_empty() && end.session.poll_timeout().is_none());
                end.feed(NOW, &bytes[offset..]);
                assert!(!end.was_established(), "bytes behind the end");
            }
        }
    }
}

/// An own close, a shutdown and a timeout after every packet of the handshake, at both ends: nothing is left hanging.
#[test]
fn an_own_end_at_every_packet_ends_both_loops() {
    let setup = Setup::default();
    for role in ROLES {
        for how in 0..3 {
            for rounds in 0..8 {
                let mut pair = setup.pair();
                for _ in 0..rounds {
                    pair.step();
                }
                match how {
                    0 => pair.end(role).session.close(NOW, 1, "now"),
                    1 => pair.end(role).session.shutdown(NOW),
                    _ => pair.link_to(role).stall(),
                }
                pair.run_for(Duration::from_secs(100));
                if how == 2 && pair.end(role).session.close_reason().is_none() {
                    continue; // It was established before its peer fell silent.
                }
                assert!(pair.end(role).session.is_drained(), "{role:?} {how} {rounds}");
                assert!(pair.end(role.peer()).session.close_reason().is_some() || how == 2, "{role:?} {how} {rounds}");
            }
        }
    }
}

/// R-3.2-5, R-3.1-1: whatever stands behind the first packet that is wrong is consumed without a look.
#[test]
fn nothing_behind_a_wrong_packet_is_looked_at() {
    let recording = Recording::handshake(&Setup::default());
    for (index, packet) in recording.packets.iter().enumerate() {
        let mut end = recording.receiver_of(index);
        let streams = end.streams_digest();
        end.feed(NOW, &[&[11][..], &packet.bytes].concat());
        assert_eq!(end.misbehaved(), Some(PeerMisbehaved::NotAiTcp), "packet {index}");
        assert_eq!(end.streams_digest(), streams);
        let state = testing::state_digest(&end.session);
        end.feed(NOW, &packet.bytes);
        assert_eq!(testing::state_digest(&end.session), state);
    }
}
