//! The inputs that fuzzing starts from: honest ones, so that what is changed in them is close to something that means something.

use aitcp::{Direction, Ending, Role};

use super::unauthenticated::recordings;
use crate::forge::{Auth, Close, Control, Fragment, HEADER_LEN, Hello, Kind, Payload};
use crate::{Rng, Setup};

type Seeds = Vec<(String, Vec<u8>)>;

/// Each packet of both handshakes, for the state that awaits it.
pub(super) fn packet() -> Seeds {
    let mut seeds = Vec::new();
    for (suite, recording) in recordings().iter().enumerate() {
        for (index, packet) in recording.packets.iter().enumerate() {
            let receiver = u8::from(packet.from == Role::Initiator);
            let choice = choice(suite) | receiver << 1 | choice(index) << 2;
            seeds.push((format!("suite_{suite}_packet_{index}"), [&[choice][..], &packet.bytes].concat()));
        }
        let header = recording.packets[0].bytes[..HEADER_LEN].to_vec();
        for kind in Kind::ALL {
            let mut packet = header.clone();
            packet[1] = kind;
            packet[4] = u8::try_from(Kind::epoch(kind)).expect("a small number");
            packet.resize(HEADER_LEN + 124, 0);
            let choice = 0x80 | choice(suite) | 0x1C;
            seeds.push((format!("suite_{suite}_kind_{kind}"), [&[choice][..], &packet].concat()));
        }
    }
    seeds
}

/// Hellos with everything that a Hello can have.
pub(super) fn hello() -> Seeds {
    let honest = Hello::default();
    let variants = [
        ("honest", 0, honest.clone()),
        ("tagged", 0x81, honest.clone()),
        ("untagged", 1, honest.clone()),
        ("hybrid", 0x82, Hello { suites: vec![1, 3], ..honest.clone() }),
        ("unknown_suites", 0x80, Hello { suites: vec![0, 2, 200, 255], ..honest.clone() }),
        ("no_common_suite", 0, Hello { suites: vec![77], ..honest.clone() }),
        ("versions", 0x80, Hello { versions: vec![9, 10, 11, 0xFFFF], ..honest.clone() }),
        ("no_common_version", 0, Hello { versions: vec![11], ..honest.clone() }),
        ("realm", 0, Hello { realm: Some(b"realm".to_vec()), ..honest.clone() }),
        ("empty_realm", 0x80, Hello { realm: Some(Vec::new()), ..honest.clone() }),
        ("ticket", 0, Hello { ticket: Some(vec![7; 512]), binder: [7; 32], ..honest.clone() }),
        ("padding", 0, Hello { padding: Some(vec![0; 64]), ..honest.clone() }),
        ("longest_name", 0, Hello { app_protocol: vec![b'x'; 64], ..honest.clone() }),
        ("weak_share", 0, Hello { key_share: [0; 32], ..honest }),
    ];
    let input = |choice: u8, hello: &Hello| [&[choice][..], &hello.packet()[HEADER_LEN..]].concat();
    variants.into_iter().map(|(name, choice, hello)| (name.to_owned(), input(choice, &hello))).collect()
}

/// What each end receives in a handshake, in one piece and in several.
pub(super) fn stream() -> Seeds {
    let mut seeds = Vec::new();
    for (suite, recording) in recordings().iter().enumerate() {
        for (name, role) in [("responder", Role::Responder), ("initiator", Role::Initiator)] {
            let bytes: Vec<u8> = recording
                .packets
                .iter()
                .filter(|packet| packet.from != role)
                .flat_map(|packet| packet.bytes.clone())
                .collect();
            for size in [1, 23, 254, 1_500, 60_000] {
                let mut input = vec![u8::from(role == Role::Initiator) | choice(suite) << 1];
                // Of one byte each only the beginning: a whole flight would be no small seed.
                for chunk in bytes.chunks(size).take(64) {
                    let len = u16::try_from(chunk.len()).expect("at most 60,000");
                    match u8::try_from(len) {
                        Ok(len) if len < u8::MAX => input.push(len),
                        _ => input.extend([&[u8::MAX][..], &len.to_le_bytes()].concat()),
                    }
                    input.extend(chunk);
                }
                seeds.push((format!("suite_{suite}_{name}_{size}"), input));
            }
        }
    }
    seeds
}

