//! The life of an established session: close, idle timeout, keepalive, shutdown, truncation, exporter, key log, figures.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use std::time::Duration;

use aitcp::{
    CloseReason, CloseSource, Direction, Ending, Event, ExportError, Instant, OpenError, ProtocolCode, RecvError, Role,
    SendError,
};
use aitcp_testkit::forge::{Close, Control, HostilePeer, Kind, Payload, expand_label, sha256};
use aitcp_testkit::{Pair, Setup};

const ROLES: [Role; 2] = [Role::Initiator, Role::Responder];
const SECOND: Duration = Duration::from_secs(1);

fn connected(setup: &Setup) -> Pair {
    let mut pair = setup.pair();
    pair.connect();
    pair
}

fn by_peer(source: CloseSource, code: u64) -> Option<CloseReason> {
    Some(CloseReason::Peer { source, code })
}

// ---- close ------------------------------------------------------------------------------------------------------------------------

/// R-9.1-1, R-9.1-2, R-9.1-4: code and text arrive, nothing is sent behind a close, it is not answered, and what came before stays
/// readable.
#[test]
fn a_close_tells_code_and_text_and_leaves_what_was_unread() {
    for closer in ROLES {
        let mut pair = connected(&Setup::default());
        let stream = pair.end(closer).session.open(Direction::Unidirectional).unwrap();
        pair.end(closer).send_message(stream, b"before").unwrap();
        pair.drive();
        let now = pair.now();
        pair.end(closer).session.close(now, 77, "good bye");
        pair.end(closer).session.close(now, 78, "only the first counts");
        assert!(!pair.end(closer).session.is_drained(), "the close has still to be sent");
        assert!(pair.transmit(closer));
        assert!(pair.end(closer).session.is_drained());
        assert!(!pair.transmit(closer), "nothing follows a close");
        pair.drive();

        assert_eq!(pair.end(closer).session.close_reason(), Some(CloseReason::Local));
        let peer = pair.end(closer.peer());
        assert_eq!(peer.session.close_reason(), by_peer(CloseSource::Application, 77));
        assert_eq!(peer.session.close_text(), "good bye");
        assert!(peer.session.is_drained() && peer.transmit(now).is_empty(), "a close is not answered");
        assert_eq!(peer.recv_message(stream).as_deref(), Some(&b"before"[..]));
        assert_eq!(peer.session.recv(stream, &mut [0; 9]), Err(RecvError::Closed));
        assert_eq!(peer.session.send(stream, b"late", Ending::End), Err(SendError::Closed));
        assert_eq!(peer.session.open(Direction::Bidirectional), Err(OpenError::Closed));
        assert!(peer.session.poll_timeout().is_none());
    }
}

/// R-3.3-5, R-8.1-5: at most 256 bytes travel, and whole characters.
#[test]
fn a_long_text_is_cut_between_characters() {
    for (text, expected) in [("x".repeat(256), 256), ("x".repeat(257), 256), ("x".to_owned() + &"é".repeat(200), 255)]
    {
        let mut pair = connected(&Setup::default());
        pair.initiator.session.close(Instant::ORIGIN, 1, &text);
        pair.drive();
        assert_eq!(pair.responder.session.close_text(), &text[..expected]);
    }
}

/// R-9.2-1.
#[test]
fn a_protocol_code_that_is_not_known_is_reported_with_its_number() {
    for code in [0, 14, 15, 1 << 40, u64::MAX] {
        let mut hostile = HostilePeer::established(&Setup::default(), Role::Initiator);
        hostile.send_data(&Payload { close: Some(Close { code, ..Close::default() }), ..Payload::default() });
        assert_eq!(hostile.victim.session.close_reason(), by_peer(CloseSource::Protocol, code));
    }
}

/// Section 9.1: a packet that closes may carry more, which comes first.
#[test]
fn what_comes_with_a_close_comes_before_it() {
    let mut hostile = HostilePeer::established(&Setup::default(), Role::Responder);
    let close = Some(Close { code: 5, source: 1, ..Close::default() });
    hostile.send_data(&Payload { close, ..Payload::fragment(4, 0, b"last words", 1) });
    let opened: Vec<_> = hostile.victim.poll_events().to_vec();
    let stream = opened.iter().find_map(|event| if let Event::Opened(id) = event { Some(*id) } else { None }).unwrap();
    assert_eq!(hostile.victim.recv_message(stream).as_deref(), Some(&b"last words"[..]));
    assert_eq!(opened.last(), Some(&Event::Closed(CloseReason::Peer { source: CloseSource::Application, code: 5 })));
}

