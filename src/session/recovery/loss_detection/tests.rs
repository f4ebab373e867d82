extern crate std;

use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1_000)
}

#[derive(Default)]
struct Told {
    acked: Vec<u64>,
    lost: Vec<u64>,
}

impl Visitor<u64> for Told {
    fn acked(&mut self, record: u64) {
        self.acked.push(record);
    }

    fn lost(&mut self, record: u64) {
        self.lost.push(record);
    }
}

/// A link whose packets carry their own numbers.
struct Link {
    loss: LossDetection<u64>,
    told: Told,
}

impl Link {
    fn new() -> Self {
        let mut loss = LossDetection::new(0, MS(25));
        loss.on_handshake_confirmed(Instant::ORIGIN);
        Self { loss, told: Told::default() }
    }

    /// One that has measured a round trip of 100 ms with packet 0, sent at 0.
    fn measured() -> Self {
        let mut link = Self::new();
        link.send(0);
        let outcome = link.ack(&[(0, 0)], 100).unwrap();
        assert_eq!((outcome.newly_acked, outcome.is_latest), (1, true));
        link.told = Told::default();
        link
    }

    fn send(&mut self, millis: u64) {
        self.send_as(Self::packet(millis));
    }

    fn send_as(&mut self, packet: PacketInfo) {
        self.loss.on_packet_sent(packet, [self.loss.sent().next_number()]);
    }

    fn packet(millis: u64) -> PacketInfo {
        let time_sent = at(millis);
        PacketInfo { time_sent, size: 1_000, ack_eliciting: true, in_flight: true, ecn: false, mtu_probe: false }
    }

    fn ack(&mut self, ranges: &[(u64, u64)], millis: u64) -> Result<AckOutcome, AckError> {
        let ranges = ranges.iter().map(|&(first, last)| AckRange { first, last });
        self.loss.on_ack_received(ranges, Duration::ZERO, at(millis), &mut self.told)
    }

    fn timeout(&mut self, millis: u64) -> Losses {
        self.loss.on_timeout(at(millis), &mut self.told)
    }

    fn in_flight(&self) -> u64 {
        self.loss.sent().bytes_in_flight()
    }
}

#[test]
fn the_third_packet_after_makes_it_lost() {
    let mut link = Link::measured();
    (1..=4).for_each(|_| link.send(100));
    let _ = link.ack(&[(2, 2)], 150).unwrap();
    let _ = link.ack(&[(2, 3)], 151).unwrap();
    assert!(link.told.lost.is_empty());
    let outcome = link.ack(&[(2, 4)], 152).unwrap();
    assert_eq!((link.told.lost.as_slice(), link.told.acked.as_slice()), (&[1][..], &[2, 3, 4][..]));
    assert_eq!(outcome.losses, Losses { bytes: 1_000, last_time_sent: Some(at(100)), is_persistent: false });
    assert_eq!((link.in_flight(), link.loss.packets_lost()), (0, 1));
    assert_eq!(link.loss.deadline(), None);
}

#[test]
fn an_overtaken_packet_is_lost_after_nine_eighths_of_a_round_trip() {
    let mut link = Link::measured();
    link.send(100);
    link.send(110);
    let _ = link.ack(&[(2, 2)], 210).unwrap();
    let deadline = Instant::from_micros(212_500);
    assert_eq!(link.loss.deadline(), Some(deadline));
    assert_eq!(link.timeout(212), Losses::default());
    let losses = link.loss.on_timeout(deadline, &mut link.told);
    assert_eq!((losses.bytes, link.told.lost.as_slice()), (1_000, &[1][..]));
    assert_eq!(link.loss.deadline(), None, "the deadline is gone");
}

#[test]
fn a_late_acknowledgement_is_told_and_counted() {
    let mut link = Link::measured();
    (1..=4).for_each(|_| link.send(100));
    let _ = link.ack(&[(2, 4)], 200).unwrap();
    let outcome = link.ack(&[(1, 4)], 210).unwrap();
    assert_eq!((outcome.newly_acked, outcome.is_latest), (1, false));
    assert_eq!(link.told.acked, [4, 3, 2, 1]);
    assert_eq!((link.loss.packets_lost(), link.loss.packets_lost_in_error()), (1, 1));
}

#[test]
fn probes_are_asked_for_with_doubling_patience() {
    let mut link = Link::measured();
    link.send(100);
    // 100 + 4 x 50 + 25
    let pto = 325;
    let mut due = 100 + pto;
    for backoff in 1..=4 {
        assert_eq!(link.loss.deadline(), Some(at(due)));
        assert_eq!(link.timeout(due - 1), Losses::default());
        assert_eq!(link.loss.probes_due(), 0);
        assert_eq!(link.timeout(due), Losses::default());
        assert_eq!((link.loss.probes_due(), link.loss.unanswered()), (2, backoff));
        link.send(due);
        link.send(due);
        assert_eq!(link.loss.probes_due(), 0);
        due += (pto << backoff).min(2_000);
    }
    let _ = link.ack(&[(8, 9)], due).unwrap();
    assert_eq!(link.loss.unanswered(), 0);
    assert!(link.loss.deadline().is_none(), "all earlier ones are lost");
    link.send(due);
    assert_eq!(link.loss.deadline(), Some(at(due) + link.loss.pto()), "patience is short again");
}

