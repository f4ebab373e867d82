//! An authenticated but hostile peer on a datagram carrier: whatever it sends, the session goes on or ends with the right code, within
//! its memory, and floods nobody.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use std::time::Duration;

use aitcp::{Carrier, Direction, Disposition, Ending, Limits, Meta, ProtocolCode, Role};
use aitcp_testkit::forge::{Close, Control, Fragment, HostileDatagrams, Payload};
use aitcp_testkit::heap::{CountingAllocator, Meter};
use aitcp_testkit::{Setup, campaign};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn setup() -> Setup {
    Setup { carrier: Carrier::Datagram { mtu: 1_452 }, ..Setup::default() }
}

fn victim(role: Role) -> HostileDatagrams {
    HostileDatagrams::established(&setup(), role)
}

fn with(limits: Limits) -> HostileDatagrams {
    let mut setup = setup();
    setup.set_limits(limits);
    HostileDatagrams::established(&setup, Role::Responder)
}

fn control(code: u8) -> Control {
    Control { code, ..Control::default() }
}

fn ping() -> Payload {
    Payload::control(control(Control::PING))
}

fn acks(ranges: &[(u64, u64)]) -> Payload {
    Payload { acks: ranges.to_vec(), ack_delay: Some(0), ..Payload::default() }
}

/// A best-effort datagram as it stands in a payload.
fn datagrams(len: usize) -> Payload {
    let length = u16::try_from(len).unwrap().to_le_bytes();
    Payload { datagrams: [&length[..], &vec![0x5A; len]].concat(), ..Payload::default() }
}

// ---- acknowledgements -------------------------------------------------------------------------------------------------------------

/// R-5.3-7, R-5.3-2: what the forge seals and masks on its own opens, and the other way round, in every suite.
#[test]
fn both_implementations_of_packet_protection_agree() {
    for suite in Setup::SUITES {
        for role in [Role::Initiator, Role::Responder] {
            let mut setup = setup();
            setup.set_suite(suite);
            let mut hostile = HostileDatagrams::established(&setup, role);
            assert_eq!(hostile.send(&ping()), Disposition::Handled);
            hostile.wait(Duration::from_millis(25));
            assert_eq!(hostile.received.len(), 1);
        }
    }
}

/// R-8.10-4 (quiche CVE-2025-4820): acknowledgements of what was never sent, or was left out.
#[test]
fn optimistic_acknowledgements_end_the_session() {
    for ahead in [1, 2, 1_000, 1 << 40, (1 << 62) - 1_000] {
        let mut hostile = victim(Role::Responder);
        hostile.send(&ping());
        hostile.wait(Duration::from_millis(25));
        let last = hostile.received.last().unwrap().number;
        hostile.send(&acks(&[(last, last)]));
        assert_eq!(hostile.victim.close_reason(), None);
        hostile.send(&acks(&[(last, last + ahead)]));
        assert!(hostile.ended_for(ProtocolCode::Forbidden), "{ahead}");
    }
}

/// R-8.10-4, R-8.10-5 (RFC 9000, section 21.4): a sender leaves numbers out, and who acknowledges them has not seen what it acknowledges.
#[test]
fn an_acknowledgement_of_a_number_that_was_left_out_ends_the_session() {
    let mut hostile = victim(Role::Responder);
    let skipped = (0..20_000).find_map(|_| {
        hostile.send(&ping());
        hostile.send(&ping());
        hostile.receive();
        let [.., before, last] = &hostile.received[..] else { return None };
        (last.number == before.number + 2).then_some(before.number + 1)
    });
    let skipped = skipped.expect("one in 20,000 at least");
    hostile.send(&acks(&[(skipped - 1, skipped - 1)]));
    assert_eq!(hostile.victim.close_reason(), None);
    hostile.send(&acks(&[(skipped - 1, skipped + 1)]));
    assert!(hostile.ended_for(ProtocolCode::Forbidden));
}

