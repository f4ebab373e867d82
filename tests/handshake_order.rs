//! Every sequence of packets of a handshake, up to six, in every state: only the legal order leads to a session.
//!
//! The packets are genuine: recorded from the handshake that the session under test would make. The tree of sequences is cut where a
//! link has ended, after making sure that nothing that follows has any effect there; what was cut is counted.

mod fed;

use aitcp::{Admission, CloseReason, Expect, Role, Suite};
use aitcp_testkit::forge::Kind;
use aitcp_testkit::{Recorded, Setup};
use fed::{Fed, Script, fix_length, name};

/// The longest sequence.
const LONGEST: u32 = 6;
/// Packets to choose from: eight kinds of handshake packets, and a Data packet of each role.
const PACKETS: u64 = 10;

/// How many sequences of at most `length` packets there are, the empty one included.
fn sequences(length: u32) -> u64 {
    (0..=length).map(|length| PACKETS.pow(length)).sum()
}

/// What an end waits for once it has what a handshake brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// For nothing: it goes on by itself.
    No,
    /// For its owner's verdict.
    Verdict,
    /// For a signature.
    Signature,
}

/// One end under test.
struct Case {
    setup: Setup,
    role: Role,
    waits: Waits,
    packets: Vec<Recorded>,
    /// The one sequence that keeps the link.
    legal: Vec<u8>,
    /// After how many packets of it the session is established, if ever.
    established_after: Option<usize>,
}

impl Case {
    fn new(suite: Suite, role: Role, waits: Waits) -> Self {
        let mut setup = Setup::with_suite(suite);
        setup.agent_mut(role).external_signer = waits == Waits::Signature;
        if waits == Waits::Verdict {
            (setup.expect, setup.admission) = (Expect::Ask, Admission::Ask);
        }
        let packets = packets_of(&setup);
        assert_eq!(packets.len() as u64, PACKETS);
        let handshake: &[u8] = match (role, suite.is_hybrid()) {
            (Role::Initiator, true) => &[Kind::Accept, Kind::KemOffer, Kind::ResponderAuth],
            (Role::Initiator, false) => &[Kind::Accept, Kind::ResponderAuth],
            (Role::Responder, true) => &[Kind::Hello, Kind::KemReply, Kind::InitiatorAuth],
            (Role::Responder, false) => &[Kind::Hello, Kind::InitiatorAuth],
        };
        let mut legal = handshake.to_vec();
        match (role, waits) {
            // R-6.6-1: held until the verdict.
            (_, Waits::No) | (Role::Responder, Waits::Verdict) => legal.push(Kind::Data),
            // Before it has its signature, a responder has not answered the Hello.
            (Role::Responder, Waits::Signature) => legal.truncate(1),
            (Role::Initiator, _) => {}
        }
        let established_after = (waits == Waits::No).then_some(handshake.len());
        Self { setup, role, waits, packets, legal, established_after }
    }

    /// The end after these packets, none of which has ended the link but perhaps the last.
    fn after(&self, sequence: &[usize]) -> Fed {
        let mut end = Fed::new(&self.setup, self.role);
        end.is_obliging = false;
        end.sends();
        for at in sequence {
            end.feed(&self.packets[*at].bytes);
            if end.closed().is_none() {
                end.sends();
            }
        }
        end
    }

    /// Judges every sequence that begins with `sequence`; how many those are.
    fn explore(&self, sequence: &mut Vec<usize>) -> u64 {
        let mut end = self.after(sequence);
        let kinds: Vec<u8> = sequence.iter().map(|at| self.packets[*at].kind()).collect();
        let own_data =
            sequence.iter().any(|at| self.packets[*at].kind() == Kind::Data && self.packets[*at].from == self.role);
        let what = format!("{:?}, {:?}, waits: {:?}, {kinds:?}", self.setup.initiator.suites, self.role, self.waits);

        let is_legal = self.legal.starts_with(&kinds) && !own_data;
        assert_eq!(end.closed().is_none(), is_legal, "{what}: {:?}", end.closed());
        let legal_part = kinds.iter().zip(&self.legal).take_while(|(kind, legal)| kind == legal).count();
        let establishes = self.established_after.is_some_and(|enough| legal_part >= enough);
        assert_eq!(end.was_established(), establishes, "{what}");

        let left = LONGEST - u32::try_from(sequence.len()).expect("at most six");
        if !is_legal {
            self.check_dead(&mut end, &what);
            return sequences(left);
        }
        if left == 0 {
            return 1;
        }
        let mut judged = 1;
        for at in 0..self.packets.len() {
            sequence.push(at);
            judged += self.explore(sequence);
            sequence.pop();
        }
        judged
    }

    /// Nothing that comes after the end of a link has any effect, so that longer sequences need no look.
    fn check_dead(&self, end: &mut Fed, what: &str) {
        assert!(end.sends().is_empty() && end.end.session.is_drained(), "{what}: ends without a packet");
        let before = end.end.digest();
        for packet in &self.packets {
            end.feed(&packet.bytes);
            assert_eq!(end.end.digest(), before, "{what}, then {}", name(packet));
        }
    }
}

