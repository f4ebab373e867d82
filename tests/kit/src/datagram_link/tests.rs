use super::*;

const NOW: Instant = Instant::ORIGIN;
const MANY: u64 = 100_000;

fn after(micros: u64) -> Instant {
    Instant::from_micros(micros)
}

/// A datagram that carries its number.
fn numbered(number: u64) -> Datagram {
    Datagram { bytes: number.to_le_bytes().to_vec(), ..Datagram::default() }
}

fn sized(len: usize) -> Datagram {
    Datagram { bytes: vec![0; len], ..Datagram::default() }
}

/// Sends numbered datagrams, one each microsecond, and gives all that arrives with its time.
fn run(seed: u64, count: u64, conditions: Conditions) -> (Vec<(Instant, Datagram)>, LinkStats) {
    let mut link = DatagramLink::new(seed, conditions);
    let mut arrived = Vec::new();
    for number in 0..count {
        link.send(after(number), numbered(number));
    }
    while let Some(at) = link.next_arrival() {
        arrived.push((at, link.receive(at).expect("due")));
    }
    let LinkStats { sent, duplicated, delivered, lost, blocked, too_large, queue_full, .. } = link.stats();
    assert_eq!(sent + duplicated, delivered + lost + blocked + too_large + queue_full, "none appears, none vanishes");
    assert_eq!(delivered, arrived.len() as u64);
    (arrived, link.stats())
}

/// The numbers of what arrives.
fn arriving(seed: u64, count: u64, conditions: Conditions) -> Vec<u64> {
    let number = |datagram: &Datagram| u64::from_le_bytes(datagram.bytes[..8].try_into().expect("8 bytes"));
    run(seed, count, conditions).0.iter().map(|(_, datagram)| number(datagram)).collect()
}

/// Whether `found` of [`MANY`] is within one percent of the whole of what was expected.
fn is_about(found: u64, percent: u64) -> bool {
    found.abs_diff(MANY * percent / 100) < MANY / 100
}

#[test]
fn a_perfect_link_delivers_at_once_in_order_and_unchanged() {
    let (arrived, stats) = run(1, 1000, Conditions::default());
    let sent = (0..1000).map(|number| (after(number), numbered(number))).collect::<Vec<_>>();
    assert_eq!(arrived, sent);
    assert_eq!(stats, LinkStats { sent: 1000, delivered: 1000, ..LinkStats::default() });
}

#[test]
fn the_same_seed_does_the_same_and_another_does_not() {
    let some = Probability::percent(10);
    let conditions = Conditions {
        jitter: Duration::from_millis(1),
        loss: Loss::Random(some),
        reorder: some,
        reorder_delay: Duration::from_millis(3),
        duplicate: some,
        truncate: some,
        corrupt: some,
        ..Conditions::default()
    };
    assert_eq!(run(1, 1000, conditions), run(1, 1000, conditions));
    assert_ne!(run(1, 1000, conditions), run(2, 1000, conditions));
}

#[test]
fn each_fault_is_as_frequent_as_asked() {
    let often = Probability::percent(20);
    let conditions = Conditions {
        loss: Loss::Random(Probability::percent(30)),
        duplicate: often,
        truncate: often,
        ..Default::default()
    };
    let (arrived, stats) = run(1, MANY, conditions);
    assert!(is_about(stats.lost, 30), "{stats:?}");
    assert!(is_about(stats.duplicated, 14), "a fifth of what is left: {stats:?}");
    assert!(stats.truncated.abs_diff(stats.delivered / 5) < 1000, "{stats:?}");
    let cut = arrived.iter().filter(|(_, datagram)| datagram.bytes.len() < 8).count() as u64;
    assert_eq!(cut, stats.truncated);
}