/// R-8.1-8: more ranges than may be listed, however many a packet holds. (A hundred thousand of them: `wire::payload::tests`.)
#[test]
fn floods_of_ranges_end_the_session() {
    for count in [33, 100, 1_000] {
        let mut hostile = victim(Role::Responder);
        let ranges: Vec<_> = (0..count).rev().map(|range| (3 * range, 3 * range)).collect();
        hostile.send(&acks(&ranges));
        assert!(hostile.ended_for(ProtocolCode::MalformedPayload), "{count}");
    }
}

/// R-8.1-8: a hundred thousand ranges, 32 in each packet, of numbers that were really sent, again and again.
#[test]
fn a_hundred_thousand_ranges_of_what_was_sent_are_taken_for_nothing() {
    for limits in [Limits::small(), Limits::default()] {
        let mut hostile = with(limits);
        for _ in 0..200 {
            hostile.send(&ping());
            hostile.send(&ping());
            hostile.receive();
        }
        let mut numbers: Vec<_> = hostile.received.iter().rev().map(|packet| packet.number).collect();
        numbers.dedup_by(|lower, higher| *higher < *lower + 2);
        let ranges: Vec<_> = numbers.iter().map(|number| (*number, *number)).collect();
        assert!(ranges.len() > 64, "{}", ranges.len());
        let hostile = flood_of(hostile, limits, 1, campaign(100_000) / 32, |index| {
            let first = usize::try_from(index).unwrap() % (ranges.len() - 32);
            acks(&ranges[first..first + 32])
        });
        assert_eq!(hostile.victim.close_reason(), None);
        assert_eq!(hostile.victim.stats().path.unwrap().bytes_in_flight, 0);
    }
}

/// R-8.10-1, R-8.1-8: a hundred thousand packets with a gap below each. The receiver remembers the newest ranges, and tells of 32.
#[test]
fn a_hundred_thousand_gaps_take_no_more_memory_than_32_ranges() {
    for limits in [Limits::small(), Limits::default()] {
        let mut hostile = flood_of(with(limits), limits, 2, campaign(100_000), |_| ping());
        assert_eq!(hostile.victim.close_reason(), None);
        hostile.next_number += 1;
        hostile.send(&ping());
        let told = hostile.receive().last().unwrap().acks();
        assert_eq!(told.len(), 32);
        assert!(told.windows(2).all(|pair| pair[1].1 + 1 < pair[0].0), "{told:?}");
        assert_eq!(told[0].1, hostile.next_number - 1, "the newest are the ones that are kept");
    }
}

/// R-8.10-1, R-8.10-2.
#[test]
fn packets_are_acknowledged_in_time_and_acknowledgements_are_not() {
    let mut hostile = victim(Role::Responder);
    hostile.send(&ping());
    assert!(hostile.receive().is_empty(), "the first may wait");
    hostile.send(&ping());
    let newest = hostile.next_number - 1;
    assert_eq!(hostile.receive()[0].acks()[0].1, newest, "the second is a reason");
    hostile.send(&ping());
    hostile.wait(Duration::from_millis(24));
    assert_eq!(hostile.received.len(), 1);
    hostile.wait(Duration::from_millis(1));
    assert_eq!(hostile.received.len(), 2, "25 ms is as long as it may wait");
    hostile.next_number += 1;
    hostile.send(&ping());
    assert_eq!(hostile.receive().len(), 1, "one is missing before it");
    let last = hostile.received.last().unwrap().number;
    hostile.send(&acks(&[(last, last)]));
    hostile.send(&acks(&[(last, last)]));
    hostile.wait(Duration::from_secs(1));
    assert_eq!(hostile.received.len(), 3);
}

/// R-8.10-1: a packet that met congestion.
#[test]
fn a_marked_packet_is_acknowledged_at_once() {
    let mut hostile = victim(Role::Responder);
    let mut packet = hostile.seal_next(&ping());
    let meta = Meta { ecn: aitcp::EcnCodepoint::Ce, ..Meta::default() };
    assert_eq!(hostile.victim.handle_datagram(hostile.now, meta, &mut packet), Disposition::Handled);
    assert_eq!(hostile.receive().len(), 1);
}

