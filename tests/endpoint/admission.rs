//! Hellos: which begin a handshake, and what answers the others.

use std::sync::Arc;
use std::time::Duration;

use aitcp::{
    CloseReason, Discarded, Disposition, Endpoint, EndpointConfig, EndpointLimits, Event, Expect, PeerIncompatible,
    Rate, RefuseCode, Retry,
};

use aitcp_testkit::forge::{Header, Hello, Kind};

use super::{CLIENT, NOW, SERVER, Two, client, events, id, seed, sent, server, serving};

fn limits(change: impl FnOnce(&mut EndpointLimits)) -> EndpointLimits {
    let mut limits = EndpointLimits::default();
    change(&mut limits);
    limits
}

fn always() -> EndpointConfig {
    serving(limits(|limits| limits.retry = Retry::Always))
}

/// R-6.11-2, R-6.11-4.
#[test]
fn with_retries_always_nothing_is_kept_before_the_cookie() {
    let mut two = Two::new(always());
    let handle = two.connect(2);
    let hello = two.said_by_client().remove(0);
    assert_eq!(two.up(CLIENT, &hello), Disposition::Discarded(Discarded::CookieWanted));
    assert_eq!((two.server.stats().sessions, two.server.poll_timeout()), (0, None));
    let retry = two.said_by_server();
    assert!(retry.len() == 1 && retry[0].0 == CLIENT && retry[0].1.len() < hello.len() / 3);
    two.down(&retry[0].1);
    two.carry();
    assert_eq!(events(&mut two.client), [(handle, Event::Established), (handle, Event::Confirmed)]);
    let stats = two.server.stats();
    assert_eq!((stats.retries, stats.cookies_valid, stats.accepted, stats.half_opens), (1, 1, 1, 0));
}

/// R-6.11-3.
#[test]
fn a_cookie_of_another_address_or_an_old_one_is_none() {
    let mut two = Two::new(always());
    two.connect(2);
    let hello = two.said_by_client().remove(0);
    two.up(CLIENT, &hello);
    let retry = two.said_by_server().remove(0).1;
    two.down(&retry);
    let with_cookie = two.said_by_client().remove(0);
    assert_eq!(two.up(CLIENT + 1, &with_cookie), Disposition::Discarded(Discarded::CookieWanted));
    two.now = NOW + Duration::from_secs(121);
    assert_eq!(two.up(CLIENT, &with_cookie), Disposition::Discarded(Discarded::CookieWanted));
    assert_eq!((two.server.stats().cookies_invalid, two.server.stats().sessions), (2, 0));
    two.server = Endpoint::new(NOW, always(), seed(1)).unwrap();
    two.now = NOW;
    assert_eq!(two.up(CLIENT, &with_cookie), Disposition::Handled);
}

/// R-6.10-4.
#[test]
fn a_hello_that_comes_again_is_answered_with_the_same_bytes() {
    let mut two = Two::new(serving(EndpointLimits::default()));
    two.connect(2);
    let hello = two.said_by_client().remove(0);
    two.up(CLIENT, &hello);
    let first = two.said_by_server();
    assert!(!first.is_empty());
    two.up(CLIENT, &hello);
    assert_eq!(two.said_by_server(), first);
    // R-9.7-8: from anywhere else it may be the initiator that has moved; the answer goes where the last one came from.
    two.up(CLIENT + 1, &hello);
    assert!(two.said_by_server().iter().all(|(to, _)| *to == CLIENT + 1));
    let stats = two.server.stats();
    assert_eq!((stats.sessions, stats.hellos, stats.hellos_repeated), (1, 3, 2));
}

#[test]
fn whoever_serves_nobody_answers_nobody() {
    let mut two = Two::new(EndpointConfig::new());
    two.connect(2);
    let hello = two.said_by_client().remove(0);
    let unserved = Discarded::Refused(PeerIncompatible::Identity);
    assert_eq!(two.up(CLIENT, &hello), Disposition::Discarded(unserved));
    assert!(two.said_by_server().is_empty() && two.server.is_idle());
}