/// R-6.2-4: an end that gives up during the handshake says nothing.
#[test]
fn a_close_during_the_handshake_is_silent() {
    let mut pair = Setup::default().pair();
    pair.initiator.session.close(Instant::ORIGIN, 1, "never mind");
    assert_eq!(pair.initiator.session.close_reason(), Some(CloseReason::Local));
    assert!(pair.initiator.transmit(Instant::ORIGIN).is_empty());
    assert!(pair.initiator.session.is_drained());

    let mut pair = Setup::default().pair();
    pair.transmit(Role::Initiator);
    let hello = pair.to_responder.written().to_vec();
    pair.responder.feed(Instant::ORIGIN, &hello);
    pair.responder.session.close(Instant::ORIGIN, 1, "never mind");
    assert!(pair.responder.transmit(Instant::ORIGIN).is_empty());
    assert!(pair.responder.session.is_drained());
}

// ---- idle, keepalive --------------------------------------------------------------------------------------------------------------

/// R-9.3-1, R-9.3-4: the shorter of both holds at both ends, to the microsecond.
#[test]
fn the_shorter_idle_timeout_ends_the_session_exactly() {
    let times = [(None, Some(3)), (Some(3), None), (Some(3), Some(5)), (Some(5), Some(3)), (Some(3), Some(3))];
    for (initiator, responder) in times {
        let mut setup = Setup::default();
        setup.initiator.timeouts.idle = initiator.map(|seconds| seconds * SECOND);
        setup.responder.timeouts.idle = responder.map(|seconds| seconds * SECOND);
        for watched in ROLES {
            let mut pair = connected(&setup);
            let deadline = pair.now() + 3 * SECOND;
            let end = pair.end(watched);
            assert_eq!(end.session.poll_timeout(), Some(deadline));
            end.session.handle_timeout(Instant::from_micros(deadline.as_micros() - 1));
            assert_eq!((end.session.close_reason(), end.session.poll_timeout()), (None, Some(deadline)));
            end.session.handle_timeout(deadline);
            let drained = deadline + setup.initiator.timeouts.drain;
            assert_eq!(
                (end.session.close_reason(), end.session.poll_timeout()),
                (Some(CloseReason::IdleTimeout), Some(drained)),
                "the close has so long to get out"
            );
            pair.drive();
            let told = by_peer(CloseSource::Protocol, ProtocolCode::IdleTimeout.code());
            assert_eq!(pair.end(watched.peer()).session.close_reason(), told);
        }
    }
    let mut pair = connected(&Setup::default());
    assert_eq!(pair.next_timeout(), None, "by default there is none");
    pair.run_for(Duration::from_secs(1 << 32));
    assert_eq!(pair.initiator.session.close_reason(), None);
}

/// R-9.3-2: packets that open restart it, and nothing else does: not own packets, not bytes that are no packet yet.
#[test]
fn only_packets_that_open_restart_the_idle_timeout() {
    let mut setup = Setup::default();
    setup.responder.timeouts.idle = Some(10 * SECOND);
    let mut pair = connected(&setup);
    let first = pair.responder.session.poll_timeout().unwrap();
    pair.clock.advance(SECOND);
    let stream = pair.responder.session.open(Direction::Unidirectional).unwrap();
    pair.responder.send_message(stream, b"own").unwrap();
    pair.transmit(Role::Responder);
    assert_eq!(pair.responder.session.poll_timeout(), Some(first));

    let stream = pair.initiator.session.open(Direction::Unidirectional).unwrap();
    pair.initiator.send_message(stream, b"the peer's").unwrap();
    let packet = pair.initiator.transmit(pair.clock.now());
    let (last, most) = packet.split_last().unwrap();
    pair.responder.feed(pair.clock.now(), most);
    assert_eq!(pair.responder.session.poll_timeout(), Some(first));
    pair.responder.feed(pair.clock.now(), &[*last]);
    assert_eq!(pair.responder.session.poll_timeout(), Some(pair.now() + 10 * SECOND));
}

/// R-9.3-3: an end that has sent nothing for its interval sends a packet, and both ends live on.
#[test]
fn a_keepalive_keeps_both_ends_alive() {
    let mut setup = Setup::default();
    setup.initiator.timeouts.keepalive = Some(4 * SECOND);
    setup.responder.timeouts.keepalive = Some(4 * SECOND);
    setup.initiator.timeouts.idle = Some(10 * SECOND);
    let mut pair = connected(&setup);
    let sent = pair.initiator.session.stats().packets_sent;
    pair.run_for(Duration::from_secs(4_000));
    assert_eq!((pair.initiator.session.close_reason(), pair.responder.session.close_reason()), (None, None));
    assert_eq!(pair.initiator.session.stats().packets_sent - sent, 1_000, "one in each interval");

    let deadline = pair.initiator.session.poll_timeout().unwrap();
    pair.clock.advance(SECOND);
    let stream = pair.initiator.session.open(Direction::Unidirectional).unwrap();
    pair.initiator.send_message(stream, b"something else").unwrap();
    pair.transmit(Role::Initiator);
    assert_eq!(pair.initiator.session.poll_timeout(), Some(pair.now() + 4 * SECOND), "not {deadline:?}");
}

