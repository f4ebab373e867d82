//! Stream 0, the link's own: a peer that breaks its rules.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use aitcp::{Carrier, CloseReason, Event, PeerMisbehaved, ProtocolCode, Role};
use aitcp_testkit::Setup;
use aitcp_testkit::forge::{Control, Fragment, HostileDatagrams, HostilePeer, Payload};

const MOST: usize = 64 << 10;

fn datagrams() -> Setup {
    Setup { carrier: Carrier::Datagram { mtu: 1_452 }, ..Setup::default() }
}

/// A message on stream 0: its kind, zeros, and what follows.
fn message(kind: u8, rest: &[u8]) -> Vec<u8> {
    [&[kind, 0, 0, 0, 0, 0, 0, 0], rest].concat()
}

/// A NewTicket in the one encoding of ours.
fn new_ticket(ticket: &[u8]) -> Vec<u8> {
    // The root's place; a vtable of 8 bytes; a table of 16: back to the vtable, nonce, on to the vector; the vector.
    let mut table = Vec::new();
    table.extend_from_slice(&12_u32.to_le_bytes());
    for word in [8_u16, 16, 12, 4] {
        table.extend_from_slice(&word.to_le_bytes());
    }
    table.extend_from_slice(&8_u32.to_le_bytes());
    table.extend_from_slice(&5_u64.to_le_bytes());
    table.extend_from_slice(&4_u32.to_le_bytes());
    table.extend_from_slice(&u32::try_from(ticket.len()).unwrap().to_le_bytes());
    table.extend_from_slice(ticket);
    message(1, &table)
}

/// What a victim makes of these bytes at the beginning of stream 0, on a stream carrier and on one of datagrams.
fn outcomes(victim: Role, bytes: &[u8], flags: u16) -> [Option<CloseReason>; 2] {
    let payload = Payload::fragment(0, 0, bytes, flags);
    let mut on_stream = HostilePeer::established(&Setup::default(), victim);
    on_stream.send_data(&payload);
    let mut on_datagrams = HostileDatagrams::established(&datagrams(), victim);
    on_datagrams.send(&payload);
    [on_stream.victim.session.close_reason(), on_datagrams.victim.close_reason()]
}

fn rule(code: ProtocolCode) -> [Option<CloseReason>; 2] {
    [Some(CloseReason::Misbehaved(PeerMisbehaved::Rule(code))); 2]
}

/// R-10.2-1, R-10.2-2: a ticket comes from the responder.
#[test]
fn only_an_initiator_takes_tickets() {
    assert_eq!(outcomes(Role::Responder, &new_ticket(&[7; 40]), 1), rule(ProtocolCode::Forbidden));
    assert_eq!(outcomes(Role::Initiator, &new_ticket(&[7; 40]), 1), [None; 2]);
    let mut hostile = HostilePeer::established(&Setup::default(), Role::Initiator);
    hostile.send_data(&Payload::fragment(0, 0, &new_ticket(&[7; 40]), 1));
    assert!(hostile.victim.session.take_ticket().is_some_and(|ticket| ticket.realm().is_empty()));
    assert!(std::iter::from_fn(|| hostile.victim.session.poll_event()).any(|event| event == Event::TicketReceived));
}

/// R-8.11-1, R-8.11-4, R-10.1-1.
#[test]
fn a_message_has_its_form_or_a_kind_that_is_not_known() {
    for bad in [
        &b""[..],
        &[1, 0, 0, 0, 0, 0, 0],
        &[1, 0, 0, 0, 0, 0, 0, 1],
        &message(1, &[]),
        &message(1, &[0xFF; 40]),
        &new_ticket(&[]),
        &new_ticket(&[7; 513]),
    ] {
        assert_eq!(outcomes(Role::Initiator, bad, 1), rule(ProtocolCode::MalformedMessage), "{bad:?}");
    }
    for kind in [0, 2, 200, 255] {
        assert_eq!(outcomes(Role::Initiator, &message(kind, &[0xFF; 40]), 1), [None; 2]);
        assert_eq!(outcomes(Role::Responder, &message(kind, &[0xFF; 40]), 1), [None; 2]);
    }
}

/// R-8.11-3, R-8.2-2.
#[test]
fn stream_0_has_no_end_and_no_controls() {
    for flags in [Fragment::END_OF_STREAM | 1, Fragment::COMPRESSED | 1] {
        assert_eq!(outcomes(Role::Initiator, &message(9, &[]), flags), rule(ProtocolCode::Forbidden), "{flags}");
    }
    for code in [Control::RESET, Control::STOP] {
        let mut hostile = HostilePeer::established(&Setup::default(), Role::Initiator);
        hostile.send_data(&Payload::control(Control { code, ..Control::default() }));
        assert_eq!(hostile.victim.session.close_reason(), rule(ProtocolCode::Forbidden)[0]);
    }
}

/// R-8.11-2: a message is no longer than 64 KiB with its end, and so is what may come beyond a gap.
#[test]
fn stream_0_takes_so_much_and_no_more() {
    for (len, fits) in [(MOST, true), (MOST + 1, false)] {
        let mut hostile = HostilePeer::established(&Setup::default(), Role::Initiator);
        let bytes = message(9, &vec![7; len - 8]);
        for (at, piece) in bytes.chunks(1 << 10).enumerate() {
            hostile.send_data(&Payload::fragment(0, (at << 10) as u64, piece, 0));
        }
        let expected = (!fits).then(|| rule(ProtocolCode::MessageTooLarge)[0].unwrap());
        assert_eq!(hostile.victim.session.close_reason(), expected, "{len}");
    }
    for (offset, fits) in [(2 * MOST - 1, true), (2 * MOST, false)] {
        let mut hostile = HostileDatagrams::established(&datagrams(), Role::Initiator);
        hostile.send(&Payload::fragment(0, offset as u64, b"x", 0));
        assert_eq!(hostile.ended_for(ProtocolCode::FlowControl), !fits, "{offset}");
    }
    // What was taken in as whole messages makes room for more.
    let mut hostile = HostilePeer::established(&Setup::default(), Role::Initiator);
    let bytes = message(9, &[7; 1_000]);
    for at in 0..1_000 {
        hostile.send_data(&Payload::fragment(0, at * (bytes.len() as u64 + 1), &bytes, 1));
    }
    assert_eq!(hostile.victim.session.close_reason(), None);
}
