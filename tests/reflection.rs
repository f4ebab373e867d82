//! Packets that come back to their sender, or that come from another session of the same two agents: nobody takes them for its peer's.

mod fed;

use aitcp::{CloseReason, PeerMisbehaved, Role};
use aitcp_testkit::Setup;
use aitcp_testkit::forge::{HEADER_LEN, Kind};
use fed::{Fed, Script, name};

/// The sender of packet `at` as it stands once it has sent it, and whether it was established then.
fn sender_of(setup: &Setup, script: &Script, at: usize) -> (Fed, bool) {
    let by = script.0[at].from;
    let mut sender = Fed::new(setup, by);
    let mut sent = sender.sends();
    for packet in script.0[..at].iter().filter(|packet| packet.from != by) {
        sender.feed(&packet.bytes);
        sent.append(&mut sender.sends());
    }
    if !sent.contains(&script.0[at].bytes) {
        sender.say(b"from the initiator");
        sent.append(&mut sender.sends());
    }
    assert!(sent.contains(&script.0[at].bytes), "{} is its own", name(&script.0[at]));
    let established = sender.was_established();
    (sender, established)
}

/// The sender ends the link for something that its peer did wrong: in silence, and without having established, or confirmed, what was
/// not before.
fn assert_refused(mut end: Fed, (was_established, was_confirmed): (bool, bool), what: &str) -> PeerMisbehaved {
    let Some(CloseReason::Misbehaved(misbehaved)) = end.closed() else { panic!("{what}: {:?}", end.closed()) };
    assert!(end.sends().is_empty(), "{what}: is not answered");
    assert_eq!((end.was_established(), end.was_confirmed()), (was_established, was_confirmed), "{what}");
    end.finish();
    misbehaved
}

/// R-3.1-3, R-3.1-4, R-6.2-1, R-6.3-3: kinds and epochs go one way, and Data has its receiver's id.
#[test]
fn a_packet_that_comes_back_ends_the_link() {
    for setup in Setup::SUITES.map(Setup::with_suite) {
        let script = Script::record(&setup);
        for (at, packet) in script.0.iter().enumerate() {
            let (mut sender, established) = sender_of(&setup, &script, at);
            let confirmed = sender.was_confirmed();
            sender.feed(&packet.bytes);
            let what = format!("{} back at its sender", name(packet));
            let misbehaved = assert_refused(sender, (established, confirmed), &what);
            let expected =
                if packet.kind() == Kind::Data { PeerMisbehaved::BadHeader } else { PeerMisbehaved::UnexpectedPacket };
            assert_eq!(misbehaved, expected, "{what}");
        }
    }
}

/// R-5.2-1, R-5.2-2, R-5.3-2, R-6.5-1: the same with a header that says whatever else a packet can be. Keys differ by direction and
/// epoch, so that nothing of it opens.
#[test]
fn a_packet_that_comes_back_in_disguise_ends_the_link() {
    for setup in Setup::SUITES.map(Setup::with_suite) {
        let script = Script::record(&setup);
        for (at, packet) in script.0.iter().enumerate() {
            for kind in Kind::ALL {
                let (mut sender, established) = sender_of(&setup, &script, at);
                let confirmed = sender.was_confirmed();
                let own_id = &script.0.iter().rfind(|other| other.from != packet.from).expect("an answer").bytes[8..16];
                let mut disguised = packet.bytes.clone();
                disguised[1] = kind;
                disguised[4..8].copy_from_slice(&Kind::epoch(kind).to_le_bytes());
                disguised[8..16].copy_from_slice(own_id);
                sender.feed(&disguised);
                let what = format!("{} back at its sender as kind {kind}", name(packet));
                assert_refused(sender, (established, confirmed), &what);
            }
        }
    }
}