/// R-6.11-1, R-6.11-4, R-6.3-2.
#[test]
fn one_of_several_identities_answers_and_only_a_refuse_says_that_none_does() {
    let hidden = Arc::new(server(1).with_required_tag(true));
    let shown = Arc::new(server(3));
    let both = EndpointConfig::new().with_server(Arc::clone(&hidden)).with_server(shown);
    let mut two = Two::new(both);
    for (expect, answers) in [
        (Expect::Pinned(id(1)), Some(id(1))),
        (Expect::Pinned(id(3)), Some(id(3))),
        (Expect::Ask, Some(id(3))),
        (Expect::Pinned(id(4)), None),
    ] {
        let handle = two.client.connect(NOW, client(2), expect, SERVER).unwrap();
        let hello = two.said_by_client().remove(0);
        two.up(CLIENT, &hello);
        let answer = two.said_by_server();
        if answers.is_none() {
            assert!(answer.len() == 1 && answer[0].1.len() < hello.len() / 3);
            assert_eq!(two.server.stats().unserved, 1);
        }
        answer.iter().for_each(|(_, datagram)| _ = two.down(datagram));
        two.carry();
        let info = two.client.session(handle).unwrap().handshake().map(|info| info.peer);
        assert_eq!(info, answers, "{expect:?}");
    }
    let mut alone = Two::new(EndpointConfig::new().with_server(hidden));
    alone.client.connect(NOW, client(2), Expect::Ask, SERVER).unwrap();
    let hello = alone.said_by_client().remove(0);
    alone.up(CLIENT, &hello);
    assert!(alone.said_by_server().is_empty() && alone.server.is_idle());
}

#[test]
fn a_hello_for_another_protocol_is_refused_and_forgotten() {
    let other = aitcp::ServerConfig::new(super::key(1), aitcp::Admission::Any, &["other/1"]);
    let mut two = Two::new(EndpointConfig::new().with_server(Arc::new(other)));
    let handle = two.connect(2);
    while two.client.session(handle).is_some_and(|session| !session.is_drained()) {
        two.carry();
        two.wait();
    }
    let why = CloseReason::Refused(RefuseCode::UnknownAppProtocol);
    assert_eq!(events(&mut two.client), [(handle, Event::Closed(why))]);
    assert!(two.server.is_idle() && two.client.is_idle());
}

/// R-6.11-5.
#[test]
fn a_full_server_says_that_it_is_busy() {
    for full in [limits(|limits| limits.sessions = 1), limits(|limits| limits.half_opens = 1)] {
        let mut two = Two::new(serving(full));
        for identity in [2, 3] {
            two.connect(identity);
        }
        let hellos = two.said_by_client();
        assert_eq!(two.up(CLIENT, &hellos[0]), Disposition::Handled);
        assert_eq!(two.up(CLIENT, &hellos[1]), Disposition::Discarded(Discarded::Busy));
        let stats = two.server.stats();
        assert_eq!((stats.sessions, stats.busy), (1, 1));
    }
}

#[test]
fn an_address_has_so_many_handshakes_and_others_have_theirs() {
    let two_each = limits(|limits| (limits.half_opens_per_address, limits.retry) = (2, Retry::Never));
    let mut two = Two::new(serving(two_each));
    for identity in 2..=5 {
        two.connect(identity);
    }
    let hellos = two.said_by_client();
    let dispositions: Vec<_> = hellos[..3].iter().map(|hello| two.up(CLIENT, hello)).collect();
    assert_eq!(dispositions[..2], [Disposition::Handled; 2]);
    assert_eq!(dispositions[2], Disposition::Discarded(Discarded::Busy));
    assert_eq!(two.up(CLIENT + 1, &hellos[3]), Disposition::Handled);
}

/// Copies of its Hello from elsewhere change nothing about what an address has.
#[test]
fn a_handshake_counts_for_the_address_that_began_it_until_it_ends() {
    let mut two = Two::new(serving(limits(|limits| (limits.half_opens_per_address, limits.retry) = (1, Retry::Never))));
    (2..=3).for_each(|identity| _ = two.connect(identity));
    let hellos = two.said_by_client();
    assert_eq!(two.up(CLIENT, &hellos[0]), Disposition::Handled);
    assert_eq!(two.up(CLIENT + 1, &hellos[0]), Disposition::Handled);
    assert_eq!(two.up(CLIENT, &hellos[1]), Disposition::Discarded(Discarded::Busy));
    two.now = two.server.poll_timeout().unwrap();
    two.server.handle_timeout(two.now);
    assert_eq!(two.server.stats().half_opens, 0);
    assert_eq!(two.up(CLIENT, &hellos[1]), Disposition::Handled);
}

#[test]
fn half_of_what_an_address_may_have_is_for_who_is_there() {
    let mut two = Two::new(serving(limits(|limits| limits.half_opens_per_address = 2)));
    (2..=4).for_each(|identity| _ = two.connect(identity));
    let hellos = two.said_by_client();
    assert_eq!(two.up(CLIENT, &hellos[0]), Disposition::Handled);
    assert_eq!(two.up(CLIENT, &hellos[1]), Disposition::Discarded(Discarded::CookieWanted));
    two.carry();
    assert_eq!(two.server.stats().sessions, 2);
}

