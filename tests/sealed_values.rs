//! An authenticated peer that sends every value: all 256 of each enum, flag, reserved and control byte of a payload, sealed with the
//! real keys, to sessions in every state (quinn RUSTSEC-2023-0063: what stands behind the AEAD is hostile too).

use aitcp::ProtocolCode::{
    FinalOffset, FlowControl, Forbidden, MalformedPayload, StreamLimit, StreamState, UnknownControl,
};
use aitcp::{
    Admission, CloseReason, CloseSource, Direction, Ending, Event, PeerMisbehaved, ProtocolCode, Role, Verdict,
};
use aitcp_testkit::forge::{Close, Control, Fragment, HostilePeer, Kind, Payload, read_u64};
use aitcp_testkit::{Setup, is_full_campaign};

/// Where a session can be when payloads come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Established, in this role.
    Open(Role),
    /// A responder whose owner has not decided.
    Undecided,
}

const STATES: [State; 3] = [State::Open(Role::Initiator), State::Open(Role::Responder), State::Undecided];

/// What becomes of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It goes on.
    Fine,
    /// It closes, and tells the peer this code (R-9.1-3).
    Told(ProtocolCode),
    /// The peer closed it; it says nothing (R-9.1-2).
    Closed(CloseSource, u64),
}
use Outcome::{Closed, Fine, Told};

impl State {
    fn role(self) -> Role {
        match self {
            Self::Open(role) => role,
            Self::Undecided => Role::Responder,
        }
    }

    /// A session in this state, with the peer that can talk to it.
    fn reach(self) -> HostilePeer {
        match self {
            Self::Open(role) => HostilePeer::established(&Setup::default(), role),
            Self::Undecided => {
                let mut hostile = HostilePeer::before_auth(&undecided(), Role::Responder);
                hostile.send_auth(&aitcp_testkit::forge::Auth::default());
                assert!(matches!(hostile.victim.poll_events(), [Event::PeerIdentified(_)]));
                hostile
            }
        }
    }

    /// The number of the first stream that this end (`own`), or its peer, opens.
    fn first_stream(self, own: bool, direction: Direction) -> u64 {
        let opener = if own == (self.role() == Role::Initiator) { 0 } else { 1 };
        let kind = if direction == Direction::Unidirectional { 2 } else { 0 };
        4 | kind | opener
    }

    fn peers(self) -> u64 {
        self.first_stream(false, Direction::Bidirectional)
    }
}

fn undecided() -> Setup {
    Setup { admission: Admission::Ask, ..Setup::default() }
}

/// Shows a payload to a session in each state and compares with what should become of it.
fn check(payload: impl Fn(State) -> Payload, expected: Outcome, what: impl std::fmt::Display) {
    for state in STATES {
        check_in(state, &mut state.reach(), &payload(state), expected, &format!("{what}, {state:?}"));
    }
}

/// The same for a value; for one that `is_like_others` in one state only, which changes with the value, unless the campaign is full.
fn check_value(payload: impl Fn(State) -> Payload, expected: Outcome, value: impl Into<u64>, is_like_others: bool) {
    let value = value.into();
    if is_full_campaign() || !is_like_others {
        return check(payload, expected, format!("{value:#x}"));
    }
    let state = STATES[usize::try_from(value % 3).expect("below 3")];
    check_in(state, &mut state.reach(), &payload(state), expected, &format!("{value:#x}, {state:?}"));
}

fn check_in(state: State, hostile: &mut HostilePeer, payload: &Payload, expected: Outcome, what: &str) {
    let before = hostile.victim.streams_digest();
    hostile.send_data(payload);
    let answered: Vec<_> = hostile.receive().to_vec();
    let reason = hostile.victim.session.close_reason();
    match expected {
        Fine => assert_eq!(reason, None, "{what}"),
        Told(code) => {
            assert_eq!(reason, Some(CloseReason::Misbehaved(PeerMisbehaved::Rule(code))), "{what}");
            let [(Kind::Data, last)] = &answered[..] else { panic!("{what}: one packet says why: {answered:?}") };
            assert_eq!(read_u64(last, 6), Some(code.code()), "{what}: the code that the peer is told");
            if code == MalformedPayload {
                assert_eq!(hostile.victim.streams_digest(), before, "{what}: no other effect (R-8.1-1)");
            }
        }
        Closed(source, code) => {
            assert_eq!(reason, Some(CloseReason::Peer { source, code }), "{what}");
            assert!(answered.is_empty(), "{what}: a close is not answered");
        }
    }
    let ended = expected != Fine;
    assert_eq!(hostile.victim.session.is_drained(), ended, "{what}");
    if state == State::Undecided {
        let told: Vec<_> = hostile.victim.poll_events().to_vec();
        assert!(told.iter().all(|event| matches!(event, Event::Closed(_))), "{what}: not admitted, and told {told:?}");
        assert!(ended || answered.is_empty(), "{what}: not admitted, and answered");
    }
}