/// R-8.10-3.
#[test]
fn what_the_peer_knows_to_be_acknowledged_is_left_out() {
    let mut hostile = victim(Role::Responder);
    let first = hostile.next_number;
    hostile.send(&ping());
    hostile.send(&ping());
    let (acked, number) = (hostile.receive()[0].acks(), hostile.received[0].number);
    assert!(acked.iter().any(|range| range.0 <= first && first < range.1));
    hostile.next_number += 5;
    hostile.send(&acks(&[(number, number)]));
    hostile.send(&ping());
    hostile.send(&ping());
    hostile.wait(Duration::from_millis(25));
    let again = hostile.received.last().unwrap().acks();
    assert!(again.iter().all(|range| range.0 > first + 1), "{again:?}");
}

/// R-8.10-6: two packets at most at each timeout, which doubles up to 2 s.
#[test]
fn a_sender_that_hears_nothing_probes() {
    let mut hostile = victim(Role::Responder);
    let stream = hostile.victim.open(Direction::Unidirectional).unwrap();
    hostile.victim.send(stream, b"anybody?", Ending::End).unwrap();
    hostile.receive();
    let (mut times, begun) = (vec![hostile.now], hostile.now);
    while hostile.now < begun + Duration::from_secs(15) {
        let before = hostile.received.len();
        hostile.wait(Duration::from_millis(1));
        let probes = hostile.received.len() - before;
        assert!(probes <= 2, "{probes}");
        if probes > 0 {
            times.push(hostile.now);
        }
    }
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.len() >= 8, "{waits:?}");
    for pair in waits.windows(2) {
        let doubled = (pair[0] * 2).min(Duration::from_secs(2));
        assert!(pair[1] + Duration::from_millis(2) >= doubled && pair[1] <= doubled + Duration::from_millis(2));
    }
}

/// R-9.3-3: an end that lives says so although its window is used up, and a round trip that was once very long lets it wait for long.
#[test]
fn a_keepalive_does_not_wait_for_the_window() {
    let mut setup = setup();
    setup.responder.timeouts.keepalive = Some(Duration::from_millis(200));
    let mut hostile = HostileDatagrams::established(&setup, Role::Responder);
    let stream = hostile.victim.open(Direction::Unidirectional).unwrap();
    hostile.victim.send(stream, b"x", Ending::End).unwrap();
    let number = hostile.receive()[0].number;
    // Asleep for so long, the victim included.
    hostile.now = hostile.now + Duration::from_secs(7);
    hostile.send(&acks(&[(number, number)]));
    hostile.victim.send(stream, &[7; 100_000], Ending::End).unwrap();
    hostile.wait(Duration::from_secs(2));
    let path = hostile.victim.stats().path.unwrap();
    assert!(path.bytes_in_flight + 1_452 > path.window && path.unanswered_probes == 0, "{path:?}");
    let before = hostile.received.len();
    hostile.wait(Duration::from_secs(2));
    let said = &hostile.received[before..];
    assert!((9..=11).contains(&said.len()), "{}", said.len());
    assert!(said.iter().all(|packet| packet.len < 200 && !packet.controls(Control::PING).is_empty()), "{said:?}");
}

// ---- values -----------------------------------------------------------------------------------------------------------------------

/// MODELS: every value of every byte that means something, sealed with real keys. Unknown controls end the session (R-8.7-1), and
/// nothing panics.
#[test]
fn every_value_of_every_tag_and_flag_is_judged() {
    for value in 0..=u8::MAX {
        let wide = u16::from(value);
        let close = |source| Payload { close: Some(Close { source, ..Close::default() }), ..Payload::default() };
        let payloads = [
            Payload::control(control(value)),
            Payload::control(Control { flags: value, stream: 4, ..control(Control::CREDIT) }),
            Payload::control(Control { flags: value, ..control(Control::PATH_CHALLENGE) }),
            Payload::fragment(4, 0, b"x", wide),
            Payload::fragment(4, 0, b"x", wide << 8),
            close(value),
            Payload { ecn: Some([value.into(); 3]), ..acks(&[(0, 0)]) },
        ];
        for payload in payloads {
            for role in [Role::Responder, Role::Initiator] {
                if role == Role::Initiator && value % 16 != 0 {
                    continue;
                }
                let mut hostile = victim(role);
                assert_eq!(hostile.send(&payload), Disposition::Handled);
                hostile.wait(Duration::from_millis(30));
                let is_unknown = payload.controls.first().is_some_and(|control| control.code > Control::PATH_RESPONSE);
                assert_eq!(hostile.ended_for(ProtocolCode::UnknownControl), is_unknown, "{payload:?}");
            }
        }
    }
}

