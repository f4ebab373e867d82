//! Tickets that an endpoint gives and takes.

use std::sync::Arc;
use std::time::Duration;

use aitcp::{
    CloseReason, EcnCodepoint, Endpoint, EndpointConfig, Event, Expect, Handle, StreamTask, Ticket, TicketKeys,
};

use super::{CLIENT, NOW, SERVER, Two, client, events, id, seed, sent, server};

fn serving() -> EndpointConfig {
    EndpointConfig::new().with_server(Arc::new(server(1).with_tickets(1)))
}

/// The tickets that the client gets with a session.
fn tickets(two: &mut Two, handle: Handle) -> Vec<Ticket> {
    two.carry();
    events(&mut two.server);
    two.carry();
    let told = events(&mut two.client);
    assert!(told.contains(&(handle, Event::TicketReceived)), "{told:?}");
    let mut session = two.client.session_mut(two.now, handle).unwrap();
    std::iter::from_fn(|| session.take_ticket()).collect()
}

fn resume(two: &mut Two, ticket: Ticket) -> Handle {
    two.client.resume(two.now, client(2), Expect::Pinned(id(1)), ticket, SERVER).unwrap()
}

fn is_resumed(two: &Two, handle: Handle) -> bool {
    two.client.session(handle).unwrap().handshake().unwrap().resumed
}

#[test]
fn each_session_brings_two_tickets_for_more() {
    let mut two = Two::new(serving());
    let mut handle = two.connect(2);
    for generation in 0..3 {
        let tickets = tickets(&mut two, handle);
        assert_eq!((tickets.len(), is_resumed(&two, handle)), (2, generation > 0));
        handle = resume(&mut two, tickets.into_iter().next().unwrap());
    }
}

/// R-10.3-3: what a ticket of a revoked peer says does not count, and the peer is turned away as anybody would be.
#[test]
fn a_peer_that_was_revoked_resumes_nothing() {
    let mut two = Two::new(serving());
    let first = two.connect(2);
    let mut tickets = tickets(&mut two, first);
    two.server.revoke(two.now, id(2)).unwrap();
    two.carry();
    let again = resume(&mut two, tickets.remove(0));
    two.carry();
    assert!(!is_resumed(&two, again));
    events(&mut two.server);
    two.carry();
    let reason = two.client.session(again).unwrap().close_reason();
    assert!(reason.is_some_and(CloseReason::is_refusal), "{reason:?}");
}

/// R-10.1-3: machines that share their keys take each other's tickets, and one that does not, does not.
#[test]
fn a_fleet_shares_its_keys() {
    let mut two = Two::new(serving());
    let first = two.connect(2);
    let mut tickets = tickets(&mut two, first);
    let mut other = Endpoint::new(NOW, serving(), seed(9)).unwrap();
    for (ticket, shares) in [(tickets.remove(0), false), (tickets.remove(0), true)] {
        if shares {
            let keys = TicketKeys::dangerous_import(&two.server.ticket_keys().dangerous_export()).unwrap();
            other.set_ticket_keys(keys);
        }
        let handle = resume(&mut two, ticket);
        for _ in 0..4 {
            for (_, mut datagram) in sent(&mut two.client, NOW) {
                other.handle_datagram(NOW, CLIENT, EcnCodepoint::NotEct, &mut datagram);
            }
            for (_, datagram) in sent(&mut other, NOW) {
                two.down(&datagram);
            }
        }
        assert_eq!(is_resumed(&two, handle), shares);
    }
}

/// A Retry comes first where one is due, and the ticket with the cookie.
#[test]
fn a_ticket_survives_a_retry() {
    let mut limits = aitcp::EndpointLimits::default();
    limits.retry = aitcp::Retry::Always;
    let mut two = Two::new(serving().with_limits(limits));
    let first = two.connect(2);
    let ticket = tickets(&mut two, first).remove(0);
    let handle = resume(&mut two, ticket);
    two.carry();
    assert!(is_resumed(&two, handle));
    assert_eq!(two.server.stats().retries, 2);
}

#[test]
fn tickets_work_on_streams_and_across_carriers() {
    let mut two = Two::new(serving());
    let first = two.connect(2);
    let ticket = tickets(&mut two, first).remove(0);
    let i = two.client.resume_stream(NOW, client(2), Expect::Pinned(id(1)), ticket).unwrap();
    let r = two.server.accept_stream(NOW, Arc::new(server(1).with_tickets(1))).unwrap();
    for _ in 0..3 {
        carry_stream(&mut two.client, &mut two.server, r);
        carry_stream(&mut two.server, &mut two.client, i);
        events(&mut two.server);
    }
    assert!(is_resumed(&two, i));
    assert!(two.client.session_mut(NOW, i).unwrap().take_ticket().is_some());
}

fn carry_stream(from: &mut Endpoint<u64>, to: &mut Endpoint<u64>, far_end: Handle) {
    let mut room = vec![0; 4_096];
    while let Some(task) = from.poll_stream() {
        let StreamTask::Transmit(handle) = task else { continue };
        while let Some(transmit) = from.poll_transmit_stream(NOW, handle, &mut room).unwrap() {
            let input = to.handle_stream(NOW, far_end, &mut room[..transmit.len]);
            assert_eq!(input.consumed, transmit.len);
        }
    }
}

/// An endpoint whose keys have changed twice takes the Hello for what it is without a ticket.
#[test]
fn a_ticket_is_good_for_a_day_at_most() {
    let mut two = Two::new(serving());
    let first = two.connect(2);
    let mut tickets = tickets(&mut two, first);
    for (hours, resumes) in [(13, true), (25, false)] {
        two.now = NOW + Duration::from_secs(hours * 3_600);
        two.server.handle_timeout(two.now);
        two.client.handle_timeout(two.now);
        let handle = resume(&mut two, tickets.remove(0));
        two.carry();
        assert_eq!(is_resumed(&two, handle), resumes, "after {hours} h");
    }
}
