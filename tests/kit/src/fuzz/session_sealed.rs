//! Whatever a peer with keys can send.

use aitcp::{Direction, Ending, Event, Limits, Role, StreamId, Suite};

use super::input::Input;
use super::unauthenticated::wind_up;
use crate::Setup;
use crate::forge::{Close, Control, Fragment, HostilePeer, Payload};

/// Sealed packets for an established session: `choice || (what, ..)...`.
///
/// The choice says which end is the victim (bit 0), which AEAD (bit 1), whether its limits are those of small devices (bit 2), and
/// whether it may compress (bit 3); with bit 7 what follows is the table of an auth packet instead. Then come plaintexts as they are,
/// payloads put together from numbers, and what the victim's application does. Whatever it is, the victim stays within its limits,
/// and everything that it sends opens.
pub fn session_sealed(input: &[u8]) {
    let mut input = Input::new(input);
    let choice = input.byte();
    let victim = if choice & 1 == 0 { Role::Responder } else { Role::Initiator };
    let mut setup =
        Setup::with_suite(if choice & 2 == 0 { Suite::X25519ChaCha20Poly1305 } else { Suite::X25519Aes256Gcm });
    let limits = if choice & 4 == 0 { Limits::default() } else { Limits::small() };
    setup.set_limits(limits);
    setup.agent_mut(victim).compression = choice & 8 != 0;
    if choice & 0x80 != 0 {
        return auth_table(&setup, victim, input.rest());
    }

    let mut hostile = HostilePeer::established(&setup, victim);
    let mut streams = Vec::new();
    while !input.is_empty() {
        match input.byte() {
            what @ 0..=0x5F => act(&mut hostile, &mut streams, what, &mut input),
            0x60..=0xBF => {
                let payload = payload(&mut input);
                hostile.send_data(&payload);
            }
            _ => {
                let len = input.u16().into();
                let plaintext = input.bytes(len);
                hostile.send_sealed(9, plaintext);
            }
        }
        check(&mut hostile, &mut streams, &limits);
    }
    if hostile.victim.session.close_reason().is_none() {
        hostile.receive();
    }
    wind_up(&mut hostile.victim);
}

/// The table of an auth packet, signed and authenticated.
fn auth_table(setup: &Setup, victim: Role, table: &[u8]) {
    let mut hostile = HostilePeer::before_auth(setup, victim);
    let table = &table[..table.len().min(1_232 - 24 - 96 - 16)];
    let key = setup.agent(victim.peer()).key();
    let plaintext = hostile.auth_plaintext(table, |message| key.sign(message));
    hostile.send_sealed(hostile.auth_kind(), &plaintext);
    let established = hostile.victim.was_established();
    assert_ne!(established, hostile.victim.session.close_reason().is_some(), "the one or the other");
    if established {
        assert_eq!(hostile.victim.session.handshake().map(|info| info.peer), Some(key.peer_id()));
        hostile.receive();
    }
    wind_up(&mut hostile.victim);
}

/// What the victim's application does.
fn act(hostile: &mut HostilePeer, streams: &mut Vec<StreamId>, what: u8, input: &mut Input<'_>) {
    let session = &mut hostile.victim.session;
    let stream = |input: &mut Input<'_>| {
        let index = usize::from(input.byte()).checked_rem(streams.len())?;
        streams.get(index).copied()
    };
    match what % 12 {
        0 => streams.extend(session.open(Direction::Bidirectional).ok()),
        1 => streams.extend(session.open(Direction::Unidirectional).ok()),
        2..=4 => {
            if let Some(stream) = stream(input) {
                let ending = if what % 12 == 2 { Ending::More } else { Ending::End };
                let _ = session.send(stream, &vec![b'v'; usize::from(input.u16() % 8_192)], ending);
            }
        }
        5 | 6 => {
            if let Some(stream) = stream(input) {
                let _ = session.recv(stream, &mut vec![0; usize::from(input.u16() % 8_192)]);
            }
        }
        7 => drop(stream(input).map(|stream| session.finish(stream))),
        8 => drop(stream(input).map(|stream| session.reset(stream, 8))),
        9 => drop(stream(input).map(|stream| session.stop(stream, 9))),
        10 => session.shutdown(hostile.now),
        _ => drop(hostile.receive()),
    }
}

/// A payload put together from numbers, most of them small enough to mean something.
fn payload(input: &mut Input<'_>) -> Payload {
    let mut payload = Payload::default();
    let counts = input.byte();
    for _ in 0..counts & 3 {
        payload.controls.push(Control {
            code: input.byte(),
            flags: input.byte(),
            stream: input.number(),
            a: input.number(),
            b: input.number(),
            ..Control::default()
        });
    }
    for _ in 0..counts >> 2 & 3 {
        let (stream, offset, flags) = (input.number(), input.number(), input.byte().into());
        let len = usize::from(input.byte());
        let bytes = input.bytes(len);
        payload.data.extend_from_slice(bytes);
        let length = u16::try_from(bytes.len()).expect("at most 255");
        payload.fragments.push(Fragment { stream, offset, length, flags, reserved: 0 });
    }
    if counts >> 4 == 15 {
        payload.close = Some(Close { code: input.number(), source: input.byte(), ..Close::default() });
        payload.close_reason = Some(input.bytes(16).to_vec());
    }
    payload
}

/// What holds whatever has come.
fn check(hostile: &mut HostilePeer, streams: &mut Vec<StreamId>, limits: &Limits) {
    for event in hostile.victim.poll_events() {
        if let Event::Opened(stream) = event {
            streams.push(*stream);
        }
    }
    let stats = hostile.victim.session.stats();
    assert!(stats.unread <= limits.session_window.into(), "more is held than credit was given for");
    assert!(stats.unacknowledged <= limits.send_buffer.into(), "more is held than was to be buffered");
    let count = usize::from(limits.peer_bidirectional_streams)
        + usize::from(limits.peer_unidirectional_streams)
        + usize::from(limits.own_streams);
    assert!(stats.streams <= count, "more streams than the limits allow");
}