/// A byte in a field of several, at each place.
fn bytes_of_field(len: u32) -> impl Iterator<Item = u32> {
    (0..len).flat_map(|place| (1..=0xFF).map(move |byte| byte << (8 * place)))
}

/// R-8.7-1, R-8.2-2, R-8.1-6.
#[test]
fn every_control_code() {
    for code in 0..=u8::MAX {
        let expected = match code {
            Control::PING | Control::CREDIT | Control::STREAM_CREDIT | Control::SHUTDOWN => Fine,
            Control::RESET | Control::STOP => Told(Forbidden), // they name stream 0
            Control::PATH_CHALLENGE | Control::PATH_RESPONSE => Told(Forbidden), // not on a stream carrier
            _ => Told(UnknownControl),
        };
        check(|_| Payload::control(Control { code, ..Control::default() }), expected, format!("code {code}"));
    }
}

/// R-8.1-3, R-8.7-2, R-8.4-10.
#[test]
fn every_control_flag() {
    for flags in 0..=u8::MAX {
        for code in [Control::PING, Control::CREDIT, Control::STREAM_CREDIT, Control::SHUTDOWN] {
            let expected = if flags == 0 { Fine } else { Told(MalformedPayload) };
            let payload = |_| Payload::control(Control { code, flags, ..Control::default() });
            check_value(payload, expected, flags, flags & !Control::DONE != 0);
        }
        for code in [Control::CREDIT, Control::RESET, Control::STOP] {
            let expected = match (code, flags) {
                (Control::CREDIT, 0) | (_, 0) => Fine,
                (Control::CREDIT, Control::DONE) => Told(StreamState), // nothing has ended
                _ => Told(MalformedPayload),
            };
            let payload =
                |state: State| Payload::control(Control { stream: state.peers(), code, flags, ..Control::default() });
            check_value(payload, expected, flags, flags & !Control::DONE != 0);
        }
    }
}

/// R-8.1-3.
#[test]
fn every_reserved_byte() {
    for value in bytes_of_field(2) {
        let reserved0 = u16::try_from(value).unwrap();
        check_value(
            |_| Payload::control(Control { reserved0, ..Control::default() }),
            Told(MalformedPayload),
            value,
            true,
        );
        let close = Close { reserved1: reserved0, ..Close::default() };
        check_value(|_| Payload { close: Some(close), ..Payload::default() }, Told(MalformedPayload), value, true);
    }
    for value in bytes_of_field(4) {
        check_value(
            |_| Payload::control(Control { reserved1: value, ..Control::default() }),
            Told(MalformedPayload),
            value,
            true,
        );
        let close = Close { reserved2: value, ..Close::default() };
        check_value(|_| Payload { close: Some(close), ..Payload::default() }, Told(MalformedPayload), value, true);
        let fragment = |state: State| {
            let mut payload = Payload::fragment(state.peers(), 0, b"x", Fragment::END_OF_MESSAGE);
            payload.fragments[0].reserved = value;
            payload
        };
        check_value(fragment, Told(MalformedPayload), value, true);
    }
    for reserved0 in 1..=u8::MAX {
        let close = Close { reserved0, ..Close::default() };
        check_value(|_| Payload { close: Some(close), ..Payload::default() }, Told(MalformedPayload), reserved0, true);
    }
}