/// One packet of each kind, addressed to the end that takes it. Kinds that the handshake of `setup` does not have are borrowed from one
/// that does.
fn packets_of(setup: &Setup) -> Vec<Recorded> {
    let mut packets = Script::record(setup).0;
    packets.dedup_by_key(|packet| (packet.kind(), packet.from));
    let to_initiator = packets[1].bytes[8..16].to_vec();
    let to_responder = packets[packets.len() - 1].bytes[8..16].to_vec();
    if !setup.initiator.suites[0].is_hybrid() {
        let hybrid = Script::record(&Setup::with_suite(Suite::HybridChaCha20Poly1305));
        for (kind, id) in [(Kind::KemOffer, &to_initiator), (Kind::KemReply, &to_responder)] {
            let mut packet = hybrid.packet(kind).clone();
            packet.bytes[8..16].copy_from_slice(id);
            packets.push(packet);
        }
    }
    packets.push(refuse(setup));
    packets.push(retry(&to_initiator));
    packets
}

/// What a responder that does not serve the application protocol says to the Hello.
fn refuse(setup: &Setup) -> Recorded {
    let elsewhere = Setup { served_protocols: vec!["other/1".into()], ..setup.clone() };
    let mut r = Fed::new(&elsewhere, Role::Responder);
    Fed::new(setup, Role::Initiator).sends().iter().for_each(|hello| r.feed(hello));
    let bytes = r.sends().pop().expect("a Refuse");
    assert_eq!(bytes[1], Kind::Refuse);
    Recorded { from: Role::Responder, bytes }
}

/// A well-formed Retry, which nobody sends on a stream carrier.
fn retry(to_initiator: &[u8]) -> Recorded {
    let mut bytes = vec![10, Kind::Retry, 0, 0, 0, 0, 0, 0];
    bytes.extend_from_slice(to_initiator);
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&[12, 0, 0, 0]); // the table is at 12
    bytes.extend_from_slice(&[8, 0, 68, 0, 4, 0, 36, 0]); // vtable: its length, the table's, the places of two structs
    bytes.extend_from_slice(&[8, 0, 0, 0]); // table: the vtable is 8 before it
    bytes.extend_from_slice(&[0xA5; 64]); // hello_hash, cookie
    fix_length(&mut bytes);
    Recorded { from: Role::Responder, bytes }
}

fn explore_all(role: Role, waits: Waits) {
    for suite in Setup::SUITES {
        let case = Case::new(suite, role, waits);
        assert_eq!(case.explore(&mut Vec::new()), sequences(LONGEST), "1,111,111 sequences");
    }
}

/// R-6.2-1, R-4.2-1, R-4.5-1, R-4.5-2, R-6.4-3.
#[test]
fn an_initiator_establishes_after_the_legal_order_alone() {
    explore_all(Role::Initiator, Waits::No);
}

/// R-6.3-3, R-6.3-4, R-4.5-1, R-4.5-2.
#[test]
fn a_responder_establishes_after_the_legal_order_alone() {
    explore_all(Role::Responder, Waits::No);
}

/// R-6.2-1, R-6.2-3: until the owner has spoken nothing may come.
#[test]
fn an_initiator_that_waits_for_a_verdict_takes_nothing() {
    explore_all(Role::Initiator, Waits::Verdict);
}

/// R-6.3-3, R-6.3-5, R-6.6-1: Data may come, and is held.
#[test]
fn a_responder_that_waits_for_a_verdict_takes_data_alone() {
    explore_all(Role::Responder, Waits::Verdict);
}

/// R-6.2-1.
#[test]
fn an_initiator_that_waits_for_a_signature_takes_nothing() {
    explore_all(Role::Initiator, Waits::Signature);
}

/// R-6.3-3.
#[test]
fn a_responder_that_waits_for_a_signature_takes_nothing() {
    explore_all(Role::Responder, Waits::Signature);
}

/// R-4.2-1, R-6.4-3: the Retry and the Refuse of these tests are what they should be. The Refuse ends a handshake with its reason where
/// it has its place.
#[test]
fn a_refuse_has_its_place_directly_after_the_hello() {
    let setup = Setup::default();
    let mut i = Fed::new(&setup, Role::Initiator);
    i.sends();
    i.feed(&refuse(&setup).bytes);
    assert_eq!(i.closed(), Some(CloseReason::Refused(aitcp::RefuseCode::UnknownAppProtocol)));

    let script = Script::record(&setup);
    let mut i = script.receiver_of(&setup, 2);
    i.feed(&refuse(&setup).bytes);
    assert_eq!(i.closed(), Some(CloseReason::Misbehaved(aitcp::PeerMisbehaved::UnexpectedPacket)));
}
