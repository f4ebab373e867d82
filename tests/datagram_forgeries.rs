//! Datagrams from where the peer is not, and datagrams that are not the peer's, on an established session and in the handshake: nobody is
//! flooded, nothing that does not open changes anything, and the genuine packet is taken afterwards.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use std::time::Duration;

use aitcp::{
    Carrier, CloseReason, Direction, Discarded, Disposition, Ending, Event, Instant, Meta, PathId, Role, Suite, testing,
};
use aitcp_testkit::Setup;
use aitcp_testkit::forge::{Close, Control, Header, HostileDatagrams, Kind, Payload};

const ELSEWHERE: PathId = PathId(9);

fn setup() -> Setup {
    Setup { carrier: Carrier::Datagram { mtu: 1_452 }, ..Setup::default() }
}

fn victim(role: Role) -> HostileDatagrams {
    HostileDatagrams::established(&setup(), role)
}

fn control(code: u8) -> Control {
    Control { code, ..Control::default() }
}

fn ping() -> Payload {
    Payload::control(control(Control::PING))
}

// ---- paths ------------------------------------------------------------------------------------------------------------------------

/// R-9.7-5: four answers at most wait, to where the questions came from; and nobody is flooded with them (R-9.7-1).
#[test]
fn challenges_are_answered_where_they_came_from() {
    for role in [Role::Responder, Role::Initiator] {
        let mut hostile = victim(role);
        let controls: Vec<_> = (0..30).map(|data| Control { a: data, ..control(Control::PATH_CHALLENGE) }).collect();
        let question = Payload { controls, ..Payload::default() };
        let number = hostile.next_number;
        hostile.next_number += 1;
        hostile.send(&ping());
        hostile.receive();
        // Not the newest: nobody has moved.
        let packet = hostile.seal(number, &question.table().build());
        assert_eq!(hostile.feed(ELSEWHERE, &packet), Disposition::Handled);
        let before = hostile.received.len();
        hostile.receive();
        let answers: Vec<_> = hostile.received[before..].iter().filter(|packet| packet.path == ELSEWHERE).collect();
        let data: Vec<_> = answers.iter().flat_map(|answer| answer.controls(Control::PATH_RESPONSE)).collect();
        assert_eq!(data, [26, 27, 28, 29]);
        assert!(answers.iter().map(|answer| answer.len).sum::<usize>() <= 3 * packet.len());
    }
}

/// R-9.7-1, R-9.7-3, R-9.7-4, R-9.7-6: a move is followed and asked about, in a datagram of 1,232 bytes if so many may be sent; without
/// an answer it goes back.
#[test]
fn a_responder_asks_the_address_that_packets_come_from() {
    for padding in [0, 100, 1_100] {
        let mut hostile = victim(Role::Responder);
        let payload = Payload { padding: vec![0; padding], ..ping() };
        let before = hostile.received.len();
        let packet = hostile.seal_next(&payload);
        hostile.feed(ELSEWHERE, &packet);
        hostile.wait(Duration::from_millis(500));
        let sent: Vec<_> = hostile.received[before..].iter().filter(|packet| packet.path == ELSEWHERE).collect();
        let challenge = sent.iter().find(|packet| !packet.controls(Control::PATH_CHALLENGE).is_empty()).unwrap();
        assert_eq!(challenge.len, (3 * packet.len()).min(1_232));
        assert!(sent.iter().map(|packet| packet.len).sum::<usize>() <= 3 * packet.len());
        hostile.wait(Duration::from_secs(5));
        let stream = hostile.victim.open(Direction::Unidirectional).unwrap();
        hostile.victim.finish(stream).unwrap();
        assert_eq!(hostile.receive().last().unwrap().path, PathId::default());
    }
}

/// R-9.7-5: the right answer from the new address ends the limit.
#[test]
fn an_answered_challenge_moves_the_session() {
    let mut hostile = victim(Role::Responder);
    hostile.send_from(ELSEWHERE, &Payload { padding: vec![0; 1_100], ..ping() });
    let challenge =
        hostile.receive().iter().flat_map(|packet| packet.controls(Control::PATH_CHALLENGE)).next().unwrap();
    hostile.send_from(ELSEWHERE, &Payload::control(Control { a: challenge, ..control(Control::PATH_RESPONSE) }));
    hostile.wait(Duration::from_secs(5));
    let stream = hostile.victim.open(Direction::Unidirectional).unwrap();
    hostile.victim.send(stream, &[7; 20_000], Ending::End).unwrap();
    let before = hostile.received.len();
    hostile.receive();
    assert!(hostile.received[before..].iter().all(|packet| packet.path == ELSEWHERE));
    assert!(hostile.received[before..].iter().map(|packet| packet.len).sum::<usize>() > 3 * 1_232);
}

/// R-9.7-7: the close is said again for the first, the second, the fourth packet that comes after it, and so on, and then no more.
#[test]
fn a_close_is_repeated_now_and_then() {
    let mut hostile = victim(Role::Responder);
    hostile.victim.close(hostile.now, 7, "enough");
    assert_eq!(hostile.receive()[0].close(), Some(7));
    let repeats: Vec<u32> = (1..=20)
        .filter(|_| {
            hostile.send(&ping());
            !hostile.receive().is_empty()
        })
        .collect();
    assert_eq!(repeats, [1, 2, 4, 8, 16]);
    hostile.wait(Duration::from_secs(5));
    assert_eq!(hostile.send(&ping()), Disposition::Discarded(Discarded::Ended));
    assert!(hostile.receive().is_empty() && hostile.victim.is_drained());
}

