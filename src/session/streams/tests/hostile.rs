//! A peer that breaks the rules, or keeps to them and floods.

use proptest::prelude::*;

use super::*;
use crate::error::{RecvError, SendError};

const WINDOW: u32 = 64;

/// The responder's end, with a stream of each kind open at both ends, and its limits.
fn victim() -> (Streams, Limits) {
    let limits = limits(WINDOW, WINDOW);
    let mut pair = Pair::equal(&limits);
    for direction in [Bidirectional, Unidirectional] {
        let id = pair.a.open(direction).unwrap();
        pair.a.send(id, b"hello", false).unwrap();
        let id = pair.b.open(direction).unwrap();
        pair.b.send(id, b"hello", false).unwrap();
    }
    pair.settle();
    (pair.b, limits)
}

/// The number of the first stream of a kind.
fn number(opener: Role, direction: Direction, index: u64) -> u64 {
    StreamId::new(opener, direction, index).unwrap().as_u64()
}

const PEER: Role = Role::Initiator;
const OWN: Role = Role::Responder;
use Direction::{Bidirectional, Unidirectional};

type Attempt = fn(&mut Streams, u64) -> Result<(), ProtocolCode>;

fn fragment(streams: &mut Streams, stream: u64, offset: u64, len: usize, flags: u8) -> Result<(), ProtocolCode> {
    let fragment = Fragment {
        stream,
        offset,
        end_of_message: flags & 1 != 0,
        end_of_stream: flags & 2 != 0,
        compressed: flags & 4 != 0,
    };
    streams.on_fragment(&fragment, &[0; 4_096][..len])
}

/// Everything that names a stream: first what is about the peer's sending side, then what is about the victim's.
const ATTEMPTS: [Attempt; 4] = [
    |streams, number| fragment(streams, number, 0, 1, 0),
    |streams, number| streams.on_reset(number, 0, 5),
    |streams, number| streams.on_credit(number, 0, 0, false),
    |streams, number| streams.on_stop(number, 0),
];

/// R-8.2-2. The fragments of stream 0 are the link's (R-8.11-1), and the Credit of number 0 is the session's.
#[test]
fn the_protocols_own_numbers_are_forbidden() {
    for number in [0, 1, 2, 3, 1 << 62, (1 << 62) + 4, u64::MAX] {
        for (which, attempt) in ATTEMPTS.into_iter().enumerate().filter(|(which, _)| (number, *which) != (0, 0)) {
            let (mut streams, _) = victim();
            let before = digest(&streams);
            let expected = if (number, which) == (0, 2) { Ok(()) } else { Err(ProtocolCode::Forbidden) };
            assert_eq!(attempt(&mut streams, number), expected, "{number} {which}");
            assert_eq!(digest(&streams), before);
        }
    }
}

/// R-8.4-1.
#[test]
fn nothing_comes_for_a_side_that_a_stream_does_not_have() {
    for (which, attempt) in ATTEMPTS.into_iter().enumerate() {
        let (mut streams, _) = victim();
        let wrong = if which < 2 { OWN } else { PEER };
        assert_eq!(attempt(&mut streams, number(wrong, Unidirectional, 1)), Err(ProtocolCode::StreamState));
        assert_eq!(attempt(&mut streams, number(wrong.peer(), Unidirectional, 1)), Ok(()));
    }
}

/// R-8.4-2.
#[test]
fn nothing_comes_for_a_stream_that_was_not_opened() {
    for (which, attempt) in ATTEMPTS.into_iter().enumerate() {
        let (mut streams, _) = victim();
        let direction = if which < 2 { Bidirectional } else { Unidirectional };
        assert_eq!(attempt(&mut streams, number(OWN, direction, 2)), Err(ProtocolCode::StreamState));
        assert_eq!(attempt(&mut streams, number(OWN, Bidirectional, 1)), Ok(()));
    }
}

/// R-8.2-3, R-8.6-1.
#[test]
fn anything_about_a_stream_of_the_peer_opens_it_and_those_before() {
    for (which, attempt) in ATTEMPTS.into_iter().enumerate() {
        let (mut streams, limits) = victim();
        events(&mut streams);
        let last: u64 = limits.peer_bidirectional_streams.into();
        assert_eq!(
            attempt(&mut streams, number(PEER, Bidirectional, last + 1)),
            Err(ProtocolCode::StreamLimit),
            "{which}"
        );
        assert_eq!(events(&mut streams), []);
        assert_eq!(attempt(&mut streams, number(PEER, Bidirectional, last)), Ok(()), "{which}");
        let opened = events(&mut streams).into_iter().filter(|event| matches!(event, StreamEvent::Opened(_))).count();
        assert_eq!(opened as u64, last - 1);
    }
}

