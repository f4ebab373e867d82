//! How sessions of an endpoint begin, go on and end.

use std::sync::Arc;

use aitcp::{
    BeginError, CloseReason, Direction, Ending, EndpointLimits, Event, Expect, Limits, ProtocolCode, Signer,
    TooManyRevoked, Verdict,
};

use super::{CLIENT, NOW, SERVER, Two, client, events, id, key, server, serving};

fn default() -> Two {
    Two::new(serving(EndpointLimits::default()))
}

fn not_admitted(event: Event) -> bool {
    let reason = CloseReason::Peer { source: aitcp::CloseSource::Protocol, code: ProtocolCode::NotAdmitted.code() };
    event == Event::Closed(reason)
}

#[test]
fn a_session_that_is_over_goes_and_its_handle_finds_nothing() {
    let mut two = default();
    let first = two.connect(2);
    two.carry();
    let (accepted, event) = two.server.poll_event().unwrap();
    assert_eq!(event, Event::Established);
    two.client.session_mut(two.now, first).unwrap().close(two.now, 7, "bye");
    two.carry();
    let closed = Event::Closed(CloseReason::Peer { source: aitcp::CloseSource::Application, code: 7 });
    assert_eq!(two.server.session(accepted).unwrap().close_text(), "bye");
    assert_eq!(events(&mut two.server), [(accepted, closed)]);
    assert!(two.server.session(accepted).is_none() && two.server.is_idle());
    assert_eq!(events(&mut two.client).last(), Some(&(first, Event::Closed(CloseReason::Local))));
    assert!(two.client.session(first).is_some(), "it answers late packets for a while");
    two.wait();
    assert!(two.client.session(first).is_none() && two.client.is_idle());
    let second = two.connect(2);
    assert!(second != first && two.client.session_mut(two.now, first).is_none());
    two.carry();
    assert!(two.server.session(accepted).is_none());
    assert_eq!(two.client.handles().collect::<Vec<_>>(), [second]);
}

/// The next session stands where the last one stood, and nothing that is done by the old handle reaches it.
#[test]
fn a_stale_handle_does_nothing_to_who_came_after() {
    let mut two = default();
    let mut limits = EndpointLimits::default();
    limits.sessions = 1;
    let config = aitcp::EndpointConfig::new().with_limits(limits);
    two.client = aitcp::Endpoint::new(NOW, config, super::seed(2)).unwrap();
    let stale = two.connect(2);
    two.carry();
    two.client.session_mut(two.now, stale).unwrap().close(two.now, 7, "bye");
    two.carry();
    events(&mut two.client);
    two.wait();
    let handle = two.connect(3);
    two.carry();
    assert_eq!(events(&mut two.client), [(handle, Event::Established), (handle, Event::Confirmed)]);
    let before = aitcp::testing::state_digest(two.client.session(handle).unwrap());
    let stats = two.client.stats();

    assert!(two.client.session(stale).is_none() && two.client.session_mut(two.now, stale).is_none());
    assert_eq!((two.client.hold(stale), two.client.route(stale)), (false, None));
    two.client.release(stale);
    two.client.handle_link_lost(two.now, stale);
    assert_eq!(two.client.handle_stream(two.now, stale, &mut [10, 1, 2]).consumed, 3);
    assert_eq!(two.client.poll_transmit_stream(two.now, stale, &mut [0; 2_000]), Ok(None));
    assert_eq!((two.client.poll_event(), two.client.poll_stream()), (None, None));
    let after = aitcp::testing::state_digest(two.client.session(handle).unwrap());
    assert_eq!((after, two.client.stats()), (before, stats));
}

#[test]
fn a_session_that_is_held_stays_after_its_end_until_it_is_released() {
    let mut two = default();
    let from = two.connect(2);
    two.carry();
    let (held, event) = two.server.poll_event().unwrap();
    assert_eq!(event, Event::Established);
    assert!(two.server.hold(held));
    assert_eq!(two.server.route(held).map(|route| route.remote), Some(CLIENT));
    let mut session = two.client.session_mut(two.now, from).unwrap();
    let stream = session.open(Direction::Unidirectional).unwrap();
    session.send(stream, b"last words", Ending::End).unwrap();
    drop(session);
    two.carry();
    two.client.session_mut(two.now, from).unwrap().close(two.now, 0, "");
    two.carry();
    assert!(matches!(events(&mut two.server).last(), Some((handle, Event::Closed(_))) if *handle == held));
    two.wait();
    assert_eq!((two.server.is_idle(), two.server.poll_timeout()), (false, None));
    let mut session = two.server.session_mut(two.now, held).unwrap();
    let received = session.recv(stream, &mut [0; 16]).unwrap();
    assert_eq!((received.len, received.end_of_message), (10, true));
    drop(session);
    assert!(events(&mut two.server).is_empty() && two.said_by_server().is_empty());

    two.server.release(held);
    assert!(two.server.session(held).is_none() && two.server.is_idle());
    assert_eq!((two.server.hold(held), two.server.route(held)), (false, None));
}