/// R-8.1-3, R-8.1-4, R-8.3-2, R-8.9-1.
#[test]
fn every_fragment_flag() {
    const UNKNOWN: u16 = !(Fragment::END_OF_MESSAGE | Fragment::END_OF_STREAM | Fragment::COMPRESSED);
    for flags in (0..=0xFF_u16).chain((1..=0xFF).map(|high| high << 8)) {
        let with_bytes = match flags {
            flags if flags & UNKNOWN != 0 => Told(MalformedPayload),
            flags if flags & Fragment::COMPRESSED != 0 => Told(Forbidden), // neither end has agreed to it
            Fragment::END_OF_STREAM => Told(StreamState),                  // within a message
            _ => Fine,
        };
        let is_unknown = flags & UNKNOWN != 0;
        check_value(|state| Payload::fragment(state.peers(), 0, b"x", flags), with_bytes, flags, is_unknown);
        let without = match flags {
            flags if flags & UNKNOWN != 0 || flags & 3 == 0 => Told(MalformedPayload),
            flags if flags & Fragment::COMPRESSED != 0 => Told(Forbidden),
            _ => Fine, // an empty message, an empty stream, or both
        };
        check_value(|state| Payload::fragment(state.peers(), 0, b"", flags), without, flags, is_unknown);
    }
}

/// R-8.1-3, R-9.1-2, R-9.2-1.
#[test]
fn every_close() {
    for source in 0..=u8::MAX {
        let expected = match source {
            0 => Closed(CloseSource::Protocol, 7),
            1 => Closed(CloseSource::Application, 7),
            _ => Told(MalformedPayload),
        };
        let close = Close { source, code: 7, ..Close::default() };
        check(|_| Payload { close: Some(close), ..Payload::default() }, expected, format!("source {source}"));
    }
    for code in (0..=u64::from(u8::MAX)).chain([256, 1 << 32, 1 << 62, u64::MAX]) {
        let close = Close { code, ..Close::default() };
        let payload = Payload { close: Some(close), ..Payload::default() };
        check(|_| payload.clone(), Closed(CloseSource::Protocol, code), format!("code {code}"));
    }
}

/// R-3.3-5, R-8.1-5.
#[test]
fn texts_of_closes() {
    let text = |close: bool, reason: &[u8]| {
        let close = close.then(Close::default);
        let close_reason = Some(reason.to_vec());
        move |_| Payload { close, close_reason: close_reason.clone(), ..Payload::default() }
    };
    let closed = Closed(CloseSource::Protocol, 0);
    check(text(true, b""), closed, "no text");
    check(text(true, &[b'a'; 256]), closed, "the longest text");
    check(text(true, &[b'a'; 257]), Told(MalformedPayload), "one byte too many");
    check(text(false, b""), Fine, "no text and no close");
    check(text(false, b"a"), Told(MalformedPayload), "a text without a close");
    for byte in 0x80..=u8::MAX {
        check(text(true, &[byte]), Told(MalformedPayload), format!("{byte:#x} alone is not UTF-8"));
    }
}

/// R-8.1-2, R-8.1-6, R-8.1-7.
#[test]
fn what_is_forbidden_and_what_is_ignored() {
    check(|_| Payload::default(), Fine, "nothing at all");
    check(|_| Payload { padding: vec![0xA5; 1000], ..Payload::default() }, Fine, "padding");
    check(|_| Payload { ack_delay: Some(u32::MAX), ..Payload::default() }, Fine, "ack_delay");
    check(|_| Payload { acks: vec![(0, 0)], ..Payload::default() }, Told(Forbidden), "acks");
    check(|_| Payload { ecn: Some([0; 3]), ..Payload::default() }, Told(Forbidden), "ecn");
    check(|_| Payload { datagrams: vec![0, 0], ..Payload::default() }, Told(Forbidden), "datagrams");
    check(|_| Payload { data: b"x".to_vec(), ..Payload::default() }, Told(MalformedPayload), "data of no fragment");
    for length in [0, 1, 3, 255, 256, u16::MAX] {
        let payload = |state: State| {
            let mut payload = Payload::fragment(state.peers(), 0, b"xy", Fragment::END_OF_MESSAGE);
            payload.fragments[0].length = length;
            payload
        };
        check(payload, Told(MalformedPayload), format!("a length of {length} over two bytes"));
    }
}