/// R-8.10-8, and the same at the limit.
#[test]
fn best_effort_datagrams_stay_within_what_was_said() {
    let mut limits = Limits::default();
    limits.max_datagram = 100;
    for (len, is_taken) in [(0, true), (99, true), (100, true), (101, false), (1_000, false)] {
        let mut hostile = with(limits);
        hostile.send(&datagrams(len));
        assert_eq!(hostile.ended_for(ProtocolCode::Forbidden), !is_taken, "{len}");
        let received = hostile.victim.recv_datagram(&mut [0; 2_000]);
        assert_eq!(received.ok(), is_taken.then_some(len));
    }
    for len in [0, 1] {
        let mut hostile = with(Limits::small());
        hostile.send(&datagrams(len));
        assert!(hostile.ended_for(ProtocolCode::Forbidden));
    }
}

/// R-8.10-1: a receiver that has nothing to say goes on acknowledging, although its acknowledgements are not acknowledged, and few packets
/// are kept track of.
#[test]
fn acknowledgements_do_not_run_out() {
    let mut limits = Limits::small();
    for packets in [16, 17, 32, 300] {
        limits.packets_in_flight = packets;
        let mut hostile = with(limits);
        hostile.receive();
        for _ in 0..1_000 {
            hostile.send(&ping());
            hostile.send(&ping());
            assert_eq!(hostile.receive().len(), 1);
        }
    }
}

/// `Limits::packets_in_flight` at n - 1, n and n + 1: a peer that acknowledges nothing gets no more packets, and then only probes.
#[test]
fn no_more_packets_are_in_flight_than_are_kept_track_of() {
    for most in [16, 17, 18] {
        let mut limits = Limits::default();
        limits.packets_in_flight = most;
        let mut hostile = with(limits);
        hostile.send(&acks(&[(0, 0)]));
        let stream = hostile.victim.open(Direction::Unidirectional).unwrap();
        for _ in 0..40 {
            hostile.victim.send(stream, b"x", Ending::End).unwrap();
            hostile.now = hostile.now + Duration::from_micros(500);
            hostile.receive();
        }
        let sent = hostile.received.len();
        assert!((usize::from(most) - 3..=usize::from(most)).contains(&sent), "{sent} of {most}");
        hostile.wait(Duration::from_secs(20));
        assert!(hostile.received.len() <= sent + 60 && hostile.victim.close_reason().is_none());
        let newest = hostile.received.last().unwrap().number;
        hostile.send(&acks(&[(newest, newest)]));
        hostile.wait(Duration::from_millis(500));
        hostile.victim.finish(stream).unwrap();
        assert!(!hostile.receive().is_empty(), "it goes on");
    }
}