/// R-6.11-6.
#[test]
fn a_revoked_peer_is_closed_and_does_not_come_back_before_it_is_reinstated() {
    let mut two = default();
    two.connect(2);
    let stays = two.connect(3);
    two.carry();
    events(&mut two.server);
    events(&mut two.client);
    assert_eq!(two.server.revoke(two.now, id(2)), Ok(1));
    two.carry();
    let told = events(&mut two.client);
    assert!(told.len() == 1 && not_admitted(told[0].1), "{told:?}");
    let told = events(&mut two.server);
    assert!(matches!(told[..], [(_, Event::Closed(CloseReason::NotAdmitted(peer)))] if peer == id(2)), "{told:?}");
    assert!(two.client.session(stays).is_some());

    let again = two.connect(2);
    two.carry();
    let told = events(&mut two.client);
    assert!(told.last().is_some_and(|(handle, event)| *handle == again && not_admitted(*event)), "{told:?}");
    let told = events(&mut two.server);
    assert!(matches!(told[..], [(_, Event::Closed(CloseReason::NotAdmitted(_)))]), "{told:?}");
    let refused = two.server.connect(two.now, client(1), Expect::Pinned(id(2)), CLIENT);
    assert_eq!(refused, Err(BeginError::Revoked));

    assert!(two.server.reinstate(id(2)) && !two.server.reinstate(id(2)));
    let again = two.connect(2);
    two.carry();
    assert!(events(&mut two.client).contains(&(again, Event::Confirmed)));
}

#[test]
fn so_many_are_revoked_and_no_more() {
    let mut limits = EndpointLimits::default();
    limits.revoked = 1;
    let mut two = Two::new(serving(limits));
    assert_eq!(two.server.revoke(NOW, id(2)), Ok(0));
    assert_eq!(two.server.revoke(NOW, id(2)), Ok(0));
    assert_eq!(two.server.revoke(NOW, id(3)), Err(TooManyRevoked));
}

/// R-6.11-6.
#[test]
fn a_peer_has_so_many_sessions_and_the_next_one_is_not_admitted() {
    let mut limits = EndpointLimits::default();
    limits.sessions_per_peer = 2;
    let mut two = Two::new(serving(limits));
    let handles: Vec<_> = (0..3).map(|_| two.connect(2)).collect();
    let other = two.connect(3);
    two.carry();
    let told = events(&mut two.client);
    let confirmed = handles.iter().filter(|handle| told.contains(&(**handle, Event::Confirmed))).count();
    assert_eq!((confirmed, told.iter().filter(|(_, event)| not_admitted(*event)).count()), (2, 1));
    assert!(told.contains(&(other, Event::Confirmed)));
    let established = events(&mut two.server).iter().filter(|(_, event)| *event == Event::Established).count();
    assert_eq!((established, two.server.stats().turned_away), (3, 1), "the application hears of no other");
    // One that has closed counts no more.
    let first = *handles.iter().find(|handle| told.contains(&(**handle, Event::Confirmed))).unwrap();
    two.client.session_mut(two.now, first).unwrap().close(two.now, 0, "");
    two.carry();
    let again = two.connect(2);
    two.carry();
    assert!(events(&mut two.client).contains(&(again, Event::Confirmed)));
}