#[test]
fn a_probe_timeout_that_is_not_answered_by_a_packet_does_not_come_back_at_once() {
    let mut link = Link::measured();
    link.send(100);
    let _ = link.timeout(10_000);
    assert_eq!((link.loss.probes_due(), link.loss.deadline()), (2, Some(at(10_650))));
    let _ = link.timeout(10_000);
    assert_eq!(link.loss.deadline(), Some(at(10_650)));
}

#[test]
fn patience_has_an_end() {
    let mut link = Link::measured();
    link.send(100);
    for _ in 0..200 {
        let deadline = link.loss.deadline().unwrap();
        let _ = link.loss.on_timeout(deadline, &mut link.told);
        assert!(link.loss.deadline().unwrap() - deadline <= MAX_BACKED_OFF);
    }
}

#[test]
fn nothing_is_awaited_when_nothing_asks_for_an_answer() {
    let mut link = Link::new();
    assert_eq!(link.loss.deadline(), None);
    link.send_as(PacketInfo { ack_eliciting: false, in_flight: false, ..Link::packet(0) });
    assert_eq!(link.loss.deadline(), None);
    link.send(5);
    assert_eq!(link.loss.deadline(), Some(at(5 + 999 + 25)));
}

#[test]
fn a_round_trip_is_measured_by_new_packets_that_ask_for_an_answer() {
    let mut link = Link::new();
    link.send_as(PacketInfo { ack_eliciting: false, in_flight: false, ..Link::packet(0) });
    let _ = link.ack(&[(0, 0)], 70).unwrap();
    assert!(!link.loss.rtt().has_sample());
    link.send(100);
    link.send(110);
    let _ = link.ack(&[(2, 2)], 150).unwrap();
    assert_eq!(link.loss.rtt().latest(), MS(40));
    let _ = link.ack(&[(0, 2)], 190).unwrap();
    assert_eq!(link.loss.rtt().latest(), MS(40), "the highest is not new");
}

/// MODELS: optimistic acks (quiche CVE-2025-4820, CVE-2025-4821).
#[test]
fn acknowledging_what_was_never_sent_is_an_error_and_changes_nothing() {
    let mut link = Link::new();
    link.send(0);
    link.send(0);
    link.loss.skip_number(at(0));
    link.send(0);
    assert_eq!(link.ack(&[(4, 4)], 50), Err(AckError::NeverSent));
    assert_eq!(link.ack(&[(0, u64::MAX)], 50), Err(AckError::NeverSent));
    assert_eq!(link.ack(&[(2, 2)], 50), Err(AckError::Skipped));
    assert_eq!(link.ack(&[(3, 3), (1, 2)], 50), Err(AckError::Skipped));
    assert!(link.told.acked.is_empty());
    assert!(!link.loss.rtt().has_sample());
    let _ = link.ack(&[(3, 3), (0, 1)], 50).unwrap();
    assert_eq!(link.told.acked, [3, 1, 0]);
    assert_eq!(link.ack(&[(0, 3)], 50), Err(AckError::Skipped), "even when all is over");
}

#[test]
fn ranges_out_of_order_are_an_error() {
    let mut link = Link::new();
    (0..200).for_each(|_| link.send(0));
    for ranges in [&[][..], &[(5, 4)], &[(1, 2), (3, 4)], &[(5, 9), (2, 5)], &[(5, 9), (5, 9)], &[(0, 0), (0, 0)]] {
        assert_eq!(link.ack(ranges, 1), Err(AckError::Malformed), "{ranges:?}");
    }
    let many: Vec<_> = (0..33).rev().map(|n| (4 * n, 4 * n + 1)).collect();
    assert_eq!(link.ack(&many, 1), Err(AckError::Malformed));
    assert!(link.ack(&many[..32], 1).is_ok());
    assert_eq!(link.told.acked.len(), 64);
}

#[test]
fn a_lost_probe_of_the_mtu_is_no_congestion() {
    let mut link = Link::measured();
    link.send_as(PacketInfo { mtu_probe: true, ..Link::packet(100) });
    (0..3).for_each(|_| link.send(100));
    let outcome = link.ack(&[(2, 4)], 200).unwrap();
    assert_eq!((link.told.lost.as_slice(), outcome.losses), (&[1][..], Losses::default()));
}

#[test]
fn long_silence_is_persistent_congestion() {
    let mut link = Link::measured();
    // Three timeouts of 325 ms.
    link.send(101);
    link.send(600);
    link.send(1_077);
    link.send(1_080);
    (0..3).for_each(|_| link.send(1_080));
    let outcome = link.ack(&[(7, 7)], 1_180).unwrap();
    assert_eq!(link.told.lost, [1, 2, 3, 4]);
    assert!(outcome.losses.is_persistent);
    assert_eq!(link.loss.rtt().min(), MS(100));
}