#[test]
fn beyond_their_rate_hellos_need_a_cookie_or_are_dropped() {
    let slow = Rate { per_second: 1, burst: 1 };
    let mut two = Two::new(serving(limits(|limits| limits.without_cookie = slow)));
    (2..=4).for_each(|identity| _ = two.connect(identity));
    let hellos = two.said_by_client();
    assert_eq!(two.up(CLIENT, &hellos[0]), Disposition::Handled);
    assert_eq!(two.up(CLIENT, &hellos[1]), Disposition::Discarded(Discarded::CookieWanted));
    let never = limits(|limits| (limits.without_cookie, limits.retry) = (slow, Retry::Never));
    let mut two = Two::new(serving(never));
    assert_eq!(two.up(CLIENT, &hellos[0]), Disposition::Handled);
    assert_eq!(two.up(CLIENT, &hellos[1]), Disposition::Discarded(Discarded::Busy));
    two.now = NOW + Duration::from_secs(1);
    assert_eq!(two.up(CLIENT, &hellos[2]), Disposition::Handled);
    assert_eq!(two.server.stats().over_rate, 1);
}

/// R-6.11-2: whoever has shown its address is admitted although those who have not use up what is theirs, and the other way round.
#[test]
fn hellos_with_a_cookie_and_without_have_budgets_of_their_own() {
    let slow = Rate { per_second: 1, burst: 1 };
    let mut two = Two::new(serving(limits(|limits| (limits.without_cookie, limits.with_cookie) = (slow, slow))));
    (2..=6).for_each(|identity| _ = two.connect(identity));
    let hellos = two.said_by_client();
    assert_eq!(two.up(CLIENT, &hellos[0]), Disposition::Handled);
    for hello in &hellos[1..=3] {
        assert_eq!(two.up(CLIENT, hello), Disposition::Discarded(Discarded::CookieWanted));
    }
    let retries = two.said_by_server();
    retries
        .iter()
        .filter(|(_, packet)| Header::read(packet).kind == Kind::Retry)
        .for_each(|(_, packet)| _ = two.down(packet));
    let with_cookie = two.said_by_client();
    assert_eq!(with_cookie.len(), 3);
    assert_eq!(two.up(CLIENT, &with_cookie[0]), Disposition::Handled, "there is one for it, and none without a cookie");
    for hello in &with_cookie[1..] {
        assert_eq!(two.up(CLIENT, hello), Disposition::Discarded(Discarded::Busy));
    }
    let stats = two.server.stats();
    assert_eq!((stats.accepted, stats.retries, stats.cookies_valid, stats.over_rate), (2, 3, 3, 2));
    two.now = NOW + Duration::from_secs(1);
    assert_eq!(
        two.up(CLIENT, &hellos[4]),
        Disposition::Handled,
        "what is for those without is not used by those with one"
    );
    assert_eq!(two.up(CLIENT, &with_cookie[1]), Disposition::Handled);
    assert_eq!(two.up(CLIENT, &with_cookie[2]), Disposition::Discarded(Discarded::Busy));
}

#[test]
fn a_hello_with_a_weak_key_share_leaves_nothing() {
    let mut two = Two::new(serving(EndpointLimits::default()));
    let hello = Hello { key_share: [0; 32], padding: Some(vec![0; 900]), ..Hello::default() };
    assert_eq!(two.up(CLIENT, &hello.packet()), Disposition::Discarded(Discarded::Malformed));
    assert!(two.server.is_idle() && two.said_by_server().is_empty());
    assert_eq!((two.server.stats().half_opens, two.server.poll_timeout()), (0, None));
}

#[test]
fn a_half_open_handshake_that_comes_to_nothing_is_not_heard_of() {
    let mut two = Two::new(serving(EndpointLimits::default()));
    two.connect(2);
    let hello = two.said_by_client().remove(0);
    two.up(CLIENT, &hello);
    assert_eq!(two.server.stats().half_opens, 1);
    let deadline = two.server.poll_timeout().unwrap();
    assert_eq!(deadline, NOW + Duration::from_secs(60));
    two.server.handle_timeout(deadline);
    assert_eq!((two.server.stats().half_opens, two.server.poll_timeout()), (0, None));
    assert!(events(&mut two.server).is_empty() && sent(&mut two.server, deadline).len() <= 2);
    assert!(two.server.is_idle());
}