/// R-8.5-1, R-8.6-1, R-8.2-1: credit and stream numbers, with gaps below them.
#[test]
fn what_goes_beyond_credit_ends_the_session() {
    let limits = Limits::small();
    let window = u64::from(limits.stream_window);
    let streams = u64::from(limits.peer_bidirectional_streams);
    let cases = [
        (4, window - 1, None),
        (4, window, Some(ProtocolCode::FlowControl)),
        (4, 1 << 61, Some(ProtocolCode::FlowControl)),
        (4, u64::MAX, Some(ProtocolCode::FlowControl)),
        (streams << 2, 0, None),
        ((streams + 1) << 2, 0, Some(ProtocolCode::StreamLimit)),
        (((1 << 60) - 1) << 2, 0, Some(ProtocolCode::StreamLimit)),
        (1 << 62, 0, Some(ProtocolCode::Forbidden)),
        (0, 0, None), // the link's own
        (1, 0, Some(ProtocolCode::Forbidden)),
        (5, 0, Some(ProtocolCode::StreamState)),
    ];
    for (stream, offset, code) in cases {
        let mut hostile = with(limits);
        hostile.send(&Payload::fragment(stream, offset, b"x", 0));
        match code {
            Some(code) => assert!(hostile.ended_for(code), "{stream} {offset} {:?}", hostile.victim.close_reason()),
            None => assert_eq!(hostile.victim.close_reason(), None, "{stream} {offset}"),
        }
    }
}

// ---- floods -----------------------------------------------------------------------------------------------------------------------

fn flood(limits: Limits, payload: impl FnMut(u64) -> Payload) -> HostileDatagrams {
    flood_of(with(limits), limits, 1, campaign(100_000), payload)
}

/// Sends payloads under the eyes of a meter, under every so-manieth number, and lets the victim answer; its heap stays within its limits.
fn flood_of(
    mut hostile: HostileDatagrams,
    limits: Limits,
    stride: u64,
    count: u32,
    mut payload: impl FnMut(u64) -> Payload,
) -> HostileDatagrams {
    let (mut held, mut peak) = (0, 0);
    let mut room = vec![0; 64 << 10];
    for index in 0..u64::from(count) {
        let mut packet = hostile.seal_next(&payload(index));
        hostile.next_number += stride - 1;
        hostile.now = hostile.now + Duration::from_micros(500);
        let meter = Meter::start();
        let _ = hostile.victim.handle_datagram(hostile.now, Meta::default(), &mut packet);
        while hostile.victim.poll_transmit(hostile.now, &mut room).unwrap().is_some() {}
        while hostile.victim.poll_event().is_some() {}
        peak = peak.max(held + meter.peak());
        held += meter.held();
        let bound = isize::try_from(limits.max_bytes()).unwrap();
        assert!(peak <= bound, "{peak} bytes of {bound}");
        if hostile.victim.close_reason().is_some() {
            break;
        }
    }
    hostile
}

/// MODELS: quinn RUSTSEC-2026-0185. Every other byte of a window, or single bytes far apart, in any order.
#[test]
fn gaps_take_no_more_memory_than_their_window() {
    for limits in [Limits::small(), Limits::default()] {
        let window = u64::from(limits.stream_window);
        for step in [2, 3, 257, 4_099] {
            let stream = |index: u64| (1 + index % 2) << 2;
            flood(limits, |index| Payload::fragment(stream(index), (index * step + 1) % (window - 1), b"x", 0));
        }
    }
}

/// MODELS: h2 2026-0258. Empty fragments, ends of messages, resets, pings and challenges without end.
#[test]
fn floods_of_what_costs_nothing_take_no_memory() {
    for limits in [Limits::small(), Limits::default()] {
        flood(limits, |_| Payload::fragment(4, 0, b"", 0));
        flood(limits, |index| Payload::fragment(4, index, b"", Fragment::END_OF_MESSAGE));
        flood(limits, |index| Payload::control(Control { stream: (1 + index) << 2, ..control(Control::RESET) }));
        flood(limits, |index| Payload::control(Control { stream: (1 + index) << 2, ..control(Control::STOP) }));
        flood(limits, |_| Payload { controls: vec![control(Control::PING); 40], ..Payload::default() });
        let challenges = |index| Payload {
            controls: (0..40).map(|more| Control { a: index + more, ..control(Control::PATH_CHALLENGE) }).collect(),
            ..Payload::default()
        };
        let hostile = flood(limits, challenges);
        assert_eq!(hostile.victim.close_reason(), None);
    }
    let hostile = flood(Limits::default(), |_| datagrams(1_200));
    assert_eq!(hostile.victim.close_reason(), None);
    assert!(hostile.victim.stats().datagrams_dropped.1 > 0);
}
