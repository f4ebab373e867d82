//! Packets in every order, lost and repeated.

use super::*;

/// All sequences of up to `depth` of the numbers below `count`: every order, loss and repetition of as many packets.
fn sequences(count: usize, depth: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    let mut longest = all.clone();
    for _ in 0..depth {
        longest = longest.iter().flat_map(|one| (0..count).map(|next| [&one[..], &[next]].concat())).collect();
        all.extend_from_slice(&longest);
    }
    all
}

fn pick(packets: &[Vec<u8>], sequence: &[usize]) -> Vec<Vec<u8>> {
    sequence.iter().map(|at| packets[*at].clone()).collect()
}

/// Whether each of `packets` is among those that came.
fn has_all(packets: &[Vec<u8>], sequence: &[usize]) -> bool {
    (0..packets.len()).all(|at| sequence.contains(&at))
}

/// R-6.10-1, R-6.10-3, R-6.10-11.
#[test]
fn the_responders_flight_may_come_in_any_order_and_what_is_lost_comes_again() {
    for suite in SUITES {
        let (_, _, flight) = answered(suite);
        let mut done_at_once = 0;
        for sequence in sequences(flight.len(), 5) {
            let (mut initiator, mut responder, flight) = answered(suite);
            let mut last = initiator.take_all(&pick(&flight, &sequence));
            // A KemOffer or ResponderAuth waits for the Accept, and a ResponderAuth for a KemOffer.
            assert_eq!(initiator.done.is_some(), has_all(&flight, &sequence), "{suite}: {sequence:?}");
            done_at_once += usize::from(initiator.done.is_some());
            if initiator.done.is_none() {
                let hello = initiator.flight().concat();
                assert!(matches!(responder.take(&hello), Ok((Progress::Repeat, sent)) if sent.is_empty()));
                assert_eq!(responder.flight(), flight, "verbatim");
                last = initiator.take_all(&responder.flight());
            }
            assert_eq!(initiator.flight(), last);
            responder.take_all(&last);
            assert_linked(&mut initiator, &mut responder);
        }
        assert!(done_at_once > 0);
    }
}

/// R-6.10-1, R-6.10-11, R-6.10-4, R-6.10-5.
#[test]
fn the_initiators_flight_may_come_in_any_order_too_and_data_with_it() {
    for suite in SUITES {
        let depth = if suite.is_hybrid() { 4 } else { 5 };
        let count = if suite.is_hybrid() { 4 } else { 3 };
        for sequence in sequences(count, depth) {
            let (mut initiator, mut responder, flight) = answered(suite);
            let hello = initiator.flight().concat();
            let last = initiator.take_all(&flight);
            let mut data = [&[0; HEADER_LEN][..], b"early data", &[0; TAG_LEN]].concat();
            initiator.keys().seal_datagram(&mut data).unwrap();
            let packets = [&last[..], &[hello, data.clone()]].concat();

            // The link layer hands over the last Data packet that came before InitiatorAuth; the others are the session's business.
            let end = (0..=sequence.len()).find(|end| has_all(&last, &sequence[..*end])).unwrap_or(sequence.len());
            let sent = responder.take_all(&pick(&packets, &sequence[..end]));
            assert!(sent.is_empty());
            assert_eq!(responder.done.is_some(), has_all(&last, &sequence), "{suite}: {sequence:?}");
            if responder.done.is_none() {
                assert!(responder.take_all(&initiator.flight()).is_empty());
            }
            let had_data = sequence[..end].iter().any(|at| packets[*at] == data);
            let epilogue = responder.done.as_mut().unwrap().epilogue.as_mut().unwrap();
            assert!(last.iter().all(|packet| epilogue.is_repetition(packet)));
            let waited = epilogue.take_data();
            assert_eq!(waited, had_data.then_some(data), "{suite}: {sequence:?}");
            if let Some(mut waited) = waited {
                assert_eq!(responder.keys().open_datagram(&mut waited).unwrap().1, b"early data");
            }
            assert_linked(&mut initiator, &mut responder);
        }
    }
}

/// A link that loses, repeats and reorders: what the session's timers do with the flights brings both ends to the end. R-6.10-3.
#[test]
fn a_third_of_the_packets_may_get_lost_each_way() {
    for (seed, suite) in (0..400_u32).zip(SUITES.into_iter().cycle()) {
        let mut draws = generator(1 + (seed % 200) as u8);
        let mut draw = |below: u64| draws.nonzero_u64().get().wrapping_add(u64::from(seed)) % below;
        let (mut initiator, hello) = End::connect(&[suite]);
        let mut responder = End::accept(&[suite]);
        let (mut to_responder, mut to_initiator) = (vec![hello], Vec::new());
        let mut rounds = 0;
        while responder.done.is_none() {
            rounds += 1;
            assert!(rounds < 30, "{RETRANSMIT_AFTER:?} each");
            for _ in 0..RETRANSMIT_COPIES {
                to_responder.extend(initiator.flight());
            }
            while !to_responder.is_empty() || !to_initiator.is_empty() {
                let forward = to_initiator.is_empty() || (!to_responder.is_empty() && draw(2) == 0);
                let (end, queue, back) = if forward {
                    (&mut responder, &mut to_responder, &mut to_initiator)
                } else {
                    (&mut initiator, &mut to_initiator, &mut to_responder)
                };
                let packet: Vec<u8> = queue.swap_remove(draw(queue.len() as u64) as usize);
                if draw(3) == 0 {
                    continue;
                }
                match end.take(&packet) {
                    Ok((Progress::Repeat, _)) => back.extend(end.flight()),
                    Ok((_, sent)) => back.extend(sent),
                    Err(_) => {}
                }
                if draw(10) == 0 && to_responder.len() < 20 && forward {
                    to_responder.push(packet);
                }
            }
        }
        assert_linked(&mut initiator, &mut responder);
    }
}

/// R-6.10-5.
#[test]
fn only_the_very_packets_that_were_taken_are_repetitions() {
    let suite = SUITES[0];
    let (mut initiator, mut responder, flight) = answered(suite);
    let last = initiator.take_all(&flight);
    responder.take_all(&last);
    let epilogue = responder.done.as_ref().unwrap().epilogue.as_ref().unwrap();
    for packet in &last {
        assert!(epilogue.is_repetition(packet));
        let mut other = packet.clone();
        *other.last_mut().unwrap() ^= 1;
        assert!(!epilogue.is_repetition(&other));
    }
    assert!(epilogue.flight().is_empty());
    let own = initiator.done.as_ref().unwrap().epilogue.as_ref().unwrap();
    assert!(flight.iter().chain(&last).all(|packet| !own.is_repetition(packet)));
    // Whatever still comes has no place any more.
    for packet in flight.iter().chain(&last) {
        for end in [&mut initiator, &mut responder] {
            assert_eq!(end.take(packet).err(), Some(Discarded::Unexpected));
        }
    }
}