/// Payloads of every kind, as bytes and as numbers, with an application that takes part.
pub(super) fn session_sealed() -> Seeds {
    let done = |code| Control { code, ..Control::default() };
    let message = |stream, offset, flags| Payload::fragment(stream, offset, b"message", flags);
    let close = Close { code: 7, source: 1, ..Close::default() };
    let payloads: [(&str, Vec<Payload>); 9] = [
        ("ping", vec![Payload::control(done(Control::PING))]),
        ("message", vec![message(4, 0, 1), message(4, 8, 3)]),
        ("stream_end", vec![Payload::fragment(6, 0, b"", Fragment::END_OF_STREAM)]),
        ("credit", vec![Payload::control(Control { b: 1 << 30, ..done(Control::CREDIT) })]),
        ("stream_credit", vec![Payload::control(Control { a: 500, ..done(Control::STREAM_CREDIT) })]),
        ("reset", vec![message(4, 0, 0), Payload::control(Control { stream: 4, a: 9, b: 7, ..done(Control::RESET) })]),
        ("stop", vec![message(4, 0, 0), Payload::control(Control { stream: 4, a: 9, ..done(Control::STOP) })]),
        ("shutdown", vec![Payload::control(done(Control::SHUTDOWN))]),
        ("close", vec![Payload { close: Some(close), close_reason: Some(b"why".to_vec()), ..Payload::default() }]),
    ];
    let mut seeds = Vec::new();
    for (choice, (name, payloads)) in (0_u8..).zip(payloads) {
        let mut input = vec![choice & 0xE]; // the responder: the peer's streams are 4 and 6
        for payload in payloads {
            let plaintext = payload.table().build();
            let len = u16::try_from(plaintext.len()).expect("a short payload");
            input.extend([&[0xFF][..], &len.to_le_bytes(), &plaintext].concat());
        }
        seeds.push((name.to_owned(), input));
    }
    // Numbers: the application opens, sends and receives between what the peer sends.
    let dialogue = [&[4][..], &[0, 4, 0, 50, 0, 11], &[0x60, 0x04, 4, 0, 1, 3, 1, 2, 3], &[5, 1, 9, 0, 11]].concat();
    let credit = [&[5][..], &[0, 4, 0, 255, 31, 11], &[0x60, 0x01, 1, 0, 5, 100, 0xC0, 0, 64, 11]].concat();
    let stopped = [&[4][..], &[0x60, 0x04, 4, 0, 0, 2, 1, 1], &[9, 0, 11], &[0x60, 0x01, 3, 0, 4, 9, 2]].concat();
    let auths = [0x80, 0x81].map(|choice: u8| {
        let setup = Setup::default();
        let sender = if choice == 0x80 { Role::Initiator } else { Role::Responder };
        let auth = Auth { credentials: Some(b"token".to_vec()), ..Auth::default() };
        [&[choice][..], &auth.table(setup.agent(sender).id().as_bytes()).build()].concat()
    });
    let [initiator, responder] = auths;
    let named = [
        ("numbers_dialogue", dialogue),
        ("numbers_credit", credit),
        ("numbers_stopped", stopped),
        ("initiator_auth", initiator),
        ("responder_auth", responder),
    ];
    seeds.extend(named.map(|(name, input)| (name.to_owned(), input)));
    seeds
}

/// A handshake and what follows, in the same operations; and some that nobody thought about.
pub(super) fn pair_ops() -> Seeds {
    let flow = |role: u8| [[170, role | 2, 0, 0, 0, 0], [210, (1 - role) | 2, 0, 0, 0, 0]].concat();
    let both: Vec<u8> = [flow(0), flow(1)].concat();
    let handshake = [&both[..], &both, &[243, 0, 0, 0, 0, 1, 243, 1, 0, 0, 0, 1, 246, 0, 0, 0, 0, 0], &both].concat();
    let open = |direction: Direction| [0, u8::from(direction == Direction::Unidirectional) << 1, 0, 0, 0, 0];
    let send = |ending: Ending| [20, 4 | u8::from(ending == Ending::End) << 1, 0, 0, 4, 0];
    let talk = [&open(Direction::Bidirectional)[..], &send(Ending::More), &send(Ending::End), &both].concat();
    let read = [[70, 1 | 4, 0, 0, 16, 0], [120, 0, 0, 0, 0, 0]].concat();
    let mut seeds = Vec::new();
    for choice in [0, 1, 6, 8, 16, 32] {
        seeds.push((format!("handshake_{choice}"), [&[choice][..], &handshake, &both].concat()));
        let ends = [&[choice][..], &handshake, &talk, &read, &both, &[252, 0, 0, 0, 0, 0], &both].concat();
        seeds.push((format!("talk_{choice}"), ends));
    }
    for (name, op) in [("reset", 128), ("stop", 134), ("close", 254), ("cut", 255)] {
        seeds.push((name.to_owned(), [&[1][..], &handshake, &talk, &[op, 0, 0, 0, 0, 7], &both].concat()));
    }
    for seed in 0..8 {
        let mut rng = Rng::new(seed);
        let random = rng.bytes(6 * 60);
        seeds.push((format!("random_{seed}"), [&[choice(rng.below(64))][..], &handshake, &random].concat()));
    }
    seeds
}

fn choice(number: usize) -> u8 {
    u8::try_from(number).expect("a small number")
}
