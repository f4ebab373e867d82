//! What the core offers to drivers that wait instead of listening: owners that answer, and a ledger of streams.
#![cfg(all(feature = "rustcrypto", feature = "hybrid"))]

use aitcp::crypto::keygen::IdentityKey;
use aitcp::{
    Admission, CloseReason, CloseSource, Direction, Ending, Expect, HandshakeInfo, Instant, Ledger, Owner,
    ProtocolCode, RecvError, RefuseCode, Role, SendError, SignatureRejected, StreamId, Verdict,
};
use aitcp_testkit::{Pair, Setup};

const ROLES: [Role; 2] = [Role::Initiator, Role::Responder];

/// Moves what `from` has to send, and leaves all events to whoever asks for them.
fn pass(pair: &mut Pair, from: Role) {
    let now = pair.now();
    let bytes = pair.end(from).transmit(now);
    pair.end(from.peer()).feed(now, &bytes);
}

// ---- owners -----------------------------------------------------------------------------------------------------------------------

/// Accepts everybody, and signs with a key that the session does not have.
struct Generous(IdentityKey);

impl Owner for Generous {
    fn verdict(&mut self, _peer: &HandshakeInfo) -> Verdict {
        Verdict::Accept
    }

    fn sign(&mut self, to_sign: &[u8]) -> Option<[u8; 64]> {
        Some(self.0.sign(to_sign))
    }
}

/// A setup in which both ends ask all that there is to ask.
fn asking() -> Setup {
    let mut setup = Setup { expect: Expect::Ask, admission: Admission::Ask, ..Setup::default() };
    (setup.initiator.external_signer, setup.responder.external_signer) = (true, true);
    setup
}

/// Passes packets until the handshake is done, if it gets there, with an owner at either end.
fn shake(pair: &mut Pair, mut owner: impl FnMut(Role) -> Box<dyn Owner>) -> Result<(), SignatureRejected> {
    for _ in 0..4 {
        for role in ROLES {
            pass(pair, role);
            pair.end(role.peer()).session.answer(Instant::ORIGIN, &mut *owner(role.peer()))?;
        }
    }
    Ok(())
}

#[test]
fn owners_answer_what_a_handshake_asks() {
    let setup = asking();
    let mut pair = setup.pair();
    assert!(ROLES.iter().all(|role| !pair.end(*role).session.is_confirmed()));
    shake(&mut pair, |role| Box::new(Generous(setup.agent(role).key()))).unwrap();
    for role in ROLES {
        assert!(pair.end(role).session.is_confirmed());
        pair.end(role).session.answer(Instant::ORIGIN, &mut ()).unwrap(); // nothing is asked any more
        assert_eq!(pair.end(role).session.close_reason(), None);
    }
    pair.initiator.session.close(Instant::ORIGIN, 0, "");
    assert!(pair.initiator.session.is_confirmed(), "it stays so");
}

#[test]
fn a_closure_decides_and_nobody_refuses() {
    let setup = Setup { expect: Expect::Ask, ..Setup::default() };
    for (verdict, end) in [(Verdict::Accept, None), (Verdict::Refuse, Some(setup.responder.id()))] {
        let mut pair = setup.pair();
        shake(&mut pair, |_| Box::new(move |_: &HandshakeInfo| verdict)).unwrap();
        assert_eq!(pair.initiator.session.close_reason(), end.map(CloseReason::NotAdmitted));
    }
    let mut pair = setup.pair();
    shake(&mut pair, |_| Box::new(())).unwrap();
    assert_eq!(pair.initiator.session.close_reason(), Some(CloseReason::NotAdmitted(setup.responder.id())));
}

#[test]
fn without_the_right_signature_there_is_no_session() {
    let mut setup = Setup::default();
    setup.responder.external_signer = true;
    let mut pair = setup.pair();
    shake(&mut pair, |_| Box::new(())).unwrap();
    assert_eq!(pair.responder.session.close_reason(), Some(CloseReason::Local));

    let mut pair = setup.pair();
    let rejected = shake(&mut pair, |_| Box::new(Generous(setup.initiator.key())));
    assert_eq!(rejected, Err(SignatureRejected::Wrong));
    assert_eq!(pair.responder.session.close_reason(), None, "it waits on");
}

// ---- ledgers ----------------------------------------------------------------------------------------------------------------------