/// R-8.2-1, R-8.2-2, R-8.4-1, R-8.4-2, R-8.6-1: numbers of streams in fragments and in each control that names one.
#[test]
fn numbers_of_streams() {
    for (number, is_fragment) in (0..64)
        .chain([u64::from(u32::MAX), (1 << 62) - 1, 1 << 62, (1 << 62) + 4, 1 << 63, u64::MAX - 3, u64::MAX])
        .flat_map(|number| [(number, true), (number, false)])
    {
        for state in STATES {
            let by_peer = (number & 1 == 0) != (state.role() == Role::Initiator);
            let is_uni = number & 2 != 0;
            // What a stream's number allows the peer's sending side, and its receiving side, to say.
            let judge = |to_sender: bool| match number {
                0..4 | 0x4000_0000_0000_0000.. => Told(Forbidden),
                _ if is_uni && by_peer == to_sender => Told(StreamState),
                _ if !by_peer => Told(StreamState),
                _ if number >> 2 > 128 => Told(StreamLimit),
                _ => Fine,
            };
            let what = format!("stream {number}, {state:?}");
            if is_fragment {
                let payload = Payload::fragment(number, 0, b"x", Fragment::END_OF_MESSAGE);
                // What comes on the link's own stream has rules of its own (8.11).
                if number > 0 {
                    check_in(state, &mut state.reach(), &payload, judge(false), &what);
                }
                continue;
            }
            for code in [Control::CREDIT, Control::RESET, Control::STOP] {
                let expected = match code {
                    Control::CREDIT if number == 0 => Fine, // the session's
                    Control::RESET => judge(false),
                    _ => judge(true),
                };
                let payload = Payload::control(Control { stream: number, code, ..Control::default() });
                check_in(state, &mut state.reach(), &payload, expected, &format!("{what}, control {code}"));
            }
        }
    }
}

/// R-8.3-3, R-8.4-4, R-8.4-5, R-8.5-1, R-8.5-3, R-8.5-4, R-8.6-3: the numbers in controls and the offsets of fragments at their borders.
#[test]
fn numbers_at_their_borders() {
    let window = u64::from(aitcp::Limits::default().stream_window);
    let control = |code, stream: Option<u64>, a, b| {
        move |state: State| {
            let stream = stream.unwrap_or(state.peers());
            Payload::control(Control { stream, a, b, code, ..Control::default() })
        }
    };
    for limit in [0, 1, (1 << 62) - 1, 1 << 62, (1 << 62) + 1, u64::MAX] {
        check(control(Control::CREDIT, Some(0), 0, limit), Fine, format!("session credit {limit}"));
        check(control(Control::CREDIT, None, 0, limit), Fine, format!("stream credit {limit}"));
        check(control(Control::STREAM_CREDIT, Some(0), limit, 0), Fine, format!("streams {limit}"));
        check(control(Control::STREAM_CREDIT, Some(1), limit, 0), Fine, format!("streams {limit}"));
        check(control(Control::RESET, None, limit, 0), Fine, format!("reset with code {limit}"));
        check(control(Control::STOP, None, limit, limit), Fine, format!("stop with code {limit}"));
        check(
            control(Control::PING, Some(limit), limit, limit),
            Fine,
            format!("places that are not looked at: {limit}"),
        );
        if limit > 0 {
            check(control(Control::CREDIT, Some(0), limit, 0), Told(FlowControl), format!("{limit} never sent"));
            check(control(Control::CREDIT, None, limit, 0), Told(FlowControl), format!("{limit} never sent"));
        }
    }
    for kind in (2..=u64::from(u8::MAX)).chain([1 << 32, u64::MAX]) {
        check(control(Control::STREAM_CREDIT, Some(kind), 1, 0), Told(MalformedPayload), format!("kind {kind}"));
    }
    for (end, expected) in [(window, Fine), (window + 1, Told(FlowControl)), (u64::MAX, Told(FlowControl))] {
        check(control(Control::RESET, None, 0, end), expected, format!("final offset {end}"));
    }
    for offset in [1, window, 1 << 62, u64::MAX - 1] {
        let fragment = |state: State| Payload::fragment(state.peers(), offset, b"x", Fragment::END_OF_MESSAGE);
        let expected = if offset == u64::MAX - 1 { Told(FlowControl) } else { Told(Forbidden) };
        check(fragment, expected, format!("offset {offset}"));
    }
    check(
        |state| {
            let [whole, end] = [(0, 1), (1, 0)].map(|(offset, length)| {
                let flags = Fragment::END_OF_STREAM | if length > 0 { Fragment::END_OF_MESSAGE } else { 0 };
                Fragment { stream: state.peers(), offset, length, flags, reserved: 0 }
            });
            Payload { fragments: vec![whole, end], data: b"x".to_vec(), ..Payload::default() }
        },
        Told(FinalOffset),
        "an end within what came",
    );
}