// ---- shutdown ---------------------------------------------------------------------------------------------------------------------

/// R-9.4-1, R-9.4-2: no new streams at either end; those that are open go on; then the session closes in order.
#[test]
fn a_shutdown_waits_for_the_streams_that_are_open() {
    for by in ROLES {
        let mut pair = connected(&Setup::default());
        let own = pair.end(by).session.open(Direction::Bidirectional).unwrap();
        let peers = pair.end(by.peer()).session.open(Direction::Unidirectional).unwrap();
        pair.end(by).send_message(own, b"question").unwrap();
        pair.end(by.peer()).send_message(peers, b"news").unwrap();
        pair.drive();
        let now = pair.now();
        pair.end(by).session.shutdown(now);
        pair.end(by).session.shutdown(now);
        pair.drive();
        assert!(pair.end(by.peer()).saw(Event::PeerShutdown));
        for role in ROLES {
            assert_eq!(pair.end(role).session.open(Direction::Bidirectional), Err(OpenError::ShuttingDown));
            assert_eq!(pair.end(role).session.close_reason(), None);
        }
        assert_eq!(pair.end(by.peer()).recv_message(own).as_deref(), Some(&b"question"[..]));
        pair.end(by.peer()).send_message(own, b"answer").unwrap();
        for (role, stream) in [(by, own), (by.peer(), own), (by.peer(), peers)] {
            pair.end(role).session.finish(stream).unwrap();
        }
        pair.drive();
        assert_eq!(pair.end(by).recv_all(own), (vec![b"answer".to_vec()], None));
        assert_eq!(pair.end(by.peer()).recv_all(own), (vec![], None));
        pair.drive();
        assert_eq!(pair.end(by).session.close_reason(), None, "one stream is still to be read");
        assert_eq!(pair.end(by).recv_all(peers), (vec![b"news".to_vec()], None));
        pair.drive();
        assert_eq!(pair.end(by).session.close_reason(), Some(CloseReason::ShutDown));
        assert_eq!(pair.end(by.peer()).session.close_reason(), by_peer(CloseSource::Protocol, 0));
        assert!(pair.initiator.session.is_drained() && pair.responder.session.is_drained());
    }
}

/// A handshake that still goes on is given up.
#[test]
fn a_shutdown_during_the_handshake_ends_it() {
    let mut pair = Setup::default().pair();
    pair.initiator.session.shutdown(Instant::ORIGIN);
    assert_eq!(pair.initiator.session.close_reason(), Some(CloseReason::Local));
    pair.drive();
    assert_eq!(pair.responder.session.close_reason(), Some(CloseReason::LinkLost));
}

// ---- truncation -------------------------------------------------------------------------------------------------------------------

/// R-9.5-1: an end of the carrier is no end of the session's, even at a boundary of everything.
#[test]
fn an_end_without_a_close_is_a_loss() {
    for role in ROLES {
        let mut pair = connected(&Setup::default());
        let stream = pair.end(role.peer()).session.open(Direction::Unidirectional).unwrap();
        pair.end(role.peer()).send_message(stream, b"whole").unwrap();
        pair.end(role.peer()).session.finish(stream).unwrap();
        pair.drive();
        let now = pair.now();
        let end = pair.end(role);
        end.session.handle_link_lost(now);
        end.session.handle_link_lost(now);
        assert_eq!(end.session.close_reason(), Some(CloseReason::LinkLost));
        assert!(end.session.is_drained() && end.transmit(now).is_empty());
        assert_eq!(end.recv_all(stream), (vec![b"whole".to_vec()], None), "what has come stays readable");
        end.poll_events();
        assert_eq!(end.events.last(), Some(&Event::Closed(CloseReason::LinkLost)));
    }
}

// ---- exporter, key log, figures ---------------------------------------------------------------------------------------------------

/// R-9.6-1: the same at both ends, and what the specification's formula gives; other labels and contexts give something else.
#[test]
fn both_ends_export_the_same() {
    for suite in Setup::SUITES {
        let setup = Setup::with_suite(suite);
        let pair = connected(&setup);
        let export = |role, label: &[u8], context: &[u8]| {
            let mut out = [0; 48];
            let end = if role == Role::Initiator { &pair.initiator } else { &pair.responder };
            end.session.export(label, context, &mut out).unwrap();
            out
        };
        let exported = export(Role::Initiator, b"label", b"context");
        assert_eq!(export(Role::Responder, b"label", b"context"), exported);
        let secret = setup.initiator.secrets.get("EXPORTER");
        let child = expand_label(&secret, "label", &sha256(&[]));
        assert_eq!(expand_label::<48>(&child, "exporter", &sha256(b"context")), exported);
        assert_ne!(export(Role::Initiator, b"other", b"context"), exported);
        assert_ne!(export(Role::Initiator, b"label", b"other"), exported);
        assert_ne!(export(Role::Initiator, b"label", b""), exported);
    }
}

