//! How long packets and flights are.

use super::*;
use crate::error::ConfigError;

const PLAIN: [Suite; 2] = [Suite::X25519ChaCha20Poly1305, Suite::X25519Aes256Gcm];

/// The longest credentials that this mtu takes, found through the configuration's own check.
fn longest_credentials(mtu: u16) -> usize {
    let fits = |len: &usize| {
        let credentials = vec![1; *len];
        let ends = [
            client(&PLAIN).with_credentials(&credentials).validate(Carrier::Datagram { mtu }),
            server(bob(), &PLAIN).with_credentials(&credentials).validate(Carrier::Datagram { mtu }),
        ];
        assert!(ends.iter().all(|end| matches!(end, Ok(()) | Err(ConfigError::CredentialsForMtu))));
        ends.iter().all(Result::is_ok)
    };
    (0..=512).rev().find(fits).unwrap()
}

/// R-6.10-2, R-4.1-7, R-5.1-4, R-6.10-6.
#[test]
fn every_packet_fits_its_datagram_and_no_flight_is_thrice_the_hello() {
    assert_eq!(longest_credentials(1_232), 512);
    assert!((100..512).contains(&longest_credentials(512)));
    for mtu in [512, 513, 800, 1_231, 1_232, 1_233, 9_000] {
        let carrier = Carrier::Datagram { mtu };
        let most = usize::from(mtu.min(1_232));
        let credentials = vec![1; longest_credentials(mtu)];
        for suite in SUITES.into_iter().filter(|suite| carrier.takes(*suite)) {
            let (name, suites) = ("n".repeat(64), &[suite]);
            let config = ClientConfig::new(alice(), &name).with_realm(&name).with_credentials(&credentials);
            let (mut initiator, hello) =
                End::connect_as(config.with_suites(suites), Expect::Pinned(bob().peer_id()), carrier);
            let config = ServerConfig::new(bob(), Admission::Any, &[&name]).with_realms(&[&name]);
            let mut responder = End::accept_as(config.with_suites(suites).with_credentials(&credentials), carrier);
            assert_eq!(hello.len(), most);
            let (_, flight) = responder.take(&hello).unwrap();
            let last = initiator.take_all(&flight);
            assert!(flight.iter().chain(&last).all(|packet| packet.len() <= most), "{suite} with {mtu}");
            assert!(flight.concat().len() <= 3 * hello.len());
            responder.take_all(&last);
            assert_linked(&mut initiator, &mut responder);
        }
    }
}

/// R-6.10-6: two datagrams instead of three.
#[test]
fn accept_and_responder_auth_share_a_datagram() {
    for suite in SUITES {
        let (_, _, flight) = answered(suite);
        assert_eq!([kind(&flight[0]), kind(&flight[1])], [PacketKind::Accept, PacketKind::ResponderAuth]);
        assert!(flight[0].len() + flight[1].len() <= 1_232);
        assert!(suite.is_hybrid() || flight.concat().len() <= 1_024, "a half-open link holds this");
        assert!(flight.concat().len() <= 3_072);
    }
}

/// R-5.1-4.
#[cfg(feature = "hybrid")]
#[test]
fn hybrid_suites_need_room_at_both_ends() {
    let small = Carrier::Datagram { mtu: 1_231 };
    let hybrid = [Suite::HybridChaCha20Poly1305, Suite::HybridAes256Gcm];
    assert_eq!(client(&hybrid).validate(small), Err(ConfigError::NoSuiteForMtu));
    assert_eq!(server(bob(), &hybrid).validate(small), Err(ConfigError::NoSuiteForMtu));
    assert_eq!(client(&hybrid).validate(Carrier::Datagram { mtu: 1_232 }), Ok(()));
    assert_eq!(client(&hybrid).validate(Carrier::Stream), Ok(()));

    let pinned = Expect::Pinned(bob().peer_id());
    for (at_initiator, at_responder, is_hybrid) in [(1_232, 1_232, true), (1_231, 1_232, false), (1_232, 1_231, false)]
    {
        let (mut initiator, hello) = End::connect_as(client(&SUITES), pinned, Carrier::Datagram { mtu: at_initiator });
        let mut responder = End::accept_as(server(bob(), &SUITES), Carrier::Datagram { mtu: at_responder });
        let offered = HelloView::parse(&hello[HEADER_LEN..]).unwrap().suites.len();
        assert_eq!(offered, if at_initiator < 1_232 { 2 } else { 4 });
        let (_, flight) = responder.take(&hello).unwrap();
        finish(&mut initiator, &mut responder, &flight);
        assert_eq!(initiator.done.as_ref().unwrap().suite.is_hybrid(), is_hybrid);
    }
}

/// R-5.1-4: somebody who offers a hybrid suite in a short Hello gets another one.
#[cfg(feature = "hybrid")]
#[test]
fn a_short_hello_gets_no_hybrid_suite() {
    // Built for a stream, and padded by hand.
    let mut out = Vec::new();
    let expect = Expect::Ask;
    let config = Arc::new(client(&SUITES));
    Handshake::connect(config, (expect, None), Carrier::Stream, None, &mut generator(11), &mut out);
    let table_end = out.len() - 96;
    let padding = vec![0; 600 - out.len()];
    out.splice(table_end..table_end, padding);
    let length = u16::try_from(out.len() - HEADER_LEN).unwrap();
    out[2..4].copy_from_slice(&length.to_le_bytes());

    let mut responder = End::accept(&SUITES);
    let (_, flight) = responder.take(&out).unwrap();
    assert_eq!(flight.len(), 2, "Accept and ResponderAuth");
    assert!(flight.concat().len() <= 3 * out.len());
}

#[test]
fn an_mtu_has_bounds() {
    for (mtu, fits) in [(0, false), (511, false), (512, true), (65_527, true), (65_528, false), (u16::MAX, false)] {
        let expected = if fits { Ok(()) } else { Err(ConfigError::Mtu) };
        assert_eq!(client(&PLAIN).validate(Carrier::Datagram { mtu }), expected, "{mtu}");
        assert_eq!(server(bob(), &PLAIN).validate(Carrier::Datagram { mtu }), expected, "{mtu}");
    }
}