/// A pair that is connected, with a stream of the initiator's that the responder has heard of, and the responder's ledger.
fn opened(direction: Direction) -> (Pair, StreamId, Ledger) {
    let mut pair = Setup::default().pair();
    pair.connect();
    let stream = pair.initiator.session.open(direction).unwrap();
    pair.initiator.send_message(stream, b"hello").unwrap();
    pass(&mut pair, Role::Initiator);
    let mut ledger = Ledger::default();
    ledger.update(&mut pair.responder.session);
    (pair, stream, ledger)
}

#[test]
fn a_ledger_knows_the_streams_that_were_opened_and_how_sending_ended() {
    let (mut pair, stream, mut far) = opened(Direction::Unidirectional);
    assert_eq!((far.accept(), far.accept()), (Some(stream), None));

    let mut near = Ledger::default();
    near.watch(stream);
    pair.initiator.session.finish(stream).unwrap();
    near.update(&mut pair.initiator.session);
    assert_eq!(near.sent(stream), None);
    pass(&mut pair, Role::Initiator);
    pass(&mut pair, Role::Responder);
    near.update(&mut pair.initiator.session);
    assert_eq!(near.sent(stream), Some(Ok(())));
    near.unwatch(stream);
    assert_eq!(near.sent(stream), None);
}

#[test]
fn a_ledger_remembers_a_stop_when_the_session_has_forgotten_the_stream_and_nothing_of_others() {
    let (mut pair, stream, _) = opened(Direction::Unidirectional);
    let (mut near, mut blind) = (Ledger::default(), Ledger::default());
    near.watch(stream);
    pair.responder.session.stop(stream, 42).unwrap();
    for _ in 0..2 {
        pass(&mut pair, Role::Responder);
        near.update(&mut pair.initiator.session);
        pass(&mut pair, Role::Initiator);
    }
    pass(&mut pair, Role::Responder);
    near.update(&mut pair.initiator.session);
    assert_eq!(pair.initiator.session.send(stream, b"", Ending::End), Err(SendError::UnknownStream));
    assert_eq!(near.sent(stream), Some(Err(SendError::Stopped(42))));

    let (mut pair, stream, _) = opened(Direction::Unidirectional);
    pair.responder.session.stop(stream, 42).unwrap();
    pass(&mut pair, Role::Responder);
    blind.update(&mut pair.initiator.session);
    assert_eq!(blind.sent(stream), None, "nobody watches");
}

#[test]
fn streams_that_nobody_accepted_are_turned_away() {
    let (mut pair, stream, mut far) = opened(Direction::Bidirectional);
    let mut near = Ledger::default();
    near.watch(stream);
    far.turn_away(&mut pair.responder.session);
    assert_eq!(far.accept(), None);
    pass(&mut pair, Role::Responder);
    near.update(&mut pair.initiator.session);
    assert_eq!(near.sent(stream), Some(Err(SendError::Stopped(0))));
    assert_eq!(pair.initiator.session.recv(stream, &mut [0; 9]), Err(RecvError::Reset(0)));
}

// ---- the end ----------------------------------------------------------------------------------------------------------------------

#[test]
fn ends_are_told_apart() {
    let told = |code: ProtocolCode| CloseReason::Peer { source: CloseSource::Protocol, code: code.code() };
    let by_application = CloseReason::Peer { source: CloseSource::Application, code: 0 };
    let peer = Setup::default().responder.id();
    let orderly = [CloseReason::ShutDown, told(ProtocolCode::None)];
    let refusals = [
        CloseReason::Refused(RefuseCode::Busy),
        CloseReason::WrongPeer(peer),
        CloseReason::NotAdmitted(peer),
        told(ProtocolCode::NotAdmitted),
    ];
    let others = [CloseReason::Local, CloseReason::LinkLost, by_application, told(ProtocolCode::Internal)];
    assert!(orderly.iter().all(|reason| reason.is_orderly() && !reason.is_refusal()));
    assert!(refusals.iter().all(|reason| reason.is_refusal() && !reason.is_orderly()));
    assert!(others.iter().all(|reason| !reason.is_orderly() && !reason.is_refusal()));
}

#[test]
fn a_shutdown_shows_at_both_ends() {
    let mut pair = Setup::default().pair();
    pair.connect();
    assert!(ROLES.iter().all(|role| !pair.end(*role).session.is_shutting_down()));
    let stream = pair.responder.session.open(Direction::Unidirectional).unwrap(); // keeps the session open
    pair.responder.send_message(stream, b"wait").unwrap();
    pair.initiator.session.shutdown(Instant::ORIGIN);
    pair.drive();
    assert!(ROLES.iter().all(|role| pair.end(*role).session.is_shutting_down()));
    assert!(ROLES.iter().all(|role| pair.end(*role).session.close_reason().is_none()));
}
