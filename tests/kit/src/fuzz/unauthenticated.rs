//! Bytes from somebody who has no keys.

use std::sync::OnceLock;

use aitcp::{CloseReason, Event, Instant, PeerIncompatible, Role, Suite};

use super::input::Input;
use crate::forge::{HEADER_LEN, Header, Kind, hmac_sha256, split_packets};
use crate::{End, Recording, Setup};

const NOW: Instant = Instant::ORIGIN;

/// The handshakes that fresh sessions are brought into their states with: one with ML-KEM, one without.
pub(super) fn recordings() -> &'static [Recording; 2] {
    static RECORDINGS: OnceLock<[Recording; 2]> = OnceLock::new();
    RECORDINGS.get_or_init(|| {
        [Suite::X25519ChaCha20Poly1305, Suite::HybridAes256Gcm]
            .map(|suite| Recording::handshake(&Setup::with_suite(suite)))
    })
}

/// One packet for a session in any state: `choice || packet`.
///
/// The choice says which suite (bit 0), which end (bit 1), after how many packets of the handshake (bits 2 to 6), and whether the
/// packet's version, id and length are put right (bit 7). Unless the packet is the very one that is awaited, nothing is established
/// by it, and no stream changes.
pub fn packet(input: &[u8]) {
    let mut input = Input::new(input);
    let choice = input.byte();
    let recording = &recordings()[usize::from(choice & 1)];
    let role = if choice & 2 == 0 { Role::Initiator } else { Role::Responder };
    let shown = usize::from(choice >> 2 & 0x1F) % (recording.packets.len() + 1);
    let mut end = recording.end_after(role, shown);
    let mut packet = input.rest().to_vec();
    if choice & 0x80 != 0 {
        address(recording, role, &mut packet);
    }

    let awaited = recording.packets[shown..].iter().find(|packet| packet.from != role);
    let is_awaited = awaited.is_some_and(|awaited| packet.starts_with(&awaited.bytes));
    let (streams, established) = (end.streams_digest(), end.was_established());
    end.feed(NOW, &packet);
    assert!(is_awaited || end.streams_digest() == streams, "bytes without authentication changed a stream");
    assert!(is_awaited || established || !end.was_established(), "established by bytes without authentication");
    wind_up(&mut end);
}

/// Gives a packet the version, the id and the length that its receiver looks for.
fn address(recording: &Recording, receiver: Role, packet: &mut [u8]) {
    let Some(header) = packet.first_chunk::<HEADER_LEN>() else { return };
    let length = u16::try_from(packet.len() - HEADER_LEN).unwrap_or(u16::MAX);
    let for_receiver = recording.packets.iter().filter(|packet| packet.from != receiver);
    let known_id = for_receiver.map(|packet| Header::read(&packet.bytes).connection_id).max();
    let mut header = Header { version: 10, length, ..Header::read(header) };
    header.connection_id = if header.kind == Kind::Hello { 0 } else { known_id.unwrap_or(0) };
    packet[..HEADER_LEN].copy_from_slice(&header.to_bytes());
}

/// A Hello for a fresh responder: `choice || table || trailer`.
///
/// The choice says whether the responder wants the tag (bit 0), whether it has hybrid suites alone (bit 1), and whether the tag is put
/// right (bit 7). What comes back is a flight, a Refuse, or nothing.
pub fn hello(input: &[u8]) {
    let mut input = Input::new(input);
    let choice = input.byte();
    let mut setup = Setup { require_tag: choice & 1 != 0, ..Setup::default() };
    setup.responder.suites = Setup::SUITES.into_iter().filter(|suite| choice & 2 == 0 || suite.is_hybrid()).collect();
    let body = input.rest();
    let mut packet = Header::new(Kind::Hello, 0).packet(&body[..body.len().min(u16::MAX.into())]);
    if choice & 0x80 != 0
        && let Some(tag_at) = packet.len().checked_sub(64)
        && tag_at >= HEADER_LEN
    {
        let tag = hmac_sha256(setup.responder.id().as_bytes(), &packet[..tag_at]);
        packet[tag_at..tag_at + 32].copy_from_slice(&tag);
    }

    let mut end = End::new(&setup, Role::Responder, NOW);
    end.feed(NOW, &packet);
    let answer = end.transmit(NOW);
    let answer = split_packets(&answer);
    assert!(answer.iter().all(|packet| packet.len() <= 1_232), "a handshake packet that is too long");
    let kinds: Vec<u8> = answer.iter().map(|packet| packet[1]).collect();
    match end.session.close_reason() {
        None => {
            let hybrid = kinds == [Kind::Accept, Kind::KemOffer, Kind::ResponderAuth];
            assert!(hybrid || kinds == [Kind::Accept, Kind::ResponderAuth], "no flight but {kinds:?}");
        }
        Some(CloseReason::Incompatible(what)) => {
            assert!(kinds == [Kind::Refuse] || kinds.is_empty());
            let silent = setup.require_tag && what == PeerIncompatible::Identity;
            assert_eq!(kinds.is_empty(), silent, "who lacks the tag gets no answer, all others a reason");
        }
        Some(CloseReason::Misbehaved(_)) => assert!(kinds.is_empty(), "a malformed Hello gets no answer"),
        Some(reason) => panic!("{reason}"),
    }
    assert!(!end.was_established());
    wind_up(&mut end);
}

/// Any bytes in any chunks, for a fresh session: `choice || (length, chunk)...`.
///
/// Bit 0 of the choice says which end, bit 1 which suite. However the bytes are cut, the same comes of them (R-3.2-4).
pub fn stream(input: &[u8]) {
    let mut input = Input::new(input);
    let choice = input.byte();
    let role = if choice & 1 == 0 { Role::Responder } else { Role::Initiator };
    let recording = &recordings()[usize::from(choice >> 1 & 1)];
    let (mut cut, mut whole) = (recording.end_after(role, 0), recording.end_after(role, 0));
    let mut bytes = Vec::new();
    while !input.is_empty() {
        // 255 stands for many: whole packets would not fit otherwise.
        let len = match input.byte() {
            u8::MAX => input.u16().into(),
            len => len.into(),
        };
        let chunk = input.bytes(len);
        cut.feed(NOW, chunk);
        bytes.extend_from_slice(chunk);
    }
    whole.feed(NOW, &bytes);
    assert_eq!(cut.digest(), whole.digest(), "chunks matter");
    assert_eq!(cut.streams_digest(), whole.streams_digest(), "chunks matter");
    assert_eq!(cut.transmit(NOW), whole.transmit(NOW), "chunks matter");
    assert_eq!(cut.poll_events(), whole.poll_events(), "chunks matter");
    wind_up(&mut cut);
}

/// Ends a session as the end of its carrier does: whatever came before, it takes that well, and says so once.
pub(super) fn wind_up(end: &mut End) {
    drop(end.transmit(NOW));
    end.session.handle_link_lost(NOW);
    assert!(end.session.is_drained(), "a session without a carrier is over");
    assert!(end.transmit(NOW).is_empty(), "and has nothing to send");
    assert!(end.session.poll_timeout().is_none(), "nor to wait for");
    end.poll_events();
    assert!(matches!(end.events.last(), Some(Event::Closed(_))));
}