/// R-6.2-1, R-6.2-4: two initiators have nothing to say to each other. One that has not even sent its own Hello keeps it.
#[test]
fn two_initiators_do_not_meet() {
    let setup = Setup::default();
    let other = Setup { seed: 2, ..Setup::default() };
    let (mut a, mut b) = (Fed::new(&setup, Role::Initiator), Fed::new(&other, Role::Initiator));
    for hello in a.sends() {
        b.feed(&hello);
    }
    assert_refused(b, (false, false), "another initiator's Hello");
}

/// R-3.1-4, R-5.3-4, R-6.5-1: packets of one session are nothing to another of the same agents, not even with the right ids.
#[test]
fn packets_of_another_session_end_the_link() {
    for setup in Setup::SUITES.map(Setup::with_suite) {
        let other = Script::record(&Setup { seed: 2, ..setup.clone() });
        let script = Script::record(&setup);
        for (at, genuine) in script.0.iter().enumerate().skip(1) {
            let foreign = &other.0[at];
            assert_eq!((foreign.kind(), foreign.from), (genuine.kind(), genuine.from), "the sessions go alike");
            for adapted in [false, true] {
                let mut bytes = foreign.bytes.clone();
                assert_ne!(bytes[8..16], genuine.bytes[8..16], "ids are drawn for each link");
                if adapted {
                    bytes[8..16].copy_from_slice(&genuine.bytes[8..16]);
                }
                let what = format!("{} of another session, adapted: {adapted}", name(genuine));
                let mut receiver = script.receiver_of(&setup, at);
                let before = (receiver.was_established(), receiver.was_confirmed());
                let streams = receiver.end.streams_digest();
                receiver.feed(&bytes);
                script.later_of_sender(at).for_each(|packet| receiver.feed(&packet.bytes));
                assert_eq!(receiver.end.streams_digest(), streams, "{what}");
                let expected = if adapted { PeerMisbehaved::DoesNotOpen } else { PeerMisbehaved::BadHeader };
                assert_eq!(assert_refused(receiver, before, &what), expected, "{what}");
            }
        }
    }
}

/// R-6.5-1: whoever answers with a recorded flight, and takes up the Hello of another session, has not its ephemeral keys.
#[test]
fn a_recorded_hello_does_not_lead_to_a_session() {
    for setup in Setup::SUITES.map(Setup::with_suite) {
        let other = Script::record(&Setup { seed: 2, ..setup.clone() });
        let mut r = Fed::new(&setup, Role::Responder);
        r.feed(&other.0[0].bytes);
        let answer = r.sends();
        assert!(answer.len() > 1, "a responder cannot know that this Hello is an old one");
        let id = answer[0][HEADER_LEN..].to_vec();
        for packet in other.later_of_sender(0).filter(|packet| packet.kind() <= Kind::InitiatorAuth) {
            let mut bytes = packet.bytes.clone();
            bytes[8..16].copy_from_slice(&own_id_of(&setup, &id));
            r.feed(&bytes);
        }
        assert_eq!(assert_refused(r, (false, false), "a replayed handshake"), PeerMisbehaved::DoesNotOpen);
    }
}

/// The id that the responder of `setup` has given itself: what its initiator writes into its packets, and what stands in this Accept.
fn own_id_of(setup: &Setup, accept: &[u8]) -> [u8; 8] {
    let script = Script::record(setup);
    let later = script.later_of_sender(0).next().expect("an initiator's flight");
    let id: [u8; 8] = later.bytes[8..16].try_into().expect("eight bytes");
    assert!(accept.windows(8).any(|window| window == id), "equal seeds draw equal ids");
    id
}

/// The receiver of nothing but genuine packets goes on, so that the tests above can fail.
#[test]
fn what_is_neither_reflected_nor_foreign_is_taken() {
    let setup = Setup::default();
    let script = Script::record(&setup);
    for (at, packet) in script.0.iter().enumerate() {
        let mut receiver = script.receiver_of(&setup, at);
        receiver.feed(&packet.bytes);
        assert_eq!(receiver.closed(), None, "{} to {:?}", name(packet), packet.from.peer());
    }
}
