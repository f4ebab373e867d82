//! Who is let in, who is turned away, and what both sides are told.

mod common;

use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use aitcp::{
    Admission, ClientConfig, CloseReason, CloseSource, ConfigError, Expect, HandshakeInfo, Owner, PeerIncompatible,
    PeerMisbehaved, ProtocolCode, RefuseCode, ServerConfig, Signer, Timeouts, Verdict,
};
use aitcp_std::{Connection, close_reason};
use common::*;

type Outcome = io::Result<Connection>;

/// A handshake with an owner at either end.
fn handshake(
    (client, expect, initiator): (ClientConfig, Expect, &mut (dyn Owner + Send)),
    (server, responder): (ServerConfig, &mut (dyn Owner + Send)),
) -> (Outcome, Outcome) {
    let (near, far) = sockets();
    thread::scope(|scope| {
        let accepting = scope.spawn(move || Connection::accept(far, Arc::new(server), responder));
        let connected = Connection::connect(near, Arc::new(client), expect, initiator);
        (connected, accepting.join().unwrap())
    })
}

fn reason(outcome: &Outcome) -> (ErrorKind, Option<CloseReason>) {
    let error = outcome.as_ref().unwrap_err();
    (error.kind(), close_reason(error))
}

const REFUSED_BY_PEER: CloseReason =
    CloseReason::Peer { source: CloseSource::Protocol, code: ProtocolCode::NotAdmitted.code() };

#[test]
fn both_ends_learn_who_the_other_is() {
    let client = client().with_credentials(b"ticket to ride");
    let (alice, bob) = connect_with(client, server());
    assert_eq!(alice.handshake().peer, id(BOB));
    assert_eq!(bob.handshake().peer, id(ALICE));
    assert_eq!(bob.handshake().credentials, b"ticket to ride");
    let mut exported = [[0; 32]; 2];
    let [a, b] = &mut exported;
    alice.inspect(|session| session.export(b"test", b"", a)).unwrap();
    bob.inspect(|session| session.export(b"test", b"", b)).unwrap();
    assert_eq!(exported[0], exported[1]);
}

#[test]
fn another_agent_than_the_pinned_one_is_not_talked_to() {
    let server = ServerConfig::new(key(EVE), Admission::Any, &["test/1"]);
    let (alice, eve) = handshake((client(), Expect::Pinned(id(EVE)), &mut ()), (server, &mut ()));
    assert!(alice.is_ok() && eve.is_ok());
    // A responder that knows that it is not the one who was asked for says so.
    let (alice, bob) = handshake((client(), Expect::Pinned(id(EVE)), &mut ()), (common::server(), &mut ()));
    assert_eq!(reason(&alice), (ErrorKind::ConnectionRefused, Some(CloseReason::Refused(RefuseCode::UnknownIdentity))));
    assert_eq!(
        reason(&bob),
        (ErrorKind::ConnectionAborted, Some(CloseReason::Incompatible(PeerIncompatible::Identity)))
    );
}

#[test]
fn an_agent_that_is_not_on_the_list_is_told_so() {
    let stranger = ClientConfig::new(key(EVE), "test/1");
    let (eve, bob) = handshake((stranger, Expect::Pinned(id(BOB)), &mut ()), (server(), &mut ()));
    assert_eq!(reason(&eve), (ErrorKind::PermissionDenied, Some(REFUSED_BY_PEER)));
    assert_eq!(reason(&bob), (ErrorKind::PermissionDenied, Some(CloseReason::NotAdmitted(id(EVE)))));
}

#[test]
fn an_unknown_application_protocol_is_refused() {
    let client = ClientConfig::new(key(ALICE), "other/1");
    let (alice, bob) = handshake((client, Expect::Pinned(id(BOB)), &mut ()), (server(), &mut ()));
    let refused = CloseReason::Refused(RefuseCode::UnknownAppProtocol);
    assert_eq!(reason(&alice), (ErrorKind::ConnectionRefused, Some(refused)));
    let incompatible = CloseReason::Incompatible(PeerIncompatible::AppProtocol);
    assert_eq!(reason(&bob), (ErrorKind::ConnectionAborted, Some(incompatible)));
}