/// R-9.1-5, R-9.7-7: whoever closes says what has come, gaps and all, and says the same again.
#[test]
fn a_close_acknowledges_what_has_come() {
    let mut hostile = victim(Role::Responder);
    let first = hostile.next_number;
    for gap in [0, 0, 3, 1] {
        hostile.next_number += gap;
        hostile.send(&ping());
    }
    hostile.victim.close(hostile.now, 7, "enough");
    let sent = hostile.receive();
    let close = sent.last().unwrap();
    let expected = [(first + 7, first + 7), (first + 5, first + 5), (first, first + 1)];
    assert_eq!(close.close(), Some(7));
    assert_eq!(close.acks()[..2], expected[..2]);
    assert_eq!(close.acks()[2].1, expected[2].1);
    let acks = close.acks();
    hostile.send(&ping());
    assert_eq!(hostile.receive().last().unwrap().acks(), acks);
}

/// R-9.7-7: who has closed and hears a close is done, whether or not its own is out.
#[test]
fn two_closes_that_cross_are_the_end() {
    for is_out in [true, false] {
        let mut hostile = victim(Role::Responder);
        hostile.victim.close(hostile.now, 7, "enough");
        if is_out {
            assert_eq!(hostile.receive().len(), 1);
        }
        let close = Payload { close: Some(Close { code: 9, source: 1, ..Close::default() }), ..Payload::default() };
        assert_eq!(hostile.send(&close), Disposition::Handled);
        assert!(hostile.receive().is_empty() && hostile.victim.is_drained());
        assert_eq!(hostile.victim.poll_timeout(), None);
        assert_eq!(hostile.victim.close_reason(), Some(CloseReason::Local));
    }
}

// ---- packets that are not genuine -------------------------------------------------------------------------------------------------

/// R-5.3-8, R-5.6-1, R-5.6-2: nothing that does not open, or that has come before, changes anything; then the genuine one is taken.
#[test]
fn rejected_packets_change_nothing() {
    for suite in [Suite::X25519ChaCha20Poly1305, Suite::X25519Aes256Gcm] {
        let mut setup = setup();
        setup.set_suite(suite);
        let mut hostile = HostileDatagrams::established(&setup, Role::Responder);
        let mut old = Vec::new();
        let datagram = Payload { datagrams: vec![3, 0, 1, 2, 3], ..Payload::default() };
        let acks = Payload { acks: vec![(0, 0)], ack_delay: Some(0), ..Payload::default() };
        for payload in [ping(), Payload::fragment(4, 0, b"hello", 1), datagram, acks] {
            let packet = hostile.seal_next(&payload);
            let before = testing::state_digest(&hostile.victim);
            for bit in 0..packet.len() * 8 {
                let mut altered = packet.clone();
                altered[bit / 8] ^= 1 << (bit % 8);
                for path in [PathId::default(), ELSEWHERE] {
                    let disposition = hostile.feed(path, &altered);
                    assert!(matches!(disposition, Disposition::Discarded(_)), "bit {bit}: {disposition:?}");
                }
                assert_eq!(testing::state_digest(&hostile.victim), before, "bit {bit}");
            }
            for len in 0..packet.len() {
                assert!(matches!(hostile.feed(ELSEWHERE, &packet[..len]), Disposition::Discarded(_)));
            }
            assert_eq!(testing::state_digest(&hostile.victim), before);
            assert_eq!(hostile.feed(PathId::default(), &packet), Disposition::Handled);
            old.push(packet);
            let before = testing::state_digest(&hostile.victim);
            for packet in &old {
                assert_eq!(hostile.feed(ELSEWHERE, packet), Disposition::Discarded(Discarded::Replayed));
            }
            assert_eq!(testing::state_digest(&hostile.victim), before);
        }
        assert!(hostile.events.iter().any(|event| matches!(event, Event::Readable(_))));
    }
}

/// R-6.10-1, R-6.10-9: the same for the sealed packets of a handshake, each when it is awaited; then the handshake goes on.
#[test]
fn altered_packets_do_not_stop_a_handshake() {
    for suite in Setup::SUITES {
        let mut setup = setup();
        setup.set_suite(suite);
        let now = Instant::ORIGIN;
        let mut ends = [Role::Initiator, Role::Responder].map(|role| setup.session(role, now));
        let mut room = [0; 2_000];
        for round in 0..4 {
            let [from, to] = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            while let Some(transmit) = ends[from].poll_transmit(now, &mut room).unwrap() {
                let packet = room[..transmit.segment.unwrap_or(transmit.len)].to_vec();
                let kind = Header::read(&packet).kind;
                // What is in clear, anyone can write: an altered Hello is another one, an altered Accept a candidate.
                let is_sealed = !matches!(kind, Kind::Hello | Kind::Accept);
                let before = testing::state_digest(&ends[to]);
                for bit in (21..packet.len() * 8).step_by(5).filter(|_| is_sealed) {
                    let mut altered = packet.clone();
                    altered[bit / 8] ^= 1 << (bit % 8);
                    ends[to].handle_datagram(now, Meta::default(), &mut altered);
                    assert_eq!(testing::state_digest(&ends[to]), before, "{suite:?} kind {kind} bit {bit}");
                }
                ends[to].handle_datagram(now, Meta::default(), &mut { packet });
            }
        }
        assert!(
            ends.iter_mut().all(|end| std::iter::from_fn(|| end.poll_event()).any(|event| event == Event::Established))
        );
    }
}