#[test]
fn a_corrupted_datagram_has_one_bit_flipped_and_any_bit() {
    let (arrived, stats) = run(1, 10_000, Conditions { corrupt: Probability::ALWAYS, ..Conditions::default() });
    assert_eq!(stats.corrupted, 10_000);
    let mut flipped = 0;
    for (number, (_, datagram)) in (0_u64..).zip(&arrived) {
        let found = u64::from_le_bytes(datagram.bytes[..].try_into().expect("8 bytes")) ^ number;
        assert_eq!(found.count_ones(), 1);
        flipped |= found;
    }
    assert_eq!(flipped, u64::MAX);
}

#[test]
fn bursts_have_the_length_and_the_share_that_their_probabilities_give() {
    let (worsen, recover) = (Probability::percent(5), Probability::percent(20));
    let loss = Loss::GilbertElliott { worsen, recover, good: Probability::NEVER, bad: Probability::ALWAYS };
    let kept = arriving(1, MANY, Conditions { loss, ..Conditions::default() });
    let bursts = kept.windows(2).map(|pair| pair[1] - pair[0] - 1).filter(|len| *len > 0).collect::<Vec<_>>();
    let lost = bursts.iter().sum::<u64>();
    assert!(is_about(lost, 20), "5 / (5 + 20): {lost}");
    let mean_in_percent = lost * 100 / bursts.len() as u64;
    assert!(mean_in_percent.abs_diff(500) < 25, "1 / recover is 5: {mean_in_percent}");
}

#[test]
fn a_bad_state_can_let_some_through_and_a_good_one_can_lose_some() {
    let half = Probability::percent(50);
    let loss = Loss::GilbertElliott { worsen: half, recover: half, good: Probability::percent(10), bad: half };
    let (_, stats) = run(1, MANY, Conditions { loss, ..Conditions::default() });
    assert!(is_about(stats.lost, 30), "the mean of both: {stats:?}");
}

#[test]
fn jitter_delays_and_keeps_the_order() {
    let (latency, jitter) = (Duration::from_millis(10), Duration::from_millis(2));
    let (arrived, stats) = run(1, 10_000, Conditions { latency, jitter, ..Conditions::default() });
    assert_eq!(stats.reordered, 0);
    assert!(
        arrived.is_sorted_by_key(|(_, datagram)| u64::from_le_bytes(datagram.bytes[..].try_into().expect("8 bytes")))
    );
    for (number, (at, _)) in (0..).zip(arrived) {
        let delay = at - after(number);
        assert!(delay >= latency && delay <= latency + jitter, "{delay:?}");
    }
}

#[test]
fn a_reordered_datagram_is_overtaken_by_what_follows_within_its_delay() {
    let reorder_delay = Duration::from_micros(3);
    let conditions = Conditions { reorder: Probability::percent(10), reorder_delay, ..Conditions::default() };
    let numbers = arriving(1, MANY, conditions);
    let (_, stats) = run(1, MANY, conditions);
    let overtaken = numbers.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!(is_about(stats.reordered, 10), "{stats:?}");
    assert!(overtaken > 0 && overtaken as u64 <= stats.reordered);
    assert!((0..).zip(&numbers).all(|(place, number): (u64, _)| place.abs_diff(*number) <= 3));
}

#[test]
fn serialisation_takes_exactly_as_long_as_the_rate_says() {
    let latency = Duration::from_micros(100);
    let mut link = DatagramLink::new(1, Conditions { latency, rate: Some(1_000_000), ..Conditions::default() });
    (0..3).for_each(|_| link.send(NOW, sized(125)));
    let arrivals = std::iter::from_fn(|| link.next_arrival().inspect(|at| drop(link.receive(*at))));
    assert_eq!(arrivals.collect::<Vec<_>>(), [after(1100), after(2100), after(3100)]);
    link.send(after(10_000), sized(125));
    assert_eq!(link.next_arrival(), Some(after(11_100)), "an idle line starts at once");
}

