//! Two ends joined by a carrier that loses, delays, repeats and reorders packets, and says what became of each.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::error::{RecvError, SendError};
use crate::session::carried::Carried;

/// One end, and what its packets on the way carry.
struct Lossy {
    streams: Streams,
    /// By number: what was in the packet, and whether the peer has got it.
    sent: BTreeMap<u64, (Vec<Item>, bool)>,
    next: u64,
}

impl Lossy {
    fn new(role: Role, limits: &Limits) -> Self {
        let mut streams = Streams::new(role, limits, false);
        streams.set_peer(&PeerLimits { compression: cfg!(feature = "compression"), ..granted_by(limits) });
        Self { streams, sent: BTreeMap::new(), next: 0 }
    }

    fn send(&mut self, fragment: usize) -> bool {
        let items = packet(&mut self.streams, fragment, 3);
        let some = !items.is_empty();
        if some {
            self.sent.insert(self.next, (items, false));
            self.next += 1;
        }
        some
    }

    fn carried(&mut self, number: u64) -> Vec<Carried> {
        let (items, _) = self.sent.remove(&number).unwrap();
        let carried = items.iter().filter_map(|item| match item {
            Item::Control(control) => Carried::control(control),
            Item::Fragment(fragment, data) => Some(Carried::fragment(fragment, data.len())),
        });
        carried.collect()
    }

    /// The fate of a packet: told as it is, or as lost although it arrived.
    fn tell(&mut self, number: u64, spurious: bool) {
        let arrived = self.sent[&number].1 && !spurious;
        for carried in self.carried(number) {
            if arrived {
                self.streams.on_acknowledged(carried);
            } else {
                self.streams.on_lost(carried);
            }
        }
    }
}

fn number_of(ends: &[Lossy; 2], from: usize, pick: &prop::sample::Index) -> Option<u64> {
    let count = ends[from].sent.len();
    (count > 0).then(|| *ends[from].sent.keys().nth(pick.index(count)).unwrap())
}

fn deliver(ends: &mut [Lossy; 2], from: usize, number: u64) {
    let items = ends[from].sent[&number].0.clone();
    hand_over(&mut ends[1 - from].streams, &items).unwrap();
    ends[from].sent.get_mut(&number).unwrap().1 = true;
}

