extern crate std;

use std::collections::BTreeMap;
use std::{vec, vec::Vec};

use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1_000)
}

fn info(millis: u64, size: u16) -> PacketInfo {
    PacketInfo { time_sent: at(millis), size, ack_eliciting: true, in_flight: true, ecn: false, mtu_probe: false }
}

fn quiet(millis: u64) -> PacketInfo {
    PacketInfo { ack_eliciting: false, in_flight: false, ..info(millis, 40) }
}

fn range(first: u64, last: u64) -> AckRange {
    AckRange { first, last }
}

/// Acknowledges `range`: numbers, whether they were lost, and records.
fn ack(sent: &mut SentPackets<u32>, range: AckRange) -> Vec<(u64, bool, Vec<u32>)> {
    let mut acked = Vec::new();
    sent.ack(range, |packet, records| acked.push((packet.number, packet.was_lost, records.copied().collect())));
    acked
}

fn lose(sent: &mut SentPackets<u32>, number: u64) -> Option<Vec<u32>> {
    let mut lost = None;
    sent.lose(number, |_, records| lost = Some(records.copied().collect()));
    lost
}

#[test]
fn each_packet_gives_back_what_it_carried_once() {
    let mut sent = SentPackets::new(7);
    sent.push(info(0, 100), [1, 2]);
    sent.push(info(1, 200), []);
    sent.push(info(2, 300), [3]);
    assert_eq!((sent.next_number(), sent.bytes_in_flight()), (10, 600));
    assert_eq!(ack(&mut sent, range(8, 9)), [(9, false, vec![3]), (8, false, vec![])]);
    assert_eq!(sent.bytes_in_flight(), 100);
    assert_eq!(ack(&mut sent, range(7, 9)), [(7, false, vec![1, 2])]);
    assert_eq!(ack(&mut sent, range(0, u64::MAX)), []);
    assert!(!sent.is_ack_eliciting_in_flight());
}

#[test]
fn a_lost_packet_can_still_be_acknowledged() {
    let mut sent = SentPackets::new(0);
    sent.push(info(0, 100), [1, 2]);
    assert_eq!(lose(&mut sent, 0), Some(vec![1, 2]));
    assert_eq!(lose(&mut sent, 0), None, "it is lost only once");
    assert_eq!((sent.bytes_in_flight(), sent.is_ack_eliciting_in_flight()), (0, false));
    assert_eq!(ack(&mut sent, range(0, 0)), [(0, true, vec![1, 2])]);
    assert_eq!(lose(&mut sent, 0), None, "what was acknowledged cannot be lost");
    assert_eq!(sent.bytes_in_flight(), 0);
}

#[test]
fn packets_out_of_flight_are_not_counted() {
    let mut sent = SentPackets::new(0);
    sent.push(quiet(0), [1]);
    sent.push(PacketInfo { ack_eliciting: false, ..info(0, 90) }, []);
    assert_eq!((sent.bytes_in_flight(), sent.is_ack_eliciting_in_flight()), (90, false));
    assert_eq!(ack(&mut sent, range(0, 1)).len(), 2);
    assert_eq!(sent.bytes_in_flight(), 0);
}

#[test]
fn skipped_numbers_are_known_for_long() {
    let mut sent = SentPackets::<u32>::new(0);
    for number in 0..100 {
        if number % 10 == 5 {
            sent.skip(at(0));
        } else {
            sent.push(info(0, 100), []);
        }
    }
    assert!(sent.skipped_in(range(0, 99)) && sent.skipped_in(range(95, 95)) && sent.skipped_in(range(40, 45)));
    assert!(!sent.skipped_in(range(46, 54)) && !sent.skipped_in(range(96, 200)) && !sent.skipped_in(range(0, 4)));
    (0..10).for_each(|ten| {
        ack(&mut sent, range(10 * ten, 10 * ten + 4));
        ack(&mut sent, range(10 * ten + 6, 10 * ten + 9));
    });
    sent.retire(at(0));
    assert_eq!(sent.first_number(), 100);
    assert!(sent.skipped_in(range(0, 9)), "the packet is gone, the number is still known");
}

#[test]
fn what_is_over_leaves_from_the_front() {
    let mut sent = SentPackets::new(0);
    (0..4).for_each(|number| sent.push(info(number, 100), [number as u32]));
    ack(&mut sent, range(1, 1));
    sent.retire(at(100));
    assert_eq!(sent.first_number(), 0, "the first is still awaited");
    lose(&mut sent, 0);
    sent.retire(at(0));
    assert_eq!(sent.first_number(), 0, "a lost one is kept for a while");
    sent.retire(at(1));
    assert_eq!(sent.first_number(), 2);
    assert_eq!(ack(&mut sent, range(0, 3)), [(3, false, vec![3]), (2, false, vec![2])]);
    sent.retire(at(0));
    assert_eq!((sent.first_number(), sent.records.len()), (4, 0));
    assert!(sent.get(3).is_none() && sent.get(4).is_none());
}

#[test]
fn acknowledgements_that_nobody_acknowledges_do_not_pile_up() {
    let mut sent = SentPackets::new(0);
    (0..10_000).for_each(|number| sent.push(quiet(0), [number]));
    assert_eq!((sent.packets.len(), sent.records.len()), (MAX_QUIET, MAX_QUIET));
    sent.push(info(0, 100), [0]);
    (0..1_000).for_each(|number| sent.push(quiet(0), [number]));
    assert_eq!(ack(&mut sent, range(10_000, 10_000)), [(10_000, false, vec![0])]);
}

