//! What only datagram carriers have: padding, cookies and Retry.

use super::*;
use crate::wire::packet_builder::Retry;

/// A Hello as initiators build it, with names as long as they may be.
fn hello(names: usize, cookie: Option<&[u8; 32]>, padded_to: Option<u16>) -> Vec<u8> {
    let (app_protocol, realm) = ("a".repeat(names), "r".repeat(names));
    let hello = Hello {
        versions: &[10],
        suites: &[1, 2, 3, 4],
        random: &SAMPLE,
        key_share: &SAMPLE,
        connection_id: NonZeroU64::MAX,
        app_protocol: &app_protocol,
        realm: &realm,
        ticket: &[],
        cookie,
        padded_to,
    };
    hello.build().tag(Some(&SAMPLE)).bind(None)
}

/// R-4.1-6, R-4.1-7.
#[test]
fn a_padded_hello_has_exactly_the_length_asked_for() {
    for names in [1, 17, 64] {
        for mtu in 512..=1_232 {
            let packet = hello(names, None, Some(mtu));
            assert_eq!(packet.len(), usize::from(mtu));
            let view = HelloView::parse(body_of(&packet, PacketKind::Hello, 0)).unwrap();
            assert_eq!((view.packet_len, view.app_protocol.len(), view.realm.len()), (packet.len(), names, names));
            assert!(view.for_datagram().is_ok() && view.for_stream().is_err());
        }
    }
}

/// R-4.1-6.
#[test]
fn a_short_hello_has_no_place_in_a_datagram() {
    for (len, fits) in [(511, false), (512, true), (1_232, true)] {
        let packet = hello(1, None, Some(len));
        assert_eq!(HelloView::parse(&packet[HEADER_LEN..]).unwrap().for_datagram().is_ok(), fits, "{len} bytes");
    }
    let bare = hello(64, None, None);
    assert!(bare.len() < 512, "the longest Hello without a ticket fits the smallest mtu: {}", bare.len());
    assert!(HelloView::parse(&bare[HEADER_LEN..]).unwrap().for_datagram().is_err());
}

/// R-4.1-8, R-4.2-3.
#[test]
fn a_cookie_changes_nothing_before_the_trailer() {
    let (first, second) = (hello(5, None, Some(1_232)), hello(5, Some(&[7; 32]), Some(1_232)));
    let view = |packet: &'static [u8]| HelloView::parse(&packet[HEADER_LEN..]).unwrap();
    let (one, other) = (view(first.clone().leak()), view(second.clone().leak()));
    assert_eq!((one.cookie, other.cookie), (None, Some(&[7; 32])));
    assert_eq!(one.table, other.table);
    assert_eq!(first[..HEADER_LEN], second[..HEADER_LEN]);
    assert_eq!(one.table.len() + HEADER_LEN + 96, first.len());
}

/// R-4.2-2.
#[test]
fn a_retry_reads_as_it_was_written_and_needs_a_cookie() {
    let retry = |cookie: &[u8; 32]| Retry { hello_hash: &SAMPLE, cookie }.build(receiver());
    let packet = retry(&[7; 32]);
    let view = RetryView::parse(body_of(&packet, PacketKind::Retry, 0)).unwrap();
    assert_eq!((view.hello_hash, view.cookie), (&SAMPLE, &[7; 32]));
    assert_eq!(RetryView::parse(&retry(&[0; 32])[HEADER_LEN..]).err(), Some(Malformed));
    assert!(packet.len() < 512, "smaller than any Hello that it answers");
}
