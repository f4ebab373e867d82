//! Single steps of recovery as a whole.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::super::*;
use crate::session::recovery::ack_timing::MAX_ACK_DELAY;
use crate::session::recovery::path_mtu::BASE_MTU;

const START: Start = Start {
    first_number: 3,
    peer_max_ack_delay: MAX_ACK_DELAY,
    rate_control: RateControl::NewReno,
    max_mtu: BASE_MTU,
    max_packets: 1 << 16,
    random: 1_023,
};

const DATA: Departure = Departure { size: BASE_MTU, ack_eliciting: true, is_padded: false, is_mtu_probe: false };

#[derive(Default)]
struct Owner {
    acked: Vec<u32>,
    lost: Vec<u32>,
}

impl Visitor<u32> for Owner {
    fn acked(&mut self, record: u32) {
        self.acked.push(record);
    }

    fn lost(&mut self, record: u32) {
        self.lost.push(record);
    }
}

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1_000)
}

fn range(first: u64, last: u64) -> core::iter::Once<AckRange> {
    core::iter::once(AckRange { first, last })
}

/// Sends while it may; returns how many packets that were.
fn fill(recovery: &mut Recovery<u32>, now: Instant) -> u32 {
    let mut sent = 0;
    while recovery.may_send(BASE_MTU, now) == Leave::Now {
        recovery.on_sent(DATA, [sent], now);
        sent += 1;
    }
    sent
}

