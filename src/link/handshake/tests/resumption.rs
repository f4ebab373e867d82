//! Handshakes with tickets, over datagrams: every packet altered, and choices that were not offered.

use super::*;
use crate::crypto::key_schedule::Psk;
use crate::link::ticket::{Facts, OpenedTicket, Ticket};
use crate::wire::packet_builder::Accept;
use crate::wire::packet_parser::AcceptView;

const PSK: [u8; 32] = [0x51; 32];

fn facts(suite: Suite) -> Facts {
    let (initiator, responder) = (alice().peer_id(), bob().peer_id());
    Facts { initiator, responder, app_protocol: "test/1".into(), realm: String::new(), suite }
}

fn opened(suite: Suite) -> OpenedTicket {
    OpenedTicket { psk: Psk::from_bytes(&PSK), facts: facts(suite), policy_epoch: 3 }
}

/// An initiator that offers a ticket of a session with this suite, and its Hello.
fn initiator(suites: &[Suite], suite: Suite, psk: [u8; 32]) -> (End, Vec<u8>) {
    let ticket = Ticket::new(vec![7; 200], Psk::from_bytes(&psk), facts(suite));
    let (mut generator, mut hello) = (generator(11), Vec::new());
    let target = (Expect::Pinned(bob().peer_id()), Some(ticket));
    let config = Arc::new(client(suites));
    let handshake = Handshake::connect(config, target, CARRIER, None, &mut generator, &mut hello);
    (End { handshake, generator, done: None }, hello)
}

/// A responder that has opened the ticket of the Hello, if it was shown one, and its flight.
fn responder(suites: &[Suite], hello: &[u8], ticket: &OpenedTicket) -> (End, Vec<Vec<u8>>) {
    let mut responder = End::accept_as(server(bob(), suites).with_tickets(3), CARRIER);
    let (progress, sent) = responder.take(hello).unwrap();
    if !matches!(progress, Progress::TicketPresented) {
        return (responder, sent);
    }
    let mut out = Vec::new();
    let progress = responder.handshake.answer_ticket(Some(ticket), &mut responder.generator, &mut out).unwrap();
    assert!(matches!(progress, Progress::Waiting));
    (responder, split(&out))
}

/// R-10.3-1, R-10.3-4: not a bit of any packet can be another, and then the genuine one is taken.
#[test]
fn no_altered_packet_is_taken() {
    for suite in SUITES {
        let (mut i, hello) = initiator(&[suite], suite, PSK);
        for bit in (0..hello.len() * 8).step_by(5) {
            let mut altered = hello.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let Ok(header) = Header::parse(altered.first_chunk().unwrap()) else { continue };
            if header.kind != PacketKind::Hello || header.length as usize + HEADER_LEN != altered.len() {
                continue;
            }
            let mut other = End::accept_as(server(bob(), &[suite]).with_tickets(3), CARRIER);
            if matches!(other.take(&altered), Ok((Progress::TicketPresented, _))) {
                let mut out = Vec::new();
                let _ = other.handshake.answer_ticket(Some(&opened(suite)), &mut other.generator, &mut out);
                let accept = split(&out).first().cloned();
                let view = accept.as_ref().and_then(|accept| AcceptView::parse(&accept[HEADER_LEN..]).ok());
                let resumed = view.is_some_and(|accept| accept.resumed);
                assert!(!resumed, "{suite}: bit {bit} is not under the binder");
            }
        }
        let (mut r, mut flight) = responder(&[suite], &hello, &opened(suite));
        flight.sort_by_key(|packet| packet[1]); // by kind, so that each is altered when it is awaited
        let accept = AcceptView::parse(&flight[0][HEADER_LEN..]).unwrap();
        assert!(accept.resumed);
        let mut last = Vec::new();
        for packet in &flight {
            for bit in (HEADER_LEN * 8..packet.len() * 8).step_by(7).filter(|_| packet != &flight[0]) {
                let mut altered = packet.clone();
                altered[bit / 8] ^= 1 << (bit % 8);
                let before = i.handshake.digest();
                assert!(i.take(&altered).is_err() && i.handshake.digest() == before, "{suite}: bit {bit}");
            }
            last.extend(i.take(packet).unwrap().1);
        }
        assert!(i.done.as_ref().is_some_and(|done| done.peer.is_resumed() && done.peer.id() == bob().peer_id()));
        for packet in &last {
            for bit in (HEADER_LEN * 8..packet.len() * 8).step_by(7) {
                let mut altered = packet.clone();
                altered[bit / 8] ^= 1 << (bit % 8);
                let before = r.handshake.digest();
                assert!(r.take(&altered).is_err() && r.handshake.digest() == before, "{suite}: bit {bit}");
            }
            r.take(packet).unwrap();
        }
        let done = r.done.unwrap();
        assert!(done.peer.is_resumed() && done.peer.id() == alice().peer_id() && done.peer.credentials().is_empty());
        assert_eq!(done.resumption.psk(4).as_bytes(), i.done.unwrap().resumption.psk(4).as_bytes());
    }
}

/// R-10.3-3: a Hello that was recorded, with the ticket, is worth nothing to who has not the PSK.
#[test]
fn who_has_not_the_psk_resumes_nothing() {
    let suite = SUITES[0];
    let (_, hello) = initiator(&[suite], suite, [0x52; 32]);
    let (_, flight) = responder(&[suite], &hello, &opened(suite));
    assert!(!AcceptView::parse(&flight[0][HEADER_LEN..]).unwrap().resumed, "the binder is not right");
    // An Accept that anybody can make is one more candidate, for which nothing opens.
    let (mut i, hello) = initiator(&[suite], suite, PSK);
    let (_, genuine) = responder(&[suite], &hello, &opened(suite));
    let accept = AcceptView::parse(&genuine[0][HEADER_LEN..]).unwrap();
    let forged = Accept {
        version: accept.version,
        suite: accept.suite,
        random: &[9; 32],
        key_share: accept.key_share,
        connection_id: accept.connection_id,
        resumed: true,
    };
    let forged = forged.build(NonZeroU64::new(i.handshake.local_id()).unwrap());
    assert!(i.take(&forged).is_ok(), "one more candidate");
    assert!(i.take_all(&genuine[1..]).is_empty() && i.done.is_none());
    i.take_all(&genuine);
    assert!(i.done.is_some());
}

/// R-4.4-2, R-4.4-3: resumed without a ticket, or with another suite than its.
#[test]
fn what_was_not_offered_cannot_be_resumed() {
    let suites = &SUITES[..2];
    for (offers_ticket, suite, fits) in [(true, suites[0], true), (true, suites[1], false), (false, suites[0], false)] {
        let (mut i, _) = if offers_ticket { initiator(suites, suites[0], PSK) } else { End::connect(suites) };
        let accept = Accept {
            version: 10,
            suite: suite.id(),
            random: &[9; 32],
            key_share: &[9; 32],
            connection_id: NonZeroU64::MAX,
            resumed: true,
        };
        let packet = accept.build(NonZeroU64::new(i.handshake.local_id()).unwrap());
        let outcome = i.take(&packet).map(|_| ());
        let refused = Err(Discarded::Invalid(crate::event::PeerMisbehaved::ChoseUnoffered.into()));
        assert_eq!(outcome, if fits { Ok(()) } else { refused });
    }
}