#[test]
fn a_full_table_stops_the_sender_and_empties_when_nothing_is_awaited() {
    let mut sent = SentPackets::<u32>::new(0);
    while !sent.is_full() {
        sent.push(info(0, 100), []);
    }
    assert_eq!(sent.next_number(), MAX_TRACKED as u64);
    (0..MAX_TRACKED as u64).for_each(|number| assert!(lose(&mut sent, number).is_some()));
    sent.retire(at(0));
    assert!(!sent.is_full(), "lost packets give way");

    let mut sent = SentPackets::<u32>::new(0);
    while !sent.is_full() {
        sent.push(info(0, 100), 0..64);
    }
    assert_eq!(sent.records.len(), RECORDS_PER_PACKET * MAX_TRACKED);
}

/// The same long range over and over costs next to nothing: each packet is walked over once, and then passed by.
#[test]
fn repeated_ranges_are_passed_by() {
    let mut sent = SentPackets::<u32>::new(0);
    (0..60_000).for_each(|_| sent.push(info(0, 100), []));
    (0..60_000).filter(|number| number % 2 == 1).for_each(|number| {
        ack(&mut sent, range(number, number));
    });
    assert_eq!(ack(&mut sent, range(1, 59_999)).len(), 29_999);
    let steps = |sent: &mut SentPackets<u32>, last| {
        let (mut number, mut steps) = (last, 0);
        while let Some(below) = sent.ack_one(number, 1, &mut |_, _| {}).and_then(|passed| number.checked_sub(passed)) {
            (number, steps) = (below, steps + 1);
        }
        steps
    };
    for last in [59_999, 59_998, 30_000, 2] {
        assert!(steps(&mut sent, last) <= 2, "{last}");
    }
}

#[test]
fn steady_state_keeps_its_room() {
    let mut sent = SentPackets::new(0);
    let mut room = (0, 0);
    for round in 0..1_000_u64 {
        for _ in 0..10 {
            sent.push(info(round, 100), [0_u32; 3]);
        }
        ack(&mut sent, range(0, (10 * round).saturating_sub(1)));
        sent.retire(at(0));
        if round == 10 {
            room = (sent.packets.capacity(), sent.records.capacity());
        }
    }
    assert_eq!(room, (sent.packets.capacity(), sent.records.capacity()));
}

/// What the table is for, in the plainest way.
#[derive(Default)]
struct Reference {
    packets: BTreeMap<u64, (State, u16, Vec<u32>)>,
}

#[derive(Clone, Debug)]
enum Op {
    Send(u16, u8),
    Skip,
    Ack(u64, u64),
    Lose(u64),
    Retire(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1..1_500_u16, 0..4_u8).prop_map(|(size, records)| Op::Send(size, records)),
        1 => Just(Op::Skip),
        4 => (0..70_u64, 0..30_u64).prop_map(|(first, len)| Op::Ack(first, len)),
        2 => (0..70_u64).prop_map(Op::Lose),
        1 => (0..70_u64).prop_map(Op::Retire),
    ]
}

proptest! {
    #[test]
    fn agrees_with_a_map(ops in prop::collection::vec(op(), 0..200)) {
        let mut sent = SentPackets::new(0);
        let mut reference = Reference::default();
        let mut next_record = 0;
        for (step, op) in ops.into_iter().enumerate() {
            match op {
                Op::Send(size, count) => {
                    let records: Vec<u32> = (next_record..next_record + u32::from(count)).collect();
                    next_record += u32::from(count);
                    reference.packets.insert(sent.next_number(), (State::Outstanding, size, records.clone()));
                    sent.push(info(step as u64, size), records);
                }
                Op::Skip => {
                    reference.packets.insert(sent.next_number(), (State::Skipped, 0, Vec::new()));
                    sent.skip(at(step as u64));
                }
                Op::Ack(first, len) => {
                    let mut expected = Vec::new();
                    for (&number, (state, _, records)) in reference.packets.range_mut(first..=first + len).rev() {
                        if matches!(state, State::Outstanding | State::Lost) && number >= sent.first_number() {
                            expected.push((number, *state == State::Lost, records.clone()));
                            *state = State::Acked;
                        }
                    }
                    prop_assert_eq!(ack(&mut sent, range(first, first + len)), expected);
                }
                Op::Lose(number) => {
                    let expected = reference.packets.get_mut(&number).filter(|packet| packet.0 == State::Outstanding);
                    let expected = expected.map(|packet| {
                        packet.0 = State::Lost;
                        packet.2.clone()
                    });
                    prop_assert_eq!(lose(&mut sent, number), expected);
                }
                Op::Retire(age) => sent.retire(at((step as u64).saturating_sub(age))),
            }
            let outstanding = reference.packets.values().filter(|packet| packet.0 == State::Outstanding);
            prop_assert_eq!(sent.bytes_in_flight(), outstanding.clone().map(|packet| u64::from(packet.1)).sum::<u64>());
            prop_assert_eq!(sent.is_ack_eliciting_in_flight(), outstanding.count() > 0);
            for number in sent.first_number()..sent.next_number() {
                prop_assert_eq!(sent.get(number).map(|packet| packet.state), Some(reference.packets[&number].0));
            }
        }
    }
}