/// R-6.11-6: what sessions may take is counted too, each with what its configuration allows it.
#[test]
fn sessions_have_so_many_bytes_and_a_peer_so_many_of_them() {
    let each = Limits::default().max_bytes() as u64;
    let limited = |all, of_one| {
        let mut limits = EndpointLimits::default();
        (limits.bytes, limits.bytes_per_peer) = (all, of_one);
        Two::new(serving(limits))
    };
    let admitted = |two: &mut Two, identities: &[u8]| {
        let handles: Vec<_> = identities.iter().map(|identity| two.connect(*identity)).collect();
        two.carry();
        let told = events(&mut two.client);
        handles.into_iter().filter(|handle| told.contains(&(*handle, Event::Confirmed))).collect::<Vec<_>>()
    };
    assert_eq!(admitted(&mut limited(u64::MAX, 2 * each), &[2, 2, 2, 3, 3]).len(), 4);
    assert_eq!(admitted(&mut limited(u64::MAX, 2 * each - 1), &[2, 2, 2, 3, 3]).len(), 2);

    // Handshakes that were begun while there was room end in a verdict; later ones are not begun.
    let mut two = limited(2 * each, u64::MAX);
    let entered = admitted(&mut two, &[2, 3, 4]);
    assert_eq!((entered.len(), two.server.stats().turned_away), (2, 1));
    assert!(admitted(&mut two, &[5]).is_empty());
    let own = two.server.connect(two.now, client(1), Expect::Pinned(id(9)), CLIENT);
    assert_eq!(own, Err(BeginError::Full));
    two.client.session_mut(two.now, entered[0]).unwrap().close(two.now, 0, "");
    two.carry();
    assert_eq!(admitted(&mut two, &[6]).len(), 1, "what one gives back another takes");
}

#[test]
fn the_application_decides_and_signs() {
    let asking = aitcp::ServerConfig::new(Signer::External(id(1)), aitcp::Admission::Ask, &["test/1"]);
    let mut two = Two::new(aitcp::EndpointConfig::new().with_server(Arc::new(asking)));
    let handle = two.connect(2);
    two.carry();
    let (accepted, event) = two.server.poll_event().unwrap();
    assert_eq!(event, Event::SignatureWanted);
    let mut session = two.server.session_mut(two.now, accepted).unwrap();
    let signature = key(1).sign(session.to_sign().unwrap());
    session.provide_signature(two.now, &signature).unwrap();
    drop(session);
    two.carry();
    assert_eq!(two.server.poll_event(), Some((accepted, Event::PeerIdentified(id(2)))));
    two.server.session_mut(two.now, accepted).unwrap().decide(two.now, Verdict::Accept);
    two.carry();
    assert_eq!(two.server.poll_event(), Some((accepted, Event::Established)));
    assert!(events(&mut two.client).contains(&(handle, Event::Confirmed)));
}

#[test]
fn a_shutdown_waits_for_open_streams_and_takes_nobody() {
    let mut two = default();
    let handle = two.connect(2);
    two.carry();
    let stream = two.client.session_mut(two.now, handle).unwrap().open(Direction::Unidirectional).unwrap();
    two.client.session_mut(two.now, handle).unwrap().send(stream, b"last words", Ending::End).unwrap();
    two.carry();
    let (accepted, _) = two.server.poll_event().unwrap();
    two.server.shutdown(two.now);
    two.connect(3);
    two.carry();
    assert!(!two.server.is_idle());
    let begun = two.server.connect(two.now, client(1), Expect::Ask, CLIENT);
    assert_eq!(begun, Err(BeginError::ShuttingDown));
    assert_eq!(two.server.accept_stream(two.now, Arc::new(server(1))), Err(BeginError::ShuttingDown));
    two.client.session_mut(two.now, handle).unwrap().finish(stream).unwrap();
    two.carry();
    let mut buffer = [0; 32];
    let mut session = two.server.session_mut(two.now, accepted).unwrap();
    while session.recv(stream, &mut buffer).is_ok_and(|received| !received.end_of_stream) {}
    drop(session);
    events(&mut two.server);
    for _ in 0..20 {
        two.carry();
        events(&mut two.client);
        events(&mut two.server);
        if !two.server.is_idle() {
            two.wait();
        }
    }
    assert!(two.server.is_idle(), "{:?}", two.server);
}

#[test]
fn there_is_room_for_so_many_and_handles_of_others_find_nothing() {
    let mut limits = EndpointLimits::default();
    limits.sessions = 1;
    let mut two = Two::new(serving(limits));
    let handle = two.connect(2);
    assert!(two.server.session(handle).is_none());
    two.server.connect(NOW, client(1), Expect::Ask, CLIENT).unwrap();
    assert_eq!(two.server.connect(NOW, client(1), Expect::Ask, CLIENT), Err(BeginError::Full));
    let bad = Arc::new(aitcp::ClientConfig::new(key(1), ""));
    let refused = two.server.connect(NOW, bad, Expect::Ask, SERVER);
    assert!(matches!(refused, Err(BeginError::Config(_))), "{refused:?}");
}