/// R-8.1-1, R-9.1-3: every byte of a payload that has everything, at every value: no panic, and either the session goes on, or the peer
/// is told why in one last packet. What is malformed has no other effect.
#[test]
fn every_byte_of_a_payload() {
    for state in STATES {
        let controls =
            [Control::PING, Control::CREDIT, Control::STREAM_CREDIT, Control::RESET, Control::STOP].map(|code| {
                Control { stream: if code >= Control::RESET { state.peers() } else { 0 }, code, ..Control::default() }
            });
        let payload = Payload {
            controls: controls.to_vec(),
            ack_delay: Some(1),
            padding: vec![0; 4],
            close: Some(Close::default()),
            close_reason: Some(b"why".to_vec()),
            ..Payload::fragment(state.peers() + 4, 0, b"message", Fragment::END_OF_MESSAGE)
        };
        let plaintext = payload.table().build();
        let mut hostile = state.reach();
        for at in 0..plaintext.len() {
            for value in (0..=u8::MAX).filter(|value| is_full_campaign() || value.count_ones() <= 1 || value % 83 == 3)
            {
                if hostile.victim.session.close_reason().is_some() {
                    hostile = state.reach();
                }
                let mut altered = plaintext.clone();
                altered[at] = value;
                let before = hostile.victim.streams_digest();
                hostile.send_sealed(Kind::Data, &altered);
                let answered = hostile.receive().to_vec();
                let what = format!("{state:?}, byte {at} = {value:#x}");
                match hostile.victim.session.close_reason() {
                    None | Some(CloseReason::Peer { .. }) => {}
                    Some(CloseReason::Misbehaved(PeerMisbehaved::Rule(code))) => {
                        assert_eq!(answered.len(), 1, "{what}");
                        assert_eq!(read_u64(&answered[0].1, 6), Some(code.code()), "{what}");
                        assert!(code != MalformedPayload || hostile.victim.streams_digest() == before, "{what}");
                    }
                    other => panic!("{what}: {other:?}"),
                }
            }
        }
    }
}

/// R-9.1-2: a session that has still to send its own close, and one that has ended, take no notice of anything.
#[test]
fn nothing_counts_after_the_end() {
    for code in 0..=u8::MAX {
        for state in STATES {
            let mut hostile = state.reach();
            hostile.victim.session.close(hostile.now, 1, "enough");
            for _ in ["still to be sent", "sent"] {
                let before = hostile.victim.digest();
                hostile.send_data(&Payload::control(Control { code, flags: code, ..Control::default() }));
                hostile.send_data(&Payload {
                    close: Some(Close { source: code, ..Close::default() }),
                    ..Payload::default()
                });
                hostile.send_sealed(Kind::Data, &[code; 40]);
                assert_eq!(hostile.victim.digest(), before, "{state:?}, {code:#x}");
                assert_eq!(hostile.victim.session.close_reason(), Some(CloseReason::Local));
                hostile.next_sealed -= 3;
                hostile.receive();
            }
        }
    }
}

/// R-6.6-1: what is fine while the owner thinks is there once it has decided, so that the outcomes above mean something.
#[test]
fn what_was_held_is_delivered_after_the_verdict() {
    let mut hostile = State::Undecided.reach();
    hostile.send_data(&Payload::fragment(4, 0, b"held", Fragment::END_OF_MESSAGE));
    assert!(hostile.victim.poll_events().is_empty());
    hostile.victim.session.decide(hostile.now, Verdict::Accept);
    assert_eq!(hostile.victim.poll_events()[0], Event::Established);
    let stream = hostile.victim.events.iter().find_map(|event| match event {
        Event::Opened(stream) => Some(*stream),
        _ => None,
    });
    let stream = stream.expect("the peer's stream");
    assert_eq!(hostile.victim.recv_message(stream).as_deref(), Some(&b"held"[..]));
    assert_eq!(hostile.victim.session.send(stream, b"answer", Ending::End), Ok(6));
    assert_eq!(hostile.receive().len(), 1);
}