#[test]
fn a_packet_that_got_through_in_between_makes_it_less_than_persistent() {
    let mut link = Link::measured();
    link.send(101);
    link.send(600);
    link.send(1_500);
    (0..3).for_each(|_| link.send(1_500));
    let outcome = link.ack(&[(6, 6), (2, 2)], 1_600).unwrap();
    assert_eq!(link.told.lost, [1, 3]);
    assert!(!outcome.losses.is_persistent);
}

#[test]
fn silence_before_the_first_sample_is_not_persistent() {
    let mut link = Link::new();
    link.send(0);
    link.send(5_000);
    (0..3).for_each(|_| link.send(5_000));
    let outcome = link.ack(&[(4, 4)], 5_100).unwrap();
    assert_eq!(link.told.lost, [0, 1]);
    assert!(!outcome.losses.is_persistent);
}

/// R-8.10-7.
#[test]
fn what_waited_for_the_handshake_is_no_round_trip() {
    let mut link = Link { loss: LossDetection::new(0, MS(25)), told: Told::default() };
    link.loss.wait_for_confirmation();
    link.send(0);
    let _ = link.ack(&[(0, 0)], 2_000).unwrap();
    assert!(!link.loss.rtt().has_sample());
    link.loss.on_handshake_confirmed(at(2_000));
    link.send(2_000);
    let _ = link.ack(&[(1, 1)], 2_050).unwrap();
    assert_eq!(link.loss.rtt().latest(), MS(50));
}

#[test]
fn another_path_has_a_round_trip_of_its_own() {
    let mut link = Link::measured();
    link.send(100);
    link.loss.on_new_path();
    assert!(!link.loss.rtt().has_sample());
    link.send(110);
    let _ = link.ack(&[(1, 1)], 200).unwrap();
    assert!(!link.loss.rtt().has_sample(), "that was the old path");
    let _ = link.ack(&[(1, 2)], 130).unwrap();
    assert_eq!((link.loss.rtt().latest(), link.told.acked.as_slice()), (MS(20), &[1, 2][..]));
}

#[test]
fn abandoning_hands_everything_back() {
    let mut link = Link::measured();
    (0..5).for_each(|_| link.send(100));
    let _ = link.ack(&[(2, 2)], 150).unwrap();
    link.loss.abandon(&mut link.told);
    assert_eq!(link.told.lost, [1, 3, 4, 5]);
    assert_eq!((link.in_flight(), link.loss.deadline()), (0, None));
}

#[derive(Clone, Debug)]
enum Op {
    Send { ack_eliciting: bool },
    Skip,
    Ack { first: u64, len: u64, gap: u64 },
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => prop::bool::weighted(0.9).prop_map(|ack_eliciting| Op::Send { ack_eliciting }),
        1 => Just(Op::Skip),
        4 => (0..80_u64, 0..20_u64, 0..20_u64).prop_map(|(first, len, gap)| Op::Ack { first, len, gap }),
        4 => (0..400_u64).prop_map(Op::Wait),
    ]
}

proptest! {
    /// Whatever the peer acknowledges and whenever: every packet is told, none is acknowledged twice or lost twice, waking at
    /// deadlines ends, and what the peer must not say changes nothing.
    #[test]
    fn every_packet_is_accounted_for(ops in prop::collection::vec(op(), 0..150)) {
        let mut link = Link::new();
        let mut now = 0;
        let (mut eliciting, mut skipped) = (0, Vec::new());
        for op in ops {
            match op {
                Op::Send { ack_eliciting } => {
                    eliciting += u64::from(ack_eliciting);
                    link.send_as(PacketInfo { ack_eliciting, in_flight: ack_eliciting, ..Link::packet(now) });
                }
                Op::Skip => {
                    skipped.push(link.loss.sent().next_number());
                    link.loss.skip_number(at(now));
                }
                Op::Ack { first, len, gap } => {
                    let ranges = [(first + len + gap + 1, first + 2 * len + gap + 1), (first, first + len)];
                    let before = (link.told.acked.len(), link.told.lost.len(), link.in_flight());
                    if link.ack(&ranges, now).is_err() {
                        prop_assert_eq!(before, (link.told.acked.len(), link.told.lost.len(), link.in_flight()));
                    }
                }
                Op::Wait(millis) => {
                    now += millis;
                    let mut wakes = 0;
                    while link.loss.deadline().is_some_and(|deadline| deadline <= at(now)) {
                        let _ = link.timeout(now);
                        wakes += 1;
                        prop_assert!(wakes <= 2);
                    }
                }
            }
        }
        link.loss.abandon(&mut link.told);
        prop_assert_eq!(link.in_flight(), 0);
        let Told { mut acked, mut lost } = link.told;
        let told = (acked.len(), lost.len());
        acked.sort_unstable();
        lost.sort_unstable();
        acked.dedup();
        lost.dedup();
        prop_assert_eq!(told, (acked.len(), lost.len()));
        prop_assert!(skipped.iter().all(|number| !acked.contains(number) && !lost.contains(number)));
        let all: std::collections::BTreeSet<_> = acked.into_iter().chain(lost).collect();
        prop_assert!(all.len() as u64 >= eliciting);
        prop_assert_eq!(all.len() + skipped.len(), link.loss.sent().next_number() as usize);
    }
}
