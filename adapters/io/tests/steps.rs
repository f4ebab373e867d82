//! Attempts, errors and seeds.

use std::io::ErrorKind;
use std::sync::Arc;

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{Carrier, ClientConfig, CloseReason, Expect, Instant, OpenError, PeerMisbehaved, ProtocolCode, Session};
use aitcp_io::{attempt, close_reason, closed, seed, settled};

#[test]
fn the_kind_says_what_a_caller_can_do() {
    let stranger = IdentityKey::from_seed(&RustCrypto, [1; 32]).unwrap().peer_id();
    for (reason, kind) in [
        (CloseReason::Local, ErrorKind::NotConnected),
        (CloseReason::ShutDown, ErrorKind::NotConnected),
        (CloseReason::NotAdmitted(stranger), ErrorKind::PermissionDenied),
        (CloseReason::LinkLost, ErrorKind::UnexpectedEof),
        (CloseReason::IdleTimeout, ErrorKind::TimedOut),
        (CloseReason::Misbehaved(PeerMisbehaved::Rule(ProtocolCode::Forbidden)), ErrorKind::InvalidData),
        (CloseReason::KeysExhausted, ErrorKind::ConnectionAborted),
    ] {
        let error = closed(reason);
        assert_eq!((error.kind(), close_reason(&error)), (kind, Some(reason)));
    }
}

#[test]
fn an_attempt_waits_for_what_passes_and_fails_for_the_rest() {
    let to_wait = [OpenError::Blocked];
    assert!(matches!(attempt::<u8, _>(Err(OpenError::Blocked), &to_wait), Ok(None)));
    assert!(matches!(attempt(Ok::<_, OpenError>(7), &to_wait), Ok(Some(7))));
    let error = attempt::<u8, _>(Err(OpenError::Closed), &to_wait).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.get_ref().and_then(|inner| inner.downcast_ref()), Some(&OpenError::Closed));
}

#[test]
fn nobody_waits_for_a_session_that_has_ended() {
    let key = IdentityKey::from_seed(&RustCrypto, [1; 32]).unwrap();
    let peer = Expect::Pinned(IdentityKey::from_seed(&RustCrypto, [2; 32]).unwrap().peer_id());
    let config = Arc::new(ClientConfig::new(key, "test/1"));
    let mut session = Session::connect(Instant::ORIGIN, config, peer, Carrier::Stream, seed().unwrap()).unwrap();
    assert!(matches!(settled::<u8>(Ok(None), &session), Ok(None)));
    session.close(Instant::ORIGIN, 0, "");
    assert_eq!(close_reason(&settled::<u8>(Ok(None), &session).unwrap_err()), Some(CloseReason::Local));
    assert!(matches!(settled(Ok(Some(7)), &session), Ok(Some(7))));
}

#[test]
fn no_two_seeds_are_the_same() {
    let draw = || {
        let key = IdentityKey::from_seed(&RustCrypto, [1; 32]).unwrap();
        let config = Arc::new(ClientConfig::new(key, "test/1"));
        let mut session =
            Session::connect(Instant::ORIGIN, config, Expect::Ask, Carrier::Stream, seed().unwrap()).unwrap();
        let mut hello = vec![0; 4096];
        let len = session.poll_transmit(Instant::ORIGIN, &mut hello).unwrap().unwrap().len;
        hello.truncate(len);
        hello
    };
    assert_ne!(draw(), draw());
}