/// R-8.10-9.
#[test]
fn the_first_flight_is_ten_packets_and_grows_with_acknowledgements() {
    let mut recovery = Recovery::new(&START);
    let mut owner = Owner::default();
    assert_eq!(fill(&mut recovery, at(0)), 10);
    assert_eq!(recovery.may_send(BASE_MTU, at(0)), Leave::Blocked);
    recovery.on_ack(range(3, 12), Duration::ZERO, None, at(50), &mut owner).unwrap();
    assert_eq!(owner.acked, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    let stats = recovery.stats();
    assert_eq!((stats.window, stats.bytes_in_flight), (20 * u64::from(BASE_MTU), 0));
    assert_eq!((stats.smoothed_rtt, stats.min_rtt), (Duration::from_millis(50), Duration::from_millis(50)));
    let sent = fill(&mut recovery, at(50));
    assert!((10..20).contains(&sent), "paced: {sent}");
    let Leave::At(due) = recovery.may_send(BASE_MTU, at(50)) else { panic!("paced") };
    assert_eq!(recovery.deadline(), Some(due));
    recovery.on_timeout(due, &mut owner);
    assert_eq!(recovery.may_send(BASE_MTU, due), Leave::Now);
}

#[test]
fn a_loss_halves_the_window_and_hands_back_what_was_lost() {
    let mut recovery = Recovery::new(&START);
    let mut owner = Owner::default();
    fill(&mut recovery, at(0));
    recovery.on_ack(range(4, 12), Duration::ZERO, None, at(50), &mut owner).unwrap();
    assert_eq!(owner.lost, [0]);
    let stats = recovery.stats();
    assert_eq!((stats.window, stats.congestion_events, stats.packets_lost), (5 * u64::from(BASE_MTU), 1, 1));
}

#[test]
fn probes_need_no_window_and_are_of_the_size_that_passes_anywhere() {
    let mut recovery = Recovery::new(&Start { max_mtu: 1_472, ..START });
    let mut owner = Owner::default();
    let probe = recovery.mtu_probe_due(at(0)).unwrap();
    recovery.on_sent(Departure { size: probe, is_padded: true, is_mtu_probe: true, ..DATA }, [], at(0));
    recovery.on_ack(range(3, 3), Duration::ZERO, None, at(50), &mut owner).unwrap();
    assert_eq!((recovery.packet_size(), recovery.stats().mtu), (probe, probe));
    fill(&mut recovery, at(50));
    let deadline = recovery.deadline().unwrap();
    recovery.on_timeout(deadline, &mut owner);
    let mut due = recovery.deadline().unwrap();
    while recovery.probes_due() == 0 {
        recovery.on_timeout(due, &mut owner);
        due = recovery.deadline().unwrap();
    }
    assert_eq!((recovery.probes_due(), recovery.packet_size()), (2, BASE_MTU));
    assert_eq!(recovery.may_send(BASE_MTU, due), Leave::Now);
    recovery.on_sent(DATA, [], due);
    recovery.on_sent(DATA, [], due);
    assert_eq!((recovery.probes_due(), recovery.packet_size()), (0, probe));
}

#[test]
fn a_number_is_left_out_now_and_then_and_must_not_be_acknowledged() {
    let mut recovery = Recovery::<u32>::new(&START);
    let mut owner = Owner::default();
    let mut numbers = Vec::new();
    for millis in 0..2_000 {
        numbers.push(recovery.next_number(at(millis), || 1_100));
        recovery.on_sent(DATA, [], at(millis));
    }
    let gaps: Vec<u64> = numbers.windows(2).filter(|pair| pair[1] - pair[0] == 2).map(|pair| pair[0] + 1).collect();
    // After 1023 + 1 numbers from 3 on, and 1100 % 2048 + 1 numbers later there is none yet.
    assert_eq!(gaps, [1_027]);
    let forged = recovery.on_ack(range(1_000, 1_100), Duration::ZERO, None, at(2_000), &mut owner);
    assert_eq!(forged, Err(AckError::Skipped));
    assert_eq!(numbers[0], 3);
}

#[test]
fn marks_halve_the_window_once_per_round_trip() {
    let mut recovery = Recovery::new(&START);
    let mut owner = Owner::default();
    fill(&mut recovery, at(0));
    let counts = |ect0, ce| Some(EcnCounts { ect0, ect1: 0, ce });
    assert_eq!(recovery.ecn(), EcnCodepoint::NotEct, "ten packets are on their way");
    recovery.on_ack(range(3, 4), Duration::ZERO, counts(1, 1), at(50), &mut owner).unwrap();
    assert_eq!(recovery.stats().window, 5 * u64::from(BASE_MTU));
    recovery.on_ack(range(3, 6), Duration::ZERO, counts(1, 3), at(51), &mut owner).unwrap();
    let stats = recovery.stats();
    assert_eq!((stats.window, stats.congestion_events), (5 * u64::from(BASE_MTU), 1));
    assert!(stats.is_ecn_capable && recovery.ecn() == EcnCodepoint::Ect0);
}

/// Else no probe would ever follow it.
#[test]
fn a_probe_of_the_mtu_that_gives_way_is_lost() {
    let mut recovery = Recovery::new(&Start { max_mtu: 1_472, max_packets: 8, ..START });
    let mut owner = Owner::default();
    let probe = recovery.mtu_probe_due(at(0)).unwrap();
    recovery.on_sent(Departure { size: probe, is_padded: true, is_mtu_probe: true, ..DATA }, [], at(0));
    assert_eq!(fill(&mut recovery, at(0)), 7);
    recovery.make_room(at(2_000), &mut owner);
    assert_eq!((recovery.mtu_probe_due(at(2_000)), owner.lost.len()), (Some(probe), 0));
}

#[test]
fn persistent_congestion_leaves_two_packets() {
    let mut recovery = Recovery::new(&START);
    let mut owner = Owner::default();
    recovery.on_sent(DATA, [], at(0));
    recovery.on_ack(range(3, 3), Duration::ZERO, None, at(50), &mut owner).unwrap();
    for millis in [51, 400, 2_000, 2_000, 2_000, 2_000] {
        recovery.on_sent(DATA, [], at(millis));
    }
    recovery.on_ack(range(9, 9), Duration::ZERO, None, at(2_050), &mut owner).unwrap();
    assert_eq!(recovery.stats().window, 2 * u64::from(BASE_MTU));
}

#[test]
fn what_only_acknowledges_counts_for_nothing() {
    let mut recovery = Recovery::<u32>::new(&START);
    (0..10_000).for_each(|_| recovery.on_sent(Departure { size: 60, ack_eliciting: false, ..DATA }, [1], at(0)));
    assert_eq!((recovery.stats().bytes_in_flight, recovery.deadline()), (0, None));
    assert!(recovery.has_room());
    assert_eq!(recovery.may_send(BASE_MTU, at(0)), Leave::Now);
}

/// Nobody acknowledges them, so that nothing else would make room, and the link would be silent for ever.
#[test]
fn acknowledgements_behind_a_packet_in_flight_do_not_fill_the_table_for_good() {
    let mut recovery = Recovery::new(&Start { max_packets: 64, random: 62, ..START });
    recovery.on_sent(DATA, [0], at(0));
    while recovery.has_room() {
        // The last number that there is room for is left out, and has a place as well.
        recovery.next_number(at(0), || 62);
        recovery.on_sent(Departure { size: 60, ack_eliciting: false, ..DATA }, [1], at(0));
    }
    recovery.on_ack(range(3, 3), Duration::ZERO, None, at(50), &mut Owner::default()).unwrap();
    assert_eq!((recovery.has_room(), recovery.may_send(BASE_MTU, at(50))), (true, Leave::Now));
}

#[test]
fn another_path_begins_anew() {
    let mut recovery = Recovery::new(&Start { max_mtu: 1_472, ..START });
    let mut owner = Owner::default();
    fill(&mut recovery, at(0));
    recovery.on_ack(range(4, 12), Duration::ZERO, None, at(50), &mut owner).unwrap();
    let sent = u64::from(fill(&mut recovery, at(60)));
    recovery.on_new_path(RateControl::NewReno, 1_300, at(70));
    let stats = recovery.stats();
    assert_eq!((stats.window, stats.mtu, stats.congestion_events), (10 * u64::from(BASE_MTU), BASE_MTU, 1));
    assert_eq!((recovery.mtu_probe_due(at(70)), recovery.ecn()), (Some(1_300), EcnCodepoint::Ect0));
    // One of the old path is lost, the others arrive: neither changes the new path's window.
    recovery.on_ack(range(14, 12 + sent), Duration::ZERO, None, at(110), &mut owner).unwrap();
    recovery.on_timeout(at(2_000), &mut owner);
    assert_eq!(owner.lost, [0, 0]);
    assert_eq!(recovery.stats().window, 10 * u64::from(BASE_MTU));
    assert_eq!(recovery.stats().unanswered_probes, 0);
}

#[derive(Clone, Debug)]
enum Op {
    Send(Departure),
    Probe,
    Ask(u16),
    Ack { back: u64, len: u64, delay: Duration, counts: Option<EcnCounts> },
    NewPath(u16),
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let departure = (any::<u16>(), any::<bool>(), any::<bool>()).prop_map(|(size, ack_eliciting, is_padded)| {
        Op::Send(Departure { size, ack_eliciting, is_padded, is_mtu_probe: false })
    });
    let count = prop_oneof![0..20_u64, any::<u64>()];
    let counts =
        prop::option::of((count.clone(), 0..2_u64, count).prop_map(|(ect0, ect1, ce)| EcnCounts { ect0, ect1, ce }));
    let delay = prop_oneof![0..50_000_u64, any::<u64>()].prop_map(Duration::from_micros);
    prop_oneof![
        8 => departure,
        2 => Just(Op::Probe),
        4 => any::<u16>().prop_map(Op::Ask),
        6 => (0..30_u64, 0..10_u64, delay, counts)
            .prop_map(|(back, len, delay, counts)| Op::Ack { back, len, delay, counts }),
        1 => any::<u16>().prop_map(Op::NewPath),
        6 => prop_oneof![0..100_000_u64, any::<u64>()].prop_map(Op::Wait),
    ]
}

proptest! {
    /// Any call in any order with any values: no panic, a window of two packets at least, and deadlines that die when served.
    #[test]
    fn any_call_in_any_order(
        ops in prop::collection::vec(op(), 0..200),
        max_mtu in any::<u16>(),
        is_cubic in any::<bool>(),
        random in any::<u64>(),
    ) {
        let rate_control = if is_cubic { RateControl::Cubic } else { RateControl::NewReno };
        let mut recovery = Recovery::new(&Start { max_mtu, rate_control, random: random % 20, ..START });
        let (mut owner, mut now) = (Owner::default(), 0_u64);
        for op in ops {
            let time = Instant::from_micros(now);
            match op {
                Op::Send(departure) => {
                    recovery.next_number(time, || random);
                    recovery.on_sent(departure, [1], time);
                }
                Op::Probe => {
                    if let Some(size) = recovery.mtu_probe_due(time) {
                        prop_assert!(size > recovery.stats().mtu);
                        recovery.on_sent(Departure { size, is_mtu_probe: true, ..DATA }, [], time);
                        prop_assert_eq!(recovery.mtu_probe_due(time), None);
                    }
                }
                Op::Ask(bytes) => {
                    if let Leave::At(at) = recovery.may_send(bytes, time) {
                        prop_assert!(at > time && recovery.deadline() <= Some(at));
                    }
                }
                Op::Ack { back, len, delay, counts } => {
                    let last = recovery.next_number(time, || random).saturating_sub(back);
                    let _ = recovery.on_ack(range(last.saturating_sub(len), last), delay, counts, time, &mut owner);
                }
                Op::NewPath(max_mtu) => recovery.on_new_path(rate_control, max_mtu, time),
                Op::Wait(micros) => {
                    // The end of time is no deadline.
                    now = now.saturating_add(micros).min(u64::MAX / 2);
                    let time = Instant::from_micros(now);
                    (0..3).for_each(|_| recovery.on_timeout(time, &mut owner));
                    let is_served = recovery.deadline().is_none_or(|deadline| deadline > time);
                    prop_assert!(is_served || recovery.mtu_probe_due(time).is_some(), "{:?}", recovery);
                }
            }
            let stats = recovery.stats();
            prop_assert!(stats.window >= 2 * u64::from(stats.mtu), "{:?}", stats);
        }
    }
}