/// R-9.6-2, and the bounds of section 9.6 at n and n + 1. What is refused leaves the output as it was.
#[test]
fn nothing_is_exported_before_after_or_beyond() {
    let mut pair = Setup::default().pair();
    let mut out = vec![7; 8161];
    assert_eq!(pair.initiator.session.export(b"x", b"", &mut out), Err(ExportError::NotEstablished));
    pair.connect();
    assert_eq!(pair.initiator.session.export(&[b'x'; 201], b"", &mut out[..8]), Err(ExportError::TooLong));
    assert_eq!(pair.initiator.session.export(b"x", b"", &mut out), Err(ExportError::TooLong));
    assert_eq!(out, vec![7; 8161]);
    assert_eq!(pair.initiator.session.export(&[b'x'; 200], &[1; 10_000], &mut out[..8160]), Ok(()));
    pair.initiator.session.close(Instant::ORIGIN, 0, "");
    assert_eq!(pair.initiator.session.export(b"x", b"", &mut out), Err(ExportError::Closed));
}

/// R-5.7-1: both ends log the same six secrets, all different; that there is nothing without a key log is a matter of types.
#[test]
fn both_ends_log_the_same_secrets() {
    for suite in Setup::SUITES {
        let setup = Setup::with_suite(suite);
        connected(&setup);
        let mut seen = Vec::new();
        for label in ["I_HS", "R_HS", "I_AUTH", "I_AP_3", "R_AP_3", "EXPORTER"] {
            let secret = setup.initiator.secrets.get(label);
            assert_eq!(setup.responder.secrets.get(label), secret, "{label}");
            assert!(!seen.contains(&secret));
            seen.push(secret);
        }
    }
}

/// Figures add up: what one end sent the other got, and what is held where.
#[test]
fn figures_of_both_ends_agree() {
    let mut pair = connected(&Setup::default());
    let stream = pair.initiator.session.open(Direction::Unidirectional).unwrap();
    pair.initiator.send_message(stream, &[1; 100]).unwrap();
    assert_eq!(pair.initiator.session.stats().unacknowledged, 101, "the end of a message counts");
    pair.drive();
    let (sender, receiver) = (pair.initiator.session.stats(), pair.responder.session.stats());
    assert_eq!((sender.packets_sent, sender.bytes_sent), (receiver.packets_received, receiver.bytes_received));
    assert_eq!((receiver.packets_sent, receiver.bytes_sent), (sender.packets_received, sender.bytes_received));
    assert_eq!(sender.bytes_sent, pair.to_responder.written().len() as u64);
    assert_eq!((sender.streams, receiver.streams, receiver.unread), (1, 1, 101));
    assert!(receiver.buffer_bytes >= 101);
    pair.initiator.session.finish(stream).unwrap();
    pair.drive();
    assert_eq!(pair.responder.recv_all(stream), (vec![vec![1; 100]], None));
    pair.drive();
    for role in ROLES {
        let stats = pair.end(role).session.stats();
        assert_eq!((stats.streams, stats.unacknowledged, stats.unread), (0, 0, 0));
    }
}

/// R-6.7-1, R-6.7-2: the responder's first packet confirms, an initiator that has only sent is established but not confirmed, and a
/// close does not confirm.
#[test]
fn the_responders_first_packet_confirms() {
    let mut hostile = HostilePeer::established(&Setup::default(), Role::Initiator);
    assert!(hostile.victim.was_established() && !hostile.victim.saw(Event::Confirmed));
    hostile.send_data(&Payload { close: Some(Close::default()), ..Payload::default() });
    assert!(!hostile.victim.saw(Event::Confirmed));

    let mut hostile = HostilePeer::established(&Setup::default(), Role::Initiator);
    hostile.send_data(&Payload::default());
    assert!(hostile.victim.saw(Event::Confirmed), "an empty payload is a sign of life");

    let mut hostile = HostilePeer::established(&Setup::default(), Role::Responder);
    assert_eq!(hostile.received.last().map(|(kind, _)| *kind), Some(Kind::Data), "R speaks at once");
    let ping = Payload::control(Control { code: Control::PING, ..Control::default() });
    hostile.send_data(&ping);
    assert!(hostile.receive().is_empty(), "there is nothing to report");
}