/// Reads everything that can be read: messages by stream, with the end of the stream as one of its own.
fn read_all(streams: &mut Streams, into: &mut BTreeMap<u64, Vec<Vec<u8>>>, ended: &mut Vec<u64>, ids: &[StreamId]) {
    for id in ids {
        loop {
            let mut out = [0; 700];
            match streams.recv(*id, &mut out) {
                Ok(received) => {
                    let messages = into.entry(id.as_u64()).or_insert_with(|| Vec::from([Vec::new()]));
                    messages.last_mut().unwrap().extend_from_slice(&out[..received.len]);
                    if received.end_of_message {
                        messages.push(Vec::new());
                    }
                    if received.end_of_stream {
                        ended.push(id.as_u64());
                        break;
                    }
                }
                Err(RecvError::Blocked | RecvError::UnknownStream | RecvError::NotReceiving) => break,
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    Deliver(usize, prop::sample::Index),
    Tell(usize, prop::sample::Index, bool),
    Read,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2_usize).prop_map(Step::Send),
        6 => (0..2_usize, any::<prop::sample::Index>()).prop_map(|(from, pick)| Step::Deliver(from, pick)),
        4 => (0..2_usize, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(from, pick, s)| Step::Tell(from, pick, s)),
        1 => Just(Step::Read),
    ]
}

proptest! {
    /// R-8.3-7, R-8.3-8, R-8.5-8, R-8.5-9: whatever is lost, repeated or reordered, all that was sent arrives once and in order, and both ends
    /// come to know it.
    #[test]
    fn everything_arrives_once_and_in_order(
        messages in prop::collection::vec((0..3_usize, 0..600_usize, any::<bool>()), 1..12),
        steps in prop::collection::vec(step(), 0..150),
        fragment in 20..300_usize,
        window in 300..2_000_u32,
    ) {
        let limits = limits(window, 1_500);
        let mut ends = [Lossy::new(Role::Initiator, &limits), Lossy::new(Role::Responder, &limits)];
        let ids: Vec<_> = (0..3).map(|_| ends[0].streams.open(Direction::Unidirectional).unwrap()).collect();
        let mut expected: BTreeMap<u64, Vec<Vec<u8>>> = BTreeMap::new();
        let mut waiting: Vec<(StreamId, Vec<u8>)> = Vec::new();
        for (at, (stream, len, compressible)) in messages.iter().enumerate() {
            let byte = |place: usize| if *compressible { at as u8 } else { (place * place * 31 + at) as u8 };
            let message: Vec<u8> = (0..*len).map(byte).collect();
            expected.entry(ids[*stream].as_u64()).or_default().push(message.clone());
            waiting.push((ids[*stream], message));
        }
        waiting.reverse();
        let (mut got, mut ended) = (BTreeMap::new(), Vec::new());
        let mut finished = false;
        let mut write = |streams: &mut Streams| {
            while let Some((id, message)) = waiting.last_mut() {
                match streams.send(*id, message, true) {
                    Ok(taken) if taken == message.len() => drop(waiting.pop()),
                    Ok(taken) => drop(message.drain(..taken)),
                    Err(SendError::Blocked) => return,
                    Err(other) => panic!("{other:?}"),
                }
            }
            if !finished {
                finished = true;
                ids.iter().for_each(|id| streams.finish(*id).unwrap());
            }
        };
        for step in steps {
            write(&mut ends[0].streams);
            match step {
                Step::Send(from) => drop(ends[from].send(fragment)),
                Step::Deliver(from, pick) => {
                    if let Some(number) = number_of(&ends, from, &pick) {
                        deliver(&mut ends, from, number);
                    }
                }
                Step::Tell(from, pick, spurious) => {
                    if let Some(number) = number_of(&ends, from, &pick) {
                        ends[from].tell(number, spurious);
                    }
                }
                Step::Read => read_all(&mut ends[1].streams, &mut got, &mut ended, &ids),
            }
        }
        // From here on nothing more is lost.
        for round in 0.. {
            prop_assert!(round < 5_000, "no end to it");
            write(&mut ends[0].streams);
            let mut went = false;
            for from in 0..2 {
                went |= ends[from].send(fragment);
                for number in ends[from].sent.keys().copied().collect::<Vec<_>>() {
                    deliver(&mut ends, from, number);
                    ends[from].tell(number, false);
                    went = true;
                }
            }
            read_all(&mut ends[1].streams, &mut got, &mut ended, &ids);
            while ends.iter_mut().any(|end| end.streams.poll_event().is_some()) {}
            // What was read may give reason for another packet.
            if !went && !ends.iter().any(|end| end.streams.has_output()) {
                break;
            }
        }
        for messages in got.values_mut() {
            prop_assert_eq!(messages.pop(), Some(Vec::new()), "a message without an end");
        }
        got.retain(|_, messages| !messages.is_empty());
        prop_assert_eq!(got, expected);
        ended.sort_unstable();
        ended.dedup();
        prop_assert_eq!(ended.len(), 3);
        for end in &ends {
            prop_assert!(end.streams.is_empty(), "all streams are done");
            prop_assert_eq!((end.streams.buffered, end.streams.receiving.held()), (0, 0));
        }
    }

    /// R-8.4-4, R-8.4-6, R-8.5-6: a reset or a stop that crosses everything else leaves no credit behind.
    #[test]
    fn resets_and_stops_leave_nothing_behind(
        steps in prop::collection::vec(step(), 0..80),
        reset_at in 0..80_usize,
        stop_at in 0..80_usize,
    ) {
        let limits = limits(900, 900);
        let mut ends = [Lossy::new(Role::Initiator, &limits), Lossy::new(Role::Responder, &limits)];
        let ids = [Direction::Unidirectional; 2].map(|direction| ends[0].streams.open(direction).unwrap());
        let write = |streams: &mut Streams| {
            for id in ids {
                let _ = streams.send(id, &[7; 250], true);
            }
        };
        for (at, step) in steps.into_iter().enumerate() {
            write(&mut ends[0].streams);
            if at == reset_at {
                let _ = ends[0].streams.reset(ids[0], 3);
            }
            if at == stop_at {
                let _ = ends[1].streams.stop(ids[1], 4);
            }
            match step {
                Step::Send(from) => drop(ends[from].send(100)),
                Step::Deliver(from, pick) => {
                    if let Some(number) = number_of(&ends, from, &pick) {
                        deliver(&mut ends, from, number);
                    }
                }
                Step::Tell(from, pick, spurious) => {
                    if let Some(number) = number_of(&ends, from, &pick) {
                        ends[from].tell(number, spurious);
                    }
                }
                Step::Read => {}
            }
        }
        write(&mut ends[0].streams);
        let _ = (ends[0].streams.reset(ids[0], 3), ends[1].streams.stop(ids[1], 4));
        for _ in 0..200 {
            for from in 0..2 {
                ends[from].send(100);
                for number in ends[from].sent.keys().copied().collect::<Vec<_>>() {
                    deliver(&mut ends, from, number);
                    ends[from].tell(number, false);
                }
            }
            while ends.iter_mut().any(|end| end.streams.poll_event().is_some()) {}
            let _ = ends[1].streams.stop(ids[1], 4);
            let _ = ends[1].streams.recv(ids[0], &mut [0; 1_000]);
        }
        for end in &ends {
            prop_assert!(end.streams.is_empty(), "all streams are done");
            prop_assert_eq!((end.streams.buffered, end.streams.receiving.held()), (0, 0));
            prop_assert_eq!(end.streams.pool.in_use(), 0);
        }
        prop_assert_eq!(ends[0].streams.sending.spent(), ends[1].streams.receiving.received(), "both count the same");
    }
}
