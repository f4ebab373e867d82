//! What was recorded on the path and is played again, at whatever address, against a session that lives.

use std::collections::BTreeSet;

use aitcp::{Direction, Ending, EndpointLimits, Handle, Retry, testing};

use super::{CLIENT, Two, events, serving};

/// A session that has talked, its handle at the server, and all that the client has sent for it, in order.
fn recorded(retry: Retry) -> (Two, Handle, Vec<Vec<u8>>) {
    let mut limits = EndpointLimits::default();
    limits.retry = retry;
    let mut two = Two::new(serving(limits));
    let near = two.connect(2);
    let mut recording = Vec::new();
    for round in 0..12 {
        let up = two.said_by_client();
        up.iter().for_each(|datagram| _ = two.up(CLIENT, datagram));
        recording.extend(up);
        let down = two.said_by_server();
        down.iter().for_each(|(_, datagram)| _ = two.down(datagram));
        if round == 6 {
            let mut session = two.client.session_mut(two.now, near).unwrap();
            let stream = session.open(Direction::Unidirectional).unwrap();
            session.send(stream, b"once and never again", Ending::End).unwrap();
        }
    }
    let far = events(&mut two.server)[0].0;
    (two, far, recording)
}

/// A Hello alone, the whole handshake, everything: the session is as it was, byte for byte, whatever else the endpoint begins.
#[test]
fn a_replayed_handshake_changes_nothing_about_the_session() {
    for retry in [Retry::Never, Retry::Always] {
        let (mut two, far, recording) = recorded(retry);
        assert!(recording.len() >= 4);
        let before = testing::state_digest(two.server.session(far).unwrap());
        let sessions: BTreeSet<Handle> = two.server.handles().collect();
        for from in [CLIENT, CLIENT + 1] {
            for datagram in &recording {
                two.up(from, datagram);
                assert_eq!(testing::state_digest(two.server.session(far).unwrap()), before);
            }
            for datagram in recording.iter().rev() {
                two.up(from, datagram);
            }
        }
        assert_eq!(testing::state_digest(two.server.session(far).unwrap()), before);
        assert!(events(&mut two.server).is_empty(), "nobody has come in");
        assert_eq!(two.server.handles().collect::<BTreeSet<_>>(), sessions);
    }
}
