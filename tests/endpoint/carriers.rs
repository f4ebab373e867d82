//! Both kinds of carriers in one endpoint.

use std::sync::Arc;

use aitcp::{CloseReason, Direction, Ending, Endpoint, EndpointLimits, Event, Expect, Handle, StreamTask};

use super::{NOW, Two, client, events, id, server, serving};

/// Does what the endpoint wants done about its stream carriers; which have ended.
fn carry(from: &mut Endpoint<u64>, to: &mut Endpoint<u64>, far_end: Handle) -> Vec<Handle> {
    let mut room = vec![0; 4_096];
    let mut ended = Vec::new();
    while let Some(task) = from.poll_stream() {
        match task {
            StreamTask::Transmit(handle) => {
                while let Some(transmit) = from.poll_transmit_stream(NOW, handle, &mut room).unwrap() {
                    let input = to.handle_stream(NOW, far_end, &mut room[..transmit.len]);
                    assert_eq!(input.consumed, transmit.len);
                }
            }
            StreamTask::End(handle) => {
                to.handle_link_lost(NOW, far_end);
                ended.push(handle);
            }
        }
    }
    ended
}

#[test]
fn one_endpoint_talks_over_datagrams_and_streams() {
    let mut two = Two::new(serving(EndpointLimits::default()));
    let over_datagrams = two.connect(2);
    let i = two.client.connect_stream(NOW, client(3), Expect::Pinned(id(4))).unwrap();
    let r = two.server.accept_stream(NOW, Arc::new(server(4))).unwrap();
    assert_eq!(two.server.stats().half_opens, 1);
    for _ in 0..3 {
        two.carry();
        carry(&mut two.client, &mut two.server, r);
        carry(&mut two.server, &mut two.client, i);
    }
    let told = events(&mut two.client);
    assert!(told.contains(&(over_datagrams, Event::Confirmed)) && told.contains(&(i, Event::Confirmed)));
    assert!(events(&mut two.server).contains(&(r, Event::Established)));
    assert_eq!((two.server.stats().half_opens, two.server.stats().sessions), (0, 2));

    two.client.session_mut(NOW, i).unwrap().close(NOW, 5, "");
    assert_eq!(events(&mut two.client), [(i, Event::Closed(CloseReason::Local))]);
    assert_eq!(carry(&mut two.client, &mut two.server, r), [i]);
    assert!(two.client.session(i).is_none());
    let closed = Event::Closed(CloseReason::Peer { source: aitcp::CloseSource::Application, code: 5 });
    assert_eq!(events(&mut two.server), [(r, closed)]);
    assert_eq!(carry(&mut two.server, &mut two.client, i), [r]);
    assert_eq!((two.client.poll_stream(), two.server.poll_stream()), (None, None));
    assert_eq!((two.client.stats().sessions, two.server.stats().sessions), (1, 1));
}

/// The carrier of a session that is held ends all the same, and once; what came before the end is there until the session is released.
#[test]
fn a_session_on_a_stream_can_be_held() {
    let mut two = Two::new(serving(EndpointLimits::default()));
    let i = two.client.connect_stream(NOW, client(3), Expect::Pinned(id(4))).unwrap();
    let r = two.server.accept_stream(NOW, Arc::new(server(4))).unwrap();
    assert!(two.server.hold(r));
    for _ in 0..3 {
        carry(&mut two.client, &mut two.server, r);
        carry(&mut two.server, &mut two.client, i);
    }
    let stream = two.client.session_mut(NOW, i).unwrap().open(Direction::Unidirectional).unwrap();
    two.client.session_mut(NOW, i).unwrap().send(stream, b"last words", Ending::End).unwrap();
    carry(&mut two.client, &mut two.server, r);
    two.client.session_mut(NOW, i).unwrap().close(NOW, 5, "");
    events(&mut two.client);
    carry(&mut two.client, &mut two.server, r);
    assert!(matches!(events(&mut two.server).last(), Some((handle, Event::Closed(_))) if *handle == r));
    assert_eq!(carry(&mut two.server, &mut two.client, i), [r]);
    let mut buf = [0; 16];
    let received = two.server.session_mut(NOW, r).unwrap().recv(stream, &mut buf).unwrap();
    assert_eq!(&buf[..received.len], b"last words");
    assert_eq!((two.server.poll_stream(), two.server.poll_event()), (None, None), "the end was told once");
    assert!(!two.server.is_idle());
    two.server.release(r);
    assert!(two.server.session(r).is_none() && two.server.is_idle());
    assert!(!two.server.hold(r), "it is gone");
}

#[test]
fn bytes_for_nobody_are_consumed_and_nothing_is_said_for_nobody() {
    let mut two = Two::new(serving(EndpointLimits::default()));
    let over_datagrams = two.connect(2);
    let input = two.client.handle_stream(NOW, over_datagrams, &mut [1, 2, 3]);
    assert_eq!((input.consumed, input.needed), (3, 0));
    assert_eq!(two.client.poll_transmit_stream(NOW, over_datagrams, &mut [0; 2_000]), Ok(None));
    assert_eq!(two.client.poll_stream(), None);
}

/// Handshakes on streams count as well, and end at their deadline.
#[test]
fn handshakes_on_streams_have_a_limit_and_a_deadline() {
    let mut limits = EndpointLimits::default();
    limits.half_opens = 1;
    let mut two = Two::new(serving(limits));
    let handle = two.server.accept_stream(NOW, Arc::new(server(1))).unwrap();
    assert_eq!(two.server.accept_stream(NOW, Arc::new(server(1))), Err(aitcp::BeginError::Full));
    let deadline = two.server.poll_timeout().unwrap();
    two.server.handle_timeout(deadline);
    assert_eq!(events(&mut two.server), [(handle, Event::Closed(CloseReason::HandshakeTimeout))]);
    assert_eq!(two.server.poll_stream(), Some(StreamTask::End(handle)));
    assert_eq!((two.server.stats().half_opens, two.server.is_idle()), (0, true));
}