/// R-8.5-2.
#[test]
fn the_sessions_credit_holds_over_all_streams() {
    let (mut streams, limits) = victim();
    let left = u64::from(limits.session_window) - streams.receiving.received();
    let (one, other) = (number(PEER, Bidirectional, 2), number(PEER, Bidirectional, 3));
    assert_eq!(fragment(&mut streams, one, 0, left as usize - 1, 0), Ok(()));
    assert_eq!(fragment(&mut streams, other, 0, 1, 1), Err(ProtocolCode::FlowControl));
    assert_eq!(streams.on_reset(other, 0, 2), Err(ProtocolCode::FlowControl));
    assert_eq!(fragment(&mut streams, other, 0, 1, 0), Ok(()));
}

/// R-8.4-10, R-8.5-4.
#[test]
fn what_was_never_sent_cannot_have_been_received() {
    let (mut streams, _) = victim();
    let own = number(OWN, Bidirectional, 1);
    assert_eq!(streams.on_credit(own, 6, 0, false), Err(ProtocolCode::FlowControl));
    assert_eq!(streams.on_credit(0, 11, 0, false), Err(ProtocolCode::FlowControl));
    assert_eq!(streams.on_credit(0, 10, 0, true), Err(ProtocolCode::MalformedPayload));
    assert_eq!(streams.on_credit(own, 5, 0, true), Err(ProtocolCode::StreamState));
    assert_eq!(streams.on_credit(own, 5, 0, false), Ok(()));
    assert_eq!(streams.on_credit(0, 10, 0, false), Ok(()));
}

/// R-8.5-3.
#[test]
fn grants_are_cut_to_what_can_be_used() {
    let (mut streams, _) = victim();
    let before = digest(&streams);
    streams.on_stream_credit(false, 0);
    streams.on_credit(0, 0, 0, false).unwrap();
    assert_eq!(digest(&streams), before, "smaller grants are out of date");
    streams.on_stream_credit(false, u64::MAX);
    streams.on_credit(0, 0, u64::MAX, false).unwrap();
    streams.on_credit(number(OWN, Bidirectional, 1), 0, u64::MAX, false).unwrap();
    assert_eq!(streams.sending.limit(), MAX_OFFSET);
    assert!(streams.open(Bidirectional).is_some());
}

/// R-8.2-4.
#[test]
fn a_stream_that_is_done_is_past() {
    let limits = limits(WINDOW, WINDOW);
    let mut pair = Pair::equal(&limits);
    let id = pair.a.open(Bidirectional).unwrap();
    pair.a.send(id, b"x", true).unwrap();
    pair.a.finish(id).unwrap();
    pair.settle();
    read_message(&mut pair.b, id);
    pair.b.finish(id).unwrap();
    pair.settle();
    pair.a.recv(id, &mut []).unwrap();
    events(&mut pair.a);
    events(&mut pair.b);
    pair.settle();
    assert!(pair.a.is_empty() && pair.b.is_empty());
    for mut streams in [pair.a, pair.b] {
        let before = digest(&streams);
        for attempt in ATTEMPTS {
            assert_eq!(attempt(&mut streams, id.as_u64()), Ok(()));
        }
        assert_eq!(streams.recv(id, &mut []), Err(RecvError::UnknownStream));
        assert_eq!(streams.send(id, b"", true), Err(SendError::UnknownStream));
        assert_eq!(digest(&streams), before);
    }
}

#[test]
fn a_refused_fragment_or_control_changes_nothing() {
    let (mut streams, _) = victim();
    let peer = number(PEER, Bidirectional, 1);
    let own = number(OWN, Bidirectional, 1);
    streams.on_reset(number(PEER, Unidirectional, 1), 1, 6).unwrap();
    let attempts: [(Attempt, u64); 8] = [
        (|streams, number| fragment(streams, number, 6, 1, 0), peer),
        (|streams, number| fragment(streams, number, 5, 0, 0), peer),
        (|streams, number| fragment(streams, number, 5, 1, 2), peer),
        (|streams, number| fragment(streams, number, 5, 4_000, 0), peer),
        (|streams, number| streams.on_reset(number, 1, 4), peer),
        (|streams, number| streams.on_reset(number, 1, u64::MAX), peer),
        (|streams, number| streams.on_credit(number, 6, u64::MAX, false), own),
        (|streams, number| streams.on_reset(number, 1, 7), number(PEER, Unidirectional, 1)),
    ];
    for (which, (attempt, number)) in attempts.into_iter().enumerate() {
        let before = digest(&streams);
        assert!(attempt(&mut streams, number).is_err(), "{which}");
        assert_eq!(digest(&streams), before, "{which}");
    }
}

#[test]
fn floods_of_what_is_allowed_pile_up_nothing() {
    let (mut streams, _) = victim();
    let own = number(OWN, Bidirectional, 1);
    let peer = number(PEER, Bidirectional, 1);
    let flood = |streams: &mut Streams| {
        streams.on_ping();
        streams.on_stop(own, 1).unwrap();
        streams.on_credit(own, 5, 1_000, false).unwrap();
        streams.on_credit(0, 10, 1_000, false).unwrap();
        streams.on_stream_credit(false, 9);
        streams.on_reset(peer, 1, 5).unwrap();
        fragment(streams, peer, 0, 5, 0).unwrap();
    };
    flood(&mut streams);
    let before = digest(&streams);
    for _ in 0..1_000 {
        flood(&mut streams);
    }
    assert_eq!(digest(&streams), before);
    let controls = core::iter::from_fn(|| streams.poll_control()).count();
    assert!(controls <= 4, "{controls}");
}