#[test]
fn fractions_of_microseconds_add_up_without_an_error() {
    let mut link = DatagramLink::new(1, Conditions { rate: Some(3_000_000), ..Conditions::default() });
    (0..3_000).for_each(|_| link.send(NOW, sized(1)));
    let mut last = NOW;
    while let Some(at) = link.next_arrival() {
        link.receive(at);
        last = at;
    }
    assert_eq!(last, after(8_000), "24,000 bits at three each microsecond");
}

#[test]
fn what_does_not_fit_into_the_queue_is_dropped_at_its_tail() {
    let conditions = Conditions { rate: Some(8_000_000), queue: Some(200), ..Conditions::default() };
    let mut link = DatagramLink::new(1, conditions);
    (0..5).for_each(|_| link.send(NOW, sized(100)));
    assert_eq!((link.stats().queue_full, link.in_flight()), (2, 3), "one that passes, two that wait");
    assert_eq!((link.queued(NOW), link.queued(after(100))), (200, 100));
    link.send(after(100), sized(100));
    link.send(after(100), sized(1));
    assert_eq!((link.stats().queue_full, link.queued(after(100))), (3, 200), "there was room for one more");
    assert_eq!((link.queued(after(399)), link.queued(after(400))), (0, 0));
}

#[test]
fn a_change_of_rate_waits_for_what_is_passing() {
    let mut link = DatagramLink::new(1, Conditions { rate: Some(3_000_000), ..Conditions::default() });
    link.send(NOW, sized(1));
    link.set_conditions(Conditions { rate: Some(8_000_000), ..Conditions::default() });
    link.send(NOW, sized(1));
    link.receive(after(3)).expect("2.7 microseconds, rounded up");
    assert_eq!(link.next_arrival(), Some(after(4)));
}

#[test]
fn ecn_bits_pass_are_cleared_or_tell_of_the_queue() {
    let marks = |ecn, bits| {
        let mut link = DatagramLink::new(1, Conditions { rate: Some(8_000_000), ecn, ..Conditions::default() });
        (0..4).for_each(|_| link.send(NOW, Datagram { ecn: bits, ..sized(100) }));
        let later = after(1000);
        std::iter::from_fn(|| link.receive(later).map(|datagram| datagram.ecn)).collect::<Vec<_>>()
    };
    assert_eq!(marks(Ecn::Pass, 2), [2, 2, 2, 2]);
    assert_eq!(marks(Ecn::Bleach, 2), [0, 0, 0, 0]);
    assert_eq!(marks(Ecn::MarkAbove(100), 2), [2, 2, 2, 3]);
    assert_eq!(marks(Ecn::MarkAbove(0), 1), [1, 1, 3, 3]);
    assert_eq!(marks(Ecn::MarkAbove(0), 0), [0, 0, 0, 0], "who does not understand marks gets none");
}

#[test]
fn a_blocked_link_and_a_small_mtu_let_nothing_in() {
    let mut link = DatagramLink::new(1, Conditions { mtu: Some(100), ..Conditions::default() });
    link.send(NOW, sized(100));
    link.send(NOW, sized(101));
    link.set_blocked(true);
    link.send(NOW, sized(1));
    let LinkStats { too_large, blocked, .. } = link.stats();
    assert_eq!((too_large, blocked, link.in_flight()), (1, 1, 1), "what is on its way still arrives");
    link.set_blocked(false);
    link.send(NOW, sized(1));
    assert_eq!(link.in_flight(), 2);
}

#[test]
fn a_placed_datagram_arrives_when_it_is_told_to() {
    let mut link = DatagramLink::new(1, Conditions { blocked: true, ..Conditions::default() });
    link.place(after(7), numbered(1));
    link.set_blocked(false);
    link.send_late(NOW, Duration::from_micros(9), numbered(2));
    link.send(NOW, numbered(3));
    let arrivals = std::iter::from_fn(|| link.next_arrival().map(|at| (at, link.receive(at).expect("due"))));
    assert_eq!(arrivals.collect::<Vec<_>>(), [(NOW, numbered(3)), (after(7), numbered(1)), (after(9), numbered(2))]);
}