#[test]
fn owners_decide_on_either_side() {
    let ask = || ServerConfig::new(key(BOB), Admission::Ask, &["test/1"]);
    let (mut asked_alice, mut asked_bob) = (None, None);
    let (alice, bob) = handshake(
        (client(), Expect::Ask, &mut |info: &HandshakeInfo| {
            asked_alice = Some(info.peer);
            Verdict::Accept
        }),
        (ask(), &mut |info: &HandshakeInfo| {
            asked_bob = Some(info.peer);
            Verdict::Accept
        }),
    );
    assert!(alice.is_ok() && bob.is_ok());
    assert_eq!((asked_alice, asked_bob), (Some(id(BOB)), Some(id(ALICE))));

    let (alice, bob) = handshake((client(), Expect::Pinned(id(BOB)), &mut ()), (ask(), &mut ()));
    assert_eq!(reason(&alice), (ErrorKind::PermissionDenied, Some(REFUSED_BY_PEER)));
    assert_eq!(reason(&bob), (ErrorKind::PermissionDenied, Some(CloseReason::NotAdmitted(id(ALICE)))));

    // An initiator that refuses says nothing.
    let (alice, bob) = handshake((client(), Expect::Ask, &mut ()), (server(), &mut ()));
    assert_eq!(reason(&alice), (ErrorKind::PermissionDenied, Some(CloseReason::NotAdmitted(id(BOB)))));
    assert_eq!(reason(&bob), (ErrorKind::UnexpectedEof, Some(CloseReason::LinkLost)));
}

/// Signs with a key that the session does not have.
struct Elsewhere(u8);

impl Owner for Elsewhere {
    fn sign(&mut self, to_sign: &[u8]) -> Option<[u8; 64]> {
        Some(key(self.0).sign(to_sign))
    }
}

#[test]
fn keys_can_be_elsewhere() {
    let client = || ClientConfig::new(Signer::External(id(ALICE)), "test/1");
    let server = || ServerConfig::new(Signer::External(id(BOB)), Admission::Only([id(ALICE)].into()), &["test/1"]);
    let expect = Expect::Pinned(id(BOB));
    let (alice, bob) = handshake((client(), expect, &mut Elsewhere(ALICE)), (server(), &mut Elsewhere(BOB)));
    assert_eq!(alice.unwrap().handshake().peer, id(BOB));
    assert_eq!(bob.unwrap().handshake().peer, id(ALICE));

    let (alice, bob) = handshake((client(), expect, &mut ()), (server(), &mut Elsewhere(BOB)));
    assert_eq!(reason(&alice), (ErrorKind::NotConnected, Some(CloseReason::Local)), "nobody signs");
    assert_eq!(reason(&bob), (ErrorKind::UnexpectedEof, Some(CloseReason::LinkLost)));

    let (alice, bob) = handshake((client(), expect, &mut ()), (server(), &mut Elsewhere(EVE)));
    assert_eq!(reason(&bob), (ErrorKind::InvalidInput, None), "signed with another key");
    assert_eq!(reason(&alice), (ErrorKind::UnexpectedEof, Some(CloseReason::LinkLost)));
}

#[test]
fn a_configuration_that_cannot_work_is_named() {
    let (near, _far) = sockets();
    let config = Arc::new(ClientConfig::new(key(ALICE), ""));
    let error = Connection::connect(near, config, Expect::Ask, &mut ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.get_ref().unwrap().downcast_ref(), Some(&ConfigError::AppProtocol));
}

fn accept(socket: TcpStream, timeouts: Timeouts) -> Outcome {
    Connection::accept(socket, Arc::new(server().with_timeouts(timeouts)), &mut ())
}

#[test]
fn what_is_not_this_protocol_is_turned_away() {
    let (mut near, far) = sockets();
    near.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    drop(near);
    let outcome = accept(far, Timeouts::default());
    assert_eq!(reason(&outcome), (ErrorKind::InvalidData, Some(CloseReason::Misbehaved(PeerMisbehaved::NotAiTcp))));
}

#[test]
fn a_peer_that_says_nothing_is_given_up() {
    let (_near, far) = sockets();
    let mut timeouts = Timeouts::default();
    timeouts.handshake = Duration::from_millis(50);
    assert_eq!(reason(&accept(far, timeouts)), (ErrorKind::TimedOut, Some(CloseReason::HandshakeTimeout)));
}