#[test]
fn empty_messages_cost_credit() {
    let (mut streams, limits) = victim();
    let peer = number(PEER, Bidirectional, 2);
    let left = u64::from(limits.session_window) - streams.receiving.received();
    for offset in 0..left {
        fragment(&mut streams, peer, offset, 0, 1).unwrap();
    }
    assert_eq!(fragment(&mut streams, peer, left, 0, 1), Err(ProtocolCode::FlowControl));
    assert_eq!(streams.usage().held, u64::from(limits.session_window));
}

/// R-8.6-2.
#[test]
fn streams_that_are_opened_and_reset_take_places_until_the_application_has_seen_them() {
    let (mut streams, limits) = victim();
    let last: u64 = limits.peer_bidirectional_streams.into();
    for index in 2..=last {
        streams.on_reset(number(PEER, Bidirectional, index), 1, 0).unwrap();
        streams.on_stop(number(PEER, Bidirectional, index), 1).unwrap();
    }
    while streams.poll_control().is_some() {}
    let next = number(PEER, Bidirectional, last + 1);
    assert_eq!(streams.on_reset(next, 1, 0), Err(ProtocolCode::StreamLimit));
    // The application sees one through: there is room for one.
    events(&mut streams);
    let id = StreamId::from_wire(number(PEER, Bidirectional, 2)).unwrap();
    assert_eq!(streams.recv(id, &mut []), Err(RecvError::Reset(1)));
    streams.on_credit(id.as_u64(), 0, 0, true).unwrap();
    assert_eq!(streams.on_reset(next, 1, 0), Err(ProtocolCode::StreamLimit), "not before it was granted");
    let grant = Control::StreamCredit { unidirectional: false, limit: last + 1 };
    assert_eq!(streams.poll_control(), Some(grant));
    assert_eq!(streams.on_reset(next, 1, 0), Ok(()));
}

#[derive(Clone, Debug)]
enum Input {
    Fragment(u64, u64, usize, u8),
    Credit(u64, u64, u64, bool),
    StreamCredit(bool, u64),
    Reset(u64, u64, u64),
    Stop(u64),
    Ping,
    Poll,
    Read(u64),
    Send(u64, usize),
    Finish(u64),
}

fn input() -> impl Strategy<Value = Input> {
    let number = || prop_oneof![10 => 4..24_u64, 1 => any::<u64>()];
    let offset = || prop_oneof![10 => 0..12_u64, 5 => 0..80_u64, 1 => any::<u64>()];
    prop_oneof![
        6 => (number(), offset(), 0..70_usize, 0..4_u8).prop_map(|(n, o, l, f)| Input::Fragment(n, o, l, f)),
        2 => (number(), offset(), offset(), any::<bool>()).prop_map(|(n, r, l, d)| Input::Credit(n, r, l, d)),
        1 => (any::<bool>(), offset()).prop_map(|(n, l)| Input::StreamCredit(n, l)),
        2 => (number(), offset(), offset()).prop_map(|(n, c, f)| Input::Reset(n, c, f)),
        1 => number().prop_map(Input::Stop),
        1 => Just(Input::Ping),
        3 => Just(Input::Poll),
        3 => number().prop_map(Input::Read),
        2 => (number(), 0..70_usize).prop_map(|(n, l)| Input::Send(n, l)),
        1 => number().prop_map(Input::Finish),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Whatever comes, whether or not its breaches of rules end the session: nothing breaks, and memory stays within its bounds.
    #[test]
    fn no_sequence_of_inputs_breaks_the_books(inputs in prop::collection::vec(input(), 0..200)) {
        let (mut streams, _) = victim();
        for input in &inputs {
            let id = |number| StreamId::from_wire(number).unwrap_or(StreamId::from_wire(4).unwrap());
            match *input {
                Input::Fragment(number, offset, len, flags) => drop(fragment(&mut streams, number, offset, len, flags)),
                Input::Credit(number, received, limit, done) => drop(streams.on_credit(number, received, limit, done)),
                Input::StreamCredit(unidirectional, limit) => streams.on_stream_credit(unidirectional, limit),
                Input::Reset(number, code, end) => drop(streams.on_reset(number, code, end)),
                Input::Stop(number) => drop(streams.on_stop(number, 1)),
                Input::Ping => streams.on_ping(),
                Input::Poll => {
                    packet(&mut streams, 16, 4);
                    events(&mut streams);
                }
                Input::Read(number) => drop(streams.recv(id(number), &mut [0; 16])),
                Input::Send(number, len) => drop(streams.send(id(number), &vec![0; len], true)),
                Input::Finish(number) => drop(streams.finish(id(number))),
            }
            model::check_invariants(&streams);
        }
    }
}
