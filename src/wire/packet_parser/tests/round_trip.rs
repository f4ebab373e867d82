//! Builder against parser.

use super::*;

proptest! {
    #[test]
    fn a_hello_reads_as_it_was_written(
        versions in vec_of(any::<u16>(), 1..=8),
        suites in vec_of(any::<u8>(), 1..=8),
        random: [u8; 32],
        key_share: [u8; 32],
        connection_id in 1..=u64::MAX,
        app_protocol in "[a-z]{1,64}",
        realm in "[a-z]{0,64}",
        ticket in vec_of(any::<u8>(), 0..=MAX_TICKET),
        peer_tag: Option<[u8; 32]>,
        binder: [u8; 32],
    ) {
        let binder = Some(binder).filter(|binder| *binder != [0; 32] && !ticket.is_empty());
        let connection_id = NonZeroU64::new(connection_id).unwrap();
        let hello = Hello {
            versions: &versions,
            suites: &suites,
            random: &random,
            key_share: &key_share,
            connection_id,
            app_protocol: &app_protocol,
            realm: &realm,
            ticket: &ticket,
            cookie: None,
            padded_to: None,
        };
        let untagged = hello.build();
        let tagged = untagged.tagged().to_vec();
        let unbound = untagged.tag(peer_tag.as_ref());
        let bound = unbound.bound().to_vec();
        let packet = unbound.bind(binder.as_ref());
        prop_assert_eq!(&packet[..packet.len() - 64], &tagged[..]);

        let view = HelloView::parse(body_of(&packet, PacketKind::Hello, 0)).unwrap().for_stream().unwrap();
        prop_assert_eq!(view.versions.iter().collect::<Vec<_>>(), versions);
        prop_assert_eq!(view.suites, &suites);
        prop_assert_eq!((view.random, view.key_share, view.connection_id), (&random, &key_share, connection_id));
        prop_assert_eq!((view.app_protocol, view.realm), (&app_protocol[..], &realm[..]));
        prop_assert_eq!(view.peer_tag, peer_tag.as_ref().filter(|tag| **tag != [0; 32]));
        prop_assert_eq!(view.tagged, &tagged[HEADER_LEN..]);
        prop_assert_eq!((view.ticket, view.binder, view.bound), (&ticket[..], binder.as_ref(), &bound[HEADER_LEN..]));
    }

    #[test]
    fn answers_read_as_they_were_written(
        id in 1..=u64::MAX,
        receiver in 1..=u64::MAX,
        a: [u8; 32],
        b: [u8; 32],
        version: u16,
        suite: u8,
        resumed: bool,
        code in 0..=6_u16,
        versions in vec_of(any::<u16>(), 0..=8),
        suites in vec_of(any::<u8>(), 0..=8),
    ) {
        let receiver = NonZeroU64::new(receiver).unwrap();
        let connection_id = NonZeroU64::new(id).unwrap();
        let packet = Accept { version, suite, random: &a, key_share: &b, connection_id, resumed }.build(receiver);
        let view = AcceptView::parse(body_of(&packet, PacketKind::Accept, 0)).unwrap();
        prop_assert_eq!((view.version, view.suite, view.key_share), (version, suite, &b));
        prop_assert_eq!((view.connection_id, view.resumed, view.early_accepted), (connection_id, resumed, false));

        let code = RefuseCode::from_code(code).unwrap();
        let packet = Refuse { hello_hash: &a, code, versions: &versions, suites: &suites }.build(receiver);
        let view = RefuseView::parse(body_of(&packet, PacketKind::Refuse, 0)).unwrap();
        prop_assert_eq!((view.hello_hash, view.code), (&a, code));
        prop_assert_eq!(Header::parse(packet.first_chunk().unwrap()).unwrap().connection_id, receiver.get());
    }

    #[test]
    fn an_auth_reads_as_it_was_written(
        max_packet in 2_088..=16_424_u16,
        session_credit in 0..=1_u64 << 62,
        bidirectional_streams in 0..=1_u64 << 60,
        max_message in 1..=u64::MAX,
        idle_timeout_ms: u32,
        compression: bool,
        max_datagram: u16,
        max_ack_delay_ms in 0..1_u16 << 14,
        identity: [u8; 32],
        credentials in vec_of(any::<u8>(), 0..=512),
        initiator: bool,
    ) {
        let params = Params {
            max_packet,
            session_credit,
            stream_credit: session_credit / 2,
            bidirectional_streams,
            unidirectional_streams: bidirectional_streams / 2,
            max_message,
            idle_timeout_ms,
            compression,
            max_datagram,
            max_ack_delay_ms,
        };
        let shown = Identity { key: &identity, credentials: &credentials };
        let auth = Auth { params, identity: Some(shown) };
        let (role, kind, epoch) = if initiator {
            (Role::Initiator, PacketKind::InitiatorAuth, 2)
        } else {
            (Role::Responder, PacketKind::ResponderAuth, 1)
        };
        let unsigned = auth.build(role, receiver(), 0);
        let covered = unsigned.covered().to_vec();
        let packet = unsigned.sign(Some(&[3; 64])).finish(&[4; 32]);
        prop_assert_eq!(Header::parse(packet.first_chunk().unwrap()).unwrap().epoch, epoch);
        let body = body_of(&packet, kind, TAG_LEN);
        let view = if initiator { AuthView::of_initiator(body) } else { AuthView::of_responder(body) }.unwrap();
        prop_assert_eq!(view.params, params);
        prop_assert_eq!((view.identity, view.credentials), (&identity, &credentials[..]));
        prop_assert_eq!((view.signature, view.finished), (&[3; 64], &[4; 32]));
        prop_assert_eq!(view.covered, &covered[HEADER_LEN..]);

        // R-4.6-3: the same in a resumed handshake.
        let unsigned = Auth { params, identity: None }.build(role, receiver(), 0);
        let (covered, len) = (unsigned.covered().to_vec(), unsigned.packet_len());
        let packet = unsigned.sign(None).finish(&[4; 32]);
        prop_assert_eq!(packet.len(), len);
        let body = body_of(&packet, kind, TAG_LEN);
        let resumed = if initiator { ResumedAuthView::of_initiator } else { ResumedAuthView::of_responder };
        let view = resumed(body).unwrap();
        prop_assert_eq!((view.params, view.finished, view.covered), (params, &[4; 32], &covered[HEADER_LEN..]));
    }
}
