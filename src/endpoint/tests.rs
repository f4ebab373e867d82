//! What cannot be seen from outside: that nothing is looked for.

use alloc::sync::Arc;
use core::time::Duration;

use super::*;
use crate::config::Timeouts;
use crate::crypto::keygen::IdentityKey;
use crate::crypto::rustcrypto::RustCrypto;

const NOW: Instant = Instant::ORIGIN;

fn idle_sessions(count: u64) -> Endpoint<u64> {
    let mut config = EndpointConfig::new();
    config.limits.sessions = u32::try_from(count).unwrap();
    let mut endpoint = Endpoint::new(NOW, config, Seed::new([1; 32]).unwrap()).unwrap();
    let key = IdentityKey::from_seed(&RustCrypto, [2; 32]).unwrap();
    let timeouts = Timeouts { datagram_handshake: Duration::from_secs(3), ..Timeouts::default() };
    let client = Arc::new(ClientConfig::new(key, "test/1").with_timeouts(timeouts));
    let mut room = [0; 1_452];
    for peer in 0..count {
        endpoint.connect(NOW, Arc::clone(&client), Expect::Ask, peer).unwrap();
        while endpoint.poll_transmit(NOW, &mut room).unwrap().is_some() {}
    }
    while endpoint.poll_event().is_some() {}
    assert!(has_nothing_to_do(&endpoint.agenda));
    endpoint
}

fn has_nothing_to_do(agenda: &Agenda) -> bool {
    agenda.datagrams.is_empty() && agenda.streams.is_empty() && agenda.events.is_empty()
}

/// Every poll begins with its queue, and what is not in it is not touched.
#[test]
fn idle_sessions_are_in_no_queue() {
    let mut endpoint = idle_sessions(2_000);
    assert!(has_nothing_to_do(&endpoint.agenda));
    assert_eq!(endpoint.agenda.deadlines.len(), 2_000, "one deadline for each, whatever they have");
    let handle = endpoint.handles().nth(1_234).unwrap();
    drop(endpoint.session_mut(NOW, handle));
    assert_eq!((endpoint.agenda.datagrams.len(), endpoint.agenda.events.len()), (1, 1));
    assert_eq!((endpoint.poll_event(), endpoint.poll_transmit(NOW, &mut [0; 1_452]).unwrap()), (None, None));
    assert!(has_nothing_to_do(&endpoint.agenda));
}

#[test]
fn waking_at_the_deadlines_alone_ends_every_session_in_time() {
    let mut endpoint = idle_sessions(50);
    let mut room = [0; 1_452];
    let mut ended = 0;
    while let Some(at) = endpoint.poll_timeout() {
        endpoint.handle_timeout(at);
        assert!(endpoint.poll_timeout().is_none_or(|next| next > at));
        while endpoint.poll_transmit(at, &mut room).unwrap().is_some() {}
        ended += core::iter::from_fn(|| endpoint.poll_event()).count();
        assert!(at <= NOW + Duration::from_secs(3));
    }
    assert_eq!((ended, endpoint.is_idle()), (50, true));
    assert!(endpoint.routes.by_connection_id(1).is_none() && endpoint.by_peer.is_empty());
}
