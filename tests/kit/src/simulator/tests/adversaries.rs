use super::*;
use crate::{Datagram, Rng};

/// What the two of a call hear in so much time when `adversary` sits between them: the one that calls, and the one that answers.
fn under(adversary: impl Adversary + 'static, duration: Duration) -> [Vec<u64>; 2] {
    let (mut simulator, calling, answering) = call(1);
    simulator.set_adversary(adversary);
    simulator.run_for(duration);
    [calling, answering].map(|node| simulator.node(node).numbers())
}

fn number(datagram: &Datagram) -> u64 {
    u64::from_le_bytes(datagram.bytes[..].try_into().expect("8 bytes"))
}

#[test]
fn an_adversary_can_drop_delay_and_alter() {
    let adversary = |_: Instant, datagram: &mut Datagram, _: &mut Injections| match number(datagram) {
        0 => Fate::Drop,
        1 => Fate::Delay(SECOND * 3 / 2),
        2 => {
            datagram.bytes[0] = 77;
            Fate::Pass
        }
        _ => Fate::Pass,
    };
    assert_eq!(under(adversary, SECOND * 3), [vec![77], vec![77, 1]]);
}

#[test]
fn an_adversary_can_inject_and_replay() {
    let mut older = Vec::new();
    let adversary = move |_: Instant, datagram: &mut Datagram, injections: &mut Injections| {
        older.push(datagram.clone());
        injections.add(Duration::ZERO, Datagram { bytes: 99_u64.to_le_bytes().to_vec(), ..datagram.clone() });
        injections.add(LATENCY * 2, older[0].clone());
        Fate::Drop
    };
    let [_, answering] = under(adversary, LATENCY * 2);
    assert_eq!(answering, [99, 0, 0], "the first again for each of two that it saw");
}

#[test]
fn an_adversary_can_reflect_and_swap_addresses() {
    let reflecting = |_: Instant, datagram: &mut Datagram, _: &mut Injections| {
        datagram.reflect();
        Fate::Pass
    };
    assert_eq!(under(reflecting, SECOND * 2), [vec![0, 1], vec![]]);
    let mut senders = Vec::new();
    let (mut simulator, calling, answering) = call(1);
    let third = simulator.add_node(Talker::calling(simulator.address(answering)));
    simulator.set_adversary(move |_: Instant, datagram: &mut Datagram, _: &mut Injections| {
        senders.push(datagram.from);
        datagram.from = senders[0];
        Fate::Pass
    });
    simulator.run_for(LATENCY * 2);
    assert_eq!([calling, third].map(|node| simulator.node(node).heard.len()), [2, 0]);
    simulator.remove_adversary();
    simulator.run_for(SECOND);
    assert_eq!([calling, third].map(|node| simulator.node(node).heard.len()), [3, 1]);
}

#[test]
fn what_an_adversary_injects_is_counted_and_not_shown_to_it() {
    let (mut simulator, ..) = call(1);
    simulator.set_adversary(|_: Instant, datagram: &mut Datagram, injections: &mut Injections| {
        injections.add(Duration::ZERO, Datagram { to: Address(99), ..datagram.clone() });
        Fate::Drop
    });
    simulator.run_for(SECOND * 3 - LATENCY);
    let stats = NetworkStats { sent: 3, delivered: 0, undeliverable: 3, withheld: 3, injected: 3 };
    assert_eq!(simulator.stats(), stats);
}

#[test]
fn a_meddler_does_all_it_can_and_leaves_most_alone() {
    let mut meddler = Meddler::new(1, Probability::percent(25));
    let (mut rng, mut injections) = (Rng::new(2), Injections::default());
    let [mut dropped, mut delayed, mut altered, mut reflected, mut misattributed] = [0; 5];
    for index in 0..10_000 {
        let sent = Datagram { from: Address(index % 7), to: Address(10), ecn: 0, bytes: rng.bytes(20) };
        let mut datagram = sent.clone();
        match meddler.intercept(Instant::ORIGIN, &mut datagram, &mut injections) {
            Fate::Drop => dropped += 1,
            Fate::Delay(_) => delayed += 1,
            Fate::Pass => {
                altered += u32::from(datagram.bytes != sent.bytes);
                reflected += u32::from(datagram.to == sent.from && datagram.from == sent.to);
                misattributed += u32::from(datagram.to == sent.to && datagram.from != sent.from);
            }
        }
    }
    for count in [dropped, delayed, altered, reflected, misattributed] {
        assert!((200..400).contains(&count), "about 312 of each: {count}");
    }
    assert!((800..1100).contains(&injections.pending.len()), "three kinds of them");
}
